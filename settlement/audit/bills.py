"""Checks of block bills, rebates and days, computed again from charges.

The rebates are computed in Python, in one pass over the charges in the order of household and slot,
by another way than settlement/sql/rebate.sql; blocks come from the zone's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import check, streamed
from accounts.audit.checks import sentences

BLOCK_HOURS = (6, 10, 16, 22)
"""Local hours at which a price block begins; the one of 22 ends at 6."""

Key = tuple[int, int, datetime]

_CHARGES = """
    SELECT c.site_id, c.household_id, s.time_zone, c.starts_at, c.energy_milliwatt_hours,
        c.wei_per_milliwatt_hour, (p.reference_wei_per_kwh / 1000000)::bigint
    FROM charge c
    JOIN accounts_site s ON s.id = c.site_id
    LEFT JOIN settlement_price p ON p.id = c.price_id
    ORDER BY c.site_id, c.household_id, c.starts_at, c.meter_id
"""
_BILLS = """
    SELECT b.site_id, b.household_id, b.block_starts_at, b.energy_milliwatt_hours, b.charged_wei,
        b.rebate_wei, b.arrears_wei, b.cancelled_wei, b.is_due, l.was_on, l.was_off
    FROM settlement_blockbill b
    LEFT JOIN (
        SELECT id, bool_or(has_lifeline) AS was_on, bool_or(NOT has_lifeline) AS was_off
        FROM (SELECT id, has_lifeline FROM accounts_household
              UNION ALL SELECT id, has_lifeline FROM accounts_historicalhousehold) h GROUP BY id
    ) l ON l.id = b.household_id
    ORDER BY b.site_id, b.household_id, b.block_starts_at
"""
_ALLOWANCES = """
    SELECT id, lifeline_milliwatt_hours_per_block FROM accounts_site
    UNION SELECT id, lifeline_milliwatt_hours_per_block FROM accounts_historicalsite
"""


@dataclass(kw_only=True, slots=True)
class Block:
    """What the charges of one household and block come to; rebates_wei by allowance."""

    energy_milliwatt_hours: int = 0
    charged_wei: int = 0
    rebates_wei: dict[int, int] = field(default_factory=dict)


@lru_cache(maxsize=100_000)
def block_start(at: datetime, time_zone: str) -> datetime:
    """Return the start of the price block that an instant lies in."""
    zone = ZoneInfo(time_zone)
    local = at.astimezone(zone)
    hour = max((hour for hour in BLOCK_HOURS if hour <= local.hour), default=None)
    day = local.date() if hour is not None else local.date() - timedelta(days=1)
    begin = datetime(day.year, day.month, day.day, hour or BLOCK_HOURS[-1], tzinfo=zone)
    return begin.astimezone(at.tzinfo)


@check(invariant=3, subject="charge")
def bills_and_rebates_follow_from_charges(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A block's bill is the sum of its charges; its rebate is min(p, p_ref) on the lifeline
    allowance, in the order of slots, whatever the order of arrival."""
    allowances: dict[int, set[int]] = {}
    for site_id, allowance in streamed(database, _ALLOWANCES):
        allowances.setdefault(site_id, set()).add(allowance)
    blocks = _blocks(database, allowances)
    bills = ((row[:3], row) for row in streamed(database, _BILLS))
    for key, block, bill in _side_by_side(blocks, bills):
        name = f"site {key[0]}, household {key[1]}, block of {key[2]:%Y-%m-%d %H:%M}"
        if bill is None:
            yield f"{name}: charges without a bill"
        else:
            for wrong in _differences(block or Block(), bill):
                yield f"{name}: {wrong}"


def _blocks(
    database: BaseDatabaseWrapper, allowances: dict[int, set[int]]
) -> Iterator[tuple[Key, Block]]:
    for key, rows in groupby(
        streamed(database, _CHARGES),
        key=lambda row: (row[0], row[1], block_start(row[3], row[2])),
    ):
        block = Block(rebates_wei=dict.fromkeys(allowances[key[0]], 0))
        for row in rows:
            energy, price, reference = row[4:]
            for allowance in block.rebates_wei:
                within = min(energy, max(allowance - block.energy_milliwatt_hours, 0))
                block.rebates_wei[allowance] += within * max(price - (reference or 0), 0)
            block.energy_milliwatt_hours += energy
            block.charged_wei += energy * price
        yield key, block


def _side_by_side(
    blocks: Iterator[tuple[Key, Block]], bills: Iterator[tuple[Key, tuple[Any, ...]]]
) -> Iterator[tuple[Key, Block | None, tuple[Any, ...] | None]]:
    """Merge two streams that are both in the order of their keys."""
    block, bill = next(blocks, None), next(bills, None)
    while block is not None or bill is not None:
        if bill is None or (block is not None and block[0] < bill[0]):
            assert block is not None  # noqa: S101 - one of the two is there
            yield block[0], block[1], None
            block = next(blocks, None)
        elif block is None or bill[0] < block[0]:
            yield bill[0], None, bill[1]
            bill = next(bills, None)
        else:
            yield block[0], block[1], bill[1]
            block, bill = next(blocks, None), next(bills, None)


def _differences(block: Block, bill: tuple[Any, ...]) -> Iterator[str]:
    energy, charged, rebate, arrears, cancelled, is_due, was_on, was_off = bill[3:]
    if (energy, charged) != (block.energy_milliwatt_hours, block.charged_wei):
        yield (
            f"billed {energy} mWh and {charged} wei, charged {block.energy_milliwatt_hours} mWh"
            f" and {block.charged_wei} wei"
        )
    if not 0 <= cancelled <= arrears:
        yield f"{cancelled} wei of arrears cancelled, of {arrears} owed"
    due = set(block.rebates_wei.values() if was_on else ()) | ({0} if was_off else set())
    if not is_due and rebate not in due:
        yield f"rebate {rebate} wei, the charges make {' or '.join(map(str, sorted(due)))}"


@check(invariant=3, subject="settlement_householdday")
def days_follow_from_charges(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A household's local day holds the sum of its charges."""
    return sentences(
        database,
        """
        SELECT format('site %s, household %s, %s: the day says %s mWh and %s wei, the charges %s '
                      'and %s', site_id, household_id, day, coalesce(d.energy_milliwatt_hours, 0),
                      coalesce(d.charged_wei, 0), coalesce(c.energy, 0), coalesce(c.charged, 0))
        FROM settlement_householdday d
        FULL JOIN (
            SELECT c.site_id, c.household_id, (c.starts_at AT TIME ZONE s.time_zone)::date AS day,
                sum(c.energy_milliwatt_hours) AS energy, sum(c.amount_wei) AS charged
            FROM charge c JOIN accounts_site s ON s.id = c.site_id GROUP BY 1, 2, 3
        ) c USING (site_id, household_id, day)
        WHERE d.energy_milliwatt_hours IS DISTINCT FROM c.energy
            OR d.charged_wei IS DISTINCT FROM c.charged
        """,
    )


CHECKS = (bills_and_rebates_follow_from_charges, days_follow_from_charges)
