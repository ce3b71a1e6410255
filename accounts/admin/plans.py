"""Monthly donations: how they stand, and their months."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline
from accounts.admin.columns import linked, local, when
from accounts.admin.scope import VisibleFilter
from accounts.models import GivingPlan, Pledge


class MonthInline(ReadOnlyInline):
    """The months that were paid, or tried."""

    model = Pledge
    fields = ("uid", "state", linked("campaign"), when("created_at"), when("finished_at"))

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("campaign")


@admin.register(GivingPlan)
class GivingPlanAdmin(ReadOnlyAdmin):
    """Donors who give every month. Only their donors end them, here or at the provider."""

    operator_lookup = "site__operator"
    inlines = (MonthInline,)
    list_display = (
        "uid",
        "donor",
        local(),
        "state",
        "site",
        when("created_at"),
        when("cancelled_at"),
    )
    list_filter = ("state", ("site", VisibleFilter), "created_at")
    list_select_related = ("donor", "site")
    search_fields = (
        *("uid__iexact", "provider_plan__iexact"),
        *("donor__contact__name__icontains", "donor__contact__email__iexact"),
    )
    search_help_text = "the plan's id, here or at the provider; the donor's name or address"
    fields = (
        "uid",
        linked("donor"),
        linked("site"),
        linked("rail"),
        "provider_plan",
        local(),
        "state",
        "failure",
        when("created_at"),
        when("end_asked_at"),
        when("cancelled_at"),
        when("checked_at"),
        when("next_check_at"),
    )
