"""Refunds: money given back to the source that paid. A time-out is unknown, never failed.

What is to be given back is taken when it is requested, so that it can't be spent meanwhile; a
refund that fails puts it back. Each step is once, however often it is told: a success that comes
after a failure takes again, a failure that comes after a success puts back.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts import fiscal, take_backs
from accounts.intents import Reason
from accounts.models import Payment, Refund, TakeBack, User
from accounts.take_backs import NotTaken

State = Refund.State

FIRST_POLL = timedelta(seconds=10)
SUBMITTING_LIMIT = timedelta(seconds=60)
ASKING_LIMIT = timedelta(seconds=60)
LONGEST_WAIT = timedelta(hours=1)

MOVING_FIELDS = ("state", "provider_request", "reference", "take_back", "poll_count")


class RefundKeyReused(ValueError):
    """The idempotency key is known with another payment or amount."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundAnswer:
    """What a provider said of a refund.

    is_final and is_done: the money is on its way back; is_final and not is_done: it will not be,
    code and text say why. reference is the provider's id of the refund, provider_request what it
    calls our request, where it tells them. fee_minor is what the provider charges for it.
    """

    is_final: bool
    is_done: bool = False
    code: str = ""
    text: str = ""
    reference: str = ""
    provider_request: str = ""
    fee_minor: int = 0
    done_at: datetime | None = None


def request(
    *,
    payment: Payment,
    amount_minor: int,
    reason: str,
    requested_by: User | None,
    idempotency_key: str,
    at: datetime,
) -> Refund:
    """Take what is to be given back and store the refund; the same key returns the first.

    Only what is unspent can be given back, and a payment in suspense in whole. The provider is
    called later, by a task. Raises take_backs.NotTaken, RefundKeyReused.
    """
    with transaction.atomic():
        # The book first: a refund refers to its payment, which others lock behind the book.
        stored = take_backs.locked(payment_id=payment.pk)
        known = Refund.objects.filter(idempotency_key=idempotency_key).first()
        if known is not None:
            if (known.payment_id, known.amount_minor) != (stored.pk, amount_minor):
                raise RefundKeyReused(f"{idempotency_key!r} is another refund's key")
            return known
        refund = _new(
            payment=stored,
            amount_minor=amount_minor,
            reason=reason,
            idempotency_key=idempotency_key,
            at=at,
        )
        refund.requested_by = requested_by
        refund.next_poll_at = at
        refund.take_back = take_backs.take(
            payment=stored,
            amount_minor=amount_minor,
            reason=Reason.REFUND,
            key=str(refund.uid),
            occurred_at=at,
            at=at,
            only_unspent=True,
        )
        refund.save(force_insert=True)
        return refund


def made_elsewhere(
    *,
    payment: Payment,
    reference: str,
    amount_minor: int,
    made_at: datetime,
    at: datetime,
    fee_minor: int = 0,
) -> Refund:
    """Record a refund that somebody made at the provider; its reference is recorded once.

    The money is gone: what the household spent of it becomes a claim. Raises take_backs.NotTaken.
    """
    with transaction.atomic():
        stored = take_backs.locked(payment_id=payment.pk)
        key = f"{stored.provider}:{reference}"
        known = Refund.objects.filter(idempotency_key=key).first()
        if known is not None:
            return known
        refund = _new(
            payment=stored,
            amount_minor=amount_minor,
            reason="made at the provider",
            idempotency_key=key,
            at=at,
        )
        refund.reference = refund.provider_request = reference
        refund.state = State.SUCCEEDED
        refund.submitted_at = refund.finished_at = made_at
        refund.take_back = _take_again(refund, occurred_at=made_at, at=at)
        refund.save(force_insert=True)
        _gone(refund.take_back, fee_minor=fee_minor, occurred_at=made_at, at=at)
        return refund


