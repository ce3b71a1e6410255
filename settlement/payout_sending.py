"""Sending payouts: a time-out is unknown, never failed; each step is once, however often told.

A payout that fails puts its money back in the pool, and its service token may be paid again. A
success that comes after a failure takes the money again, a failure after a success undoes it;
where that can't be booked any more, an alarm says so and the statement differs until a person
has looked. The states are moved as accounts.refunds moves them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts import alarms, ledger
from accounts.ledger import Leg
from accounts.models import Alarm, Posting, Rail
from settlement import payout_legs, payout_telling, payouts
from settlement.models import Payout, ServiceToken
from settlement.payouts import NotCovered, WrongState

State = Payout.State

FIRST_POLL = timedelta(seconds=10)
SUBMITTING_LIMIT = timedelta(seconds=60)
ASKING_LIMIT = timedelta(seconds=60)
LONGEST_WAIT = timedelta(hours=1)

MOVING_FIELDS = ("state", "provider_request", "reference", "poll_count", "failure_text")
NEVER_SENT = (State.PROPOSED, State.REJECTED, State.APPROVED)


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutAnswer:
    """What was said of a payout.

    is_final and is_done: the payee has the money; is_final and not is_done: they will not get it,
    code and text say why. reference is the provider's id of the payout, provider_request what it
    calls our request. fee_minor is what the provider took from the float for it.
    """

    is_final: bool
    is_done: bool = False
    code: str = ""
    text: str = ""
    reference: str = ""
    provider_request: str = ""
    fee_minor: int = 0
    done_at: datetime | None = None


def find(*, rail: Rail | None = None, provider: str = "", name: str) -> Payout | None:
    """Return the payout that goes by a name at a provider: its own id of it, or ours."""
    if not name:
        return None
    named = Payout.objects.filter(_named_so(name))
    named = named.filter(rail=rail) if rail else named.filter(rail__provider=provider)
    return named.exclude(state__in=NEVER_SENT).first()


def claim(*, payout_id: int, at: datetime) -> Payout | None:
    """Take a payout to send it; None where somebody else has it or it was sent."""
    taken = Payout.objects.filter(pk=payout_id, state=State.APPROVED).update(
        state=State.SENDING, sent_at=at, next_poll_at=at + SUBMITTING_LIMIT
    )
    return load(payout_id=payout_id) if taken else None


def name_request(*, payout: Payout, provider_request: str) -> None:
    """Note what the provider calls, or will call, the payout."""
    Payout.objects.filter(pk=payout.pk).update(provider_request=provider_request)
    payout.provider_request = provider_request


def submitted(*, payout: Payout, at: datetime) -> None:
    """Note that the provider took the payout."""
    _move(payout, sources=(State.SENDING, State.UNKNOWN), state=State.SENT, at=at)


def not_answered(*, payout: Payout, text: str, at: datetime) -> None:
    """Note that the provider did not answer: the money may be on its way all the same."""
    _move(payout, sources=(State.SENDING,), state=State.UNKNOWN, at=at)
    Payout.objects.filter(pk=payout.pk, state=State.UNKNOWN).update(failure_text=text[:200])


def settle_answer(*, payout: Payout, answer: PayoutAnswer, at: datetime) -> None:
    """Act on what was said of a payout: arrived, failed, or ask again. Raises WrongState."""
    if answer.provider_request and not payout.provider_request:
        name_request(payout=payout, provider_request=answer.provider_request)
    if answer.is_done:
        _arrived(payout, answer=answer, at=at)
    elif answer.is_final:
        _failed(payout, answer=answer, at=at)
    else:
        postpone(payout=payout, at=at)


def paid(*, payout: Payout, reference: str, paid_at: datetime, at: datetime) -> None:
    """Note that a payout arrived, as a person or a file of the bank says. Raises WrongState."""
    answer = PayoutAnswer(is_final=True, is_done=True, reference=reference, done_at=paid_at)
    _arrived(payout, answer=answer, at=at)


def failed(*, payout: Payout, code: str, text: str, at: datetime, reference: str = "") -> None:
    """Note that the money will not arrive; it is in the pool again. Raises WrongState.

    reference is that of a movement which came back after it had arrived, "" where none had.
    """
    answer = PayoutAnswer(is_final=True, code=code, text=text, reference=reference)
    _failed(payout, answer=answer, at=at)


def seen(*, payout: Payout, at: datetime) -> None:
    """Note that the rail's statement, or the chain, shows a payout that arrived."""
    Payout.objects.filter(pk=payout.pk, state=State.PAID, reconciled_at__isnull=True).update(
        reconciled_at=at
    )


def postpone(*, payout: Payout, at: datetime) -> None:
    """Ask again later, less and less often, for as long as it takes."""
    wait = min(FIRST_POLL * 2 ** min(payout.poll_count, 9), LONGEST_WAIT)
    Payout.objects.filter(pk=payout.pk, state__in=Payout.SET_ASIDE).update(
        poll_count=payout.poll_count + 1, next_poll_at=at + wait
    )
    payout.refresh_from_db(fields=MOVING_FIELDS)


def take_due(*, way: str, at: datetime, limit: int = 100) -> Iterator[int]:
    """Yield the ids of a way's payouts that are due, each taken from the other workers."""
    due = Payout.objects.filter(next_poll_at__lte=at, way=way)
    for payout_id in list(due.order_by("next_poll_at").values_list("pk", flat=True)[:limit]):
        if due.filter(pk=payout_id).update(next_poll_at=at + ASKING_LIMIT):
            yield payout_id


