"""Top-ups: what a household means to pay, each try at a provider, and what was really paid."""

from __future__ import annotations

from django.db import models
from djmoney.money import Money
from moneyed import get_currency

from accounts.fields import WeiField, uuid7
from accounts.models.households import Household
from accounts.models.ledger import JournalEntry
from accounts.models.operators import Rail
from accounts.models.sites import Site
from accounts.money import minor_per_major


def as_money(*, amount_minor: int, currency: str) -> Money:
    """Return minor units as django-money's Money."""
    return Money(amount_minor, get_currency(currency)) / minor_per_major(currency=currency)


class TopUp(models.Model):
    """A household's intent to pay; its state follows its attempts."""

    class State(models.TextChoices):
        CREATED = "created"
        SUBMITTING = "submitting"
        PENDING = "pending"
        UNKNOWN = "unknown"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        EXPIRED = "expired"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="top_ups")
    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="top_ups")
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="top_ups")
    phone = models.CharField(max_length=16, help_text="who is asked to pay")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=State, default=State.CREATED)
    idempotency_key = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0), name="top_up_amount_above_zero"
            )
        ]
        indexes = [models.Index(fields=("household", "-id"), name="top_up_by_household")]

    def __str__(self) -> str:
        return f"{self.household.code} {self.amount} {self.state}"

    @property
    def amount(self) -> Money:
        return as_money(amount_minor=self.amount_minor, currency=self.currency)


class TopUpAttempt(models.Model):
    """One try at a provider. Stored before the provider is called; a time-out is unknown."""

    class State(models.TextChoices):
        CREATED = "created"
        SUBMITTING = "submitting"
        PENDING = "pending"
        UNKNOWN = "unknown"
        AWAITING_REFERENCE = "awaiting_reference", "paid, receipt not seen yet"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        EXPIRED = "expired"

    OPEN = (State.CREATED, State.SUBMITTING, State.PENDING, State.UNKNOWN, State.AWAITING_REFERENCE)

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    top_up = models.ForeignKey(TopUp, on_delete=models.PROTECT, related_name="attempts")
    token = models.CharField(max_length=64, unique=True, help_text="last part of the callback path")
    state = models.CharField(max_length=20, choices=State, default=State.CREATED)
    provider_request = models.CharField(max_length=80, blank=True, help_text="CheckoutRequestID")
    claimed_reference = models.CharField(
        max_length=40, blank=True, help_text="receipt named by a callback, not yet confirmed"
    )
    failure_code = models.CharField(max_length=40, blank=True)
    failure_text = models.CharField(max_length=200, blank=True)
    is_late_success = models.BooleanField(default=False)
    has_mismatch = models.BooleanField(default=False, help_text="callback differs from the query")
    poll_count = models.PositiveIntegerField(default=0)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("next_poll_at",),
                name="attempt_to_poll",
                condition=models.Q(next_poll_at__isnull=False),
            ),
            models.Index(fields=("provider_request",), name="attempt_by_provider_request"),
        ]

    def __str__(self) -> str:
        return f"{self.top_up.household.code} {self.state} {self.provider_request}"


class Payment(models.Model):
    """Money that a provider confirmed, once per (provider, reference)."""

    class State(models.TextChoices):
        CREDITED = "credited"
        SUSPENSE = "suspense", "matches nobody yet"
        MISMATCH = "mismatch", "a person has to look"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="payments")
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=64, help_text="the provider's id, e.g. M-Pesa receipt")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    account_text = models.CharField(max_length=64, blank=True, help_text="as the payer typed it")
    payer_phone = models.CharField(max_length=80, blank=True, help_text="may be masked or hashed")
    paid_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State)
    reason = models.CharField(max_length=200, blank=True)
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="payments"
    )
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, related_name="payments"
    )
    top_up = models.ForeignKey(
        TopUp, on_delete=models.PROTECT, null=True, blank=True, related_name="payments"
    )
    entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="payments",
    )
    credited_wei = WeiField(null=True, blank=True)  # type: ignore[misc]  # read as int | None
    credited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("provider", "reference"), name="payment_reference_once"
            ),
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0), name="payment_amount_above_zero"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="credited")
                | models.Q(
                    household__isnull=False, entry__isnull=False, credited_wei__isnull=False
                ),
                name="payment_credited_to_somebody",
            ),
        ]
        indexes = [models.Index(fields=("household", "-id"), name="payment_by_household")]

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"

    @property
    def amount(self) -> Money:
        return as_money(amount_minor=self.amount_minor, currency=self.currency)
