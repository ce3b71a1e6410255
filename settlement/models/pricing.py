"""Tariffs (the rule) and prices (what was published). Append-only revisions."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField
from accounts.models import Site


class Tariff(models.Model):
    """The rule that prices of a site follow from an instant on. Never changed: superseded."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="tariffs")
    revision = models.PositiveIntegerField()
    currency = models.CharField(max_length=3, help_text="of the regulator's cap")
    reference_wei_per_kwh = WeiField(help_text="p_ref")
    floor_wei_per_kwh = WeiField()
    cap_wei_per_kwh = WeiField()
    cap_minor_per_kwh = models.BigIntegerField(
        null=True, blank=True, help_text="the regulator's cap in minor units of the currency"
    )
    tick_wei_per_kwh = WeiField(default=10**14)
    slope_basis_points = models.PositiveIntegerField(default=10_000, help_text="beta")
    target_charge_basis_points = models.PositiveIntegerField(default=5_000, help_text="s_star")
    forecast_weight_basis_points = models.PositiveIntegerField(default=0, help_text="lambda")
    dead_band_basis_points = models.PositiveIntegerField(
        default=15_000, help_text="ticks: 15,000 is one and a half"
    )
    ramp_wei_per_kwh = WeiField(  # type: ignore[misc]  # read as int | None
        null=True, blank=True, help_text="largest step between prices"
    )
    document = models.URLField(blank=True)
    valid_from = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("site", "-revision")
        constraints = [
            models.UniqueConstraint(fields=("site", "revision"), name="tariff_revision_once"),
            models.UniqueConstraint(fields=("site", "valid_from"), name="tariff_from_once"),
            models.CheckConstraint(
                condition=models.Q(floor_wei_per_kwh__gte=0)
                & models.Q(cap_wei_per_kwh__gte=models.F("floor_wei_per_kwh"))
                & models.Q(tick_wei_per_kwh__gt=0),
                name="tariff_bounds_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} tariff {self.revision}"


class Price(models.Model):
    """What was published for the slots from `starts_at` on, until a later price."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="prices")
    starts_at = models.DateTimeField()
    revision = models.PositiveSmallIntegerField(default=1)
    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="prices")
    wei_per_kwh = WeiField()
    reference_wei_per_kwh = WeiField(help_text="p_ref of the tariff")
    state_of_charge_basis_points = models.PositiveIntegerField(null=True, blank=True)
    published_at = models.DateTimeField()

    class Meta:
        ordering = ("-starts_at", "-revision")
        constraints = [
            models.UniqueConstraint(
                fields=("site", "starts_at", "revision"), name="price_revision_once"
            ),
            models.CheckConstraint(
                condition=models.Q(wei_per_kwh__gte=0) & models.Q(reference_wei_per_kwh__gte=0),
                name="price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} {self.starts_at:%Y-%m-%d %H:%M}"
