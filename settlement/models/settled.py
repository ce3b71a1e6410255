"""What settlement wrote: readings, charges, bills of blocks and days, batches, splits.

Written only by the SQL functions of settlement/sql; read only from here.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.fields import WeiField, uuid7
from accounts.models import Household, JournalEntry, Site
from settlement.models.meters import Meter
from settlement.models.pricing import Price


class SplitVersion(models.Model):
    """An ordered list of shares of what is paid. Never changed: superseded."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="split_versions")
    version = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("site", "-version")
        constraints = [
            models.UniqueConstraint(fields=("site", "version"), name="split_version_once"),
            models.UniqueConstraint(fields=("site", "valid_from"), name="split_version_from_once"),
        ]

    def __str__(self) -> str:
        return f"{self.site} split {self.version}"


class SplitLine(models.Model):
    """One share; positions count from 1, the last line takes what rounding leaves."""

    version = models.ForeignKey(SplitVersion, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    name = models.SlugField(max_length=24, help_text="tax, levies, reserve, grant, ...")
    share_basis_points = models.PositiveIntegerField(help_text="of what is paid")

    class Meta:
        ordering = ("version", "position")
        constraints = [
            models.UniqueConstraint(fields=("version", "position"), name="split_position_once"),
            models.UniqueConstraint(fields=("version", "name"), name="split_name_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.share_basis_points} bp"


class SplitProgress(models.Model):
    """Cumulative paid and posted of one split version: what keeps every split exact."""

    version = models.OneToOneField(SplitVersion, on_delete=models.PROTECT, related_name="progress")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    paid_wei = WeiField(default=0)
    posted_wei = ArrayField(models.DecimalField(max_digits=78, decimal_places=0), default=list)

    def __str__(self) -> str:
        return f"progress of {self.version}"


class SettlementBatch(models.Model):
    """One transaction of the settlement engine at one site."""

    class Kind(models.TextChoices):
        READINGS = "readings"
        REBATES = "rebates"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="settlement_batches")
    kind = models.CharField(max_length=10, choices=Kind)
    settled_at = models.DateTimeField()
    split_version = models.ForeignKey(SplitVersion, on_delete=models.PROTECT, null=True)
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, null=True
    )
    taken_count = models.BigIntegerField(default=0, help_text="readings taken from the inbox")
    accepted_count = models.BigIntegerField(default=0)
    repeated_count = models.BigIntegerField(default=0, help_text="known already, the same energy")
    quarantined_count = models.BigIntegerField(default=0)
    energy_milliwatt_hours = models.BigIntegerField(default=0, help_text="charged")
    minting_milliwatt_hours = models.BigIntegerField(default=0, help_text="of it solar")
    charged_wei = WeiField(default=0)
    paid_wei = WeiField(default=0, help_text="from deposited funds")
    arrears_wei = WeiField(default=0, help_text="newly owed")
    borne_wei = WeiField(default=0, help_text="too late to be owed: the operator bears it")
    recovered_wei = WeiField(default=0, help_text="arrears collected")
    rebate_wei = WeiField(default=0)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=("site", "-id"), name="settlement_batch_by_site")]

    def __str__(self) -> str:
        return f"{self.site} {self.settled_at:%Y-%m-%d %H:%M} {self.kind}"


class Reading(models.Model):
    """Energy of one meter in one slot. Partitioned by month of the slot; append-only."""

    site = models.ForeignKey(Site, on_delete=models.DO_NOTHING, db_constraint=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False)
    energy_milliwatt_hours = models.BigIntegerField()
    source = models.CharField(max_length=20)
    received_at = models.DateTimeField()
    batch = models.ForeignKey(SettlementBatch, on_delete=models.DO_NOTHING, db_constraint=False)

    class Meta:
        managed = False
        db_table = "reading"
        ordering = ("-starts_at",)

    def __str__(self) -> str:
        return f"{self.meter} {self.starts_at:%Y-%m-%d %H:%M}"


class Charge(models.Model):
    """A priced slot. Partitioned by month of the slot; append-only."""

    site = models.ForeignKey(Site, on_delete=models.DO_NOTHING, db_constraint=False)
    starts_at = models.DateTimeField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False)
    household = models.ForeignKey(
        Household, on_delete=models.DO_NOTHING, db_constraint=False, related_name="charges"
    )
    energy_milliwatt_hours = models.BigIntegerField()
    minting_milliwatt_hours = models.BigIntegerField()
    price = models.ForeignKey(Price, on_delete=models.DO_NOTHING, db_constraint=False)
    wei_per_milliwatt_hour = models.BigIntegerField()
    amount_wei = WeiField()
    is_late = models.BooleanField()
    batch = models.ForeignKey(SettlementBatch, on_delete=models.DO_NOTHING, db_constraint=False)

    class Meta:
        managed = False
        db_table = "charge"
        ordering = ("-starts_at",)

    def __str__(self) -> str:
        return f"{self.household} {self.starts_at:%Y-%m-%d %H:%M}"


class BlockBill(models.Model):
    """One household's energy, charge and rebate of one price block (22-06, 06-10, 10-16, 16-22)."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="block_bills")
    block_starts_at = models.DateTimeField()
    block_ends_at = models.DateTimeField()
    energy_milliwatt_hours = models.BigIntegerField(default=0)
    charged_wei = WeiField(default=0)
    arrears_wei = WeiField(default=0, help_text="owed from this block when it was charged")
    cancelled_wei = WeiField(default=0, help_text="of these arrears, cancelled by the rebate")
    rebate_wei = WeiField(default=0, help_text="given so far")
    is_due = models.BooleanField(default=True, help_text="the rebate has to be computed (again)")

    class Meta:
        ordering = ("-block_starts_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("site", "household", "block_starts_at"), name="block_bill_once"
            )
        ]
        indexes = [
            models.Index(
                fields=("site", "block_ends_at"),
                name="block_bill_due",
                condition=models.Q(is_due=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.household} {self.block_starts_at:%Y-%m-%d %H:%M}"


class HouseholdDay(models.Model):
    """One household's energy and charge of one local day: what usage screens add up."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="days")
    day = models.DateField(help_text="in the site's time zone")
    energy_milliwatt_hours = models.BigIntegerField(default=0)
    charged_wei = WeiField(default=0)
    last_slot_ends_at = models.DateTimeField()

    class Meta:
        ordering = ("-day",)
        constraints = [
            models.UniqueConstraint(fields=("household", "site", "day"), name="household_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.household} {self.day}"
