"""Alarms: what a person has to know until it is over."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import when
from accounts.models import Alarm


class Lasting(admin.SimpleListFilter):
    """Alarms that last; those that are over only when asked for."""

    title = "lasting"
    parameter_name = "lasting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("over", "Over"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """The first choice is what is shown unless something else is chosen."""
        chosen = self.value()
        for value, words in ((None, "Still lasting"), *self.lookup_choices):
            link = changelist.get_query_string(
                {} if value is None else {self.parameter_name: value},
                [self.parameter_name] if value is None else [],
            )
            yield {"selected": chosen == value, "query_string": link, "display": words}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(cleared_at__isnull=self.value() != "over")


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What is wrong now; each goes by itself when its cause is gone."""

    list_display = (
        "text",
        "kind",
        "operator",
        when("raised_at"),
        when("seen_at"),
        when("cleared_at", title="over since"),
    )
    list_filter = (Lasting, "kind", "raised_at")
    list_select_related = ("operator",)
    search_fields = ("text__icontains", "key__istartswith")
    fields = (
        "text",
        "kind",
        "operator",
        "key",
        when("raised_at"),
        when("seen_at"),
        when("cleared_at"),
    )

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        """An operator's own, and everybody's (exchange rates)."""
        return rows.filter(Q(operator=operator_id) | Q(operator__isnull=True))
