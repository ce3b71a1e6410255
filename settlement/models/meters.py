"""Meters, whom they measure, what the head-end said, and what could not be accepted."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import uuid7
from accounts.models import Household, Site, User


class Meter(models.Model):
    """A device at a site. Never deleted: closed."""

    class Role(models.TextChoices):
        HOUSEHOLD = "household", "household"
        FEEDER = "feeder", "feeder (mains); measured, not charged"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="meters")
    serial = models.CharField(max_length=40)
    role = models.CharField(max_length=10, choices=Role, default=Role.HOUSEHOLD)
    max_power_watts = models.PositiveIntegerField(
        default=5_000, help_text="a slot with more energy than this allows goes to quarantine"
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ("site", "serial")
        constraints = [
            models.UniqueConstraint(fields=("site", "serial"), name="meter_serial_once_a_site")
        ]

    def __str__(self) -> str:
        return self.serial


class MeterAssignment(models.Model):
    """Which household a meter measures, and when; a charge follows the one of its slot."""

    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="assignments")
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, related_name="meter_assignments"
    )
    validity = DateTimeRangeField()

    history = HistoricalRecords()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="meter_of_one_household_at_a_time",
                expressions=[
                    ("meter", RangeOperators.EQUAL),
                    ("validity", RangeOperators.OVERLAPS),
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.meter} of {self.household}"


class HeadEndCursor(models.Model):
    """How far a site's head-end was read, and how reading it goes."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT, related_name="head_end_cursor")
    read_until = models.DateTimeField()
    failures_in_a_row = models.PositiveIntegerField(default=0)
    last_failure = models.CharField(max_length=200, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    next_pull_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.site} read until {self.read_until:%Y-%m-%d %H:%M}"


class MeterGap(models.Model):
    """Slots of one meter and day that never came; asked for again until they do."""

    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="gaps")
    day = models.DateField(help_text="UTC")
    missing_slots = models.PositiveIntegerField()
    found_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)
    asked_count = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-day",)
        constraints = [
            models.UniqueConstraint(fields=("meter", "day"), name="meter_gap_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.meter} {self.day}: {self.missing_slots} slots missing"


class ReadingInbox(models.Model):
    """A reading as it came, waiting to be settled."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=20)
    serial = models.CharField(max_length=40)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    energy_milliwatt_hours = models.BigIntegerField()
    received_at = models.DateTimeField()
    is_vouched = models.BooleanField(
        default=False, help_text="an operator released it: plausibility is not checked again"
    )

    class Meta:
        indexes = [models.Index(fields=("site", "id"), name="reading_inbox_by_site")]

    def __str__(self) -> str:
        return f"{self.serial} {self.starts_at:%Y-%m-%d %H:%M}"


class QuarantinedReading(models.Model):
    """A reading that could not be accepted, with the reason and what became of it."""

    class Reason(models.TextChoices):
        UNKNOWN_METER = "unknown_meter", "no meter of this serial at the site"
        METER_CLOSED = "meter_closed", "the meter was closed before the slot"
        NOT_A_SLOT = "not_a_slot", "the interval is no slot of the site"
        NO_PARTITION = "no_partition", "the slot lies outside the months that are kept"
        IN_THE_FUTURE = "in_the_future", "the slot has not ended yet"
        NEGATIVE_ENERGY = "negative_energy", "energy below zero"
        IMPLAUSIBLE_ENERGY = "implausible_energy", "more than the meter can carry"
        REGISTER_BACKWARDS = "register_backwards", "the register went backwards"
        CONFLICTING_DUPLICATE = "conflicting_duplicate", "the slot is known with other energy"
        NO_PRICE = "no_price", "no price was published for the slot or before it"
        MALFORMED = "malformed", "the reading could not be read"

    class Resolution(models.TextChoices):
        OPEN = "", "open"
        RELEASED = "released", "released to the inbox"
        DISMISSED = "dismissed", "dismissed"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="quarantined_readings")
    source = models.CharField(max_length=20)
    serial = models.CharField(max_length=40)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    energy_milliwatt_hours = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=24, choices=Reason)
    detail = models.CharField(max_length=400, blank=True)
    received_at = models.DateTimeField()
    quarantined_at = models.DateTimeField()
    resolution = models.CharField(max_length=10, choices=Resolution, blank=True, default="")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=("site", "resolution", "-id"), name="quarantine_by_site")]

    def __str__(self) -> str:
        return f"{self.serial}: {self.get_reason_display()}"


class SlotTelemetry(models.Model):
    """What the plant said of one slot: battery, production, flows."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="telemetry")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state_of_charge_basis_points = models.PositiveIntegerField(help_text="usable, 0 to 10,000")
    production_milliwatt_hours = models.BigIntegerField()
    battery_in_milliwatt_hours = models.BigIntegerField(default=0)
    battery_out_milliwatt_hours = models.BigIntegerField(default=0)
    feeder_milliwatt_hours = models.BigIntegerField(default=0)
    solar_share_basis_points = models.PositiveIntegerField(
        default=10_000, help_text="the part of the slot's energy that mints impact tokens"
    )
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-starts_at",)
        indexes = [models.Index(fields=("site", "-id"), name="telemetry_by_site")]
        constraints = [
            models.UniqueConstraint(fields=("site", "starts_at"), name="telemetry_once_a_slot"),
            models.CheckConstraint(
                condition=models.Q(state_of_charge_basis_points__lte=10_000)
                & models.Q(solar_share_basis_points__lte=10_000),
                name="telemetry_shares_at_most_all",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} {self.starts_at:%Y-%m-%d %H:%M}"
