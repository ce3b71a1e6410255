"""Rates: what sources say, and what a site publishes for a period."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from accounts.models.sites import Site


class RateQuote(models.Model):
    """One source's answer: local money per DAI, when it was true, until when it may be used."""

    source = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    local_per_dai = models.DecimalField(max_digits=20, decimal_places=8)
    quoted_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-quoted_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("source", "currency", "quoted_at"), name="rate_quote_once"
            ),
            models.CheckConstraint(
                condition=models.Q(local_per_dai__gt=0), name="rate_quote_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.local_per_dai} {self.currency} per DAI ({self.source})"


class SiteRate(models.Model):
    """The rate at which a site credits local money and shows prices, for one tariff period."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rates")
    currency = models.CharField(max_length=3)
    local_per_dai = models.DecimalField(max_digits=20, decimal_places=8)
    validity = DateTimeRangeField()
    sources = models.JSONField(default=list, help_text="what it was proposed from")
    published_at = models.DateTimeField()

    class Meta:
        ordering = ("-published_at",)
        constraints = [
            ExclusionConstraint(
                name="site_rate_one_at_a_time",
                expressions=[("site", RangeOperators.EQUAL), ("validity", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                condition=models.Q(local_per_dai__gt=0), name="site_rate_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site}: {self.local_per_dai} {self.currency} per DAI"
