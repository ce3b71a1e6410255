"""The page of a household, with its meters, charges and bills."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.base import ReadOnlyInline
from accounts.admin.columns import linked, list_of, shown_time
from accounts.admin.households import HouseholdAdmin, site_now
from accounts.models import Household
from settlement.models import BlockBill, Charge, HouseholdDay, MeterAssignment

CHARGES_SHOWN = timedelta(days=30)


class MeterInline(ReadOnlyInline):
    """The meters that measure and measured the household."""

    model = MeterAssignment
    verbose_name_plural = "meters"
    show_change_link = False
    fields = (linked("meter"), "since", "until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("meter").order_by("-validity")

    @admin.display(description="since (UTC)")
    def since(self, row: MeterAssignment) -> str:
        return shown_time(row.validity.lower)

    @admin.display(description="until (UTC)")
    def until(self, row: MeterAssignment) -> str:
        return shown_time(row.validity.upper)


admin.site.unregister(Household)


@admin.register(Household)
class HouseholdWithMetersAdmin(HouseholdAdmin):
    """Adds what settlement knows of a household."""

    inlines = (*HouseholdAdmin.inlines, MeterInline)

    def related_pages(self, household: Household) -> list[tuple[str, str]]:
        at = timezone.now()
        of_household: dict[str, object] = {"household__id__exact": household.pk}
        site = site_now(household, at=at)
        span: dict[str, object] = {"starts_at_from_0": (at - CHARGES_SHOWN).date()}
        if site is not None:
            span["site__id__exact"] = site.pk
        return [
            *super().related_pages(household),
            ("Charges of 30 days", list_of(Charge, **of_household, **span)),
            ("Bills", list_of(BlockBill, **of_household)),
            ("Days", list_of(HouseholdDay, **of_household)),
        ]
