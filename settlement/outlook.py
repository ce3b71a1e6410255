"""The next 24 hours of a site's battery, from what plant and weather have told; see forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Site
from accounts.money import BASIS_POINTS
from settlement import forecast
from settlement.forecast import HOURS_A_DAY, SunnyHour
from settlement.models import SlotTelemetry, WeatherFetch, WeatherHour

AHEAD = timedelta(hours=24)
BEHIND = timedelta(days=14)
PLANT_SILENT_AFTER = timedelta(hours=1)
WEATHER_FRESH = timedelta(hours=3)
WEATHER_STALE_AFTER = timedelta(hours=24)


class Missing(Enum):
    """Why there is no outlook."""

    WEATHER = "weather"
    PLANT = "plant"
    SUN = "sun"
    DRAW = "draw"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What the battery holds from now on: (instant, charge in basis points), the first one is what
    the plant told last. The sums are of the whole of AHEAD, in milliwatt-hours.

    yield_per_watt is milliwatt-hours a W/m2 of an hour gave; is_aged says that the weather is older
    than WEATHER_FRESH.
    """

    points: tuple[tuple[datetime, Fraction], ...]
    sun: Fraction
    draw: Fraction
    yield_per_watt: Fraction
    weather_at: datetime
    is_aged: bool

    @property
    def lowest(self) -> tuple[datetime, Fraction]:
        """The first of the lowest points."""
        return min(self.points, key=lambda point: point[1])

    @property
    def highest(self) -> tuple[datetime, Fraction]:
        """The first of the highest points."""
        return max(self.points, key=lambda point: point[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class _PastHour:
    """A whole hour that the plant told of, milliwatt-hours."""

    starts_at: datetime
    production: int
    feeder: int
    charge_highest: int


def outlook(*, site: Site, at: datetime) -> Outlook | Missing:
    """Return the next 24 hours from the end of the last slot the plant told of, or what is missing
    for it."""
    fetched = WeatherFetch.objects.filter(site=site).first()
    weather_at = None if fetched is None else fetched.last_success_at
    if weather_at is None or at - weather_at > WEATHER_STALE_AFTER:
        return Missing.WEATHER
    last = SlotTelemetry.objects.filter(site=site, ends_at__lte=at).order_by("-starts_at").first()
    capacity = site.battery_capacity_milliwatt_hours
    if capacity <= 0 or last is None or at - last.ends_at > PLANT_SILENT_AFTER:
        return Missing.PLANT
    past = _past(site=site, since=at - BEHIND, until=last.ends_at)
    per_watt = forecast.yield_of(_sunny(site=site, past=past))
    if not per_watt:
        return Missing.SUN
    zone = ZoneInfo(site.time_zone)
    draw_by_hour = typical_draw(past=past, zone=zone)
    if draw_by_hour is None:
        return Missing.DRAW
    flows = forecast.flows(
        since=last.ends_at,
        until=last.ends_at + AHEAD,
        zone=zone,
        irradiance_watts=_coming(site=site, since=last.ends_at),
        per_watt=per_watt,
        draw_by_hour=draw_by_hour,
    )
    if flows is None:
        return Missing.WEATHER
    stored = Fraction(capacity * last.state_of_charge_basis_points, BASIS_POINTS)
    held = [stored, *forecast.course(stored=stored, flows=flows, capacity=capacity)]
    instants = [last.ends_at, *(flow.ends_at for flow in flows)]
    return Outlook(
        points=tuple(
            (instant, each * BASIS_POINTS / capacity)
            for instant, each in zip(instants, held, strict=True)
        ),
        sun=sum((flow.sun for flow in flows), start=Fraction(0)),
        draw=sum((flow.draw for flow in flows), start=Fraction(0)),
        yield_per_watt=per_watt,
        weather_at=weather_at,
        is_aged=at - weather_at > WEATHER_FRESH,
    )


def typical_draw(*, past: Sequence[_PastHour], zone: ZoneInfo) -> tuple[Fraction, ...] | None:
    """Return the mean of the feeder in each hour of the local day, milliwatt-hours; None where an
    hour was never told of, or nothing ever left through the feeder."""
    hours: list[list[int]] = [[] for _ in range(HOURS_A_DAY)]
    for hour in past:
        hours[hour.starts_at.astimezone(zone).hour].append(hour.feeder)
    if not all(hours) or not any(any(told) for told in hours):
        return None
    return tuple(Fraction(sum(told), len(told)) for told in hours)


def _sunny(*, site: Site, past: Sequence[_PastHour]) -> list[SunnyHour]:
    """The past hours of which the weather is known as well."""
    if not past:
        return []
    watts = dict(
        WeatherHour.objects.filter(
            site=site, kind=WeatherHour.Kind.RECENT, starts_at__gte=past[0].starts_at
        ).values_list("starts_at", "irradiance_watts_per_square_metre")
    )
    return [
        SunnyHour(
            irradiance_watts=watts[hour.starts_at],
            production=hour.production,
            charge_highest=hour.charge_highest,
        )
        for hour in past
        if hour.starts_at in watts
    ]


def _coming(*, site: Site, since: datetime) -> dict[datetime, int]:
    """Irradiance by hour: what is said of an hour that is over, else what was foretold."""
    rows = WeatherHour.objects.filter(
        site=site, starts_at__gt=since - forecast.HOUR, starts_at__lt=since + AHEAD
    )
    by_kind: dict[str, dict[datetime, int]] = {kind: {} for kind in WeatherHour.Kind.values}
    for row in rows:
        by_kind[row.kind][row.starts_at] = row.irradiance_watts_per_square_metre
    return by_kind[WeatherHour.Kind.FORECAST] | by_kind[WeatherHour.Kind.RECENT]


def _past(*, site: Site, since: datetime, until: datetime) -> list[_PastHour]:
    """The whole hours (UTC) that the plant told of in full, by time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT date_trunc('hour', starts_at, 'UTC') AS hour,
                sum(production_milliwatt_hours)::bigint, sum(feeder_milliwatt_hours)::bigint,
                max(state_of_charge_basis_points)
            FROM settlement_slottelemetry
            WHERE site_id = %s AND starts_at >= %s AND ends_at <= %s
            GROUP BY hour HAVING sum(ends_at - starts_at) = interval '1 hour' ORDER BY hour
            """,
            [site.pk, since, until],
        )
        return [
            _PastHour(
                starts_at=hour.astimezone(UTC),
                production=production,
                feeder=feeder,
                charge_highest=charge,
            )
            for hour, production, feeder, charge in cursor.fetchall()
        ]
