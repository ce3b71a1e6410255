"""Delivering notices: claimed one by one, sent once, tried again only where nothing was sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db.models import F

from accounts.models import Notice, SmsOptOut
from gateway.sms import network
from gateway.sms.network import Outcome, Result
from gateway.sms.wording import words

log = structlog.get_logger(__name__)

State = Notice.State

CLAIM_LIFE = timedelta(minutes=2)
FIRST_WAIT = timedelta(seconds=15)
LONGEST_ROUND = timedelta(seconds=60)
MAX_ATTEMPTS = 8
UNWORDABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

KINDS_FOR_OPTED_OUT = {"stopped"}
"""The only message that a phone still gets after it opted out."""


def due(*, at: datetime, limit: int = 100) -> list[int]:
    """Return the ids of notices to send now; claims that were never finished come back."""
    return list(
        Notice.objects.filter(state__in=(State.QUEUED, State.SENDING), next_attempt_at__lte=at)
        .order_by("next_attempt_at")
        .values_list("pk", flat=True)[:limit]
    )


def deliver(*, notice_id: int, at: datetime) -> None:
    """Send one notice, if nobody else does."""
    claimed = Notice.objects.filter(
        pk=notice_id, state__in=(State.QUEUED, State.SENDING), next_attempt_at__lte=at
    ).update(state=State.SENDING, attempts=F("attempts") + 1, next_attempt_at=at + CLAIM_LIFE)
    if not claimed:
        return
    notice = Notice.objects.select_related("household").get(pk=notice_id)
    if notice.kind not in KINDS_FOR_OPTED_OUT and _is_opted_out(notice.phone):
        _finish(notice, state=State.SUPPRESSED)
        return
    try:
        text = notice.text or words(notice=notice, at=at)
    except UNWORDABLE as error:
        log.exception("notice can't be worded", notice=notice_id)
        _finish(notice, state=State.FAILED, failure=repr(error))
        return
    Notice.objects.filter(pk=notice.pk).update(text=text)
    _note(notice, network.send(phone=notice.phone, message=text), at=at)


def deliver_due(*, clock: Callable[[], datetime]) -> int:
    """Send what is due, for a while; return how many.

    Each is claimed at its own instant: a claim dated back would end while its message is sent,
    and a slow network would then get every message twice.
    """
    began_at = clock()
    sent = 0
    for notice_id in due(at=began_at):
        deliver(notice_id=notice_id, at=clock())
        sent += 1
        if clock() - began_at > LONGEST_ROUND:
            break
    return sent


def _note(notice: Notice, outcome: Outcome, *, at: datetime) -> None:
    if outcome.result is Result.SENT:
        Notice.objects.filter(pk=notice.pk).update(
            state=State.SENT,
            provider_id=outcome.provider_id[:80],
            sent_at=at,
            next_attempt_at=None,
            failure="",
        )
    elif outcome.result is Result.TRY_AGAIN and notice.attempts < MAX_ATTEMPTS:
        Notice.objects.filter(pk=notice.pk).update(
            state=State.QUEUED,
            failure=outcome.text[:200],
            next_attempt_at=at + FIRST_WAIT * 2 ** (notice.attempts - 1),
        )
    elif outcome.result is Result.OPTED_OUT:
        SmsOptOut.objects.get_or_create(phone=notice.phone, defaults={"opted_out_at": at})
        _finish(notice, state=State.SUPPRESSED, failure=outcome.text)
    elif outcome.result is Result.UNKNOWN:
        _finish(notice, state=State.UNKNOWN, failure=outcome.text)
    else:
        _finish(notice, state=State.FAILED, failure=outcome.text)


def _finish(notice: Notice, *, state: State, failure: str = "") -> None:
    Notice.objects.filter(pk=notice.pk).update(
        state=state, failure=failure[:200], next_attempt_at=None
    )


def _is_opted_out(phone: str) -> bool:
    return SmsOptOut.objects.filter(phone=phone).exists()
