"""Where households lie, and what is drawn below them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from accounts.admin.base import DomainAdmin
from accounts.admin.scope import VisibleFilter
from accounts.models import HouseholdPlace, SiteMap


class HouseholdPlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    """The place of a household at the site where it lives."""

    class Meta:
        model = HouseholdPlace
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        household, site = told.get("household"), told.get("site")
        if household is not None and site is not None:
            at_site = household.sites.filter(site=site, validity__upper_inf=True)
            if not at_site.exists():
                raise forms.ValidationError(f"{household} does not belong to {site}.")
        return told


@admin.register(HouseholdPlace)
class HouseholdPlaceAdmin(DomainAdmin):
    """Personal data: seen here and nowhere else. Many at once: manage.py import_places."""

    operator_lookup = "site__operator"
    form = HouseholdPlaceForm
    list_display = ("household", "site", "easting_metres", "northing_metres")
    list_filter = (("site", VisibleFilter),)
    list_select_related = ("household", "site")
    search_fields = ("household__code__istartswith",)
    autocomplete_fields = ("household",)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return ("household",) if obj else ()


@admin.register(SiteMap)
class SiteMapAdmin(DomainAdmin):
    """The public map of a site, in shapes."""

    operator_lookup = "site__operator"
    list_display = ("site",)
    list_select_related = ("site",)

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return ("site",) if obj else ()
