"""Readings, charges and bills: read only, and a short span of slots at a time.

The tables are partitioned by month and large: without a span the lists show the last two days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import dai, kwh, linked, when
from accounts.admin.scope import VisibleFilter
from accounts.money import decimal_string
from settlement.models import BlockBill, Charge, HouseholdDay, Reading

SPAN = timedelta(days=2)


class BySlot(ReadOnlyAdmin):
    """Rows of a partitioned table."""

    operator_lookup = "site__operator"
    ordering = ("-starts_at", "meter_id")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        page = request.resolver_match
        if page is not None and "object_id" not in page.kwargs and not _has_span(request):
            rows = rows.filter(starts_at__gte=timezone.now() - SPAN)
        return rows

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        said = {} if _has_span(request) else {"subtitle": "the last two days; filter for others"}
        page: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **said})
        return page


@admin.register(Reading)
class ReadingAdmin(BySlot):
    """Energy of one meter in one slot."""

    list_display = (
        "meter",
        "site",
        when("starts_at"),
        when("ends_at"),
        kwh("energy_milliwatt_hours"),
        "source",
        when("received_at"),
    )
    list_filter = (
        ("site", VisibleFilter),
        ("starts_at", RangeDateTimeFilter),
    )
    list_select_related = ("meter", "site")
    search_fields = ("meter__serial__iexact",)
    search_help_text = "serial"
    fields = (linked("site"), linked("meter"), linked("batch"), *list_display[2:])


@admin.register(Charge)
class ChargeAdmin(BySlot):
    """A priced slot."""

    list_display = (
        "household",
        "meter",
        "site",
        when("starts_at"),
        kwh("energy_milliwatt_hours"),
        "price_paid",
        dai("amount_wei"),
        "is_late",
    )
    list_filter = (
        ("site", VisibleFilter),
        ("starts_at", RangeDateTimeFilter),
        "is_late",
    )
    list_select_related = ("household", "meter", "site")
    search_fields = ("household__code__iexact", "meter__serial__iexact")
    search_help_text = "household or serial"
    fields = (
        linked("household"),
        linked("site"),
        linked("meter"),
        linked("batch"),
        linked("price"),
        *list_display[3:],
        kwh("minting_milliwatt_hours", title="of it solar"),
    )

    @admin.display(description="price")
    def price_paid(self, charge: Charge) -> str:
        price = decimal_string(amount=charge.wei_per_milliwatt_hour, decimals=12)
        return f"{price.rstrip('0')} DAI per kWh"


@admin.register(BlockBill)
class BlockBillAdmin(ReadOnlyAdmin):
    """Energy, charge and rebate of a household's price block."""

    operator_lookup = "site__operator"
    list_display = (
        "household",
        "site",
        when("block_starts_at", title="block"),
        kwh("energy_milliwatt_hours"),
        dai("charged_wei"),
        dai("rebate_wei"),
        dai("arrears_wei"),
        dai("cancelled_wei"),
        "is_due",
    )
    list_filter = (("site", VisibleFilter), "is_due", ("block_starts_at", RangeDateTimeFilter))
    list_select_related = ("household", "site")
    search_fields = ("household__code__istartswith",)
    fields = (linked("household"), linked("site"), *list_display[2:], when("block_ends_at"))


@admin.register(HouseholdDay)
class HouseholdDayAdmin(ReadOnlyAdmin):
    """Energy and charge of a household's local day."""

    operator_lookup = "site__operator"
    list_display = (
        "household",
        "site",
        "day",
        kwh("energy_milliwatt_hours"),
        dai("charged_wei"),
        when("last_slot_ends_at"),
    )
    list_filter = (("site", VisibleFilter), "day")
    list_select_related = ("household", "site")
    search_fields = ("household__code__istartswith",)
    fields = (linked("household"), linked("site"), *list_display[2:])


def _has_span(request: HttpRequest) -> bool:
    return any(
        value and name.startswith(("starts_at", "batch")) for name, value in request.GET.items()
    )
