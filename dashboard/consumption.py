"""What households of a site used over a span, together; never of so few that it would tell of one.

By tier and by cell of the map: dashboard.breakdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Site
from dashboard.memory import remember
from dashboard.queries import FEWEST_METERS
from dashboard.series import KEPT_SECONDS, Span, Stretch, stretches
from settlement.models import Reading

HOURS_A_DAY = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Energy of one bucket in milliwatt-hours, and the mean of a household that reported in it."""

    energy: int
    mean: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumption:
    """A span's buckets with their use (None: nothing known, or too few households), and a typical
    day's 24 hours as means in milliwatt-hours. version names everything that went into it."""

    version: str
    span: Span
    stretches: tuple[Stretch, ...]
    used: tuple[Used | None, ...]
    typical_day: tuple[Fraction | None, ...]
    read_until: datetime | None

    @property
    def total(self) -> Used | None:
        """Everything that may be told, together."""
        return _add([each for each in self.used if each is not None])


Told = dict[datetime, Used]
"""What may be told, by hour or day."""


def consumption(*, site: Site, span: Span, at: datetime) -> Consumption:
    """Return the span up to `at`; remembered until a batch settles."""
    marks = stretches(span=span, zone=ZoneInfo(site.time_zone), at=at, grain=span.grain)
    batch = site.settlement_batches.order_by("-id").values_list("pk", flat=True).first()
    version = f"use:{site.uid}:{span.value}:{int(marks[-1].starts_at.timestamp())}:{batch}"
    return remember(
        key=version,
        compute=lambda: _consumption(site=site, version=version, span=span, at=at),
        seconds=KEPT_SECONDS,
    )


def _consumption(*, site: Site, version: str, span: Span, at: datetime) -> Consumption:
    zone = ZoneInfo(site.time_zone)
    week = stretches(span=Span.WEEK, zone=zone, at=at, grain="hour")
    hours = _told(rows=_hours(site=site, marks=week))
    if span.grain == "hour":
        told = hours
    else:
        told = _told(
            rows=_days(
                site=site, marks=stretches(span=span, zone=zone, at=at, grain="day"), zone=zone
            )
        )
    shown = stretches(span=span, zone=zone, at=at, grain=span.bucket)
    last = Reading.objects.filter(site=site, starts_at__lt=at).order_by("-starts_at").first()
    return Consumption(
        version=version,
        span=span,
        stretches=shown,
        used=tuple(
            _add([used for start, used in told.items() if each.starts_at <= start < each.ends_at])
            for each in shown
        ),
        typical_day=_typical(told=hours, zone=zone, until=week[-1].starts_at),
        read_until=None if last is None else last.ends_at,
    )


def _hours(*, site: Site, marks: Sequence[Stretch]) -> list[tuple[datetime, int, int]]:
    """Charged energy and households by local hour, of slots in which enough households reported:
    slots of fewer are withheld everywhere else, and must not be what is left of an hour."""
    return _select(
        """
        SELECT date_trunc('hour', slot.starts_at, %s) AS bucket, sum(slot.energy)::bigint,
            max(slot.households)
        FROM (
            SELECT starts_at, sum(energy_milliwatt_hours) AS energy,
                count(*) FILTER (WHERE meter_id <> ALL(%s)) AS households
            FROM charge WHERE site_id = %s AND starts_at >= %s AND starts_at < %s
            GROUP BY starts_at
        ) AS slot
        WHERE slot.households >= %s
        GROUP BY bucket ORDER BY bucket
        """,
        [
            site.time_zone,
            _second_meters(site=site),
            site.pk,
            marks[0].starts_at,
            marks[-1].ends_at,
            FEWEST_METERS,
        ],
    )


def _second_meters(*, site: Site) -> list[int]:
    """Meters of households that have another one: left out, what is left counts households without
    looking for doubles among all charges."""
    rows = _select(
        """
        SELECT DISTINCT second.meter_id
        FROM settlement_meterassignment AS second
        JOIN settlement_meter AS meter ON meter.id = second.meter_id AND meter.site_id = %s
        JOIN settlement_meterassignment AS first ON first.household_id = second.household_id
            AND first.meter_id < second.meter_id AND first.validity && second.validity
        """,
        [site.pk],
    )
    return [meter for (meter,) in rows]


def _days(
    *, site: Site, marks: Sequence[Stretch], zone: ZoneInfo
) -> list[tuple[datetime, int, int]]:
    """Charged energy and households by local day, from the households' bills of days."""
    rows = _select(
        """
        SELECT day, sum(energy_milliwatt_hours)::bigint, count(*)
        FROM settlement_householdday
        WHERE site_id = %s AND day >= %s AND day <= %s
        GROUP BY day ORDER BY day
        """,
        [site.pk, marks[0].starts_at.date(), marks[-1].starts_at.date()],
    )
    return [(_midnight(day, zone=zone), energy, households) for day, energy, households in rows]


def _midnight(day: date, *, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _select(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _told(*, rows: Iterable[tuple[datetime, int, int]]) -> Told:
    """The hours or days of which enough households reported."""
    return {
        start: Used(energy=energy, mean=Fraction(energy, households))
        for start, energy, households in rows
        if households >= FEWEST_METERS
    }


def _add(parts: Sequence[Used]) -> Used | None:
    if not parts:
        return None
    return Used(
        energy=sum(part.energy for part in parts),
        mean=sum((part.mean for part in parts), start=Fraction(0)),
    )


def _typical(*, told: Told, zone: ZoneInfo, until: datetime) -> tuple[Fraction | None, ...]:
    """The mean of each local hour over the days that tell of it; the running hour, which begins at
    `until`, would be too low."""
    hours: list[list[int]] = [[] for _ in range(HOURS_A_DAY)]
    for start, used in told.items():
        if start < until:
            hours[start.astimezone(zone).hour].append(used.energy)
    return tuple(Fraction(sum(energies), len(energies)) if energies else None for energies in hours)
