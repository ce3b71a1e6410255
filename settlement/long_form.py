"""Reading a long-form CSV of energy: one meter and one slot a line, plain or gzipped, streamed.

Pure: no database. Numbers become integers digit by digit, never through a float. What the files of
real villages taught (tests/integration/test_villages.py): energy has one decimal of a watt-hour, so
milliwatt-hours are exact; "-0.0" occurs and is zero; hours are local, without an offset, and mark
the beginning of the slot (prices in the credit column change with the slots of 06:00 and 18:00).
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO
from zoneinfo import ZoneInfo

UNITS = {"wh": 3, "kwh": 6, "milliwatt-hours": 0}
"""Decimal places from each unit to milliwatt-hours. ("mwh" would be read as megawatt-hours.)"""

LONGEST_LINE = 65_536
LARGEST_ENERGY = 2**63 - 1
_GZIP = b"\x1f\x8b"
_NUMBER = re.compile(r"([+-]?)([0-9]{0,20})(?:\.([0-9]{0,40}))?(?:[eE]([+-]?[0-9]{1,2}))?")


class Reason(StrEnum):
    """Why a line is not taken in."""

    MALFORMED_LINE = "malformed line"
    MALFORMED_NUMBER = "malformed number"
    MALFORMED_TIME = "malformed time"
    AMBIGUOUS_TIME = "ambiguous time"
    NEGATIVE = "negative energy"
    UNKNOWN_METER = "unknown meter"
    NOT_A_SLOT = "not a slot"
    IN_THE_FUTURE = "in the future"
    OUTSIDE_PARTITIONS = "outside partitions"
    CONFLICTING = "conflicting duplicate"


class UnusableFile(ValueError):
    """The file as a whole can't be used: no header, another column, cut off, not a CSV."""


class RefusedValue(ValueError):
    """One value can't be read; `reason` says which kind of fault it is."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a file writes readings. zone holds for times that come without an offset."""

    zone: ZoneInfo
    unit: str = "wh"
    meter_column: str = "circuit"
    time_column: str = "hour"
    energy_column: str = "wh"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The texts of one line, stripped; number counts from 1, the header included."""

    number: int
    meter: str
    time: str
    energy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A line that was not taken in, and why."""

    line: Line
    reason: Reason
    detail: str = ""


class Source:
    """An open file of readings."""

    def __init__(self, *, name: str, size: int, raw: BinaryIO, text: TextIO) -> None:
        self.name = name
        self._size = size
        self._raw = raw
        self._text = text

    @property
    def share_read(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return min(1.0, self._raw.tell() / self._size) if self._size else 1.0

    def texts(self) -> Iterator[str]:
        """Yield the lines; what a line has above LONGEST_LINE characters is dropped."""
        number = 0
        try:
            while text := self._text.readline(LONGEST_LINE):
                number += 1
                yield text
                while not text.endswith("\n") and (text := self._text.readline(LONGEST_LINE)):
                    pass
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnusableFile(
                f"{self.name} breaks off after line {number}: {error}. Fetch it again and import "
                f"the whole file: what was taken in is not taken in twice."
            ) from None


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a .csv or .csv.gz (told apart by its first bytes). Raises UnusableFile, OSError."""
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == _GZIP
        raw.seek(0)
        unpacked = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        # Unknown bytes become U+FFFD and fail on their own line.
        text = TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace", newline="\n")
        yield Source(name=path.name, size=path.stat().st_size, raw=raw, text=text)


def lines(*, source: Source, layout: Layout) -> Iterator[Line | Refused]:
    """Yield every line after the header; empty ones are left out. Raises UnusableFile.

    A quoted value ends on its own line, so that an open quote spoils no line but its own.
    """
    texts = source.texts()
    places, width = _places(source=source, header=next(texts, ""), layout=layout)
    for number, text in enumerate(texts, start=2):
        if not text.strip():
            continue
        try:
            row = _split(text)
        except csv.Error as error:
            yield _broken(number, str(error))
            continue
        if len(row) != width:
            yield _broken(number, f"{len(row)} values under {width} columns")
            continue
        meter, time, energy = (row[place].strip() for place in places)
        yield Line(number=number, meter=meter, time=time, energy=energy)


def energy_from(*, text: str, unit: str) -> tuple[int, bool]:
    """Read energy as milliwatt-hours: (whole number, whether a part below it was dropped).

    Down, in the household's favour. Raises RefusedValue.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise RefusedValue(Reason.MALFORMED_NUMBER, f"{text[:40]!r} is not a number")
    digits = int(match[2] + (match[3] or ""))
    places = UNITS[unit] + int(match[4] or 0) - len(match[3] or "")
    if match[1] == "-" and digits:
        raise RefusedValue(Reason.NEGATIVE, f"{text[:40]} is below zero")
    whole, rest = (digits * 10**places, 0) if places >= 0 else divmod(digits, 10**-places)
    if whole > LARGEST_ENERGY:
        raise RefusedValue(Reason.MALFORMED_NUMBER, f"{text[:40]} is too large")
    return whole, rest > 0


@lru_cache(maxsize=4_096)
def instant_from(text: str, zone: ZoneInfo) -> datetime:
    """Read an ISO 8601 time as an instant, in the zone where it has no offset of its own.

    A local time that a change of the clocks skips or repeats names no instant: it is refused.
    Raises RefusedValue.
    """
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
        local = time.replace(tzinfo=zone)
        is_plain = local.utcoffset() == local.replace(fold=1).utcoffset()
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedValue(
            Reason.MALFORMED_TIME, f"{text[:40]!r} is not a time (write 2026-03-02 14:00:00)"
        ) from None
    if not is_plain:
        raise RefusedValue(
            Reason.AMBIGUOUS_TIME, f"the clocks of {zone} change at {text}: add the offset"
        )
    return instant


def _places(*, source: Source, header: str, layout: Layout) -> tuple[tuple[int, int, int], int]:
    """Where the three columns stand, and how many columns there are."""
    try:
        names = [name.strip() for name in _split(header)]
    except csv.Error as error:
        raise UnusableFile(f"the first line of {source.name} is no CSV header: {error}") from None
    if not any(names):
        raise UnusableFile(f"{source.name} has no header: its first line must name the columns")
    wanted = {
        "--meter-column": layout.meter_column,
        "--time-column": layout.time_column,
        "--energy-column": layout.energy_column,
    }
    for option, name in wanted.items():
        if names.count(name) != 1:
            found = "no column" if name not in names else "more than one column"
            listed = ", ".join(shown[:40] for shown in names[:20])
            raise UnusableFile(
                f"{source.name} has {found} {name!r}; its columns are: {listed}. "
                f"Say with {option} which one to read."
            )
    meter, time, energy = (names.index(name) for name in wanted.values())
    return (meter, time, energy), len(names)


def _broken(number: int, detail: str) -> Refused:
    line = Line(number=number, meter="", time="", energy="")
    return Refused(line=line, reason=Reason.MALFORMED_LINE, detail=detail)


def _split(text: str) -> Sequence[str]:
    return next(csv.reader([text.rstrip("\r\n")], strict=True), [])
