"""Settlement beside a bare set-based statement, the per-row ORM transaction and django-hordak.

All in one run and one PostgreSQL, rounds interleaved, medians. The ORM and hordak are timed on a
sample; their rates hold for any number of readings, since each is a transaction of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from time import perf_counter

from benches import bare, country, memory, pipeline, row_by_row
from benches.country import FIRST_SLOT_AT, SLOT, Country
from benches.ground import say
from benches.outcome import Outcome, middle
from benches.peer import Peer
from benches.pipeline import Load, Seconds
from settlement.models import MeterAssignment


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How many readings a round brings and how they lie: households x slots at each site."""

    sites: int
    households: int
    slots: int

    @property
    def readings(self) -> int:
        return self.sites * self.households * self.slots


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    many_slots: Shape
    many_households: Shape
    rounds: int
    sample: int
    memory: memory.Size


FULL = Size(
    many_slots=Shape(sites=100, households=100, slots=10),
    many_households=Shape(sites=20, households=1_000, slots=1),
    rounds=5,
    sample=400,
    memory=memory.Size(households=1_000, slots=100, stored=1_000_000),
)
SMALL = Size(
    many_slots=Shape(sites=2, households=5, slots=3),
    many_households=Shape(sites=2, households=8, slots=1),
    rounds=1,
    sample=5,
    memory=memory.Size(households=10, slots=5, stored=100),
)


@dataclass(kw_only=True)
class Timings:
    """Seconds of each round."""

    full: list[Seconds] = field(default_factory=list)
    bare: list[Seconds] = field(default_factory=list)
    two_processes: list[float] = field(default_factory=list)
    orm: list[float] = field(default_factory=list)
    hordak: list[float] = field(default_factory=list)


def run(*, is_small: bool) -> Outcome:
    """Measure and return figures per reading and the ratios of the budget."""
    size = SMALL if is_small else FULL
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    wide = _wide(size)
    figures["readings_per_second_1000_households_x_1_slot"] = (
        size.many_households.readings / middle([taken.total for taken in wide.full])
    )
    timings = _all_sides(size)
    count = size.many_slots.readings
    full = middle([taken.total for taken in timings.full])
    per_second = count / full
    orm = size.sample / middle(timings.orm)
    hordak = size.sample / middle(timings.hordak)
    figures |= {
        "readings_per_second": per_second,
        "readings_per_second_two_processes": count / middle(timings.two_processes),
        "settling_ms_per_1000_readings": 1e6 * middle([t.settling for t in timings.full]) / count,
        "copying_ms_per_1000_readings": 1e6 * middle([t.copying for t in timings.full]) / count,
        "bare_readings_per_second": count / middle([t.total for t in timings.bare]),
        "orm_readings_per_second_extrapolated_from_sample": orm,
        "hordak_transfers_per_second_extrapolated_from_sample": hordak,
    }
    ratios |= {
        "vs_bare": _ratio(timings),
        "vs_bare_without_copy": _ratio(timings, is_settling_only=True),
        "vs_bare_1000_households_x_1_slot": _ratio(wide),
        "vs_orm": per_second / orm,
        "vs_hordak": per_second / hordak,
    }
    grown = memory.run(size=size.memory)
    if grown is not None:
        figures |= {
            "rss_growth_mb": grown.with_many_stored_mb,
            "rss_growth_mb_with_nothing_stored": grown.with_none_stored_mb,
        }
        ratios["vs_nothing_stored_rss"] = grown.with_none_stored_mb / grown.with_many_stored_mb
    return Outcome(bench="settle", figures=figures, ratios=ratios)


def _ratio(timings: Timings, *, is_settling_only: bool = False) -> float:
    """Rounds are pairs measured right after each other, so the noise of a pair is shared."""
    pairs = zip(timings.bare, timings.full, strict=True)
    return middle(
        [
            base.settling / full.settling if is_settling_only else base.total / full.total
            for base, full in pairs
        ]
    )


def _wide(size: Size) -> Timings:
    """The same with many households and one slot."""
    shape = size.many_households
    where = _founded("BWD", shape)
    bare.build()
    timings = Timings()
    rng = Random(2)
    for number in range(size.rounds + 1):
        loads = _loads(where=where, shape=shape, number=number, rng=rng)
        _pair(timings=timings, where=where, loads=loads, number=number)
    return _warm(timings)