def find(*, provider: str, name: str, token: str = "") -> Refund | None:
    """Return the refund of a callback's token, or else the one a provider calls by a name: its own
    id, or ours."""
    named = Refund.objects.filter(payment__provider=provider)
    if token:
        return named.filter(token=token).first()
    if not name:
        return None
    return named.filter(named_so(name)).first()


def named_so(name: str) -> Q:
    """Refunds that go by a name at their provider."""
    so = Q(reference=name) | Q(provider_request=name)
    try:
        return so | Q(request_id=uuid.UUID(name))
    except ValueError:
        return so


def claim(*, refund_id: int, at: datetime) -> Refund | None:
    """Take a refund for submission; None where somebody else has it or it was submitted."""
    taken = Refund.objects.filter(pk=refund_id, state=State.CREATED).update(
        state=State.SUBMITTING, submitted_at=at, next_poll_at=at + SUBMITTING_LIMIT
    )
    return load(refund_id=refund_id) if taken else None


def name_request(*, refund: Refund, provider_request: str) -> None:
    """Note what the provider calls, or will call, the refund."""
    Refund.objects.filter(pk=refund.pk).update(provider_request=provider_request)
    refund.provider_request = provider_request


def submitted(*, refund: Refund, at: datetime) -> None:
    """Note that the provider took the refund."""
    _move(refund, sources=(State.SUBMITTING, State.UNKNOWN), state=State.PENDING, at=at)


def not_answered(*, refund: Refund, text: str, at: datetime) -> None:
    """Note that the provider did not answer: the money may be on its way back all the same."""
    _move(refund, sources=(State.SUBMITTING,), state=State.UNKNOWN, at=at)
    Refund.objects.filter(pk=refund.pk, state=State.UNKNOWN).update(failure_text=text[:200])


def refused(*, refund: Refund, code: str, text: str, at: datetime) -> None:
    """Note that the provider refused, and gave nothing back."""
    _fail(refund, answer=RefundAnswer(is_final=True, code=code, text=text), at=at)


def give_up(*, refund: Refund, text: str, at: datetime) -> None:
    """Note that a person made sure that nothing was given back, and put it back here.

    Should it have been given back after all, that is taken again once the provider tells.
    """
    _fail(refund, answer=RefundAnswer(is_final=True, code="given up", text=text), at=at)


def settle_answer(*, refund: Refund, answer: RefundAnswer, at: datetime) -> None:
    """Act on what the provider said: done, failed, or ask again."""
    if answer.provider_request and not refund.provider_request:
        name_request(refund=refund, provider_request=answer.provider_request)
    if answer.is_done:
        _succeed(refund, answer=answer, at=at)
    elif answer.is_final:
        _fail(refund, answer=answer, at=at)
    else:
        postpone(refund=refund, at=at)


def postpone(*, refund: Refund, at: datetime) -> None:
    """Ask again later, less and less often, for as long as it takes."""
    wait = min(FIRST_POLL * 2 ** min(refund.poll_count, 9), LONGEST_WAIT)
    Refund.objects.filter(pk=refund.pk, state__in=Refund.OPEN).update(
        poll_count=refund.poll_count + 1, next_poll_at=at + wait
    )
    refund.refresh_from_db(fields=MOVING_FIELDS)


def take_due(*, at: datetime, limit: int = 100) -> Iterator[int]:
    """Yield the ids of refunds whose next question is due, each taken from the other workers."""
    due = Refund.objects.filter(next_poll_at__lte=at)
    for refund_id in list(due.order_by("next_poll_at").values_list("pk", flat=True)[:limit]):
        if due.filter(pk=refund_id).update(next_poll_at=at + ASKING_LIMIT):
            yield refund_id


def load(*, refund_id: int) -> Refund:
    """Return a refund with everything a provider needs to act on it."""
    return Refund.objects.select_related("payment__rail__operator", "take_back").get(pk=refund_id)


