"""What the first page shows: how much waits for a person, each with its list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import MOST_COUNTED
from accounts.admin.columns import list_of
from accounts.admin.scope import visible
from accounts.models import Payment, PaymentAttempt, TopUp
from settlement.models import HeadEndCursor, MeterGap, QuarantinedReading


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the counts that matter to the context of the admin's index (UNFOLD's callback)."""
    unknown = PaymentAttempt.State.UNKNOWN
    suspense, mismatch = Payment.State.SUSPENSE, Payment.State.MISMATCH
    top_ups = PaymentAttempt.objects.filter(state=unknown, top_up__in=visible(request, TopUp))
    payments = visible(request, Payment)
    context["needs_a_person"] = [
        _item(
            "readings in quarantine",
            visible(request, QuarantinedReading).filter(resolution=""),
            list_of(QuarantinedReading, resolution__exact=""),
        ),
        _item(
            "payments in suspense",
            payments.filter(state=suspense),
            list_of(Payment, state__exact=suspense),
        ),
        _item(
            "payments to look at",
            payments.filter(state=mismatch),
            list_of(Payment, state__exact=mismatch),
        ),
        _item("attempts unknown", top_ups, list_of(TopUp, attempt=unknown)),
        _item(
            "head-ends failing",
            visible(request, HeadEndCursor).filter(failures_in_a_row__gt=0),
            list_of(HeadEndCursor, health="failing"),
        ),
        _item(
            "meter days with gaps",
            visible(request, MeterGap).filter(closed_at__isnull=True),
            list_of(MeterGap, closed_at__isempty=1),
        ),
    ]
    return context


def _item(words: str, rows: QuerySet[Any], path: str) -> dict[str, Any]:
    counted = rows.order_by()[: MOST_COUNTED + 1].count()
    return {
        "words": words,
        "count": min(counted, MOST_COUNTED),
        "is_bounded": counted > MOST_COUNTED,
        "path": path,
    }
