"""Top-ups and their attempts at a provider."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline
from accounts.admin.columns import Column, linked, local, when
from accounts.admin.scope import VisibleFilter
from accounts.models import Payment, PaymentAttempt, TopUp


class AttemptInline(ReadOnlyInline):
    """Each try at the provider."""

    model = PaymentAttempt
    show_change_link = False
    fields = (
        "state",
        "provider_request",
        "claimed_reference",
        "failure_code",
        "failure_text",
        "is_late_success",
        "has_mismatch",
        "poll_count",
        when("submitted_at"),
        when("next_poll_at"),
        when("finished_at"),
    )


class PaymentInline(ReadOnlyInline):
    """What was really paid."""

    model = Payment
    fields = ("reference", local(), "state", when("paid_at"), when("credited_at"))


class AttemptState(admin.SimpleListFilter):
    """Top-ups by the state of their attempts."""

    title = "attempt"
    parameter_name = "attempt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in PaymentAttempt.State.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(
            pk__in=PaymentAttempt.objects.filter(state=self.value()).values("top_up_id")
        )


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyAdmin):
    """What households meant to pay."""

    operator_lookup = "site__operator"
    inlines = (AttemptInline, PaymentInline)
    list_display = (
        "household",
        local(),
        "state",
        "site",
        "phone",
        when("created_at"),
        when("finished_at"),
    )
    list_filter = ("state", AttemptState, ("site", VisibleFilter), "created_at")
    list_select_related = ("household", "site")
    search_fields = (
        "household__code__istartswith",
        "phone__contains",
        "attempts__provider_request",
    )
    fields: tuple[str | Column, ...] = (
        linked("household"),
        linked("site"),
        linked("rail"),
        "phone",
        local(),
        "state",
        "idempotency_key",
        "uid",
        when("created_at"),
        when("finished_at"),
    )
