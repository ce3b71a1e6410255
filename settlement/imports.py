"""Taking readings from a file: each line into the inbox once, or refused with its reason.

What is wrong with a *line* (a number, a time, a meter nobody registered, a slot that contradicts
what is known) is refused here and reported; mend it and import the same file again, nothing is
taken in twice. What an operator may want to vouch for (an implausible energy, a slot without a
price, a closed meter) goes on to settlement and its quarantine, as from a head-end.

History isn't late: a reading counts as received when its slot ended, unless the caller says that
it came only now (then it is late after the site's `late_reading_days`, like any other).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max

from accounts import ledger
from accounts.models import JournalEntry, Site
from accounts.money import wh_string
from settlement import partitions, readings, rebates, settle
from settlement.long_form import (
    Layout,
    Line,
    Reason,
    Refused,
    RefusedValue,
    energy_from,
    instant_from,
)
from settlement.meters.samples import MeterSample
from settlement.models import BlockBill, Meter, QuarantinedReading, ReadingInbox, SplitVersion
from settlement.readings import Interval

CHUNK_LINES = 5_000
"""Lines held at a time: the memory an import takes doesn't depend on the file."""
SOURCE = "import"
FIRST_DAY = date(2000, 1, 1)
"""settlement_keep_partitions makes none before."""


@dataclass(kw_only=True, slots=True)
class Chunk:
    """What became of some lines: taken_in + known_already + refused = lines.

    rounded_lines counts sound lines with energy below a milliwatt-hour, which is dropped.
    """

    lines: int = 0
    taken_in: int = 0
    known_already: int = 0
    rounded_lines: int = 0
    first_starts_at: datetime | None = None
    last_ends_at: datetime | None = None
    refused: list[Refused] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Tally:
    """Chunks added up, without their lines."""

    lines: int = 0
    taken_in: int = 0
    known_already: int = 0
    rounded_lines: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)

    def add(self, chunk: Chunk) -> None:
        """Count one more chunk."""
        self.lines += chunk.lines
        self.taken_in += chunk.taken_in
        self.known_already += chunk.known_already
        self.rounded_lines += chunk.rounded_lines
        self.refused.update(refused.reason for refused in chunk.refused)


def take_in(
    *,
    site: Site,
    lines: Iterable[Line | Refused],
    layout: Layout,
    at: datetime,
    by_day: bool = False,
    came_now: bool = False,
    is_trial: bool = False,
) -> Iterator[Chunk]:
    """Take lines into the site's inbox, a chunk in one transaction, and yield what became of each.

    by_day ends a chunk where the lines come to a later local day than any before, so that the
    caller can settle it. came_now: the readings count as received `at`. is_trial makes no
    partitions (a caller who means to roll back keeps no lock on the readings).
    """
    work = _Work(site=site, layout=layout, at=at, came_now=came_now, is_trial=is_trial)
    last_day = date.min
    for line in lines:
        judged = work.judge(line)
        if by_day and isinstance(judged, _Sound):
            day = judged.interval.starts_at.astimezone(work.zone).date()
            if day > last_day and work.pending:
                yield work.flush()
            last_day = max(last_day, day)
        work.keep(judged)
        if work.chunk.lines >= CHUNK_LINES:
            yield work.flush()
    if work.chunk.lines:
        yield work.flush()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sound:
    """A line that makes sense by itself; is_rounded: energy below a milliwatt-hour was dropped."""

    line: Line
    interval: Interval
    is_rounded: bool


