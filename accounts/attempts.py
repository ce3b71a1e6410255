"""The state machine of top-ups and their attempts.

created -> submitting -> pending -> succeeded | failed | expired, with `unknown` for a provider that
did not answer: our id is stored before the provider is called, a time-out is never a failure, and
a late success after a failure still credits, once, and is flagged. Each step is one conditional
UPDATE, so two workers never take it twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from accounts import intents, notices, topups
from accounts.models import Household, Payment, PaymentAttempt, Pledge, Rail, Site, TopUp
from accounts.models.topups import IntentState
from accounts.payees import AmountMismatch
from accounts.topups import ConfirmedPayment

State = PaymentAttempt.State

FIRST_POLL = timedelta(seconds=10)
SUBMITTING_LIMIT = timedelta(seconds=60)
ASKING_LIMIT = timedelta(seconds=60)
"""A worker that asks the provider is given this long before another one may."""
UNKNOWN_LIMIT = timedelta(hours=24)
LINK_WINDOW = timedelta(minutes=15)

MOVING_FIELDS = (
    "state",
    "claimed_reference",
    "has_mismatch",
    "is_late_success",
    "provider_request",
    "poll_count",
    "next_poll_at",
    "finished_at",
)


class BadAmount(ValueError):
    """The amount is outside what the rail carries; the message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a provider's query said of an attempt.

    reference is the provider's id of the payment, where the query tells it; amount_minor, currency,
    fee_minor and paid_at likewise, None (or "") where it does not. What it tells counts, not what
    was asked for. provider_request is what a refund of the payment has to name. denies_reference:
    the reference that a callback named is somebody else's, or nobody's.
    """

    is_final: bool
    is_paid: bool = False
    code: str = ""
    text: str = ""
    reference: str = ""
    amount_minor: int | None = None
    currency: str = ""
    fee_minor: int | None = None
    paid_at: datetime | None = None
    provider_request: str = ""
    denies_reference: bool = False


def request(
    *,
    household: Household,
    site: Site,
    rail: Rail,
    phone: str,
    amount_minor: int,
    idempotency_key: str,
    at: datetime,
) -> PaymentAttempt:
    """Store a household's wish to pay and the attempt at it; the same key returns the first.

    The provider is called later, by a task. Raises BadAmount outside the rail's limits.
    """
    check_amount(rail=rail, amount_minor=amount_minor)
    with transaction.atomic():
        top_up, is_new = TopUp.objects.get_or_create(
            idempotency_key=idempotency_key,
            defaults={
                "household": household,
                "site": site,
                "rail": rail,
                "phone": phone,
                "amount_minor": amount_minor,
                "currency": rail.currency,
                "created_at": at,
            },
        )
        return open_for(intent=top_up, at=at) if is_new else top_up.attempts.latest("id")


def check_amount(*, rail: Rail, amount_minor: int) -> None:
    """Raise BadAmount where the rail does not carry the amount."""
    if not rail.min_top_up_minor <= amount_minor <= rail.max_top_up_minor:
        raise BadAmount(
            f"choose an amount from {rail.min_top_up_minor} to {rail.max_top_up_minor} minor units"
        )


def open_for(*, intent: TopUp | Pledge, at: datetime) -> PaymentAttempt:
    """Store a try at a provider; it is submitted by a task, or by the janitor."""
    return PaymentAttempt.objects.create(
        top_up=intent if isinstance(intent, TopUp) else None,
        pledge=intent if isinstance(intent, Pledge) else None,
        token=secrets.token_hex(32),
        created_at=at,
        next_poll_at=at,
    )


def claim(*, attempt_id: int, at: datetime) -> PaymentAttempt | None:
    """Take an attempt for submission; None where somebody else has it or it was submitted."""
    taken = PaymentAttempt.objects.filter(pk=attempt_id, state=State.CREATED).update(
        state=State.SUBMITTING, submitted_at=at, next_poll_at=at + SUBMITTING_LIMIT
    )
    if not taken:
        return None
    attempt = load(attempt_id=attempt_id)
    _intents(attempt).update(state=IntentState.SUBMITTING)
    return attempt


def name_request(*, attempt: PaymentAttempt, provider_request: str) -> None:
    """Note what the provider calls, or will call, the attempt."""
    PaymentAttempt.objects.filter(pk=attempt.pk).update(provider_request=provider_request)
    attempt.provider_request = provider_request


def submitted(
    *, attempt: PaymentAttempt, provider_request: str, at: datetime, pay_url: str = ""
) -> None:
    """Note that the provider took the attempt, what it calls it, and where the payer pays."""
    name_request(attempt=attempt, provider_request=provider_request)
    if pay_url:
        PaymentAttempt.objects.filter(pk=attempt.pk).update(pay_url=pay_url)
    _move(
        attempt,
        sources=(State.SUBMITTING, State.UNKNOWN),
        state=State.PENDING,
        next_poll_at=at + FIRST_POLL,
    )


def is_known_request(*, provider_request: str, besides: PaymentAttempt) -> bool:
    """Return whether the provider's id belongs to another attempt."""
    others = PaymentAttempt.objects.filter(provider_request=provider_request)
    return others.exclude(pk=besides.pk).exists()


