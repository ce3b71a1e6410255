"""What is taken back of a payment: refunds, reversals and disputes, and claims on payers."""

from __future__ import annotations

import uuid

from django.db import models

from accounts.fields import WeiField, uuid7
from accounts.models.ledger import JournalEntry
from accounts.models.operators import User
from accounts.models.payments import Payment


class TakeBack(models.Model):
    """The ledger's side of a refund, reversal or dispute: the opposite of part of a credit.

    taken_wei came out of unspent funds (or of the donation), claim_wei is owed by the payer.
    Where it did not come to it in the end, put_back_entry is the opposite once more.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="take_backs")
    amount_minor = models.BigIntegerField()
    taken_wei = WeiField()
    claim_wei = WeiField(default=0)
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    paid_entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        help_text="when the money left the rail's float",
    )
    put_back_entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
    )
    taken_at = models.DateTimeField()
    put_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0), name="take_back_above_zero"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of {self.payment}"


class Refund(models.Model):
    """Money we give back to the source that paid. Stored before the provider is called."""

    class State(models.TextChoices):
        CREATED = "created"
        SUBMITTING = "submitting"
        PENDING = "pending"
        UNKNOWN = "unknown"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    OPEN = (State.CREATED, State.SUBMITTING, State.PENDING, State.UNKNOWN)

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=200)
    requested_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="empty where it was made at the provider",
    )
    idempotency_key = models.CharField(max_length=120, unique=True)
    request_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    token = models.CharField(max_length=64, unique=True)
    provider_request = models.CharField(max_length=80, blank=True)
    reference = models.CharField(max_length=64, blank=True, help_text="the provider's id")
    state = models.CharField(max_length=12, choices=State, default=State.CREATED)
    failure_code = models.CharField(max_length=40, blank=True)
    failure_text = models.CharField(max_length=200, blank=True)
    take_back = models.OneToOneField(
        TakeBack, on_delete=models.PROTECT, null=True, blank=True, related_name="refund"
    )
    poll_count = models.PositiveIntegerField(default=0)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="refund_above_zero")
        ]
        indexes = [
            models.Index(
                fields=("next_poll_at",),
                name="refund_to_poll",
                condition=models.Q(next_poll_at__isnull=False),
            ),
            models.Index(fields=("provider_request",), name="refund_by_provider_request"),
        ]

    def __str__(self) -> str:
        return f"refund of {self.payment} {self.state}"


class Reversal(models.Model):
    """Money the provider took back by itself, e.g. because the payer asked for it there."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="reversals")
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=64, help_text="the provider's id of the reversal")
    amount_minor = models.BigIntegerField()
    take_back = models.OneToOneField(TakeBack, on_delete=models.PROTECT, related_name="reversal")
    reversed_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("provider", "reference"), name="reversal_reference_once"
            )
        ]

    def __str__(self) -> str:
        return f"reversal {self.reference} of {self.payment}"


class Dispute(models.Model):
    """A payer contests a payment at their bank; the bank takes the money until it is decided."""

    class State(models.TextChoices):
        INQUIRY = "inquiry", "asked about; nothing taken"
        OPEN = "open", "taken until decided"
        WON = "won", "given again"
        LOST = "lost"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=64, help_text="the provider's id of the dispute")
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField(default=0, help_text="what the provider charges for it")
    reason = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=State)
    evidence_due_at = models.DateTimeField(null=True, blank=True)
    take_back = models.OneToOneField(
        TakeBack, on_delete=models.PROTECT, null=True, blank=True, related_name="dispute"
    )
    opened_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("provider", "reference"), name="dispute_reference_once")
        ]

    def __str__(self) -> str:
        return f"dispute {self.reference} of {self.payment} {self.state}"


class PayerClaim(models.Model):
    """What a payer owes after taking back credit that was spent. Not the household's arrears."""

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled", "paid, or the dispute was won"
        WRITTEN_OFF = "written_off", "given up; the operator bears it"

    take_back = models.OneToOneField(TakeBack, on_delete=models.PROTECT, related_name="claim")
    amount_wei = WeiField()
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    note = models.CharField(max_length=200, blank=True)
    closed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"claim on the payer of {self.take_back.payment}"
