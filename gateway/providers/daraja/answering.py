"""What an answer that comes later sets going: whoever put the question asks again."""

from __future__ import annotations

from datetime import datetime

from accounts.models import PaymentAttempt
from gateway.providers import collection, floats, paying, refunding
from gateway.providers.daraja import results
from gateway.providers.daraja.provider import told_amount
from gateway.providers.daraja.results import TooEarly
from gateway.providers.models import ResultRequest

__all__ = ["TooEarly", "take"]


def take(*, token: str, body: str, at: datetime) -> str:
    """Store a result and follow it up; return why it was ignored, "" where it was not.

    Raises MalformedCallback, TooEarly.
    """
    request = results.take(token=token, body=body, at=at)
    if request is None:
        return "no question has this token"
    if request.kind == results.Kind.BALANCE:
        _accounts(request=request, at=at)
    elif request.payout_id is not None:
        paying.ask(payout_id=request.payout_id, at=at, is_told=True)
    elif request.refund_id is not None:
        refunding.ask(refund_id=request.refund_id, at=at, is_told=True)
    else:
        _receipt(request=request, at=at)
    return ""


def _accounts(*, request: ResultRequest, at: datetime) -> None:
    amount = told_amount(request=request)
    if amount is not None:
        floats.told(
            rail=request.rail,
            amount_minor=amount.amount_minor,
            currency=amount.currency,
            told_at=amount.told_at,
            at=at,
        )


def _receipt(*, request: ResultRequest, at: datetime) -> None:
    waiting = PaymentAttempt.objects.filter(
        claimed_reference=request.reference, top_up__rail=request.rail
    ).exclude(state=PaymentAttempt.State.SUCCEEDED)
    for attempt_id in list(waiting.values_list("pk", flat=True)):
        collection.ask(attempt_id=attempt_id, at=at)
