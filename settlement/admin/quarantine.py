"""Readings that could not be accepted: released back to the inbox, or dismissed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import kwh, linked, when
from accounts.admin.scope import VisibleFilter
from settlement import quarantine, readings
from settlement.models import QuarantinedReading


@admin.register(QuarantinedReading)
class QuarantinedReadingAdmin(ReadOnlyAdmin):
    """What waits for somebody to decide."""

    operator_lookup = "site__operator"
    actions = ("release", "dismiss")
    list_display = (
        "serial",
        "site",
        "reason",
        kwh("energy_milliwatt_hours"),
        when("starts_at"),
        "detail",
        "resolution",
        when("quarantined_at"),
    )
    list_filter = ("resolution", "reason", ("site", VisibleFilter), "quarantined_at")
    list_select_related = ("site",)
    search_fields = ("serial__icontains", "detail__icontains")
    fields = (
        linked("site"),
        "serial",
        "source",
        "reason",
        "detail",
        kwh("energy_milliwatt_hours"),
        when("starts_at"),
        when("ends_at"),
        when("received_at"),
        when("quarantined_at"),
        "resolution",
        when("resolved_at"),
        "resolved_by",
    )

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Who may decide: whoever has the right to change quarantined readings."""
        return request.user.has_perm("settlement.change_quarantinedreading")

    @admin.action(description="Release to the inbox", permissions=["resolve"])
    def release(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Send the chosen readings back, vouched for."""
        self._resolve(request, rows, readings.release, "Released")

    @admin.action(description="Dismiss", permissions=["resolve"])
    def dismiss(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Note that the chosen readings are never to be charged."""
        self._resolve(request, rows, quarantine.dismiss, "Dismissed")

    def _resolve(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        resolve: Callable[..., None],
        word: str,
    ) -> None:
        if not self.has_resolve_permission(request):
            raise PermissionDenied
        done, at = 0, timezone.now()
        for row in rows:
            try:
                resolve(quarantined=row, by_id=request.user.pk, at=at)
            except ValueError as error:
                self.message_user(request, f"{row}: {error}.", messages.ERROR)
            else:
                done += 1
        self.message_user(request, f"{word} {done}.", messages.SUCCESS)
