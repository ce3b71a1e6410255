"""From the head-end into the inbox: cursor, dedupe, register differences, gap ledger.

Nothing is charged here. A sample that is known already is left out; one that contradicts what is
known goes on to settlement, which quarantines it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from accounts.locks import singleton
from accounts.models import Site
from settlement.meters.registry import head_end
from settlement.meters.samples import HeadEndUnavailable, MeterSample, UnreadableSample
from settlement.models import HeadEndCursor, QuarantinedReading, Reading, ReadingInbox
from settlement.prices import slot_start

OVERLAP_SLOTS = 10
"""How far back each pull looks again: most late slots come within it, the gap ledger gets the
rest."""
LONGEST_SPAN = timedelta(hours=6)
FIRST_SPAN = timedelta(hours=24)
LONGEST_WAIT = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Energy of one meter in one interval, ready for the inbox."""

    serial: str
    starts_at: datetime
    ends_at: datetime
    energy_milliwatt_hours: int


@dataclass(kw_only=True, slots=True)
class Sorted:
    """Samples told apart: intervals to take in, and what has to go to quarantine."""

    intervals: list[Interval] = field(default_factory=list)
    backwards: list[Interval] = field(default_factory=list)
    unreadable: list[UnreadableSample] = field(default_factory=list)


def pull(*, site: Site, at: datetime, since: datetime | None = None) -> int:
    """Read the head-end up to `at` into the inbox; return how many intervals were taken in.

    `since` asks for older slots again without moving the cursor. Does nothing (returns 0) while
    another worker pulls the site, or no slot ended since the last pull. A head-end that fails
    moves the next pull away, longer each time, and is noted for the admin.
    """
    source = head_end(site=site)
    if source is None:
        return 0
    until = slot_start(at=at, slot_seconds=site.slot_seconds)
    cursor, _ = HeadEndCursor.objects.get_or_create(
        site=site, defaults={"read_until": until - FIRST_SPAN}
    )
    if since is None and (
        cursor.read_until >= until or (cursor.next_pull_at is not None and cursor.next_pull_at > at)
    ):
        return 0
    with singleton(f"pull:{site.pk}") as is_alone:
        if not is_alone:
            return 0
        overlap = timedelta(seconds=site.slot_seconds * OVERLAP_SLOTS)
        begin = since or cursor.read_until - overlap
        end = min(until, begin + LONGEST_SPAN + overlap)
        # A register's first slot needs the sample before it.
        lead = timedelta(seconds=site.slot_seconds)
        try:
            samples = list(source.samples(since=begin - lead, until=end))
        except HeadEndUnavailable as error:
            _note_failure(cursor=cursor, error=error, at=at)
            return 0
        taken = take_in(site=site, samples=samples, source=site.head_end, at=at)
        if since is None:
            HeadEndCursor.objects.filter(pk=cursor.pk).update(
                read_until=max(end, cursor.read_until),
                failures_in_a_row=0,
                last_failure="",
                last_success_at=at,
                next_pull_at=None,
            )
        return taken


def take_in(
    *,
    site: Site,
    samples: Iterable[MeterSample | UnreadableSample],
    source: str,
    at: datetime,
    received_at: datetime | None = None,
    is_history: bool = False,
) -> int:
    """Put samples that are not known yet into the inbox, each once; return how many.

    received_at (default `at`) decides whether a reading counts as late. is_history: each counts as
    received when its slot ended, so that what happened long ago isn't late.
    """
    told = sort_samples(samples)
    known = _known(site=site, intervals=told.intervals + told.backwards)
    fresh = [interval for interval in told.intervals if _identity(interval) not in known]
    fresh.sort(key=lambda interval: (interval.starts_at, interval.serial))
    _copy_to_inbox(
        site=site,
        intervals=fresh,
        source=source,
        received_at=None if is_history else received_at or at,
    )
    backwards = [interval for interval in told.backwards if _identity(interval) not in known]
    _quarantine(site=site, source=source, backwards=backwards, unreadable=told.unreadable, at=at)
    return len(fresh)


def held(*, site: Site, intervals: list[Interval]) -> set[tuple[str, datetime, int]]:
    """Return (serial, start, energy) of what was settled or waits for the intervals' slots."""
    return _identities(Reading.objects.filter(site=site), "meter__serial", intervals) | _identities(
        ReadingInbox.objects.filter(site=site), "serial", intervals
    )


def sort_samples(samples: Iterable[MeterSample | UnreadableSample]) -> Sorted:
    """Drop exact repeats, turn registers into intervals, set aside what makes no sense."""
    told = Sorted()
    seen: set[MeterSample] = set()
    registers: dict[str, dict[datetime, MeterSample]] = {}
    for sample in samples:
        if isinstance(sample, UnreadableSample):
            told.unreadable.append(sample)
        elif sample not in seen:
            seen.add(sample)
            if sample.is_register:
                registers.setdefault(sample.serial, {}).setdefault(sample.starts_at, sample)
            else:
                told.intervals.append(_interval(sample, sample.energy_milliwatt_hours))
    for by_start in registers.values():
        _differences(by_start, told)
    return told


