"""What the first page shows: how much waits for a person, each with its list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.base import MOST_COUNTED
from accounts.admin.columns import list_of
from accounts.admin.scope import visible
from accounts.models import (
    Alarm,
    Dispute,
    PayerClaim,
    Payment,
    PaymentAttempt,
    RateProposal,
    Refund,
    TopUp,
)
from settlement.models import HeadEndCursor, MeterGap, Payout, QuarantinedReading


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the counts that matter to the context of the admin's index (UNFOLD's callback)."""
    unknown = PaymentAttempt.State.UNKNOWN
    proposed = RateProposal.State.PROPOSED
    suspense, mismatch = Payment.State.SUSPENSE, Payment.State.MISMATCH
    top_ups = PaymentAttempt.objects.filter(state=unknown, top_up__in=visible(request, TopUp))
    payments = visible(request, Payment)
    context["needs_a_person"] = [
        item("alarms", visible(request, Alarm).filter(cleared_at__isnull=True), list_of(Alarm)),
        item(
            "rates to publish",
            visible(request, RateProposal).filter(state=proposed),
            list_of(RateProposal, state__exact=proposed),
        ),
        item(
            "readings in quarantine",
            visible(request, QuarantinedReading).filter(resolution=""),
            list_of(QuarantinedReading, resolution__exact=""),
        ),
        item(
            "payments in suspense",
            payments.filter(state=suspense),
            list_of(Payment, state__exact=suspense),
        ),
        item(
            "payments to look at",
            payments.filter(state=mismatch),
            list_of(Payment, state__exact=mismatch),
        ),
        item(
            "refunds unknown",
            visible(request, Refund).filter(state=Refund.State.UNKNOWN),
            list_of(Refund, state__exact=Refund.State.UNKNOWN),
        ),
        item(
            "disputes undecided",
            visible(request, Dispute).filter(closed_at__isnull=True),
            list_of(Dispute, closed_at__isempty=1),
        ),
        item(
            "claims on payers",
            visible(request, PayerClaim).filter(state=PayerClaim.State.OPEN),
            list_of(PayerClaim, state__exact=PayerClaim.State.OPEN),
        ),
        item(
            "payouts to approve",
            visible(request, Payout).filter(state=Payout.State.PROPOSED),
            list_of(Payout, state__exact=Payout.State.PROPOSED),
        ),
        item(
            "payouts unknown",
            visible(request, Payout).filter(state=Payout.State.UNKNOWN),
            list_of(Payout, state__exact=Payout.State.UNKNOWN),
        ),
        item("attempts unknown", top_ups, list_of(TopUp, attempt=unknown)),
        item(
            "head-ends failing",
            visible(request, HeadEndCursor).filter(failures_in_a_row__gt=0),
            list_of(HeadEndCursor, health="failing"),
        ),
        item(
            "meter days with gaps",
            visible(request, MeterGap).filter(closed_at__isnull=True),
            list_of(MeterGap, closed_at__isempty=1),
        ),
    ]
    return context


def item(words: str, rows: QuerySet[Any], path: str) -> dict[str, Any]:
    """Count rows for the first page, with their list; higher apps add theirs."""
    counted = rows.order_by()[: MOST_COUNTED + 1].count()
    return {
        "words": words,
        "count": min(counted, MOST_COUNTED),
        "is_bounded": counted > MOST_COUNTED,
        "path": path,
    }