def _new(
    *, payment: Payment, amount_minor: int, reason: str, idempotency_key: str, at: datetime
) -> Refund:
    return Refund(
        payment=payment,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason[:200],
        idempotency_key=idempotency_key,
        token=secrets.token_hex(32),
        created_at=at,
    )


def _succeed(refund: Refund, *, answer: RefundAnswer, at: datetime) -> None:
    occurred_at = answer.done_at or at
    with transaction.atomic():
        stored = _locked(refund)
        stored.reference = stored.reference or answer.reference
        if stored.state == State.FAILED:
            stored.failure_text = f"given back after all; before: {stored.failure_text}"[:200]
            try:
                again = _take_again(stored, occurred_at=occurred_at, at=at)
            except NotTaken as error:
                stored.failure_text = f"given back after all, not taken: {error}"[:200]
                stored.save(update_fields=["reference", "failure_text"])
                return
            fiscal.taken_again(before=stored.take_back, take_back=again, at=at)
            stored.take_back = again
        elif stored.state != State.SUCCEEDED:
            stored.failure_text = ""
        is_new = stored.state != State.SUCCEEDED
        stored.state = State.SUCCEEDED
        stored.finished_at = stored.finished_at if not is_new else at
        stored.next_poll_at = None
        stored.save()
        if is_new and stored.take_back is not None:
            _gone(stored.take_back, fee_minor=answer.fee_minor, occurred_at=occurred_at, at=at)
    refund.refresh_from_db(fields=MOVING_FIELDS)


def _fail(refund: Refund, *, answer: RefundAnswer, at: datetime) -> None:
    with transaction.atomic():
        stored = _locked(refund)
        # What was seen to leave fails only where the provider means that very movement.
        is_same = stored.reference and stored.reference == answer.reference
        if stored.state == State.FAILED or (stored.state == State.SUCCEEDED and not is_same):
            return
        if stored.take_back is not None:
            take_backs.put_back(take_back=stored.take_back, occurred_at=at, at=at)
        stored.state = State.FAILED
        stored.failure_code, stored.failure_text = answer.code[:40], answer.text[:200]
        stored.finished_at, stored.next_poll_at = at, None
        stored.save()
    refund.refresh_from_db(fields=MOVING_FIELDS)


def _take_again(refund: Refund, *, occurred_at: datetime, at: datetime) -> TakeBack:
    """Take what is gone already, under a key of its own for each time."""
    before = TakeBack.objects.filter(
        payment=refund.payment_id, entry__key__startswith=f"take_back:{Reason.REFUND}:{refund.uid}"
    ).count()
    return take_backs.take(
        payment=refund.payment,
        amount_minor=refund.amount_minor,
        reason=Reason.REFUND,
        key=f"{refund.uid}:{before}" if before else str(refund.uid),
        occurred_at=occurred_at,
        at=at,
    )


def _gone(take_back: TakeBack, *, fee_minor: int, occurred_at: datetime, at: datetime) -> None:
    """The money left for good: pay it out of the float, write the credit note, tell of it."""
    paid = take_backs.paid_out(
        take_back=take_back, fee_minor=fee_minor, occurred_at=occurred_at, at=at
    )
    fiscal.credit(take_back=paid, at=at)
    take_backs.tell(take_back=paid, kind="payment_refunded", at=at)


def _locked(refund: Refund) -> Refund:
    """Lock book, payment and refund, in this order; return the refund as it is."""
    payment = take_backs.locked(payment_id=refund.payment_id)
    stored = Refund.objects.select_for_update(of=("self",)).get(pk=refund.pk)
    stored.payment = payment
    return stored


def _move(refund: Refund, *, sources: tuple[State, ...], state: State, at: datetime) -> None:
    Refund.objects.filter(pk=refund.pk, state__in=sources).update(
        state=state, next_poll_at=at + FIRST_POLL
    )
    refund.refresh_from_db(fields=MOVING_FIELDS)
