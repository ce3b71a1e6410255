"""What providers sent, and the same beside the top-up that it speaks of."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import page_of, shown_time, when
from accounts.admin.topups import TopUpAdmin
from accounts.models import Payment, PaymentAttempt, TopUp
from gateway.webhooks.models import InboundEvent

MOST_EVENTS = 50


@admin.register(InboundEvent)
class InboundEventAdmin(ReadOnlyAdmin):
    """Callbacks as they came; PINs are masked before storing."""

    list_display = (
        "id",
        "route",
        "subject",
        "outcome",
        "outcome_text",
        "attempts",
        when("received_at"),
        when("handled_at"),
    )
    list_filter = ("outcome", "route", "received_at")
    search_fields = ("subject",)
    fields = (
        "uid",
        "route",
        "subject",
        "content_type",
        "body",
        "remote_address",
        when("received_at"),
        "outcome",
        "outcome_text",
        "attempts",
        when("claimed_at"),
        when("handled_at"),
    )

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        attempts = PaymentAttempt.objects.filter(top_up__site__operator=operator_id)
        payments = Payment.objects.filter(rail__operator=operator_id, reference=OuterRef("subject"))
        return rows.filter(
            Exists(attempts.filter(token=OuterRef("subject")))
            | Exists(attempts.filter(provider_request=OuterRef("subject")))
            | Exists(payments)
        ).exclude(subject="")


admin.site.unregister(TopUp)


@admin.register(TopUp)
class TopUpWithEventsAdmin(TopUpAdmin):
    """Adds what the provider sent about a top-up."""

    fields = (*TopUpAdmin.fields, "events")

    @admin.display(description="What the provider sent")
    def events(self, top_up: TopUp) -> str:
        subjects: set[str] = set(top_up.payments.values_list("reference", flat=True))
        for pair in top_up.attempts.values_list("token", "provider_request"):
            subjects.update(pair)
        rows = InboundEvent.objects.filter(Q(subject__in=subjects - {""}))[:MOST_EVENTS]
        return format_html_join(
            " ",
            '<a class="block" href="{}">{} {} {}</a>',
            (
                (page_of(row), shown_time(row.received_at), row.route, row.get_outcome_display())
                for row in rows
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields
