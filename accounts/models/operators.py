"""Who runs sites: organisations and their staff."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import WeiField, uuid7


class Operator(models.Model):
    """An organisation that owns sites."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    legal_name = models.CharField(
        max_length=200,
        blank=True,
        help_text="on receipts: full name, seat and number in the register; empty: the name",
    )
    fx_reserve_limit_wei = WeiField(
        default=1_000 * 10**18, help_text="an alarm when the FX reserve has lost more than this"
    )
    fx_exposure_limit_wei = WeiField(
        default=10_000 * 10**18,
        help_text="an alarm when more than this waits to be converted, in any one currency",
    )
    crypto_licence = models.CharField(
        max_length=120,
        blank=True,
        help_text="licence under which crypto top-ups are taken; empty: none are",
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A log-in. Staff belong to one operator; a superuser without one sees every operator."""

    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, blank=True, related_name="staff"
    )


class Rail(models.Model):
    """A way that money comes in: one merchant account of an operator at a provider."""

    class Provider(models.TextChoices):
        DARAJA = "daraja", "Safaricom Daraja (M-Pesa)"
        MOMO = "momo", "MTN MoMo Collections"
        PAWAPAY = "pawapay", "pawaPay"
        STRIPE = "stripe", "Stripe (cards)"
        CASH = "cash", "cash, taken by agents"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="rails")
    provider = models.CharField(max_length=20, choices=Provider)
    code = models.SlugField(unique=True, help_text="names its float account, e.g. mpesa")
    merchant_account = models.CharField(
        max_length=40, help_text="what the payer sees, e.g. the paybill number"
    )
    currency = models.CharField(max_length=3)
    min_top_up_minor = models.BigIntegerField(help_text="minor units of the currency")
    max_top_up_minor = models.BigIntegerField(help_text="minor units of the currency")
    fee_basis_points = models.PositiveIntegerField(
        default=0, help_text="what the provider keeps of a payment, where it does not say so itself"
    )
    fee_fixed_minor = models.PositiveBigIntegerField(
        default=0, help_text="and keeps of each payment besides"
    )
    is_fee_charged = models.BooleanField(
        default=False, help_text="the payer bears the provider's fee: it is taken off the credit"
    )
    spread_basis_points = models.PositiveIntegerField(
        default=0, help_text="charged to the payer for the conversion, taken off the credit"
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ("code",)
        constraints = [
            models.UniqueConstraint(
                fields=("provider", "merchant_account", "currency"),
                name="rail_merchant_account_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(min_top_up_minor__gt=0)
                & models.Q(max_top_up_minor__gte=models.F("min_top_up_minor")),
                name="rail_limits_ordered",
            ),
            models.CheckConstraint(
                condition=models.Q(fee_basis_points__lte=5_000)
                & models.Q(spread_basis_points__lte=5_000),
                name="rail_keeps_half_at_most",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.merchant_account}"
