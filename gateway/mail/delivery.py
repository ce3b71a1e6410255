"""Delivering letters: claimed one by one, worded while they are sent, tried again with patience.

A letter that is sent is never sent again on purpose. Where a worker dies, or the connection ends,
between the server's taking it and our noting it, the letter goes out twice rather than never, under
the same Message-ID: a receipt that comes twice does no harm, one that is missing does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db.models import F, QuerySet

from accounts import addresses, alarms, letters, links
from accounts.models import Alarm, Letter
from gateway.mail import network, wording
from gateway.mail.network import Outcome, Result

log = structlog.get_logger(__name__)

State = Letter.State

CLAIM_LIFE = timedelta(minutes=5)
"""Longer than a server may take over every step: each has the time-out of EMAIL_URL."""
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=4)
LONGEST_ROUND = timedelta(seconds=60)
MAX_ATTEMPTS = 26
"""About three days."""
STUCK_AFTER = timedelta(minutes=15)
ALARM_KEY = "mail"
UNWORDABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def due(*, at: datetime, limit: int = 100) -> list[int]:
    """Return the ids of letters to send now; claims that were never finished come back.

    Who waits to log in comes first, then who waits longest.
    """
    waiting = Letter.objects.filter(
        state__in=(State.QUEUED, State.SENDING), next_attempt_at__lte=at
    ).order_by("next_attempt_at")
    found = waiting.values_list("pk", "kind")[:limit]
    return [pk for pk, _ in sorted(found, key=lambda row: row[1] != letters.LOGIN_LINK)]


def deliver_due(*, clock: Callable[[], datetime]) -> int:
    """Send what is due, for a while; return how many. Without a mail server letters wait.

    Each is claimed at its own instant, as a claim dated back would end while its letter is sent.
    """
    if not network.is_set_up():
        return 0
    began_at = clock()
    done = 0
    for letter_id in due(at=began_at):
        deliver(letter_id=letter_id, at=clock())
        done += 1
        if clock() - began_at > LONGEST_ROUND:
            break
    return done


def deliver(*, letter_id: int, at: datetime) -> None:
    """Send one letter, if nobody else does."""
    claimed = Letter.objects.filter(
        pk=letter_id, state__in=(State.QUEUED, State.SENDING), next_attempt_at__lte=at
    ).update(state=State.SENDING, attempts=F("attempts") + 1, next_attempt_at=at + CLAIM_LIFE)
    if not claimed:
        return
    letter = Letter.objects.select_related("donor").get(pk=letter_id)
    email = addresses.of_donor(donor=letter.donor)
    if reason := _not_wanted(letter, email=email, at=at):
        _finish(letter, state=State.DROPPED, failure=reason)
        return
    try:
        mail = wording.worded(letter=letter, to=email, at=at)
    except UNWORDABLE as error:
        log.exception("letter can't be worded", letter=letter_id)
        _finish(letter, state=State.FAILED, failure=repr(error))
        return
    _note(letter, network.send(mail=mail), at=at)


def watch(*, at: datetime) -> None:
    """Raise an alarm while letters wait too long, and clear it once they leave."""
    waiting = Letter.objects.filter(
        state__in=(State.QUEUED, State.SENDING), created_at__lte=at - STUCK_AFTER
    )
    oldest = waiting.order_by("created_at").first()
    if oldest is None:
        alarms.clear(key=ALARM_KEY, at=at)
        return
    why = oldest.failure if network.is_set_up() else "EMAIL_URL is not set"
    alarms.raise_alarm(
        kind=Alarm.Kind.MAIL,
        key=ALARM_KEY,
        text=f"{waiting.count()} letters wait, the oldest since {oldest.created_at:%Y-%m-%d %H:%M}"
        f" UTC: {why or 'no worker has tried'}",
        at=at,
    )


def _not_wanted(letter: Letter, *, email: str, at: datetime) -> str:
    """Why nobody wants a letter any more, "" where it is wanted."""
    if not email:
        return "the donor has no address any more"
    if letter.kind in letters.NEWS and addresses.is_opted_out(email=email):
        return "opted out"
    if letter.kind == letters.LOGIN_LINK and letter.created_at + links.LASTS <= at:
        return "asked for too long ago"
    return ""


def _note(letter: Letter, outcome: Outcome, *, at: datetime) -> None:
    if outcome.result is Result.SENT:
        _finish(letter, state=State.SENT, sent_at=at)
    elif outcome.result is Result.REFUSED:
        _finish(letter, state=State.FAILED, failure=outcome.text)
    elif letter.attempts >= MAX_ATTEMPTS:
        _finish(letter, state=State.FAILED, failure=f"given up: {outcome.text}")
    else:
        wait = min(FIRST_WAIT * 2 ** min(letter.attempts - 1, 16), LONGEST_WAIT)
        log.warning("letter not sent", letter=letter.pk, attempts=letter.attempts)
        _ours(letter).update(
            state=State.QUEUED, failure=outcome.text[:200], next_attempt_at=at + wait
        )


def _finish(
    letter: Letter, *, state: State, failure: str = "", sent_at: datetime | None = None
) -> None:
    _ours(letter).update(state=state, failure=failure[:200], next_attempt_at=None, sent_at=sent_at)


def _ours(letter: Letter) -> QuerySet[Letter]:
    """The letter, unless our claim was over and somebody else has it by now."""
    return Letter.objects.filter(pk=letter.pk, state=State.SENDING, attempts=letter.attempts)
