"""Donors, their donations, and the index that shares impact tokens between donations."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Upper
from djmoney.money import Money

from accounts.fields import WeiField, uuid7
from accounts.models.operators import Rail
from accounts.models.sites import Site
from accounts.models.topups import IntentState, as_money


class Donor(models.Model):
    """A giver. Personal data lie in DonorContact."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.uid)


class DonorContact(models.Model):
    """A donor's name and address, apart from everything that is public."""

    donor = models.OneToOneField(Donor, on_delete=models.PROTECT, related_name="contact")
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    language = models.CharField(max_length=2, default="en", help_text="that letters are in")
    verified_email = models.CharField(
        max_length=254,
        blank=True,
        db_index=True,
        editable=False,
        help_text="the address whose holder logged in, as addresses.plain writes it",
    )

    class Meta:
        indexes = [models.Index(Upper("email"), name="donor_contact_by_email")]

    def __str__(self) -> str:
        return self.name


class DonorsIndex(models.Model):
    """Running totals of one site's donations and rewards; see accounts.donors_index."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT, related_name="donors_index")
    donated_wei = WeiField(default=0, help_text="D: sum of active donations")
    accumulated = WeiField(default=0, help_text="acc: reward per wei donated, times 10^36")
    remainder = WeiField(default=0, help_text="rem: what the last division left, times 10^36")
    rewarded_wei = WeiField(default=0, help_text="minted for donors, parked included")
    unallocated_wei = WeiField(default=0, help_text="parked while there was no donation")

    class Meta:
        verbose_name = "donors' index"
        verbose_name_plural = "donors' indexes"

    def __str__(self) -> str:
        return f"donors' index of {self.site}"


class Pledge(models.Model):
    """A donor's intent to pay towards a site; its state follows its attempts."""

    State = IntentState

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    donor = models.ForeignKey(Donor, on_delete=models.PROTECT, related_name="pledges")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="pledges")
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="pledges")
    campaign = models.ForeignKey(
        "accounts.Campaign", on_delete=models.PROTECT, null=True, blank=True, related_name="pledges"
    )
    plan = models.ForeignKey(
        "accounts.GivingPlan",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="pledges",
        help_text="the monthly donation that it is a month of",
    )
    public_name = models.CharField(
        max_length=60, blank=True, help_text="shown among the donors; empty: anonymous"
    )
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(
        max_length=12, choices=IntentState.choices, default=IntentState.CREATED
    )
    idempotency_key = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0), name="pledge_amount_above_zero"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.site} {self.state}"

    @property
    def amount(self) -> Money:
        return as_money(amount_minor=self.amount_minor, currency=self.currency)

    @property
    def account_text(self) -> str:
        """What the provider is told the payment is for."""
        return f"donation {self.uid}"


class Donation(models.Model):
    """A donor's payment towards a site: a position of the donors' index.

    amount_wei is what still counts: it shrinks when part of the payment is taken back.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    donor = models.ForeignKey(Donor, on_delete=models.PROTECT, related_name="donations")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="donations")
    amount_wei = WeiField()
    paid_index = WeiField(help_text="acc when last touched")
    fraction = WeiField(default=0, help_text="claimable part below one wei, times 10^36")
    claimed_wei = WeiField(default=0, help_text="impact tokens reckoned so far")
    donated_at = models.DateTimeField()
    vests_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    payment = models.ForeignKey(
        "accounts.Payment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="donations",
        help_text="what paid it; a dispute that was won opens a second position",
    )

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"donation {self.uid}"
