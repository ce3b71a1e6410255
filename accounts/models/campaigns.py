"""Campaigns: what a site collects for, how far it is, and who gives every month."""

from __future__ import annotations

from django.db import models
from djmoney.money import Money
from simple_history.models import HistoricalRecords

from accounts.fields import WeiField, uuid7
from accounts.models.donors import Donation, Donor
from accounts.models.ledger import JournalEntry
from accounts.models.operators import Rail, User
from accounts.models.sites import Site
from accounts.models.topups import as_money


class Campaign(models.Model):
    """A round of giving for a site: a goal, and a deadline by which it is reached or refunded."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft: not shown"
        OPEN = "open", "open"
        SUCCEEDED = "succeeded", "goal reached"
        FAILED = "failed", "goal missed: donations are given back"
        CLOSED = "closed", "closed by the operator"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="campaigns")
    title = models.CharField(max_length=120)
    title_fr = models.CharField(max_length=120, blank=True)
    story = models.TextField(blank=True, help_text="Markdown")
    story_fr = models.TextField(blank=True, help_text="Markdown")
    goal_wei = WeiField(help_text="10^-18 of DAI")
    opens_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True, blank=True, help_text="empty: none")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_wei = WeiField(  # type: ignore[misc]  # read as int | None
        null=True, blank=True, help_text="what was raised when it was decided"
    )
    created_at = models.DateTimeField()

    history = HistoricalRecords()

    class Meta:
        ordering = ("-opens_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("site",),
                condition=models.Q(state="open"),
                name="campaign_one_open_a_site",
            ),
            models.CheckConstraint(
                condition=models.Q(goal_wei__gt=0)
                & (
                    models.Q(deadline_at__isnull=True)
                    | models.Q(deadline_at__gt=models.F("opens_at"))
                ),
                name="campaign_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.site})"


class Milestone(models.Model):
    """A step from ordered to commissioned, with a photo and dates."""

    class Kind(models.TextChoices):
        ORDERED = "ordered", "ordered"
        SHIPPED = "shipped", "shipped"
        ARRIVED = "arrived", "arrived"
        INSTALLED = "installed", "installed"
        COMMISSIONED = "commissioned", "commissioned"
        OTHER = "other", "other"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="milestones")
    position = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=12, choices=Kind)
    note = models.CharField(max_length=400, blank=True)
    note_fr = models.CharField(max_length=400, blank=True)
    planned_on = models.DateField(null=True, blank=True)
    reached_on = models.DateField(null=True, blank=True)
    photo = models.BinaryField(null=True, blank=True, help_text="JPEG, made small when uploaded")
    photo_hash = models.CharField(max_length=64, blank=True, editable=False)
    photo_words = models.CharField(
        max_length=200, blank=True, help_text="what is to be seen, for who does not see it"
    )
    photo_words_fr = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("campaign", "position", "id")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(photo_hash="") | ~models.Q(photo_words=""),
                name="milestone_photo_has_words",
            )
        ]
        indexes = [models.Index(fields=("photo_hash",), name="milestone_by_photo")]

    def __str__(self) -> str:
        return self.get_kind_display()


class CryptoReturn(models.Model):
    """Crypto money of a missed campaign that a person sent back on chain; once a donation.

    units are the asset's smallest.
    """

    donation = models.OneToOneField(
        Donation, on_delete=models.PROTECT, related_name="crypto_return"
    )
    asset = models.CharField(max_length=8)
    units = WeiField(help_text="smallest units of the asset")
    amount_wei = WeiField(help_text="what they were worth when they came")
    reference = models.CharField(max_length=66, unique=True, help_text="hash of the transfer back")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.donation} given back"


class GivingPlan(models.Model):
    """A monthly donation by card; each month's payment is a pledge of its own."""

    class State(models.TextChoices):
        PENDING = "pending", "waits for its first payment"
        ACTIVE = "active"
        PAST_DUE = "past_due", "the last payment failed"
        CANCELLED = "cancelled"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    donor = models.ForeignKey(Donor, on_delete=models.PROTECT, related_name="plans")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="plans")
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="plans")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    provider_plan = models.CharField(
        max_length=80, blank=True, help_text="what the provider calls it, e.g. sub_..."
    )
    idempotency_key = models.CharField(max_length=120, unique=True)
    failure = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    end_asked_at = models.DateTimeField(
        null=True, blank=True, help_text="when its donor asked for its end"
    )
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="when the provider last said how it stands"
    )
    next_check_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("next_check_at",),
                name="giving_plan_to_check",
                condition=models.Q(next_check_at__isnull=False),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0), name="giving_plan_above_zero"
            ),
            models.UniqueConstraint(
                fields=("rail", "provider_plan"),
                condition=~models.Q(provider_plan=""),
                name="giving_plan_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} a month for {self.site}"

    @property
    def amount(self) -> Money:
        """What is given every month."""
        return as_money(amount_minor=self.amount_minor, currency=self.currency)
