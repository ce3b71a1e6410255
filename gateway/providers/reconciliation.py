"""The daily reconciliation: a rail's statement of one day, read again and compared with our books.

It moves no money. What differs becomes a Difference that a person resolves (resolutions); one that
agrees later by itself, because a late callback or a late row came, is gone. Any past day can be
compared any number of times, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from simple_history.utils import bulk_update_with_history

from accounts import alarms, floats
from accounts.locks import singleton
from accounts.models import Alarm, Rail
from gateway.providers import asked, comparison, statements
from gateway.providers.comparison import Comparison
from gateway.providers.interface import ProviderUnavailable
from gateway.providers.models import Difference, Reconciliation
from gateway.providers.registry import is_served, is_set_up, provider

log = structlog.get_logger(__name__)

State = Difference.State

MARGIN = timedelta(hours=2)
"""Read before and after the day: clocks differ, and some rows come late."""
LOOK_BACK = timedelta(days=14)
"""How long a day that could not be compared is tried again."""
RETRY_AFTER = timedelta(days=1)
"""A day that was compared, but not all of it could be read, is read again after this."""
PATIENCE = timedelta(days=2)
"""How long after its end a day may stay without a statement before an alarm says so."""


def span(*, rail: Rail, day: date) -> tuple[datetime, datetime]:
    """Return the beginning and end of a day where the rail's sites are; UTC where they disagree."""
    zones = set(rail.sites.values_list("time_zone", flat=True))
    zone: tzinfo = ZoneInfo(zones.pop()) if len(zones) == 1 else UTC
    begins_at, ends_at = (
        datetime.combine(each, time.min, tzinfo=zone).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )
    return begins_at, ends_at


def run(*, rail: Rail, day: date, at: datetime) -> Reconciliation:
    """Read the statement of a day and compare it; what it found before is brought up to date.

    A day that is not over for Reconciliation.SETTLES_AFTER is compared as far as it has settled,
    and the result says that it is_young. Where the provider is away, `failure` says so and the
    counts stay as they were; rows that can't be read are named there too. Raises ValueError for a
    day that has not begun.
    """
    begins_at, ends_at = span(rail=rail, day=day)
    if begins_at > at:
        raise ValueError(f"{day} has not begun for {rail.code}")
    try:
        trouble = _read(rail=rail, since=begins_at - MARGIN, until=min(ends_at + MARGIN, at), at=at)
    except ProviderUnavailable as error:
        log.warning("statement unavailable", rail=rail.code, day=str(day), error=str(error))
        return _failed(rail=rail, day=day, error=error, at=at)
    with transaction.atomic():
        made = _locked(rail=rail, day=day)
        found = _compare(made=made, at=at)
        made.matched = found.matched
        made.missing_here = found.count(Difference.Kind.MISSING_HERE)
        made.missing_there = found.count(Difference.Kind.MISSING_THERE)
        made.amount_differs = found.count(Difference.Kind.AMOUNT_DIFFERS)
        made.failure = "; ".join(trouble)[:200]
        made.made_at = at
        made.save()
    watch(rail=rail, at=at)
    return made


def plan(*, rail: Rail, day: date) -> Reconciliation:
    """Return the reconciliation of a day, made or still to be made."""
    begins_at, ends_at = span(rail=rail, day=day)
    made, _ = Reconciliation.objects.get_or_create(
        rail=rail, begins_at=begins_at, defaults={"ends_at": ends_at, "made_at": begins_at}
    )
    return made


def run_due(*, rail: Rail, clock: Callable[[], datetime]) -> int:
    """Compare every day of a rail that is due, newest first; return how many.

    One worker at a time: nothing is done where another one is at it. A provider that is away is not
    asked for further days.
    """
    with singleton(f"reconcile:{rail.pk}") as is_alone:
        if not is_alone:
            return 0
        compared = 0
        for day in due(rail=rail, at=clock()):
            at = clock()
            if run(rail=rail, day=day, at=at).made_at != at:
                break
            compared += 1
        return compared


def due(*, rail: Rail, at: datetime) -> list[date]:
    """Return the days that have to be compared, newest first.

    That is the days since the first that ever was (yesterday, on a new rail) that were not
    compared, or too early, or of which not all could be read.
    """
    last = _last_settled(rail=rail, at=at)
    kept = rail.reconciliations.filter(begins_at__gte=at - LOOK_BACK)
    by_day = {each.day: each for each in kept}
    first = min([*by_day, last])
    days = (last - timedelta(days=back) for back in range((last - first).days + 1))
    return [day for day in days if day not in by_day or _is_due(by_day[day], at=at)]


def _is_due(made: Reconciliation, *, at: datetime) -> bool:
    return made.is_young or (bool(made.failure) and at - made.made_at >= RETRY_AFTER)


def is_reconciled(*, rail: Rail) -> bool:
    """Return whether there is somebody to compare a rail with."""
    return rail.closed_at is None and is_served(rail=rail) and is_set_up(provider=rail.provider)


