"""A battery's forecast: by the rule, within its bounds, and never lower with more sun."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement import forecast
from settlement.forecast import Flow, SunnyHour

NOON = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CAPACITY = 25_000_000
NAIROBI = ZoneInfo("Africa/Nairobi")
energies = st.integers(min_value=0, max_value=40_000_000).map(Fraction)
stored_energies = st.integers(min_value=0, max_value=CAPACITY).map(Fraction)
pairs = st.lists(st.tuples(energies, energies), min_size=1, max_size=30)


def flow(*, sun: Fraction | int, draw: Fraction | int, number: int = 0) -> Flow:
    begin = NOON + number * HOUR
    return Flow(starts_at=begin, ends_at=begin + HOUR, sun=Fraction(sun), draw=Fraction(draw))


def flows_of(told: list[tuple[Fraction, Fraction]]) -> list[Flow]:
    return [flow(sun=sun, draw=draw, number=number) for number, (sun, draw) in enumerate(told)]


def sunny(watts: int, production: int, *, charge: int = 5_000) -> SunnyHour:
    return SunnyHour(irradiance_watts=watts, production=production, charge_highest=charge)


def test_a_surplus_goes_in_at_95_percent() -> None:
    after = forecast.stored_after(
        stored=Fraction(1_000_000), flow=flow(sun=3_000_000, draw=1_000_000), capacity=CAPACITY
    )
    assert after == 1_000_000 + Fraction(95, 100) * 2_000_000


def test_a_lack_takes_out_more_than_it_gives() -> None:
    after = forecast.stored_after(
        stored=Fraction(10_000_000), flow=flow(sun=0, draw=1_900_000), capacity=CAPACITY
    )
    assert after == 10_000_000 - 2_000_000


def test_it_is_neither_more_than_full_nor_less_than_empty() -> None:
    full = forecast.course(
        stored=Fraction(CAPACITY - 1), flows=[flow(sun=9_000_000, draw=0)], capacity=CAPACITY
    )
    empty = forecast.course(
        stored=Fraction(5), flows=[flow(sun=0, draw=9_000_000)], capacity=CAPACITY
    )
    assert [*full, *empty] == [Fraction(CAPACITY), Fraction(0)]


def test_a_course_has_one_point_after_each_flow() -> None:
    held = forecast.course(
        stored=Fraction(0),
        flows=[flow(sun=2_000_000, draw=0), flow(sun=0, draw=950_000, number=1)],
        capacity=CAPACITY,
    )
    assert list(held) == [Fraction(1_900_000), Fraction(900_000)]


@given(stored=stored_energies, told=pairs)
def test_a_course_stays_within_its_bounds(
    stored: Fraction, told: list[tuple[Fraction, Fraction]]
) -> None:
    held = forecast.course(stored=stored, flows=flows_of(told), capacity=CAPACITY)
    assert len(held) == len(told)
    assert all(0 <= each <= CAPACITY for each in held)


@given(stored=stored_energies, told=pairs, more=st.lists(energies, min_size=30, max_size=30))
def test_more_sun_never_leaves_less_in_the_battery(
    stored: Fraction, told: list[tuple[Fraction, Fraction]], more: list[Fraction]
) -> None:
    brighter = [(sun + extra, draw) for (sun, draw), extra in zip(told, more, strict=False)]
    dark = forecast.course(stored=stored, flows=flows_of(told), capacity=CAPACITY)
    bright = forecast.course(stored=stored, flows=flows_of(brighter), capacity=CAPACITY)
    assert all(one >= other for one, other in zip(bright, dark, strict=True))


@given(stored=stored_energies, less=stored_energies, told=pairs)
def test_a_fuller_battery_never_ends_emptier(
    stored: Fraction, less: Fraction, told: list[tuple[Fraction, Fraction]]
) -> None:
    fuller = forecast.course(stored=max(stored, less), flows=flows_of(told), capacity=CAPACITY)
    emptier = forecast.course(stored=min(stored, less), flows=flows_of(told), capacity=CAPACITY)
    assert all(one >= other for one, other in zip(fuller, emptier, strict=True))


def test_the_yield_is_sum_over_sum() -> None:
    hours = [sunny(100, 500_000), sunny(200, 1_200_000), sunny(700, 3_300_000)]
    assert forecast.yield_of(hours) == Fraction(5_000_000, 1_000)


def test_hours_of_a_full_battery_and_of_a_low_sun_say_nothing_of_the_yield() -> None:
    telling = [sunny(100, 500_000)] * 3
    silent = [sunny(900, 1, charge=9_801), sunny(49, 0)]
    assert forecast.yield_of([*telling, *silent]) == 5_000


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_sunny_hours_are_not_enough_for_a_yield(count: int) -> None:
    assert forecast.yield_of([sunny(500, 2_000_000)] * count) is None


def test_the_first_and_the_last_hour_are_cut_where_the_day_begins_and_ends() -> None:
    since = NOON + timedelta(minutes=45)
    found = forecast.flows(
        since=since,
        until=since + 2 * HOUR,
        zone=NAIROBI,
        irradiance_watts={NOON: 400, NOON + HOUR: 800, NOON + 2 * HOUR: 200},
        per_watt=Fraction(5_000),
        draw_by_hour=[Fraction(hour * 1_000_000) for hour in range(24)],
    )
    assert found is not None
    # Nine o'clock UTC is noon in Nairobi.
    assert [each.sun for each in found] == list(map(Fraction, (500_000, 4_000_000, 750_000)))
    assert [each.draw for each in found] == list(map(Fraction, (3_000_000, 13_000_000, 10_500_000)))
    assert (found[0].starts_at, found[-1].ends_at) == (since, since + 2 * HOUR)


def test_hours_are_those_of_utc_where_the_local_ones_begin_at_the_half() -> None:
    found = forecast.flows(
        since=NOON,
        until=NOON + HOUR,
        zone=ZoneInfo("Asia/Kolkata"),
        irradiance_watts={NOON: 10},
        per_watt=Fraction(1),
        draw_by_hour=[Fraction(hour) for hour in range(24)],
    )
    assert found is not None
    assert [(each.sun, each.draw) for each in found] == [(Fraction(10), Fraction(14))]


def test_an_hour_without_weather_leaves_no_forecast() -> None:
    assert (
        forecast.flows(
            since=NOON,
            until=NOON + 2 * HOUR,
            zone=UTC,
            irradiance_watts={NOON: 10},
            per_watt=Fraction(1),
            draw_by_hour=[Fraction(0)] * 24,
        )
        is None
    )
