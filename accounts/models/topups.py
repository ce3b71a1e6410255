"""Top-ups: what a household means to pay."""

from __future__ import annotations

from django.db import models
from djmoney.money import Money
from moneyed import get_currency

from accounts.fields import uuid7
from accounts.models.households import Household
from accounts.models.operators import Rail
from accounts.models.sites import Site
from accounts.money import minor_per_major


def as_money(*, amount_minor: int, currency: str) -> Money:
    """Return minor units as django-money's Money."""
    return Money(amount_minor, get_currency(currency)) / minor_per_major(currency=currency)


class IntentState(models.TextChoices):
    """Where an intent to pay stands; it follows its attempts, then what is taken back."""

    CREATED = "created"
    SUBMITTING = "submitting"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REVERSED = "reversed"
    DISPUTED = "disputed"


class TopUp(models.Model):
    """A household's intent to pay; its state follows its attempts."""

    State = IntentState

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="top_ups")
    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="top_ups")
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="top_ups")
    phone = models.CharField(
        max_length=16, blank=True, help_text="who is asked to pay; empty where a page asks"
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
                condition=models.Q(amount_minor__gt=0), name="top_up_amount_above_zero"
            )
        ]
        indexes = [models.Index(fields=("household", "-id"), name="top_up_by_household")]

    def __str__(self) -> str:
        return f"{self.household.code} {self.amount} {self.state}"

    @property
    def amount(self) -> Money:
        return as_money(amount_minor=self.amount_minor, currency=self.currency)

    @property
    def account_text(self) -> str:
        """What the provider is told the payment is for."""
        return self.household.code
