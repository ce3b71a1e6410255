"""What SharedSolar's files say of the two villages, read without the service.

The readings are of two Ugandan villages, 2011-2012, with their gaps (shared/data beside the
repository, and no part of it). What the data say of themselves: the credit falls by energy x price
with the night price from 18:00 to 06:00 local time, so an hour is named by its beginning; the
tariff changed about noon of 6 June 2012 in one village and of 12 June in the other; two thirds of
the rises between hours that follow each other are whole thousands of shillings once the hour's own
charge is added, and no rise is below 700, so none is noise.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.model import Sample

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "village"
ENERGY = DATA / "wh.csv.gz"
CREDIT = DATA / "credit.csv.gz"
ZONE = ZoneInfo("Africa/Kampala")
HOUR = timedelta(hours=1)
DAY_BEGINS, NIGHT_BEGINS = clock_time(6), clock_time(18)

OLD_TARIFF, NEW_TARIFF = (8_000, 10_000), (3_000, 8_000)
"""Shillings per kWh by day and by night. The day price is p_ref: the lifeline is priced at it."""
CHANGED_AT = clock_time(12)
CHANGED_ON = {"ug01": date(2012, 6, 12), "ug03": date(2012, 6, 6)}
NOISE_SHILLINGS = 500


class DataMissing(SystemExit):
    """The villages' data are not beside the repository."""


@dataclass(frozen=True, kw_only=True)
class Payment:
    """A rise of the credit: whole shillings at the end of an hour."""

    circuit: str
    at: datetime
    shillings: int


@dataclass(kw_only=True)
class Recorded:
    """What the files say of one village, by local day, read without the service."""

    name: str
    circuits: list[str]
    samples: dict[date, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    payments: dict[date, list[Payment]] = field(default_factory=lambda: defaultdict(list))
    hours_compared: int = 0
    hours_alike: int = 0

    @property
    def mains(self) -> str:
        return f"{self.name}_0"


def is_there() -> bool:
    """Whether the data lie beside the repository."""
    return ENERGY.exists() and CREDIT.exists()


def read(name: str, *, first: date = date.min, last: date = date.max) -> Recorded:
    """Read one village's days from first to last. Raises DataMissing."""
    if not is_there():
        raise DataMissing(f"The villages' data are not there: {DATA} has no wh.csv.gz.")
    found = Recorded(name=name, circuits=[])
    before: dict[str, _Hour] = {}
    for (circuit, hour, wh), (_, _, credit) in zip(_rows(ENERGY), _rows(CREDIT), strict=True):
        begin = datetime.fromisoformat(hour)
        if not circuit.startswith(f"{name}_") or not first <= begin.date() <= last:
            continue
        if circuit not in found.circuits:
            found.circuits.append(circuit)
        starts_at = begin.replace(tzinfo=ZONE).astimezone(UTC)
        ends_at = starts_at + HOUR
        found.samples[begin.date()].append(
            Sample(
                serial=circuit,
                starts_at=starts_at,
                ends_at=ends_at,
                energy=int(Decimal(wh) * 1_000),
                received_at=ends_at,
            )
        )
        if circuit != found.mains:
            this = _Hour(begin=begin, wh=Decimal(wh), credit=Decimal(credit))
            _pay(found, circuit, this, before.get(circuit))
            before[circuit] = this
    return found


def write_part(path: Path, *, first: date, last: date) -> None:
    """Write the energy of both villages in the days from first to last as a file of its own."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("circuit", "hour", "wh"))
        rows.writerows(row for row in _rows(ENERGY) if str(first) <= row[1][:10] <= str(last))


def price_of(name: str, begin: datetime) -> tuple[int, int]:
    """Return (price, p_ref) in shillings per kWh of a local hour."""
    is_new = begin >= datetime.combine(CHANGED_ON[name], CHANGED_AT)
    day, night = NEW_TARIFF if is_new else OLD_TARIFF
    return (day if DAY_BEGINS <= begin.time() < NIGHT_BEGINS else night), day


@dataclass(frozen=True, kw_only=True)
class _Hour:
    """One hour of a circuit: local beginning, watt-hours, credit at its end in shillings."""

    begin: datetime
    wh: Decimal
    credit: Decimal


def _pay(found: Recorded, circuit: str, hour: _Hour, before: _Hour | None) -> None:
    """Where the credit rose: the rise, and what the hour itself cost, were paid."""
    cost = hour.wh * price_of(found.name, hour.begin)[0] / 1_000
    rise = hour.credit - (before.credit if before else 0)
    if rise > NOISE_SHILLINGS or (before is None and rise > 0):
        at = (hour.begin + HOUR).replace(tzinfo=ZONE).astimezone(UTC)
        payment = Payment(circuit=circuit, at=at, shillings=round(rise + cost))
        found.payments[hour.begin.date()].append(payment)
    elif before and before.begin == hour.begin - HOUR and hour.wh:
        found.hours_compared += 1
        found.hours_alike += abs(rise + cost) <= max(Decimal(1), cost / 10)


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def local(day: date, begins: clock_time = clock_time.min) -> datetime:
    """Return the instant of a local time."""
    return datetime.combine(day, begins, tzinfo=ZONE).astimezone(UTC)
