"""Alarms: what a person has to know until it is over."""

from __future__ import annotations

from django.db import models

from accounts.models.operators import Operator


class Alarm(models.Model):
    """Something is wrong. One row while it lasts, however often it is noticed."""

    class Kind(models.TextChoices):
        FLOAT_DIFFERS = "float_differs", "float differs from the provider's balance"
        STATEMENT_DIFFERS = "statement_differs", "statement differs from our payments"
        FX_RESERVE = "fx_reserve", "FX reserve beyond its limit"
        FX_EXPOSURE = "fx_exposure", "currency exposure beyond its limit"
        DAI_DEPEG = "dai_depeg", "DAI is far from one dollar"
        RATE_SOURCES = "rate_sources", "rate sources disagree or are stale"
        FISCAL_DEVICE = "fiscal_device", "fiscal device does not sign"
        PROVIDER = "provider", "provider does not answer"
        CHAIN = "chain", "chain is down, or lies"
        DEPOSIT = "deposit", "deposits on chain and our books differ"
        MAIL = "mail", "letters do not leave"

    operator = models.ForeignKey(
        Operator,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="alarms",
        help_text="whose alarm it is; empty: everybody's",
    )
    kind = models.CharField(max_length=20, choices=Kind)
    key = models.CharField(max_length=120, help_text="what it is about, e.g. float:mpesa")
    text = models.CharField(max_length=400)
    raised_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="when it was noticed last")
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-raised_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("key",),
                condition=models.Q(cleared_at__isnull=True),
                name="alarm_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.text}"
