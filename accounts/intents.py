"""What becomes of an intent to pay when money is taken back: the charge is refunded, not the order.

An intent that two payments answered stays succeeded as long as one of them stands.
"""

from __future__ import annotations

from enum import StrEnum

from django.db.models import F

from accounts.models import Payment, Pledge, TakeBack, TopUp
from accounts.models.topups import IntentState


class Reason(StrEnum):
    """Why money is taken back."""

    REFUND = "refund"
    REVERSAL = "reversal"
    DISPUTE = "dispute"


STATES = {
    Reason.REFUND: IntentState.REFUNDED,
    Reason.REVERSAL: IntentState.REVERSED,
    Reason.DISPUTE: IntentState.DISPUTED,
}


def follow(*, intent: TopUp | Pledge) -> None:
    """Set the intent's state by its payments: succeeded while one of them is not taken back in
    whole, else by why the last one was."""
    payments = Payment.objects.filter(**{_field(intent): intent})
    rows = type(intent)._default_manager.filter(pk=intent.pk)
    if payments.filter(taken_back_minor__lt=F("amount_minor")).exists():
        rows.filter(state__in=STATES.values()).update(state=IntentState.SUCCEEDED)
        return
    last = (
        TakeBack.objects.filter(payment__in=payments, put_back_at__isnull=True)
        .select_related("entry")
        .order_by("-id")
        .first()
    )
    if last is not None:
        rows.filter(state__in=(IntentState.SUCCEEDED, *STATES.values())).update(
            state=STATES[reason_of(take_back=last)]
        )


def follow_payment(*, payment: Payment) -> None:
    """Follow the intent that a payment answered, if any."""
    intent = payment.top_up or payment.pledge
    if intent is not None:
        follow(intent=intent)


def reason_of(*, take_back: TakeBack) -> Reason:
    """Return why it was taken: the word behind "take_back:" in its entry's key."""
    return Reason(take_back.entry.key.split(":")[1])


def _field(intent: TopUp | Pledge) -> str:
    return "top_up" if isinstance(intent, TopUp) else "pledge"
