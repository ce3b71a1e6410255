"""Sites: opened with their book and donors' index."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from accounts import amounts, sites
from accounts.admin.base import Closable
from accounts.admin.columns import dai, links, list_of, shown, when
from accounts.admin.scope import VisibleFilter
from accounts.models import (
    FiscalReceipt,
    Household,
    LedgerAccount,
    Payment,
    Site,
    SiteRate,
    TaxLine,
)
from accounts.money import CURRENCY_DECIMALS

FIXED = ("operator", "slug", "country", "currency", "time_zone", "slot_seconds")
"""Charges, blocks and accounts were made by these: they stay as they were."""


class SiteForm(forms.ModelForm):  # type: ignore[type-arg]
    """A site whose zone, currency and token rate the engine can work with."""

    class Meta:
        model = Site
        fields = "__all__"

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"])
        if name not in available_timezones():
            raise forms.ValidationError("Write an IANA name, e.g. Africa/Nairobi.")
        return name

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        if currency not in CURRENCY_DECIMALS:
            known = ", ".join(CURRENCY_DECIMALS)
            raise forms.ValidationError(f"This currency has no decimals set; known are {known}.")
        return currency

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def clean_impact_token_wei_per_kwh(self) -> int:
        wei = int(self.cleaned_data["impact_token_wei_per_kwh"])
        if wei < 0 or wei % 2_000_000:
            raise forms.ValidationError("Halves must be exact: at most 11 decimals, and even.")
        if self.instance.pk and wei != self.initial["impact_token_wei_per_kwh"]:
            self._refuse_if_fixed()
        return wei

    def _refuse_if_fixed(self) -> None:
        """The database refuses the same; see tokens/sql/epochs.sql."""
        minted_wei = amounts.tokens_minted(site=self.instance)
        if minted_wei:
            raise forms.ValidationError(
                f"{shown(minted_wei, asset='IT')} are minted already: a kWh keeps what it mints."
            )
        if self.instance.contracts.exists():
            raise forms.ValidationError(
                "The site's ledger contract stands: a kWh mints the same for ever."
            )


@admin.register(Site)
class SiteAdmin(Closable, SimpleHistoryAdmin):
    """Containers with their mini-grid."""

    operator_lookup = "operator"
    form = SiteForm
    list_display = (
        "name",
        "slug",
        "operator",
        "country",
        "currency",
        "head_end",
        dai("funding_goal_wei"),
        when("closed_at"),
    )
    list_filter = (
        ("operator", VisibleFilter),
        "country",
        "head_end",
        ("closed_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("operator",)
    search_fields = ("name", "slug")
    filter_horizontal = ("rails",)
    fieldsets = (
        (None, {"fields": ("operator", "name", "slug", "country", "currency", "time_zone")}),
        ("Place", {"fields": ("latitude", "longitude")}),
        (
            "Meters",
            {
                "fields": (
                    "slot_seconds",
                    "head_end",
                    "head_end_account",
                    "head_end_energy",
                    "plant_account",
                    "battery_capacity_milliwatt_hours",
                    "late_reading_days",
                )
            },
        ),
        (
            "Money",
            {
                "fields": (
                    "rails",
                    "arrears_share_basis_points",
                    "lifeline_milliwatt_hours_per_block",
                    "low_funds_wei",
                    "impact_token_wei_per_kwh",
                    "funding_goal_wei",
                )
            },
        ),
        ("Fiscal receipts", {"fields": ("fiscal_device", "fiscal_account")}),
    )
    shown_fieldset = ("What stands here", {"fields": ("stands", "pages")})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fieldsets, self.shown_fieldset) if obj else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*FIXED, "stands", "pages") if obj else ()

    @admin.display(description="Accounts of the site")
    def stands(self, site: Site) -> str:
        pools = amounts.pools(site=site)
        parts = [f"{name} {shown(amount)}" for name, amount in sorted(pools.items())]
        return ", ".join([*parts, f"minted {shown(amounts.tokens_minted(site=site), asset='IT')}"])

    @admin.display(description="Pages")
    def pages(self, site: Site) -> str:
        return links(
            [
                ("Households", list_of(Household, site=site.pk)),
                ("Payments", list_of(Payment, site__id__exact=site.pk)),
                ("Taxes", list_of(TaxLine, site__id__exact=site.pk)),
                ("Receipts", list_of(FiscalReceipt, site__id__exact=site.pk)),
                ("Rates", list_of(SiteRate, site__id__exact=site.pk)),
                ("Accounts", list_of(LedgerAccount, book_id=site.book.pk)),
            ]
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        given = {name: form.cleaned_data[name] for name in form.fields if name != "rails"}
        made = sites.open_site(at=timezone.now(), **given)
        obj.__dict__.update(made.__dict__)