def not_answered(*, attempt: PaymentAttempt, text: str, at: datetime) -> None:
    """Note that the provider did not answer: the prompt may be on the phone all the same."""
    _move(
        attempt,
        sources=(State.SUBMITTING,),
        state=State.UNKNOWN,
        failure_text=text[:200],
        next_poll_at=at + FIRST_POLL,
    )


def refused(*, attempt: PaymentAttempt, code: str, text: str, at: datetime) -> None:
    """Note that the provider refused to start; nothing can have been paid."""
    _fail(attempt, state=State.FAILED, code=code, text=text, at=at)


def name_reference(*, attempt: PaymentAttempt, reference: str, has_mismatch: bool) -> None:
    """Keep the receipt a callback named. It credits nothing: only the query does.

    Once callbacks contradict the attempt, or each other, none of them is believed any more: the
    statement will say which receipt is ours.
    """
    same = PaymentAttempt.objects.filter(pk=attempt.pk)
    kept = 0
    if not has_mismatch:
        believed = same.filter(has_mismatch=False, claimed_reference__in=("", reference))
        kept = believed.update(claimed_reference=reference)
    if not kept:
        doubt(attempt=attempt)
    attempt.refresh_from_db()


def doubt(*, attempt: PaymentAttempt) -> None:
    """Flag an attempt for a person to see, and forget the receipt it was told of if unpaid."""
    same = PaymentAttempt.objects.filter(pk=attempt.pk)
    same.update(has_mismatch=True)
    same.exclude(state=State.SUCCEEDED).update(claimed_reference="")


def settle_answer(*, attempt: PaymentAttempt, answer: Answer, at: datetime) -> None:
    """Act on what the provider's query said: credit, wait for the receipt, fail, or ask again."""
    # A callback may have been handled while the provider was asked.
    attempt.refresh_from_db(fields=MOVING_FIELDS)
    if answer.is_paid:
        _paid(attempt, answer=answer, at=at)
    elif answer.is_final:
        _fail(attempt, state=State.FAILED, code=answer.code, text=answer.text, at=at)
    else:
        postpone(attempt=attempt, at=at)


def postpone(*, attempt: PaymentAttempt, at: datetime) -> None:
    """Ask again later, less and less often; give a prompt up when the provider's time is over.

    Nobody waits longer than since it was submitted: several events at once make no long wait. What
    was paid is never given up: it waits for the statement to show its receipt.
    """
    age = at - (attempt.submitted_at or attempt.created_at)
    if age > UNKNOWN_LIMIT and attempt.state != State.AWAITING_REFERENCE:
        _fail(attempt, state=State.EXPIRED, code="", text="the provider never answered", at=at)
        return
    doubled = FIRST_POLL * 2 ** min(attempt.poll_count, 9)
    wait = min(doubled, max(FIRST_POLL, age), timedelta(hours=1))
    PaymentAttempt.objects.filter(pk=attempt.pk, state__in=PaymentAttempt.OPEN).update(
        poll_count=attempt.poll_count + 1, next_poll_at=at + wait
    )


def link(*, attempt: PaymentAttempt, at: datetime) -> bool:
    """Close an attempt by the payment that the statement showed; False where it shows none yet.

    For attempts that were paid without a receipt, or that the provider has no name for: the
    statement already credited them, as a paybill payment of the same account and amount.
    """
    top_up = attempt.top_up
    if top_up is None:
        return False
    since = attempt.submitted_at or attempt.created_at
    fitting = Payment.objects.filter(
        rail=top_up.rail_id,
        household=top_up.household_id,
        amount_minor=top_up.amount_minor,
        currency=top_up.currency,
        top_up__isnull=True,
        paid_at__range=(since - timedelta(minutes=1), since + LINK_WINDOW),
    ).order_by("paid_at")
    payment = fitting.filter(reference=attempt.claimed_reference).first() or fitting.first()
    if payment is None:
        return False
    with transaction.atomic():
        taken = Payment.objects.filter(pk=payment.pk, top_up__isnull=True).update(top_up=top_up)
        if taken:
            _succeed(attempt, at=at)
    return bool(taken)


def take_due(*, at: datetime, limit: int = 100) -> Iterator[int]:
    """Yield the ids of attempts whose next question is due, each taken from the other workers.

    One whose question breaks comes back after ASKING_LIMIT, behind those that are due.
    """
    due = PaymentAttempt.objects.filter(next_poll_at__lte=at)
    for attempt_id in list(due.order_by("next_poll_at").values_list("pk", flat=True)[:limit]):
        if due.filter(pk=attempt_id).update(next_poll_at=at + ASKING_LIMIT):
            yield attempt_id


def load(*, attempt_id: int) -> PaymentAttempt:
    """Return an attempt with everything a provider needs to act on it."""
    return PaymentAttempt.objects.select_related(
        "top_up__household",
        "top_up__site__book",
        "top_up__rail__operator__book",
        "pledge__donor",
        "pledge__plan",
        "pledge__site__book",
        "pledge__rail__operator__book",
    ).get(pk=attempt_id)