def _all_sides(size: Size) -> Timings:
    shape = size.many_slots
    where = _founded("BMS", shape)
    bare.build()
    site = where.sites[0]
    row_by_row.build(
        site=site,
        households=list(
            MeterAssignment.objects.filter(meter__site=site).values_list("household_id", flat=True)
        ),
    )
    timings = Timings()
    rng = Random(1)
    with ExitStack() as peers:
        say("migrating django-hordak")
        hordak = peers.enter_context(
            Peer(module="benches.hordak_transfers", environment=os.environ)
        )
        pair = [
            peers.enter_context(Peer(module="benches.pipeline", environment=os.environ))
            for _ in range(2)
        ]
        for number in range(size.rounds + 1):
            say(f"round {number} of {size.rounds}" + (" (to warm up)" if number == 0 else ""))
            loads = _loads(where=where, shape=shape, number=2 * number, rng=rng)
            _pair(timings=timings, where=where, loads=loads, number=2 * number)
            loads = _loads(where=where, shape=shape, number=2 * number + 1, rng=rng)
            at = _end(shape=shape, number=2 * number + 1)
            timings.two_processes.append(_in_two(pair=pair, loads=loads, at=at))
            timings.orm.append(_row_by_row(where=where, number=number, size=size, rng=rng))
            timings.hordak.append(hordak.ask(transfers=size.sample)["seconds"])
    return _warm(timings)


def _founded(prefix: str, shape: Shape) -> Country:
    say(f"founding {shape.sites} sites of {shape.households} households")
    return country.found(
        prefix=prefix, sites_count=shape.sites, households_per_site=shape.households
    )


def _warm(timings: Timings) -> Timings:
    """Leave out the first round: plans, caches and first partitions' pages are cold there."""
    return Timings(
        full=timings.full[1:],
        bare=timings.bare[1:],
        two_processes=timings.two_processes[1:],
        orm=timings.orm[1:],
        hordak=timings.hordak[1:],
    )


def _end(*, shape: Shape, number: int) -> datetime:
    return FIRST_SLOT_AT + (number + 1) * shape.slots * SLOT + timedelta(seconds=30)


def _loads(*, where: Country, shape: Shape, number: int, rng: Random) -> list[Load]:
    """Every site's readings of one round, as the text that COPY takes."""
    starts_at = FIRST_SLOT_AT + number * shape.slots * SLOT
    loads = []
    for index, site in enumerate(where.sites):
        rows = where.readings(index, starts_at=starts_at, slots=shape.slots, rng=rng)
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        loads.append(Load(site_id=site.pk, text=text, count=text.count("\n")))
    return loads


def _pair(*, timings: Timings, where: Country, loads: Sequence[Load], number: int) -> None:
    """One round of the service and one of the bare statement; who goes first alternates."""
    at = FIRST_SLOT_AT + timedelta(days=2)

    def service() -> None:
        timings.full.append(pipeline.run(loads=loads, at=at))

    def bare_statement() -> None:
        timings.bare.append(_bare(where=where, loads=loads, number=number, at=at))

    sides = (service, bare_statement) if number % 4 < 2 else (bare_statement, service)
    for side in sides:
        side()


def _bare(*, where: Country, loads: Sequence[Load], number: int, at: datetime) -> Seconds:
    began = perf_counter()
    for load in loads:
        pipeline.copy(load=load, table=bare.INBOX)
    copied = perf_counter()
    for site in where.sites:
        bare.settle(site_id=site.pk, book_id=site.book.pk, round_number=number, at=at)
    return Seconds(copying=copied - began, settling=perf_counter() - copied)


def _in_two(*, pair: Sequence[Peer], loads: Sequence[Load], at: datetime) -> float:
    """Half of the sites in each of two processes; from the first's start to the last's end."""
    for index, load in enumerate(loads):
        pair[index % 2].ask(site_id=load.site_id, text=load.text, count=load.count)
    began = perf_counter()
    for peer in pair:
        peer.tell(at=at.isoformat())
    for peer in pair:
        peer.hear()
    return perf_counter() - began


def _row_by_row(*, where: Country, number: int, size: Size, rng: Random) -> float:
    starts_at = FIRST_SLOT_AT + number * size.many_slots.slots * SLOT
    readings = where.readings(0, starts_at=starts_at, slots=size.many_slots.slots, rng=rng)
    rows = [row for row, _ in zip(readings, range(size.sample), strict=False)]
    assert len(rows) == size.sample
    began = perf_counter()
    for row in rows:
        row_by_row.settle_one(row=row)
    return perf_counter() - began
