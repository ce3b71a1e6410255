"""Longer spans of a site: their buckets, and what the plant told of each. Bounded and set-based."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Site
from dashboard.memory import remember

KEPT_SECONDS = 3600
MONTHS_A_YEAR = 12


class Span(Enum):
    """How far back a page looks; the value is what `?span=` says."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    YEAR = "1y"

    @property
    def bucket(self) -> str:
        """What one mark of its charts stands for: "hour", "day" or "month"."""
        return {Span.MONTH: "day", Span.YEAR: "month"}.get(self, "hour")

    @property
    def grain(self) -> str:
        """What the database groups by; months are added up from days."""
        return "hour" if self.bucket == "hour" else "day"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """One bucket of a span in [starts_at, ends_at), whole in local time."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantSum:
    """What the plant told of one bucket, in milliwatt-hours; shares in basis points.

    charge_summed is over slots; solar_feeder is the feeder's energy times its solar share (so in
    milliwatt-hours times 10,000).
    """

    slots: int
    charge_lowest: int
    charge_summed: int
    charge_highest: int
    production: int
    battery_in: int
    battery_out: int
    feeder: int
    solar_feeder: int

    @property
    def charge_mean(self) -> Fraction:
        """The mean of the slots, in basis points."""
        return Fraction(self.charge_summed, self.slots)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plant:
    """A span's buckets with what the plant told of them (None: nothing), and of each local day.

    first and last charge are those of the first and the last slot told of; best_day is the local
    day (its start) that produced the most, and how much; told_until the end of the last slot.
    version names everything that went into it.
    """

    version: str
    span: Span
    stretches: tuple[Stretch, ...]
    sums: tuple[PlantSum | None, ...]
    charge_first: int | None
    charge_last: int | None
    best_day: tuple[datetime, int] | None
    told_until: datetime | None

    @property
    def total(self) -> PlantSum | None:
        """Everything together."""
        return together([each for each in self.sums if each is not None])


def stretches(*, span: Span, zone: ZoneInfo, at: datetime, grain: str) -> tuple[Stretch, ...]:
    """Return the span's hours, days or months of local time; the last one is not over at `at`."""
    local = at.astimezone(zone)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if grain == "hour":
        count = 24 if span is Span.DAY else 7 * 24
        last = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        starts = [last + timedelta(hours=number) for number in range(1 - count, 2)]
    elif grain == "month":
        starts = [_month(today, back) for back in range(MONTHS_A_YEAR - 1, -2, -1)]
    else:
        days = 30 if span is Span.MONTH else (today - _month(today, MONTHS_A_YEAR - 1)).days + 1
        starts = [today + timedelta(days=number) for number in range(1 - days, 2)]
    return tuple(Stretch(starts_at=start, ends_at=end) for start, end in pairwise(starts))


def _month(today: datetime, back: int) -> datetime:
    """The start of the local month that lies `back` months before today's."""
    number = today.year * MONTHS_A_YEAR + today.month - 1 - back
    return today.replace(year=number // MONTHS_A_YEAR, month=number % MONTHS_A_YEAR + 1, day=1)


def plant(*, site: Site, span: Span, at: datetime) -> Plant:
    """Return what the plant told of the span up to `at`; remembered until it tells more, be it of a
    slot long ago."""
    newest_told = site.telemetry.order_by("-id").values_list("pk", flat=True).first()
    marks = stretches(span=span, zone=ZoneInfo(site.time_zone), at=at, grain=span.grain)
    newest = int(marks[-1].starts_at.timestamp())
    version = f"plant:{site.uid}:{span.value}:{newest}:{newest_told}"
    return remember(
        key=version,
        compute=lambda: _plant(site=site, version=version, span=span, at=at, marks=marks),
        seconds=KEPT_SECONDS,
    )


def _plant(
    *, site: Site, version: str, span: Span, at: datetime, marks: Sequence[Stretch]
) -> Plant:
    zone = ZoneInfo(site.time_zone)
    rows = _plant_rows(site=site, span=span, since=marks[0].starts_at, at=at)
    known = {
        row[0]: PlantSum(**dict(zip(PlantSum.__slots__, row[1:10], strict=True))) for row in rows
    }
    shown = stretches(span=span, zone=zone, at=at, grain=span.bucket)
    days: dict[datetime, int] = {}
    for start, told in known.items():
        day = start.astimezone(zone).replace(hour=0)
        days[day] = days.get(day, 0) + told.production
    return Plant(
        version=version,
        span=span,
        stretches=shown,
        sums=tuple(
            together(
                [told for start, told in known.items() if each.starts_at <= start < each.ends_at]
            )
            for each in shown
        ),
        charge_first=rows[0][10] if rows else None,
        charge_last=rows[-1][11] if rows else None,
        # Of the last 24 hours both days are cut: neither can be the best.
        best_day=None
        if span is Span.DAY
        else max(days.items(), key=lambda item: item[1], default=None),
        told_until=rows[-1][12] if rows else None,
    )


def _plant_rows(*, site: Site, span: Span, since: datetime, at: datetime) -> list[tuple[Any, ...]]:
    """One row an hour or day that was told of, by time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT date_trunc(%s, starts_at, %s) AS bucket, count(*),
                min(state_of_charge_basis_points), sum(state_of_charge_basis_points)::bigint,
                max(state_of_charge_basis_points), sum(production_milliwatt_hours)::bigint,
                sum(battery_in_milliwatt_hours)::bigint, sum(battery_out_milliwatt_hours)::bigint,
                sum(feeder_milliwatt_hours)::bigint,
                sum(feeder_milliwatt_hours * solar_share_basis_points)::bigint,
                (array_agg(state_of_charge_basis_points ORDER BY starts_at))[1],
                (array_agg(state_of_charge_basis_points ORDER BY starts_at DESC))[1],
                max(ends_at)
            FROM settlement_slottelemetry
            WHERE site_id = %s AND starts_at >= %s AND ends_at <= %s
            GROUP BY bucket ORDER BY bucket
            """,
            [span.grain, site.time_zone, site.pk, since, at],
        )
        return list(cursor.fetchall())


def together(told: Sequence[PlantSum]) -> PlantSum | None:
    """Add up. None where there is nothing."""
    slots = sum(each.slots for each in told)
    if not slots:
        return None
    return PlantSum(
        slots=slots,
        charge_lowest=min(each.charge_lowest for each in told),
        charge_summed=sum(each.charge_summed for each in told),
        charge_highest=max(each.charge_highest for each in told),
        production=sum(each.production for each in told),
        battery_in=sum(each.battery_in for each in told),
        battery_out=sum(each.battery_out for each in told),
        feeder=sum(each.feeder for each in told),
        solar_feeder=sum(each.solar_feeder for each in told),
    )