def look_again(*, rail: Rail, at: datetime) -> int:
    """Look again at a rail's open differences without asking anybody; return how many are gone."""
    with transaction.atomic():
        open_before = _open(rail=rail)
        found = comparison.compare(rail=rail, begins_at=at, ends_at=at, also=open_before)
        gone = _let_go(open_before, found=found, at=at)
    watch(rail=rail, at=at)
    return gone


def watch(*, rail: Rail, at: datetime) -> None:
    """Raise or clear the rail's alarms: open differences, and days without a statement."""
    words = floats.rail_words(rail=rail)
    key = f"differences:{rail.code}"
    open_now = rail.differences.filter(state=State.OPEN)
    if count := open_now.count():
        oldest = open_now.select_related("reconciliation").order_by("found_at")[0].reconciliation
        named = "1 difference" if count == 1 else f"{count} differences"
        alarms.raise_alarm(
            kind=Alarm.Kind.STATEMENT_DIFFERS,
            key=key,
            text=f"{words}: {named} between statement and books, the oldest of {oldest.day}",
            at=at,
            operator=rail.operator,
        )
    else:
        alarms.clear(key=key, at=at)
    _watch_statement(rail=rail, words=words, at=at)


def _watch_statement(*, rail: Rail, words: str, at: datetime) -> None:
    key = f"statement:{rail.code}"
    late = rail.reconciliations.filter(begins_at__gte=at - LOOK_BACK, ends_at__lte=at - PATIENCE)
    failed = late.exclude(failure="").order_by("begins_at")
    oldest = next((each for each in failed if each.is_young), None)
    if oldest is None:
        alarms.clear(key=key, at=at)
        return
    alarms.raise_alarm(
        kind=Alarm.Kind.PROVIDER,
        key=key,
        text=f"{words}: no complete statement of {oldest.day}: {oldest.failure}",
        at=at,
        operator=rail.operator,
    )


def _read(*, rail: Rail, since: datetime, until: datetime, at: datetime) -> list[str]:
    """Keep the rows of a span; return what a person has to look at. Raises ProviderUnavailable."""
    adapter = provider(rail=rail)
    rows = (
        adapter.list_transactions(since=since, until=until)
        if adapter.capabilities.has_statement
        else asked.rows(adapter=adapter, rail=rail, since=since, until=until, at=at)
    )
    return statements.keep(rows=rows, rail=rail, at=at)


def _failed(*, rail: Rail, day: date, error: Exception, at: datetime) -> Reconciliation:
    with transaction.atomic():
        made = _locked(rail=rail, day=day)
        made.failure = f"the provider is away: {error}"[:200]
        made.save(update_fields=["failure"])
    watch(rail=rail, at=at)
    return made


def _locked(*, rail: Rail, day: date) -> Reconciliation:
    return Reconciliation.objects.select_for_update(of=("self",)).get(
        pk=plan(rail=rail, day=day).pk
    )


def _compare(*, made: Reconciliation, at: datetime) -> Comparison:
    """Compare a day and whatever is still open of others; store what is new, let go what agrees."""
    rail = made.rail
    open_before = _open(rail=rail)
    found = comparison.compare(
        rail=rail,
        begins_at=made.begins_at,
        ends_at=max(made.begins_at, min(made.ends_at, at - Reconciliation.SETTLES_AFTER)),
        also=open_before,
    )
    _let_go(open_before, found=found, at=at)
    Difference.objects.bulk_create(
        [
            Difference(
                rail=rail,
                reconciliation=made,
                kind=each.kind,
                movement=each.movement,
                row_id=each.row_id,
                payment_id=each.payment_id,
                reference=each.reference,
                ours_minor=each.ours_minor,
                theirs_minor=each.theirs_minor,
                currency=each.currency,
                found_at=at,
            )
            for each in found.discrepancies
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )
    return found


def _open(*, rail: Rail) -> list[Difference]:
    """Return the rail's open differences, kept from being resolved meanwhile."""
    return list(rail.differences.select_for_update().filter(state=State.OPEN).order_by("pk"))


def _let_go(open_before: list[Difference], *, found: Comparison, at: datetime) -> int:
    """Mark open differences that were not found any more as gone; return how many."""
    still = {each.key for each in found.discrepancies}
    gone = [each for each in open_before if (each.kind, each.movement, each.reference) not in still]
    for each in gone:
        each.state, each.resolved_at = State.GONE, at
    if gone:
        bulk_update_with_history(gone, Difference, ["state", "resolved_at"], batch_size=1_000)
    return len(gone)


def _last_settled(*, rail: Rail, at: datetime) -> date:
    """Return the last day whose statement can be complete."""
    day = (at + timedelta(days=1)).date()
    while span(rail=rail, day=day)[1] + Reconciliation.SETTLES_AFTER > at:
        day -= timedelta(days=1)
    return day
