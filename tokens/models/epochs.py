"""Epochs: what everybody has earned by an instant, as leaves of a sum tree."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField, uuid7
from accounts.models import Donation, Household, Site
from tokens.models.outbox import OutboxTransfer


class Cohort(models.Model):
    """At least five households of a site, published only as their sum; membership never ends."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="cohorts")
    number = models.PositiveIntegerField(help_text="from 1")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("site", "number")
        constraints = [
            models.UniqueConstraint(fields=("site", "number"), name="cohort_number_once")
        ]

    def __str__(self) -> str:
        return f"cohort {self.number} of {self.site}"


class Leaf(models.Model):
    """Whose entitlement a leaf is. Its key is random, never changes and names nobody."""

    class Kind(models.TextChoices):
        HOUSEHOLD = "household", "household"
        DONATION = "donation", "donation (what has vested)"
        RESERVE = "reserve", "vesting reserve of the donors"
        UNALLOCATED = "unallocated", "earned while there was no donation"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="leaves")
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=66, unique=True, help_text="32 bytes, 0x and hexadecimal")
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="leaves"
    )
    cohort = models.ForeignKey(
        Cohort, on_delete=models.PROTECT, null=True, blank=True, related_name="leaves"
    )
    donation = models.OneToOneField(
        Donation, on_delete=models.PROTECT, null=True, blank=True, related_name="leaf"
    )
    wallet = models.CharField(
        max_length=42, blank=True, help_text="where a claim pays to, from the next epoch on"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("site", "id")
        verbose_name_plural = "leaves"
        constraints = [
            models.UniqueConstraint(fields=("site", "household"), name="leaf_once_a_household"),
            models.UniqueConstraint(
                fields=("site", "kind"),
                condition=models.Q(kind__in=("reserve", "unallocated")),
                name="leaf_of_the_site_once",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(kind="household", household__isnull=False, cohort__isnull=False)
                    & models.Q(donation__isnull=True)
                )
                | models.Q(kind="donation", donation__isnull=False, household__isnull=True)
                | models.Q(
                    kind__in=("reserve", "unallocated"),
                    household__isnull=True,
                    donation__isnull=True,
                    wallet="",
                ),
                name="leaf_of_one_owner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key[:10]}"


class Epoch(models.Model):
    """Everything settled by `closed_at`, cumulative. Sealed when closed; only its state moves."""

    class State(models.TextChoices):
        CLOSED = "closed", "closed, not proposed yet"
        PROPOSED = "proposed", "proposed, in its veto window"
        ACTIVE = "active", "active: its tokens are minted"
        VETOED = "vetoed", "vetoed by the guardian"
        REFUSED = "refused", "refused by the ledger contract"

    OPEN = (State.CLOSED, State.PROPOSED)

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="epochs")
    chain_id = models.BigIntegerField()
    number = models.PositiveIntegerField(help_text="from 1; a vetoed number is proposed again")
    attempt = models.PositiveIntegerField(default=1, help_text="counts what was vetoed or refused")
    starts_at = models.DateTimeField(help_text="of its energy balance")
    ends_at = models.DateTimeField(help_text="of its energy balance")
    book_height = models.BigIntegerField(help_text="entries of the site's book that are in it")
    book_hash = models.CharField(max_length=66, help_text="head of the book's hash chain there")
    milliwatt_hours = models.BigIntegerField(help_text="cumulative energy of all leaves")
    tokens_wei = WeiField(help_text="cumulative tokens of all leaves: energy x w")
    carry_milliwatt_hours = models.BigIntegerField(default=0, help_text="leaves less ledger")
    carry_wei = WeiField(default=0, help_text="leaves less ledger")
    root = models.CharField(max_length=66)
    dataset = models.TextField(help_text="what is published, byte for byte (canonical JSON)")
    dataset_hash = models.CharField(max_length=66, help_text="SHA-256 of those bytes")
    balance = models.JSONField(default=dict, help_text="energy balance, as in the data set")
    is_balanced = models.BooleanField(
        help_text="generation + discharge - charge >= feeder >= households, within 2 %"
    )
    certificate = models.CharField(
        max_length=120, blank=True, help_text="claimed by this D-REC or I-REC: no CO2 claim then"
    )
    state = models.CharField(max_length=10, choices=State, default=State.CLOSED)
    closed_at = models.DateTimeField()
    proposed_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(null=True, blank=True)
    proposal = models.OneToOneField(
        OutboxTransfer, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    activation = models.OneToOneField(
        OutboxTransfer, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("site", "-number", "-attempt")
        constraints = [
            models.UniqueConstraint(
                fields=("site", "chain_id", "number", "attempt"), name="epoch_once"
            ),
            models.UniqueConstraint(
                fields=("site", "chain_id"),
                condition=models.Q(state__in=("closed", "proposed")),
                name="epoch_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"epoch {self.number} of {self.site}"


class EpochLeaf(models.Model):
    """A leaf as an epoch has it: cumulative, and what it stands above the ledger (carry)."""

    epoch = models.ForeignKey(Epoch, on_delete=models.PROTECT, related_name="leaves")
    leaf = models.ForeignKey(Leaf, on_delete=models.PROTECT, related_name="epochs")
    milliwatt_hours = models.BigIntegerField()
    tokens_wei = WeiField()
    carry_milliwatt_hours = models.BigIntegerField(default=0)
    carry_wei = WeiField(default=0, help_text="below zero: what the reserve lends to donations")
    wallet = models.CharField(max_length=42, blank=True)
    earned_wei = WeiField(  # type: ignore[misc]  # read as int | None
        null=True,
        blank=True,
        help_text="of a donation: what its books said, vested or not; not published",
    )

    class Meta:
        verbose_name_plural = "epoch leaves"
        constraints = [
            models.UniqueConstraint(fields=("epoch", "leaf"), name="epoch_leaf_once"),
            models.CheckConstraint(
                condition=models.Q(milliwatt_hours__gte=0)
                & models.Q(tokens_wei__gte=0)
                & models.Q(carry_milliwatt_hours__gte=0),
                name="epoch_leaf_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leaf} in {self.epoch}"
