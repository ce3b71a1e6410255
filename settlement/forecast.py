"""What a battery will hold over the next hours. Pure: exact numbers in, exact numbers out.

    e <- clip(e + charging * max(n, 0) - max(-n, 0) / discharging, 0, capacity)

n is what the sun is foretold to give less what the village is foretold to draw, hour by hour. Sun:
the foretold irradiance times what the plant made of each unit of irradiance in hours in which the
battery had room (a full one curtails the sun, so those hours say nothing). Draw: the mean of that
hour of the local day. Nothing here sets a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import accumulate

HOUR = timedelta(hours=1)
HOURS_A_DAY = 24
EFFICIENCY = Fraction(95, 100)
"""Of what goes into the battery, and again of what comes out (CLOVER's default battery)."""
ROOM_BASIS_POINTS = 9_800
"""An hour in which the charge came above this may have been curtailed."""
FEWEST_SUNNY_HOURS = 3
LEAST_SUN_WATTS = 50
"""W/m2; below it the sun is too low for its hour to say what the plant can do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SunnyHour:
    """A past hour: irradiance as its mean in W/m2, production in milliwatt-hours, the highest
    charge in basis points."""

    irradiance_watts: int
    production: int
    charge_highest: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """What is foretold of [starts_at, ends_at), at most an hour: sun and draw, milliwatt-hours."""

    starts_at: datetime
    ends_at: datetime
    sun: Fraction
    draw: Fraction


def yield_of(hours: Iterable[SunnyHour]) -> Fraction | None:
    """Return milliwatt-hours a W/m2 of an hour gives, over the hours that say it: sum over sum.

    None where fewer than FEWEST_SUNNY_HOURS do.
    """
    telling = [
        hour
        for hour in hours
        if hour.irradiance_watts >= LEAST_SUN_WATTS and hour.charge_highest <= ROOM_BASIS_POINTS
    ]
    if len(telling) < FEWEST_SUNNY_HOURS:
        return None
    return Fraction(
        sum(hour.production for hour in telling), sum(hour.irradiance_watts for hour in telling)
    )


def flows(
    *,
    since: datetime,
    until: datetime,
    zone: tzinfo,
    irradiance_watts: Mapping[datetime, int],
    per_watt: Fraction,
    draw_by_hour: Sequence[Fraction],
) -> tuple[Flow, ...] | None:
    """Return sun and draw of every hour in [since, until), cut at both ends.

    irradiance_watts is the mean in W/m2 by the hour's start, which is a full hour of UTC;
    draw_by_hour the milliwatt-hours of each hour of the day in `zone`.
    None where the irradiance of an hour is not known.
    """
    found = []
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < until:
        watts = irradiance_watts.get(hour)
        if watts is None:
            return None
        starts_at, ends_at = max(hour, since), min(hour + HOUR, until)
        part = Fraction(int((ends_at - starts_at).total_seconds()), int(HOUR.total_seconds()))
        found.append(
            Flow(
                starts_at=starts_at,
                ends_at=ends_at,
                sun=per_watt * watts * part,
                draw=draw_by_hour[hour.astimezone(zone).hour] * part,
            )
        )
        hour += HOUR
    return tuple(found)


def stored_after(*, stored: Fraction, flow: Flow, capacity: int) -> Fraction:
    """Return what the battery holds after the flow, in milliwatt-hours within 0 and capacity."""
    net = flow.sun - flow.draw
    came = EFFICIENCY * max(net, Fraction(0)) - max(-net, Fraction(0)) / EFFICIENCY
    return min(max(stored + came, Fraction(0)), Fraction(capacity))


def course(*, stored: Fraction, flows: Iterable[Flow], capacity: int) -> tuple[Fraction, ...]:
    """Return what the battery holds after each flow, beginning with `stored` milliwatt-hours."""
    after = accumulate(
        flows,
        lambda held, flow: stored_after(stored=held, flow=flow, capacity=capacity),
        initial=stored,
    )
    return tuple(after)[1:]
