"""Who runs sites: organisations and their staff."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import uuid7


class Operator(models.Model):
    """An organisation that owns sites."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
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
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ("code",)
        constraints = [
            models.UniqueConstraint(
                fields=("provider", "merchant_account"), name="rail_merchant_account_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(min_top_up_minor__gt=0)
                & models.Q(max_top_up_minor__gte=models.F("min_top_up_minor")),
                name="rail_limits_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.merchant_account}"
