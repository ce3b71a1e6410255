"""What stands for a statement where a provider has none: its answers about each movement of ours.

An answer is kept as a row of the rail's statement, so that everything behind it works the same. One
request for each payment and refund of the span, and for each prompt that was given up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import ProtectedError, Q

from accounts import attempts
from accounts.attempts import Answer
from accounts.models import Payment, PaymentAttempt, Rail, Refund
from accounts.topups import ConfirmedPayment
from gateway.providers.interface import Movement, Provider, StatementEntry, UnreadableRow
from gateway.providers.models import StatementRow

Kind = StatementRow.Kind


def rows(
    *, adapter: Provider, rail: Rail, since: datetime, until: datetime, at: datetime
) -> Iterator[StatementEntry]:
    """Yield what the provider knows of our movements in [since, until). Raises ProviderUnavailable.

    What it denies yields no row, and takes away the one that an earlier answer left.
    """
    payments = rail.payments.filter(paid_at__gte=since, paid_at__lt=until, agent__isnull=True)
    for payment in payments.order_by("pk").iterator():
        yield from _payment(adapter, payment=payment, rail=rail, at=at)
    given_up = PaymentAttempt.objects.filter(
        Q(top_up__rail=rail) | Q(pledge__rail=rail),
        state=PaymentAttempt.State.EXPIRED,
        created_at__gte=since,
        created_at__lt=until,
    ).exclude(provider_request="")
    for attempt_id in given_up.order_by("pk").values_list("pk", flat=True):
        yield from _given_up(adapter, attempt_id=attempt_id, rail=rail, at=at)
    refunds = Refund.objects.filter(
        payment__rail=rail,
        state=Refund.State.SUCCEEDED,
        finished_at__gte=since,
        finished_at__lt=until,
    )
    for refund in refunds.select_related("payment__rail").order_by("pk"):
        yield from _refund(adapter, refund=refund, at=at)


def _payment(
    adapter: Provider, *, payment: Payment, rail: Rail, at: datetime
) -> Iterator[StatementEntry]:
    attempt = _attempt_of(payment)
    if attempt is None:
        yield UnreadableRow(
            reference=payment.reference,
            detail="no prompt of ours made it, so it can't be asked for",
        )
        return
    answer = adapter.query(attempt=attempt, at=at)
    if not answer.is_paid:
        yield from _denied(rail=rail, kind=Kind.PAYMENT, reference=payment.reference)
        return
    yield _confirmed(
        answer, attempt=attempt, rail=rail, reference=payment.reference, paid_at=payment.paid_at
    )


def _attempt_of(payment: Payment) -> PaymentAttempt | None:
    if not payment.provider_request:
        return None
    named = PaymentAttempt.objects.filter(
        Q(top_up__rail=payment.rail_id) | Q(pledge__rail=payment.rail_id),
        provider_request=payment.provider_request,
    ).first()
    return None if named is None else attempts.load(attempt_id=named.pk)


def _given_up(
    adapter: Provider, *, attempt_id: int, rail: Rail, at: datetime
) -> Iterator[StatementEntry]:
    attempt = attempts.load(attempt_id=attempt_id)
    answer = adapter.query(attempt=attempt, at=at)
    if answer.is_paid and answer.reference:
        yield _confirmed(
            answer, attempt=attempt, rail=rail, reference="", paid_at=attempt.created_at
        )


def _confirmed(
    answer: Answer, *, attempt: PaymentAttempt, rail: Rail, reference: str, paid_at: datetime
) -> ConfirmedPayment:
    intent = attempt.intent
    return ConfirmedPayment(
        rail=rail,
        reference=answer.reference or reference,
        amount_minor=intent.amount_minor if answer.amount_minor is None else answer.amount_minor,
        currency=answer.currency or intent.currency,
        paid_at=answer.paid_at or paid_at,
        account_text=intent.account_text,
        payer_phone=attempt.phone,
        fee_minor=answer.fee_minor,
    )


def _refund(adapter: Provider, *, refund: Refund, at: datetime) -> Iterator[StatementEntry]:
    answer = adapter.query_refund(refund=refund, at=at)
    if not answer.is_done:
        yield from _denied(rail=refund.payment.rail, kind=Kind.REFUND, reference=refund.reference)
        return
    yield Movement(
        kind=Kind.REFUND,
        reference=answer.reference or refund.reference,
        payment_reference=refund.payment.reference,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        happened_at=answer.done_at or refund.finished_at or at,
    )


def _denied(*, rail: Rail, kind: Kind, reference: str) -> Iterator[StatementEntry]:
    """Forget an earlier answer that the provider takes back."""
    try:
        StatementRow.objects.filter(rail=rail, kind=kind, reference=reference).delete()
    except ProtectedError:
        yield UnreadableRow(reference=reference, detail="the provider denies what it said before")
