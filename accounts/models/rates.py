"""Rates: what sources say, and what a site publishes for a period."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from accounts.fields import WeiField
from accounts.models.operators import User
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
        # Every credit asks for the quotes that may still be used.
        indexes = [models.Index(fields=("expires_at",), name="rate_quote_by_expiry")]

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
    published_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    compensated_at = models.DateTimeField(
        null=True, blank=True, help_text="when households were given what the change cost them"
    )
    compensation_wei = WeiField(default=0, help_text="what they were given from the FX reserve")

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


class RateProposal(models.Model):
    """The rate that the sources suggest for a site's next period; a person publishes it."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        PUBLISHED = "published"
        SUPERSEDED = "superseded", "superseded by a newer proposal"
        REJECTED = "rejected"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rate_proposals")
    currency = models.CharField(max_length=3)
    local_per_dai = models.DecimalField(max_digits=20, decimal_places=8)
    starts_at = models.DateTimeField(help_text="beginning of the period it is meant for")
    sources = models.JSONField(default=list, help_text="what each source said, and when")
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    proposed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    site_rate = models.OneToOneField(
        SiteRate, on_delete=models.PROTECT, null=True, blank=True, related_name="proposal"
    )

    class Meta:
        ordering = ("-proposed_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("site", "starts_at"),
                condition=models.Q(state="proposed"),
                name="rate_proposal_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(local_per_dai__gt=0), name="rate_proposal_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site}: {self.local_per_dai} {self.currency} per DAI, {self.state}"
