"""What people were told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import linked, when
from accounts.models import HouseholdSite, Notice


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Messages, and how their delivery went."""

    list_display = (
        "kind",
        "phone",
        "household",
        "state",
        "delivery_status",
        "attempts",
        when("created_at"),
        when("sent_at"),
    )
    list_filter = ("state", "kind", "language", "created_at")
    list_select_related = ("household",)
    search_fields = ("phone__contains", "household__code__istartswith", "provider_id")
    fields = (
        "kind",
        linked("household"),
        "phone",
        "language",
        "text",
        "params",
        "key",
        "state",
        "provider_id",
        "delivery_status",
        "failure",
        "attempts",
        when("next_attempt_at"),
        when("created_at"),
        when("sent_at"),
    )

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        theirs = HouseholdSite.objects.filter(
            household=OuterRef("household"), site__operator=operator_id
        )
        return rows.filter(Exists(theirs))
