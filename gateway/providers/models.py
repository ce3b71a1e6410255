"""What rails tell of themselves: how far their statements were read, rows, balances, results."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import uuid7
from accounts.models import Payment, Rail, Refund, User
from settlement.models import Payout


class StatementCursor(models.Model):
    """The instant up to which a rail's payments were pulled, and how pulling goes."""

    rail = models.OneToOneField(Rail, on_delete=models.PROTECT, related_name="statement_cursor")
    read_until = models.DateTimeField()
    failures_in_a_row = models.PositiveIntegerField(default=0)
    last_failure = models.CharField(max_length=200, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.rail.code} read until {self.read_until:%Y-%m-%d %H:%M}"


class ResultRequest(models.Model):
    """A question whose answer a provider posts later to /result/<token>."""

    class Kind(models.TextChoices):
        REVERSAL = "reversal"
        STATUS = "status", "transaction status"
        BALANCE = "balance", "account balance"
        PAYOUT = "payout", "payout (B2C)"

    class State(models.TextChoices):
        SUBMITTING = "submitting"
        PENDING = "pending"
        ANSWERED = "answered"
        TIMED_OUT = "timed_out", "the provider said it had no time"
        REFUSED = "refused"

    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="result_requests")
    kind = models.CharField(max_length=10, choices=Kind)
    token = models.CharField(max_length=64, unique=True)
    reference = models.CharField(max_length=64, blank=True, help_text="the receipt asked about")
    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="result_requests"
    )
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="result_requests"
    )
    conversation = models.CharField(max_length=80, blank=True, db_index=True)
    state = models.CharField(max_length=12, choices=State, default=State.SUBMITTING)
    result_code = models.CharField(max_length=40, blank=True)
    result_text = models.CharField(max_length=200, blank=True)
    result = models.JSONField(default=dict, help_text="parameters of the result, by their names")
    requested_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=("rail", "kind", "reference"), name="result_request_by_reference")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference} {self.state}"


class StatementRow(models.Model):
    """One row of a provider's own statement, kept as it was first seen."""

    class Kind(models.TextChoices):
        PAYMENT = "payment"
        REFUND = "refund"
        REVERSAL = "reversal"
        DISPUTE = "dispute"
        DISPUTE_WON = "dispute_won", "dispute won: given again"
        PAYOUT = "payout", "moved out by us"
        FEE = "fee"

    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="statement_rows")
    kind = models.CharField(max_length=12, choices=Kind)
    reference = models.CharField(max_length=64, help_text="the provider's id of this movement")
    payment_reference = models.CharField(
        max_length=64, blank=True, help_text="of the payment it takes back, if any"
    )
    amount_minor = models.BigIntegerField(help_text="above zero, whatever the direction")
    fee_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    happened_at = models.DateTimeField()
    account_text = models.CharField(max_length=64, blank=True)
    payer_phone = models.CharField(max_length=80, blank=True)
    first_seen_at = models.DateTimeField()

    class Meta:
        ordering = ("-happened_at",)
        constraints = [
            models.UniqueConstraint(fields=("rail", "kind", "reference"), name="statement_row_once")
        ]
        indexes = [models.Index(fields=("rail", "happened_at"), name="statement_row_by_day")]

    def __str__(self) -> str:
        return f"{self.rail.code} {self.kind} {self.reference}"


class RailBalance(models.Model):
    """What a provider said lies on a rail's account, beside our floats at that moment."""

    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="told_amounts")
    told_minor = models.BigIntegerField(help_text="the provider's")
    float_minor = models.BigIntegerField(
        help_text="ours, over all books, of that instant as far as we know of it"
    )
    currency = models.CharField(max_length=3)
    told_at = models.DateTimeField()

    class Meta:
        ordering = ("-told_at",)
        indexes = [models.Index(fields=("rail", "-told_at"), name="rail_balance_latest")]

    def __str__(self) -> str:
        return f"{self.rail.code} {self.told_minor} {self.currency} at {self.told_at}"

    @property
    def difference_minor(self) -> int:
        """Above zero: the provider has more than our floats say."""
        return self.told_minor - self.float_minor


class Reconciliation(models.Model):
    """One rail's statement of one day compared with ours. Counts are of what nobody resolved."""

    SETTLES_AFTER = timedelta(hours=2)
    """How long a statement may take to show a movement: what is younger is not missed."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="reconciliations")
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    matched = models.PositiveIntegerField(default=0)
    missing_here = models.PositiveIntegerField(default=0)
    missing_there = models.PositiveIntegerField(default=0)
    amount_differs = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True, help_text="why it could not be done")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("-ends_at", "rail")
        constraints = [
            models.UniqueConstraint(fields=("rail", "begins_at"), name="reconciliation_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.rail.code} {self.day}"

    @property
    def day(self) -> date:
        """The day it is of, where the rail is: its noon is the same day in UTC."""
        return (self.begins_at + (self.ends_at - self.begins_at) / 2).date()

    @property
    def is_young(self) -> bool:
        """Made before the statement of the day was complete: it has to be made again."""
        return self.made_at < self.ends_at + self.SETTLES_AFTER


class Difference(models.Model):
    """A movement on which a rail's statement and our books do not agree, until a person decides."""

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", "in the statement, not in our books"
        MISSING_THERE = "missing_there", "in our books, not in the statement"
        AMOUNT_DIFFERS = "amount_differs", "amounts differ"

    class State(models.TextChoices):
        OPEN = "open"
        GONE = "gone", "agreed by itself later"
        TAKEN_IN = "taken_in", "taken into our books"
        TAKEN_BACK = "taken_back", "our credit was reversed"
        ACCEPTED = "accepted", "the difference was booked as unexplained"

    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="differences")
    reconciliation = models.ForeignKey(
        Reconciliation, on_delete=models.PROTECT, related_name="differences"
    )
    kind = models.CharField(max_length=16, choices=Kind)
    movement = models.CharField(
        max_length=12, choices=StatementRow.Kind, default=StatementRow.Kind.PAYMENT
    )
    row = models.ForeignKey(
        StatementRow, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    reference = models.CharField(max_length=64)
    ours_minor = models.BigIntegerField(
        default=0, help_text="what our books say it did to the float, above zero"
    )
    theirs_minor = models.BigIntegerField(
        default=0, help_text="what the statement says it did to the balance, above zero"
    )
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    note = models.CharField(max_length=200, blank=True)
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    history = HistoricalRecords()

    class Meta:
        ordering = ("-found_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("rail", "kind", "movement", "reference"),
                condition=models.Q(state="open"),
                name="difference_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reference}: {self.get_kind_display()}"