def load(*, payout_id: int) -> Payout:
    """Return a payout with everything that sending needs."""
    rows = Payout.objects.select_related("site__book", "payee", "service_token", "rail")
    return rows.get(pk=payout_id)


def _arrived(payout: Payout, *, answer: PayoutAnswer, at: datetime) -> None:
    occurred_at = answer.done_at or at
    with transaction.atomic():
        stored = _under_way(payout)
        stored.reference = stored.reference or answer.reference
        if stored.state == State.PAID:
            stored.save(update_fields=["reference"])
        elif stored.state == State.FAILED and (trouble := _taken_again(stored, at=at)):
            stored.failure_text = f"arrived after all, not booked: {trouble}"[:200]
            stored.save(update_fields=["reference", "failure_text"])
            _alarm(stored, text=stored.failure_text, at=at)
        else:
            _book_arrival(stored, fee_minor=answer.fee_minor, occurred_at=occurred_at, at=at)
    payout.refresh_from_db(fields=MOVING_FIELDS)


def _book_arrival(payout: Payout, *, fee_minor: int, occurred_at: datetime, at: datetime) -> None:
    payout.paid_entry_id = ledger.post(
        book_id=payout.site.book.pk,
        kind="payout_paid",
        key=payouts.entry_key(payout, step="paid"),
        legs=payout_legs.paid(payout=payout, fee_minor=fee_minor),
        occurred_at=occurred_at,
        at=at,
    ).entry_id
    was_failed = payout.state == State.FAILED
    payout.failure_text = f"arrived after all; before: {payout.failure_text}" if was_failed else ""
    payout.failure_text = payout.failure_text[:200]
    payout.state, payout.finished_at, payout.next_poll_at = State.PAID, at, None
    payout.save()
    ServiceToken.objects.filter(pk=payout.service_token_id).update(state="burned")
    payout_telling.paid(payout=payout, at=at)
    alarms.clear(key=_alarm_key(payout), at=at)


def _failed(payout: Payout, *, answer: PayoutAnswer, at: datetime) -> None:
    with transaction.atomic():
        stored = _under_way(payout)
        # What was seen to arrive fails only where that very movement is meant.
        is_same = stored.reference and stored.reference == answer.reference
        if stored.state == State.FAILED or (stored.state == State.PAID and not is_same):
            return
        if stored.state == State.PAID:
            _undo_arrival(stored, at=at)
        payouts.post(stored, step="put_back", at=at)
        stored.state = State.FAILED
        stored.failure_code, stored.failure_text = answer.code[:40], answer.text[:200]
        stored.finished_at, stored.next_poll_at = at, None
        stored.save()
    payout.refresh_from_db(fields=MOVING_FIELDS)


def _undo_arrival(payout: Payout, *, at: datetime) -> None:
    """The money came back to where it had been paid from: the opposite, and the token stands."""
    ledger.post(
        book_id=payout.site.book.pk,
        kind="payout_returned",
        key=payouts.entry_key(payout, step="returned"),
        legs=_opposite_of(entry_id=payout.paid_entry_id or 0, book_id=payout.site.book.pk),
        occurred_at=at,
        at=at,
    )
    payout_telling.returned(payout=payout, at=at)
    payout.paid_entry_id = None
    ServiceToken.objects.filter(pk=payout.service_token_id).update(state="earned")


def _opposite_of(*, entry_id: int, book_id: int) -> Sequence[Leg]:
    legs = Posting.objects.filter(book_id=book_id, entry_id=entry_id).select_related("account")
    return [
        Leg(
            kind=each.account.kind,
            name=each.account.name,
            asset=each.asset,
            amount=-each.amount,
        )
        for each in legs
    ]


def _taken_again(payout: Payout, *, at: datetime) -> str:
    """Take money again that is gone after all; return why that can't be, "" where it was done."""
    again = payout.service_token.payouts.exclude(pk=payout.pk)
    for other in again.filter(state__in=(State.PROPOSED, State.APPROVED)):
        try:
            payouts.reject(payout=other, text=f"{payout.uid} arrived after all", at=at)
        except WrongState as error:
            return f"another payout of it: {error}"
    standing = again.exclude(state__in=(State.REJECTED, State.FAILED)).first()
    if standing is not None:
        return f"another payout of it is {standing.get_state_display()}"
    try:
        payout_legs.check_pool(payout=payout)
    except NotCovered as error:
        return str(error)
    payout.entry_id = payouts.post(payout, step="approved", at=at)
    return ""


def _under_way(payout: Payout) -> Payout:
    """Lock book and payout. Raises WrongState for one that was never sent."""
    stored = payouts.locked(payout_id=payout.pk)
    if stored.state in NEVER_SENT:
        raise WrongState(f"the payout is {stored.get_state_display()}: it was never sent")
    return stored


def _move(payout: Payout, *, sources: tuple[State, ...], state: State, at: datetime) -> None:
    Payout.objects.filter(pk=payout.pk, state__in=sources).update(
        state=state, next_poll_at=at + FIRST_POLL
    )
    payout.refresh_from_db(fields=MOVING_FIELDS)


def _named_so(name: str) -> Q:
    so = Q(reference=name) | Q(provider_request=name)
    try:
        return so | Q(request_id=uuid.UUID(name))
    except ValueError:
        return so


def _alarm_key(payout: Payout) -> str:
    return f"payout:{payout.uid}"


def _alarm(payout: Payout, *, text: str, at: datetime) -> None:
    alarms.raise_alarm(
        kind=Alarm.Kind.STATEMENT_DIFFERS,
        key=_alarm_key(payout),
        text=f"Payout {payout.uid} of {payout.site}: {text}",
        at=at,
        operator=payout.site.operator,
    )
