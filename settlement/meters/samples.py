"""What every head-end adapter returns, and the interface it keeps.

To add a head-end: copy koios.py, return MeterSample, add a line to settlement.meters.registry and
the site's choices, and run tests/contracts/test_head_ends.py over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class HeadEndUnavailable(Exception):
    """The head-end did not answer, or answered that it can't; ask again later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterSample:
    """Energy of one meter in [starts_at, ends_at).

    energy_milliwatt_hours is the interval's energy or, where is_register, the register's total at
    the interval's end.
    """

    serial: str
    starts_at: datetime
    ends_at: datetime
    energy_milliwatt_hours: int
    is_register: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableSample:
    """A row that could not be understood, kept for the quarantine with the reason."""

    serial: str
    detail: str


class HeadEnd(Protocol):
    """A meter head-end of one site."""

    def samples(
        self, *, since: datetime, until: datetime
    ) -> Iterator[MeterSample | UnreadableSample]:
        """Yield what is known of slots that start in [since, until), in any order, repeats and all.

        Raises HeadEndUnavailable.
        """
