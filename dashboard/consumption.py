"""What households of a site used over a span, together and by tier; never of so few that it would
tell of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

OTHER_TIERS = "other"
HOURS_A_DAY = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Energy of one bucket in milliwatt-hours, and the mean of a household that reported in it."""

    energy: int
    mean: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class TierUse:
    """Energy of one tier over the span; households is the most that reported in one bucket."""

    tier: str
    energy: int
    households: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumption:
    """A span's buckets with their use (None: nothing known, or too few households), the tiers
    (empty: they may not be told apart), and a typical day's 24 hours as means in milliwatt-hours.
    """

    span: Span
    stretches: tuple[Stretch, ...]
    used: tuple[Used | None, ...]
    tiers: tuple[TierUse, ...]
    typical_day: tuple[Fraction | None, ...]
    read_until: datetime | None

    @property
    def total(self) -> Used | None:
        """Everything that may be told, together."""
        return _add([each for each in self.used if each is not None])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One tier's use in one hour or day."""

    tier: str
    energy: int
    households: int


Told = dict[datetime, list[_Row]]


def consumption(*, site: Site, span: Span, at: datetime) -> Consumption:
    """Return the span up to `at`; remembered until a batch settles."""
    marks = stretches(span=span, zone=ZoneInfo(site.time_zone), at=at, grain=span.grain)
    batch = site.settlement_batches.order_by("-id").values_list("pk", flat=True).first()
    return remember(
        key=f"use:{site.uid}:{span.value}:{int(marks[-1].starts_at.timestamp())}:{batch}",
        compute=lambda: _consumption(site=site, span=span, at=at),
        seconds=KEPT_SECONDS,
    )


def _consumption(*, site: Site, span: Span, at: datetime) -> Consumption:
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
    within = {start: rows for start, rows in told.items() if start >= shown[0].starts_at}
    last = Reading.objects.filter(site=site, starts_at__lt=at).order_by("-starts_at").first()
    return Consumption(
        span=span,
        stretches=shown,
        used=tuple(
            _add(
                [
                    _used(rows)
                    for start, rows in within.items()
                    if each.starts_at <= start < each.ends_at
                ]
            )
            for each in shown
        ),
        tiers=tiers(rows=within.values()),
        typical_day=_typical(told=hours, zone=zone, until=week[-1].starts_at),
        read_until=None if last is None else last.ends_at,
    )


def _hours(*, site: Site, marks: Sequence[Stretch]) -> list[tuple[datetime, _Row]]:
    """Charged energy by local hour and tier: households first, so that each counts once."""
    rows = _select(
        """
        SELECT used.bucket, home.tier, sum(used.energy)::bigint, count(*)
        FROM (
            SELECT date_trunc('hour', starts_at, %s) AS bucket, household_id,
                sum(energy_milliwatt_hours) AS energy
            FROM charge WHERE site_id = %s AND starts_at >= %s AND starts_at < %s
            GROUP BY bucket, household_id
        ) AS used JOIN accounts_household AS home ON home.id = used.household_id
        GROUP BY used.bucket, home.tier ORDER BY used.bucket, home.tier
        """,
        [site.time_zone, site.pk, marks[0].starts_at, marks[-1].ends_at],
    )
    return [
        (bucket, _Row(tier=tier, energy=energy, households=households))
        for bucket, tier, energy, households in rows
    ]


def _days(*, site: Site, marks: Sequence[Stretch], zone: ZoneInfo) -> list[tuple[datetime, _Row]]:
    """Charged energy by local day and tier, from the households' bills of days."""
    rows = _select(
        """
        SELECT bill.day, home.tier, sum(bill.energy_milliwatt_hours)::bigint, count(*)
        FROM settlement_householdday AS bill
        JOIN accounts_household AS home ON home.id = bill.household_id
        WHERE bill.site_id = %s AND bill.day >= %s AND bill.day <= %s
        GROUP BY bill.day, home.tier ORDER BY bill.day, home.tier
        """,
        [site.pk, marks[0].starts_at.date(), marks[-1].starts_at.date()],
    )
    return [
        (_midnight(day, zone=zone), _Row(tier=tier, energy=energy, households=households))
        for day, tier, energy, households in rows
    ]


def _midnight(day: date, *, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _select(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _told(*, rows: Iterable[tuple[datetime, _Row]]) -> Told:
    """The hours or days of which enough households reported."""
    buckets: Told = {}
    for start, row in rows:
        buckets.setdefault(start, []).append(row)
    return {
        start: parts
        for start, parts in buckets.items()
        if sum(part.households for part in parts) >= FEWEST_METERS
    }


def _used(rows: Sequence[_Row]) -> Used:
    energy = sum(row.energy for row in rows)
    return Used(energy=energy, mean=Fraction(energy, sum(row.households for row in rows)))


def _add(parts: Sequence[Used]) -> Used | None:
    if not parts:
        return None
    return Used(
        energy=sum(part.energy for part in parts),
        mean=sum((part.mean for part in parts), start=Fraction(0)),
    )


def tiers(*, rows: Iterable[Sequence[_Row]]) -> tuple[TierUse, ...]:
    """Return the tiers of enough households by name, then the others together.

    The others have to be enough as well, or the total less the tiers would tell of them: the
    smallest told tier joins them until they are. Nothing is told apart where only one part is left.
    """
    energy: dict[str, int] = {}
    households: dict[str, int] = {}
    for bucket in rows:
        for row in bucket:
            energy[row.tier] = energy.get(row.tier, 0) + row.energy
            households[row.tier] = max(households.get(row.tier, 0), row.households)
    shown = sorted(
        (tier for tier in households if households[tier] >= FEWEST_METERS),
        key=lambda tier: (-households[tier], tier),
    )
    others = [tier for tier in sorted(households) if tier not in shown]
    while others and shown and _count(households, others) < FEWEST_METERS:
        others.append(shown.pop())
    parts = [
        TierUse(tier=tier, energy=energy[tier], households=households[tier])
        for tier in sorted(shown)
    ]
    if others:
        parts.append(
            TierUse(
                tier=OTHER_TIERS,
                energy=sum(energy[tier] for tier in others),
                households=_count(households, others),
            )
        )
    return tuple(parts) if len(parts) > 1 else ()


def _count(households: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(households[name] for name in names)


def _typical(*, told: Told, zone: ZoneInfo, until: datetime) -> tuple[Fraction | None, ...]:
    """The mean of each local hour over the days that tell of it; the running hour, which begins at
    `until`, would be too low."""
    hours: list[list[int]] = [[] for _ in range(HOURS_A_DAY)]
    for start, rows in told.items():
        if start < until:
            hours[start.astimezone(zone).hour].append(sum(row.energy for row in rows))
    return tuple(Fraction(sum(energies), len(energies)) if energies else None for energies in hours)
