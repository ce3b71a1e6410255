"""Collecting payments: submit an attempt, ask what became of it, pull the statement.

Whatever starts these (a task, a callback, the janitor), only what the provider answers to our own
signed-in question moves money.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import F

from accounts import attempts, topups
from accounts.models import Rail, TopUpAttempt
from accounts.topups import AmountMismatch
from gateway.providers.interface import (
    Notification,
    ProviderRefused,
    ProviderUnavailable,
)
from gateway.providers.models import StatementCursor
from gateway.providers.registry import provider

log = structlog.get_logger(__name__)

FIRST_PULL = timedelta(hours=24)
OVERLAP = timedelta(minutes=10)
"""A statement may show a payment some minutes after it was made."""

State = TopUpAttempt.State


def submit(*, attempt_id: int, at: datetime) -> None:
    """Ask the payer, once, whoever calls this and however often."""
    attempt = attempts.claim(attempt_id=attempt_id, at=at)
    if attempt is None:
        return
    callback_url = (
        f"{settings.PUBLIC_URL}/hooks/{settings.HOOK_SECRETS[0]}/daraja/stk/{attempt.token}"
    )
    try:
        request = provider(rail=attempt.top_up.rail).initiate(
            attempt=attempt, callback_url=callback_url, at=at
        )
    except ProviderRefused as refusal:
        attempts.refused(attempt=attempt, code=refusal.code, text=refusal.text, at=at)
    except ProviderUnavailable as error:
        attempts.not_answered(attempt=attempt, text=str(error), at=at)
    else:
        attempts.submitted(attempt=attempt, provider_request=request, at=at)


def ask(*, attempt_id: int, at: datetime) -> None:
    """Ask the provider what became of an attempt, and act on the answer."""
    attempt = attempts.load(attempt_id=attempt_id)
    if attempt.state == State.CREATED:
        submit(attempt_id=attempt_id, at=at)
        return
    if attempt.state == State.AWAITING_REFERENCE and not attempt.claimed_reference:
        attempts.link_references(at=at)
        return
    if attempt.state == State.SUBMITTING:
        attempts.not_answered(attempt=attempt, text="the worker that submitted it died", at=at)
        attempt = attempts.load(attempt_id=attempt_id)
    if not attempt.provider_request:
        attempts.postpone(attempt=attempt, at=at)
        return
    try:
        answer = provider(rail=attempt.top_up.rail).query(attempt=attempt, at=at)
    except ProviderUnavailable as error:
        log.warning("query unanswered", attempt=str(attempt.uid), error=str(error))
        attempts.postpone(attempt=attempt, at=at)
        return
    attempts.settle_answer(attempt=attempt, answer=answer, at=at)


def notified(*, attempt: TopUpAttempt, notification: Notification, at: datetime) -> None:
    """Take what a callback claims as a reason to ask; keep the receipt it names."""
    if attempt.provider_request and attempt.provider_request != notification.provider_request:
        TopUpAttempt.objects.filter(pk=attempt.pk).update(has_mismatch=True)
    elif not attempt.provider_request:
        # The callback overtook the answer to our request; its path proves that it is ours.
        attempts.submitted(
            attempt=attempt, provider_request=notification.provider_request, at=at
        )
    if notification.is_success and notification.reference:
        attempts.name_reference(
            attempt=attempt,
            reference=notification.reference,
            has_mismatch=_differs(attempt=attempt, notification=notification),
        )
    ask(attempt_id=attempt.pk, at=at)


def poll_due(*, at: datetime) -> int:
    """Ask after every attempt whose time has come; return how many."""
    asked = 0
    for attempt_id in list(attempts.due(at=at)):
        ask(attempt_id=attempt_id, at=at)
        asked += 1
    return asked


def pull(*, rail: Rail, at: datetime, since: datetime | None = None) -> int:
    """Credit what the rail's statement shows since the last pull; return how many were new.

    Raises nothing when the provider is away: the cursor stays, and the failure is noted.
    """
    cursor, _ = StatementCursor.objects.get_or_create(
        rail=rail, defaults={"read_until": at - FIRST_PULL}
    )
    begin = (since or cursor.read_until) - OVERLAP
    known_before = rail.payments.count()
    try:
        payments = list(provider(rail=rail).payments(since=begin, until=at))
    except ProviderUnavailable as error:
        StatementCursor.objects.filter(pk=cursor.pk).update(
            failures_in_a_row=F("failures_in_a_row") + 1, last_failure=str(error)[:200]
        )
        return 0
    # Each in a transaction of its own: books are locked one after another, never together.
    for payment in payments:
        try:
            topups.confirm(payment=payment, at=at)
        except AmountMismatch as error:
            log.error("statement differs", rail=rail.code, error=str(error))
    StatementCursor.objects.filter(pk=cursor.pk).update(
        read_until=max(at, cursor.read_until),
        failures_in_a_row=0,
        last_failure="",
        last_success_at=at,
    )
    return rail.payments.count() - known_before


def _differs(*, attempt: TopUpAttempt, notification: Notification) -> bool:
    top_up = attempt.top_up
    return (
        notification.provider_request != attempt.provider_request
        or notification.amount_minor not in (None, top_up.amount_minor)
        or notification.phone not in (None, top_up.phone)
    )
