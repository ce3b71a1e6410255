"""Tariffs, published and never changed, and the prices that followed from them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminURLInputWidget

from accounts.admin.base import AppendOnlyAdmin, ReadOnlyAdmin
from accounts.admin.columns import linked, percent, price, when
from accounts.admin.scope import VisibleFilter
from settlement.models import Price, Tariff

BOUNDS = ("reference_wei_per_kwh", "floor_wei_per_kwh", "cap_wei_per_kwh")


class TariffForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tariff from an instant on; it takes its revision from the site's last one."""

    document = forms.URLField(
        required=False, assume_scheme="https", widget=UnfoldAdminURLInputWidget
    )

    class Meta:
        model = Tariff
        fields = "__all__"
        help_texts = {"valid_from": "UTC"}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        tick = cleaned.get("tick_wei_per_kwh")
        if not tick or tick <= 0 or tick % 1_000_000:
            self.add_error("tick_wei_per_kwh", "Above zero, with at most 12 decimals.")
            return cleaned
        for name in BOUNDS:
            if (cleaned.get(name) or 0) % tick:
                self.add_error(name, "Write a whole number of ticks.")
        low, high = cleaned.get("floor_wei_per_kwh"), cleaned.get("cap_wei_per_kwh")
        if low is not None and high is not None and not 0 <= low <= high:
            self.add_error("cap_wei_per_kwh", "The cap can't be below the floor.")
        site, since = cleaned.get("site"), cleaned.get("valid_from")
        if site is not None and since is not None:
            last = Tariff.objects.filter(site=site).order_by("-valid_from").first()
            if last is not None and since <= last.valid_from:
                self.add_error("valid_from", "A tariff of the site begins then or later already.")
        return cleaned


@admin.register(Tariff)
class TariffAdmin(AppendOnlyAdmin):
    """The rules that prices follow."""

    operator_lookup = "site__operator"
    form = TariffForm
    list_display = (
        "site",
        "revision",
        price("reference_wei_per_kwh"),
        price("floor_wei_per_kwh"),
        price("cap_wei_per_kwh"),
        when("valid_from"),
    )
    list_filter = (("site", VisibleFilter),)
    list_select_related = ("site",)
    exclude = ("revision", "created_at")
    shown_fields = (
        linked("site"),
        "revision",
        "currency",
        price("reference_wei_per_kwh"),
        price("floor_wei_per_kwh"),
        price("cap_wei_per_kwh"),
        "cap_minor_per_kwh",
        price("tick_wei_per_kwh"),
        percent("slope_basis_points", title="slope"),
        percent("target_charge_basis_points", title="target charge"),
        percent("forecast_weight_basis_points", title="weight of the forecast"),
        "dead_band_basis_points",
        price("ramp_wei_per_kwh"),
        "document",
        when("valid_from"),
        when("created_at"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        last = Tariff.objects.filter(site=obj.site).order_by("-revision").first()
        obj.revision = 1 if last is None else last.revision + 1
        obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """What was published for slots."""

    operator_lookup = "site__operator"
    list_display = (
        "site",
        when("starts_at"),
        "revision",
        price("wei_per_kwh", title="price"),
        price("reference_wei_per_kwh"),
        percent("state_of_charge_basis_points", title="state of charge"),
        when("published_at"),
    )
    list_filter = (("site", VisibleFilter), "starts_at")
    list_select_related = ("site",)
    fields = (linked("site"), linked("tariff"), *list_display[1:])