def _intents(attempt: PaymentAttempt) -> QuerySet[TopUp] | QuerySet[Pledge]:
    """The intent as a row to update."""
    if attempt.top_up_id is not None:
        return TopUp.objects.filter(pk=attempt.top_up_id)
    return Pledge.objects.filter(attempts=attempt.pk)


def _paid(attempt: PaymentAttempt, *, answer: Answer, at: datetime) -> None:
    if attempt.state == State.SUCCEEDED:
        return
    if not answer.reference:
        # What a callback named is not enough: it could be somebody else's receipt, or made up.
        if answer.denies_reference:
            doubt(attempt=attempt)
        _await_reference(attempt, at=at)
        return
    try:
        with transaction.atomic():
            payment = _confirmed(attempt, answer=answer, at=at)
            topups.confirm(payment=payment, at=at)
            intent = attempt.intent
            if (payment.amount_minor, payment.currency) != (intent.amount_minor, intent.currency):
                # Paid all the same: credited, or kept in suspense, as it was paid.
                PaymentAttempt.objects.filter(pk=attempt.pk).update(has_mismatch=True)
            _succeed(attempt, at=at)
    except AmountMismatch:
        # The receipt is known as somebody else's: wait for the statement to show ours.
        doubt(attempt=attempt)
        _await_reference(attempt, at=at)


def _confirmed(attempt: PaymentAttempt, *, answer: Answer, at: datetime) -> ConfirmedPayment:
    intent = attempt.intent
    return ConfirmedPayment(
        rail=intent.rail,
        reference=answer.reference,
        amount_minor=intent.amount_minor if answer.amount_minor is None else answer.amount_minor,
        currency=answer.currency or intent.currency,
        paid_at=answer.paid_at or at,
        account_text=intent.account_text,
        payer_phone=attempt.phone,
        top_up=attempt.top_up,
        pledge=attempt.pledge,
        fee_minor=answer.fee_minor,
        provider_request=answer.provider_request,
    )


def _await_reference(attempt: PaymentAttempt, *, at: datetime) -> None:
    """Note that it was paid, under a receipt that the statement has yet to show."""
    with transaction.atomic():
        moved = (
            PaymentAttempt.objects.filter(pk=attempt.pk)
            .exclude(state__in=(State.SUCCEEDED, State.AWAITING_REFERENCE))
            .update(
                state=State.AWAITING_REFERENCE,
                is_late_success=attempt.finished_at is not None,
                finished_at=None,
                next_poll_at=at + FIRST_POLL,
            )
        )
        if moved:
            _intents(attempt).update(state=IntentState.PENDING, finished_at=None)
    attempt.refresh_from_db(fields=MOVING_FIELDS)
    if not moved and attempt.state == State.AWAITING_REFERENCE:
        postpone(attempt=attempt, at=at)


def _succeed(attempt: PaymentAttempt, *, at: datetime) -> None:
    is_late = attempt.state in (State.FAILED, State.EXPIRED)
    PaymentAttempt.objects.filter(pk=attempt.pk).exclude(state=State.SUCCEEDED).update(
        state=State.SUCCEEDED,
        is_late_success=is_late or attempt.is_late_success,
        finished_at=at,
        next_poll_at=None,
    )
    _intents(attempt).exclude(state=IntentState.SUCCEEDED).update(
        state=IntentState.SUCCEEDED, finished_at=at
    )
    # The payment may have been taken back before it was linked.
    intents.follow(intent=attempt.intent)
    attempt.refresh_from_db(fields=MOVING_FIELDS)


def _fail(attempt: PaymentAttempt, *, state: State, code: str, text: str, at: datetime) -> None:
    with transaction.atomic():
        moved = _move(
            attempt,
            sources=(State.CREATED, State.SUBMITTING, State.PENDING, State.UNKNOWN),
            state=state,
            failure_code=code[:40],
            failure_text=text[:200],
            finished_at=at,
            next_poll_at=None,
        )
        if moved:
            _intents(attempt).update(finished_at=at)
        # Of one that expired nobody knows for certain that nothing was taken.
        if moved and state == State.FAILED:
            _tell_failed(attempt, code=code, at=at)


def _tell_failed(attempt: PaymentAttempt, *, code: str, at: datetime) -> None:
    top_up = attempt.top_up
    if top_up is None or not attempt.phone:
        return
    notices.tell_phone(
        phone=attempt.phone,
        kind="top_up_failed",
        key=f"top_up_failed:{attempt.pk}",
        params={
            "amount_minor": top_up.amount_minor,
            "currency": top_up.currency,
            "code": code,
        },
        language=top_up.household.language,
        household=top_up.household,
        at=at,
    )


def _move(
    attempt: PaymentAttempt, *, sources: tuple[State, ...], state: State, **fields: object
) -> bool:
    moved = PaymentAttempt.objects.filter(pk=attempt.pk, state__in=sources).update(
        state=state, **fields
    )
    if moved:
        _intents(attempt).update(state=IntentState(str(state)))
        attempt.refresh_from_db()
    return bool(moved)
