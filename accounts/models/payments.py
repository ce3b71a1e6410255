"""Payments: each try at a provider, and what was really paid."""

from __future__ import annotations

import uuid

from django.db import models
from djmoney.money import Money

from accounts.fields import WeiField, uuid7
from accounts.models.agents import Agent
from accounts.models.donors import Pledge
from accounts.models.households import Household
from accounts.models.ledger import JournalEntry
from accounts.models.operators import Rail
from accounts.models.sites import Site
from accounts.models.topups import TopUp, as_money


class PaymentAttempt(models.Model):
    """One try at a provider, for a top-up or for a pledge.

    Stored, with our own id, before the provider is called; a time-out is unknown.
    """

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
    top_up = models.ForeignKey(
        TopUp, on_delete=models.PROTECT, null=True, blank=True, related_name="attempts"
    )
    pledge = models.ForeignKey(
        Pledge, on_delete=models.PROTECT, null=True, blank=True, related_name="attempts"
    )
    token = models.CharField(max_length=64, unique=True, help_text="last part of the callback path")
    request_id = models.UUIDField(
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text="our id at providers that let us choose it; version 4, as they demand",
    )
    state = models.CharField(max_length=20, choices=State, default=State.CREATED)
    provider_request = models.CharField(
        max_length=80, blank=True, help_text="what the provider calls it, e.g. CheckoutRequestID"
    )
    pay_url = models.URLField(
        max_length=1000, blank=True, help_text="where the payer pays, if on a page"
    )
    claimed_reference = models.CharField(
        max_length=64, blank=True, help_text="receipt named by a callback, not yet confirmed"
    )
    failure_code = models.CharField(max_length=40, blank=True)
    failure_text = models.CharField(max_length=200, blank=True)
    is_late_success = models.BooleanField(default=False)
    has_mismatch = models.BooleanField(
        default=False, help_text="what was told, or paid, differs from what was asked"
    )
    poll_count = models.PositiveIntegerField(default=0)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(top_up__isnull=True) ^ models.Q(pledge__isnull=True),
                name="attempt_of_a_top_up_or_a_pledge",
            )
        ]
        indexes = [
            models.Index(
                fields=("next_poll_at",),
                name="attempt_to_poll",
                condition=models.Q(next_poll_at__isnull=False),
            ),
            models.Index(fields=("provider_request",), name="attempt_by_provider_request"),
        ]

    def __str__(self) -> str:
        return f"{self.intent.account_text} {self.state} {self.provider_request}"

    @property
    def intent(self) -> TopUp | Pledge:
        """What the attempt is to pay."""
        intent = self.top_up or self.pledge
        if intent is None:
            raise TypeError("an attempt has a top-up or a pledge; the database keeps one of them")
        return intent

    @property
    def phone(self) -> str:
        """Who is asked to pay (E.164), or "" where a page asks."""
        return self.top_up.phone if self.top_up is not None else ""


class Payment(models.Model):
    """Money that a provider confirmed, once per (provider, reference)."""

    class State(models.TextChoices):
        CREDITED = "credited"
        SUSPENSE = "suspense", "matches nobody yet"
        MISMATCH = "mismatch", "a person has to look"
        RETURNED = "returned", "given back out of suspense"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="payments")
    provider = models.CharField(max_length=20)
    reference = models.CharField(max_length=64, help_text="the provider's id, e.g. M-Pesa receipt")
    provider_request = models.CharField(
        max_length=80, blank=True, help_text="what the provider wants named in a refund"
    )
    amount_minor = models.BigIntegerField(help_text="what the payer paid")
    fee_minor = models.BigIntegerField(default=0, help_text="what the provider kept of it")
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
    pledge = models.ForeignKey(
        Pledge, on_delete=models.PROTECT, null=True, blank=True, related_name="payments"
    )
    agent = models.ForeignKey(
        Agent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        help_text="who took the cash",
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
    taken_back_minor = models.BigIntegerField(
        default=0, help_text="refunded, reversed or disputed of it, and not given again"
    )

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
                condition=models.Q(taken_back_minor__gte=0)
                & models.Q(taken_back_minor__lte=models.F("amount_minor")),
                name="payment_taken_back_at_most_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="credited")
                | (
                    models.Q(entry__isnull=False, credited_wei__isnull=False, site__isnull=False)
                    & (models.Q(household__isnull=False) ^ models.Q(pledge__isnull=False))
                ),
                name="payment_credited_to_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=("household", "-id"), name="payment_by_household"),
            models.Index(
                fields=("id",),
                name="payment_in_suspense",
                condition=models.Q(state__in=("suspense", "mismatch")),
            ),
            models.Index(fields=("rail", "paid_at"), name="payment_by_rail"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"

    @property
    def amount(self) -> Money:
        return as_money(amount_minor=self.amount_minor, currency=self.currency)

    @property
    def left_minor(self) -> int:
        """What can still be taken back of it, in minor units."""
        return self.amount_minor - self.taken_back_minor
