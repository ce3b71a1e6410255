"""Memory of settling a large inbox, with nothing and with much settled before."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from django.db import connection

from benches import country, pipeline
from benches.country import FIRST_SLOT_AT, SLOT, Country
from benches.ground import as_owner, say
from benches.pipeline import Load
from settlement import settle

SAMPLE_SECONDS = 0.002
STORED = """
WITH slot AS (
    SELECT n, %(first)s - n * interval '15 minutes' AS starts_at
    FROM generate_series(1, %(slots)s) AS n
), stored AS (
    INSERT INTO reading (site_id, meter_id, batch_id, energy_milliwatt_hours, starts_at, ends_at,
                         received_at, source)
    SELECT m.site_id, m.id, 0, 10000 + slot.n, slot.starts_at,
        slot.starts_at + interval '15 minutes', slot.starts_at, 'bench'
    FROM slot CROSS JOIN settlement_meter m WHERE m.site_id = %(site)s
    RETURNING site_id, meter_id, energy_milliwatt_hours, starts_at
)
INSERT INTO charge (site_id, meter_id, household_id, batch_id, price_id, energy_milliwatt_hours,
                    minting_milliwatt_hours, wei_per_milliwatt_hour, amount_wei, starts_at, is_late)
SELECT s.site_id, s.meter_id, a.household_id, 0, 0, s.energy_milliwatt_hours,
    s.energy_milliwatt_hours, 250000000000, s.energy_milliwatt_hours::numeric * 250000000000,
    s.starts_at, false
FROM stored s JOIN settlement_meterassignment a ON a.meter_id = s.meter_id
"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Readings to settle at one site (households x slots) and readings stored before."""

    households: int
    slots: int
    stored: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Peak growth of resident memory that is nobody else's, this process and its backend."""

    with_none_stored_mb: float
    with_many_stored_mb: float


class Peak:
    """Samples the anonymous resident memory of some processes while a block runs.

    Shared buffers are left out: they are the same memory in every backend.
    """

    def __init__(self, *, pids: tuple[int, ...]) -> None:
        self._pids = pids
        self._first_kb = [_anonymous_kb(pid) for pid in pids]
        self._peak_kb = list(self._first_kb)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def growth_mb(self) -> float:
        """The sum of each process's own peak over what it had at the start."""
        grown = zip(self._peak_kb, self._first_kb, strict=True)
        return sum(peak - first for peak, first in grown) / 1024

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            now = [_anonymous_kb(pid) for pid in self._pids]
            self._peak_kb = [max(pair) for pair in zip(self._peak_kb, now, strict=True)]


def run(*, size: Size) -> Growth | None:
    """Settle the same inbox twice; None where there is no /proc to read memory from."""
    if not Path("/proc/self/status").exists():
        return None
    none_stored = _settle(size=size, prefix="BMA", stored=0)
    many_stored = _settle(size=size, prefix="BMB", stored=size.stored)
    return Growth(with_none_stored_mb=none_stored, with_many_stored_mb=many_stored)


def _settle(*, size: Size, prefix: str, stored: int) -> float:
    say(f"memory of settling {size.households * size.slots} readings, {stored} stored before")
    where = country.found(prefix=prefix, sites_count=1, households_per_site=size.households)
    if stored:
        _store(where=where, slots=stored // size.households)
    connection.close_pool()  # type: ignore[attr-defined]
    _fill_inbox(where=where, slots=size.slots)
    gc.collect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
        site_id = where.sites[0].pk
        at = FIRST_SLOT_AT + size.slots * SLOT + timedelta(minutes=1)
        with Peak(pids=(os.getpid(), backend)) as peak:
            settle.run_all(site_id=site_id, at=at)
    return max(peak.growth_mb, 0.01)


def _store(*, where: Country, slots: int) -> None:
    """As if settled before: the owner may insert, and what is measured does not read amounts."""
    as_owner(STORED, {"first": FIRST_SLOT_AT, "slots": slots, "site": where.sites[0].pk})
    as_owner("VACUUM ANALYZE")


def _fill_inbox(*, where: Country, slots: int) -> None:
    rows = where.readings(0, starts_at=FIRST_SLOT_AT, slots=slots, rng=Random(3))
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    pipeline.copy(load=Load(site_id=where.sites[0].pk, text=text, count=text.count("\n")))


def _anonymous_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
