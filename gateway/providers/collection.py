"""Collecting payments: submit an attempt, ask what became of it, pull the statement.

Whatever starts these (a task, a callback, the janitor), only what the provider answers to our own
signed-in question moves money.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError
from django.db.models import F

from accounts import attempts, topups
from accounts.ledger import LedgerError
from accounts.models import PaymentAttempt, Rail
from accounts.payees import AmountMismatch
from accounts.topups import ConfirmedPayment
from gateway.providers import movements, plan_months, statements
from gateway.providers.asking import LONGEST_ROUND, hooks_url
from gateway.providers.interface import (
    Notification,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
    StatementEntry,
)
from gateway.providers.models import StatementCursor
from gateway.providers.registry import is_served, provider

log = structlog.get_logger(__name__)

FIRST_PULL = timedelta(hours=24)
FARTHEST = timedelta(days=30)
SELDOM = timedelta(minutes=15)
OVERLAP = timedelta(minutes=10)
"""A statement may show a payment some minutes after it was made."""

State = PaymentAttempt.State


def submit(*, attempt_id: int, at: datetime) -> None:
    """Ask the payer, once, whoever calls this and however often."""
    attempt = attempts.claim(attempt_id=attempt_id, at=at)
    if attempt is not None:
        _initiate(attempt=attempt, at=at)


def _initiate(*, attempt: PaymentAttempt, at: datetime) -> None:
    adapter = provider(rail=attempt.intent.rail)
    if adapter.capabilities.names_requests_ahead:
        attempts.name_request(attempt=attempt, provider_request=str(attempt.request_id))
    try:
        initiated = adapter.initiate(attempt=attempt, hooks_url=hooks_url(), at=at)
    except ProviderRefused as refusal:
        attempts.refused(attempt=attempt, code=refusal.code, text=refusal.text, at=at)
    except ProviderUnreachable as error:
        attempts.refused(attempt=attempt, code="unreachable", text=str(error), at=at)
    except ProviderUnavailable as error:
        attempts.not_answered(attempt=attempt, text=str(error), at=at)
    else:
        attempts.submitted(
            attempt=attempt,
            provider_request=initiated.provider_request,
            pay_url=initiated.pay_url,
            at=at,
        )


def _may_repeat(*, attempt: PaymentAttempt) -> bool:
    is_unknown = attempt.state == State.UNKNOWN
    return is_unknown and provider(rail=attempt.intent.rail).capabilities.repeats_safely


def _repeat(*, attempt: PaymentAttempt, at: datetime) -> None:
    """Ask the payer as if for the first time: the provider answers as it did then."""
    _initiate(attempt=attempt, at=at)
    attempt.refresh_from_db(fields=["state"])
    if attempt.state == State.UNKNOWN:
        attempts.postpone(attempt=attempt, at=at)


def ask(*, attempt_id: int, at: datetime) -> None:
    """Ask the provider what became of an attempt, and act on the answer."""
    attempt = attempts.load(attempt_id=attempt_id)
    is_paid = attempt.state == State.AWAITING_REFERENCE
    # The statement may have shown by now what was paid.
    is_shown = is_paid and attempts.link(attempt=attempt, at=at)
    if is_shown or attempt.state == State.SUCCEEDED:
        return
    if attempt.state == State.CREATED:
        submit(attempt_id=attempt_id, at=at)
        return
    if attempt.state == State.SUBMITTING:
        if at - (attempt.submitted_at or at) < attempts.SUBMITTING_LIMIT:
            return
        attempts.not_answered(attempt=attempt, text="the worker that submitted it died", at=at)
    if not attempt.provider_request or (is_paid and not attempt.claimed_reference):
        if _may_repeat(attempt=attempt):
            _repeat(attempt=attempt, at=at)
            return
        # There is nothing to ask by: only the statement can tell.
        if is_paid or not attempts.link(attempt=attempt, at=at):
            attempts.postpone(attempt=attempt, at=at)
        return
    try:
        answer = provider(rail=attempt.intent.rail).query(attempt=attempt, at=at)
    except ProviderUnavailable as error:
        log.warning("query unanswered", attempt=str(attempt.uid), error=str(error))
        attempts.postpone(attempt=attempt, at=at)
        return
    attempts.settle_answer(attempt=attempt, answer=answer, at=at)


def notified(*, attempt: PaymentAttempt, notification: Notification, at: datetime) -> None:
    """Take what a callback claims as a reason to ask; keep the receipt it names."""
    # Our request may have been answered since the caller looked.
    attempt = attempts.load(attempt_id=attempt.pk)
    named = notification.provider_request or attempt.provider_request
    is_new = bool(named and not attempt.provider_request) and not attempts.is_known_request(
        provider_request=named, besides=attempt
    )
    if is_new or (attempt.state == State.SUBMITTING and attempt.provider_request == named):
        # The callback overtook the answer to our request; its path proves that it is ours.
        attempts.submitted(attempt=attempt, provider_request=named, at=at)
    if attempt.provider_request != named:
        attempts.doubt(attempt=attempt)
    elif notification.is_success and notification.reference:
        attempts.name_reference(
            attempt=attempt,
            reference=notification.reference,
            has_mismatch=_differs(attempt=attempt, notification=notification),
        )
    ask(attempt_id=attempt.pk, at=at)


def poll_due(*, clock: Callable[[], datetime]) -> int:
    """Ask after every attempt whose time has come, for a while; return how many.

    One attempt that can't be asked after is logged and does not keep the others waiting.
    """
    asked, began_at = 0, clock()
    for attempt_id in attempts.take_due(at=began_at):
        try:
            ask(attempt_id=attempt_id, at=clock())
        except (DatabaseError, LedgerError, LookupError, ValueError):
            log.exception("attempt not asked after", attempt=attempt_id)
        asked += 1
        if clock() - began_at > LONGEST_ROUND:
            break
    return asked


def is_pull_due(*, rail: Rail, at: datetime) -> bool:
    """Return whether the rail's statement should be read again.

    Where payers pay without being asked, as often as anybody looks; elsewhere every payment was
    asked for and is asked after, and the statement only shows what the provider did by itself.
    """
    if not is_served(rail=rail):
        return False
    can = provider(rail=rail).capabilities
    if not can.has_statement or can.takes_unasked:
        return can.has_statement
    read_lately = StatementCursor.objects.filter(rail=rail, last_success_at__gt=at - SELDOM)
    return not read_lately.exists()


def pull(*, rail: Rail, at: datetime, since: datetime | None = None) -> int:
    """Credit what the rail's statement shows since the last pull; return how many were new.

    since: from this instant on at the latest, if it lies before the last pull, FARTHEST back at
    most. Raises nothing when the provider is away: the cursor stays, and the failure is noted.
    """
    cursor, _ = StatementCursor.objects.get_or_create(
        rail=rail, defaults={"read_until": at - FIRST_PULL}
    )
    begin = max(min(since or at, cursor.read_until), at - FARTHEST) - OVERLAP
    known_before = rail.payments.count()
    try:
        rows = list(provider(rail=rail).list_transactions(since=begin, until=at))
        _recognise(rows=rows, rail=rail, at=at)
    except ProviderUnavailable as error:
        StatementCursor.objects.filter(pk=cursor.pk).update(
            failures_in_a_row=F("failures_in_a_row") + 1, last_failure=str(error)[:200]
        )
        return 0
    trouble = statements.keep(rows=rows, rail=rail, at=at)
    # Each in a transaction of its own: books are locked one after another, never together.
    payments = [row for row in rows if isinstance(row, ConfirmedPayment)]
    trouble += [told for row in payments if (told := _confirm(payment=row, at=at))]
    # After the payments, in whatever order the statement lists them.
    trouble += movements.follow_waiting(rail=rail, at=at)
    if trouble:
        log.error("statement differs", rail=rail.code, trouble=trouble)
    StatementCursor.objects.filter(pk=cursor.pk).update(
        read_until=max(at, cursor.read_until),
        failures_in_a_row=0,
        last_failure="; ".join(trouble)[:200],
        last_success_at=at,
    )
    return rail.payments.count() - known_before


def _recognise(*, rows: list[StatementEntry], rail: Rail, at: datetime) -> None:
    """Months of monthly donations come unasked: whose they are is found out before they count."""
    for row in rows:
        if isinstance(row, ConfirmedPayment):
            plan_months.recognise(rail=rail, account_text=row.account_text, at=at)


def _confirm(*, payment: ConfirmedPayment, at: datetime) -> str:
    """Credit one row of a statement; return what a person has to look at, if anything."""
    try:
        topups.confirm(payment=payment, at=at)
    except AmountMismatch as error:
        return str(error)
    return ""


def _differs(*, attempt: PaymentAttempt, notification: Notification) -> bool:
    return (
        notification.amount_minor not in (None, attempt.intent.amount_minor)
        or notification.currency not in ("", attempt.intent.currency)
        or notification.phone not in (None, attempt.phone)
    )