@dataclass(kw_only=True, slots=True)
class _Work:
    """One import: the lines that wait for the end of their chunk."""

    site: Site
    layout: Layout
    at: datetime
    came_now: bool
    is_trial: bool
    zone: ZoneInfo = field(init=False)
    serials: frozenset[str] = field(init=False)
    slot: timedelta = field(init=False)
    months: set[date] = field(default_factory=set)
    chunk: Chunk = field(default_factory=Chunk)
    pending: dict[tuple[str, datetime], list[_Sound]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(self.site.time_zone)
        self.serials = frozenset(
            Meter.objects.filter(site=self.site).values_list("serial", flat=True)
        )
        self.slot = timedelta(seconds=self.site.slot_seconds)

    def judge(self, line: Line | Refused) -> _Sound | Refused:
        """Say what a line means, or why it is refused, as far as it tells by itself."""
        if isinstance(line, Refused):
            return line
        try:
            return self._sound(line)
        except RefusedValue as error:
            return Refused(line=line, reason=error.reason, detail=str(error))

    def keep(self, judged: _Sound | Refused) -> None:
        """Put a judged line into the chunk."""
        self.chunk.lines += 1
        if isinstance(judged, Refused):
            self.chunk.refused.append(judged)
            return
        self.chunk.rounded_lines += judged.is_rounded
        key = (judged.interval.serial, judged.interval.starts_at)
        self.pending.setdefault(key, []).append(judged)

    def flush(self) -> Chunk:
        """Write what waits and return the chunk."""
        done, self.chunk = self.chunk, Chunk()
        pending, self.pending = self.pending, {}
        if not self.is_trial:
            self._keep_partitions(pending)
        with transaction.atomic():
            if not self.is_trial:
                # Nothing may join the inbox while an import settles it at a past instant.
                ledger.lock(book_id=self.site.book.pk)
            fresh = self._fresh(pending, done)
            done.taken_in = readings.take_in(
                site=self.site,
                samples=[_sample(interval) for interval in fresh],
                source=SOURCE,
                at=self.at,
                is_history=not self.came_now,
            )
        # What take_in leaves out beside what is held lies in quarantine.
        done.known_already += len(fresh) - done.taken_in
        done.first_starts_at = min((each.starts_at for each in fresh), default=None)
        done.last_ends_at = max((each.ends_at for each in fresh), default=None)
        done.refused.sort(key=lambda refused: refused.line.number)
        return done

    def _sound(self, line: Line) -> _Sound:
        """Raises RefusedValue."""
        if line.meter not in self.serials:
            raise RefusedValue(
                Reason.UNKNOWN_METER, f"{self.site.slug} has no meter {line.meter[:40]!r}"
            )
        starts_at = instant_from(line.time, self.layout.zone)
        energy, is_rounded = energy_from(text=line.energy, unit=self.layout.unit)
        if starts_at.timestamp() % self.site.slot_seconds:
            raise RefusedValue(
                Reason.NOT_A_SLOT,
                f"slots of {self.site.slot_seconds} s don't begin at {line.time[:40]}",
            )
        if starts_at.date() < FIRST_DAY:
            raise RefusedValue(Reason.OUTSIDE_PARTITIONS, f"{line.time[:40]} is before 2000")
        if starts_at > self.at - self.slot:
            raise RefusedValue(Reason.IN_THE_FUTURE, f"the slot of {line.time[:40]} has not ended")
        interval = Interval(
            serial=line.meter,
            starts_at=starts_at,
            ends_at=starts_at + self.slot,
            energy_milliwatt_hours=energy,
        )
        return _Sound(line=line, interval=interval, is_rounded=is_rounded)

    def _fresh(
        self, pending: dict[tuple[str, datetime], list[_Sound]], done: Chunk
    ) -> list[Interval]:
        """Leave out what is held already or said again; refuse what contradicts it."""
        intervals = [sounds[0].interval for sounds in pending.values()]
        held = {
            (serial, starts_at): energy
            for serial, starts_at, energy in readings.held(site=self.site, intervals=intervals)
        }
        fresh = []
        for key, sounds in pending.items():
            first = sounds[0]
            if key in held:
                energy, said_by = held[key], f"the slot is known with {wh_string(held[key])} Wh"
            else:
                fresh.append(first.interval)
                energy = first.interval.energy_milliwatt_hours
                said_by = f"line {first.line.number} says {first.line.energy[:40]}"
            others = [each for each in sounds if each.interval.energy_milliwatt_hours != energy]
            done.refused += [
                Refused(line=other.line, reason=Reason.CONFLICTING, detail=said_by)
                for other in others
            ]
            done.known_already += len(sounds) - len(others) - (key not in held)
        return fresh

    def _keep_partitions(self, slots: Iterable[tuple[str, datetime]]) -> None:
        """Only months that occur: a slip of the pen in a year makes two tables, not hundreds."""
        months = {starts_at.date().replace(day=1) for _, starts_at in slots} - self.months
        for month in sorted(months):
            partitions.keep(first=month, last=month)
        self.months |= months


def _sample(interval: Interval) -> MeterSample:
    return MeterSample(
        serial=interval.serial,
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        energy_milliwatt_hours=interval.energy_milliwatt_hours,
    )


class NoSplit(LookupError):
    """The site has no split, so what is paid can't be divided."""


class Settler:
    """Settles what an import took in, at the instants when it happened, never going back in time.

    An instant is the end of the latest slot that waits; not before the site's first split, since
    without one nothing can be settled; not before the last entry of the site's book, so that its
    entries stay in the order of their instants. A site with a head-end is settled at the present:
    its fresh readings may join a batch at any time. Raises NoSplit where there never was one.
    """

    def __init__(self, *, site: Site) -> None:
        self._site = site
        split = SplitVersion.objects.filter(site=site).order_by("valid_from").first()
        if split is None:
            raise NoSplit(f"site {site.slug} has no split: publish one before settling")
        last = JournalEntry.objects.filter(book_id=site.book.pk).order_by("-sequence").first()
        self._reached = max(split.valid_from, last.recorded_at if last else split.valid_from)
        self._quarantined = QuarantinedReading.objects.aggregate(last=Max("id"))["last"] or 0
        self.batches = 0

    def settle(self, *, at: datetime) -> None:
        """Settle the inbox, not after `at`, and give the rebates of blocks that ended by then."""
        with transaction.atomic():
            ledger.lock(book_id=self._site.book.pk)
            inbox = ReadingInbox.objects.filter(site=self._site)
            last_ends_at = inbox.aggregate(last=Max("ends_at"))["last"]
            if last_ends_at is None:
                return
            instant = at if self._site.head_end else min(at, max(self._reached, last_ends_at))
            self._reached = instant
            self.batches += settle.run_all(site_id=self._site.pk, at=instant)
            close_blocks(site=self._site, at=instant)

    def quarantined(self) -> Counter[str]:
        """Return how many readings settlement put aside since the beginning, by reason."""
        rows = QuarantinedReading.objects.filter(site=self._site, pk__gt=self._quarantined)
        return Counter(rows.order_by().values_list("reason", flat=True))


def close_blocks(*, site: Site, at: datetime) -> None:
    """Give the rebates of every block that ended by `at`."""
    due = BlockBill.objects.filter(site=site, is_due=True, block_ends_at__lte=at)
    while due.exists():
        rebates.run(site_id=site.pk, at=at)