def release(*, quarantined: QuarantinedReading, by_id: int | None, at: datetime) -> None:
    """Send a quarantined reading back to the inbox, vouched for by an operator.

    Raises ValueError where it has no slot to go to or was resolved before.
    """
    if quarantined.starts_at is None or quarantined.ends_at is None:
        raise ValueError("the reading names no slot: it can only be dismissed")
    if quarantined.reason == QuarantinedReading.Reason.CONFLICTING_DUPLICATE:
        raise ValueError("its slot is charged already: a settled reading never changes")
    taken = QuarantinedReading.objects.filter(pk=quarantined.pk, resolution="").update(
        resolution=QuarantinedReading.Resolution.RELEASED, resolved_at=at, resolved_by_id=by_id
    )
    if not taken:
        raise ValueError("the reading was resolved before")
    ReadingInbox.objects.create(
        site_id=quarantined.site_id,
        source=quarantined.source,
        serial=quarantined.serial,
        starts_at=quarantined.starts_at,
        ends_at=quarantined.ends_at,
        energy_milliwatt_hours=quarantined.energy_milliwatt_hours or 0,
        received_at=quarantined.received_at,
        is_vouched=True,
    )


def _interval(sample: MeterSample, energy_milliwatt_hours: int) -> Interval:
    return Interval(
        serial=sample.serial,
        starts_at=sample.starts_at,
        ends_at=sample.ends_at,
        energy_milliwatt_hours=energy_milliwatt_hours,
    )


def _differences(by_start: dict[datetime, MeterSample], told: Sorted) -> None:
    """A slot's energy needs the sample right before it; across a gap nothing is guessed."""
    for starts_at, sample in by_start.items():
        before = by_start.get(starts_at - (sample.ends_at - sample.starts_at))
        if before is None:
            continue
        difference = sample.energy_milliwatt_hours - before.energy_milliwatt_hours
        target = told.intervals if difference >= 0 else told.backwards
        target.append(_interval(sample, difference))


def _identity(interval: Interval) -> tuple[str, datetime, int]:
    return (interval.serial, interval.starts_at, interval.energy_milliwatt_hours)


def _known(*, site: Site, intervals: list[Interval]) -> set[tuple[str, datetime, int]]:
    """What settled readings, the inbox and the quarantine say of these meters and slots already."""
    return held(site=site, intervals=intervals) | _identities(
        QuarantinedReading.objects.filter(site=site), "serial", intervals
    )


def _identities(
    rows: QuerySet[Any], serial: str, intervals: Iterable[Interval]
) -> set[tuple[str, datetime, int]]:
    """The (serial, start, energy) of rows, only those that the intervals name.

    A span from the first to the last would load a year for two intervals a year apart.
    """
    serials = {interval.serial for interval in intervals}
    starts = {interval.starts_at for interval in intervals}
    if not starts:
        return set()
    named = rows.filter(**{f"{serial}__in": serials}, starts_at__in=starts).order_by()
    return set(named.values_list(serial, "starts_at", "energy_milliwatt_hours"))


def _copy_to_inbox(
    *, site: Site, intervals: list[Interval], source: str, received_at: datetime | None
) -> None:
    """received_at None: at the slot's end."""
    if not intervals:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY settlement_readinginbox (site_id, source, serial, starts_at, ends_at,"
            " energy_milliwatt_hours, received_at, is_vouched) FROM STDIN"
        ) as copy,
    ):
        for interval in intervals:
            copy.write_row(
                (
                    site.pk,
                    source,
                    interval.serial,
                    interval.starts_at,
                    interval.ends_at,
                    interval.energy_milliwatt_hours,
                    received_at or interval.ends_at,
                    False,
                )
            )


def _quarantine(
    *,
    site: Site,
    source: str,
    backwards: list[Interval],
    unreadable: list[UnreadableSample],
    at: datetime,
) -> None:
    Reason = QuarantinedReading.Reason
    rows = [
        QuarantinedReading(
            site=site,
            source=source,
            serial=interval.serial,
            starts_at=interval.starts_at,
            ends_at=interval.ends_at,
            energy_milliwatt_hours=interval.energy_milliwatt_hours,
            reason=Reason.REGISTER_BACKWARDS,
            received_at=at,
            quarantined_at=at,
        )
        for interval in backwards
    ]
    seen = set(
        QuarantinedReading.objects.filter(
            site=site, reason=Reason.MALFORMED, detail__in=[bad.detail for bad in unreadable]
        ).values_list("detail", flat=True)
    )
    rows += [
        QuarantinedReading(
            site=site,
            source=source,
            serial=bad.serial,
            reason=Reason.MALFORMED,
            detail=bad.detail,
            received_at=at,
            quarantined_at=at,
        )
        for bad in unreadable
        if bad.detail not in seen
    ]
    QuarantinedReading.objects.bulk_create(rows)


def _note_failure(*, cursor: HeadEndCursor, error: HeadEndUnavailable, at: datetime) -> None:
    wait = min(timedelta(seconds=15) * 2 ** min(cursor.failures_in_a_row, 10), LONGEST_WAIT)
    HeadEndCursor.objects.filter(pk=cursor.pk).update(
        failures_in_a_row=F("failures_in_a_row") + 1,
        last_failure=str(error)[:200],
        next_pull_at=at + wait,
    )
