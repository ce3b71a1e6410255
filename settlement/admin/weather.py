"""Weather of sites: what the service said, and how asking for it goes."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import when
from accounts.admin.scope import VisibleFilter
from settlement.models import WeatherFetch, WeatherHour


@admin.register(WeatherHour)
class WeatherHourAdmin(ReadOnlyAdmin):
    """Hours of weather, recent and foretold."""

    operator_lookup = "site__operator"
    list_display = (
        when("starts_at"),
        "site",
        "kind",
        "irradiance_watts_per_square_metre",
        "temperature_tenths_celsius",
        "cloud_cover_percent",
        when("fetched_at"),
    )
    fields = list_display
    list_filter = (("site", VisibleFilter), "kind")
    list_select_related = ("site",)


@admin.register(WeatherFetch)
class WeatherFetchAdmin(ReadOnlyAdmin):
    """When each site's weather was asked for."""

    operator_lookup = "site__operator"
    list_display = (
        "site",
        when("last_success_at"),
        "failures_in_a_row",
        "last_failure",
        when("next_fetch_at"),
    )
    fields = list_display
    list_select_related = ("site",)
