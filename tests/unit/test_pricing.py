"""The price rule: its properties, and parity with the original's."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.pricing import Rule, price, raw_price

DAI = 10**18
TICK = 10**14
ORIGINAL = Rule(
    reference_wei_per_kwh=7 * 10**16,
    floor_wei_per_kwh=0,
    cap_wei_per_kwh=DAI // 2,
    tick_wei_per_kwh=1,
    dead_band_basis_points=0,
)
PLAIN = Rule(
    reference_wei_per_kwh=2_500 * TICK, floor_wei_per_kwh=1_000 * TICK, cap_wei_per_kwh=5_000 * TICK
)

charges = st.fractions(min_value=0, max_value=1, max_denominator=10_000)
ticks = st.integers(0, 8_000)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    floor = draw(st.integers(0, 4_000))
    return Rule(
        reference_wei_per_kwh=draw(st.integers(0, 8_000)) * TICK,
        floor_wei_per_kwh=floor * TICK,
        cap_wei_per_kwh=draw(st.integers(floor, 8_000)) * TICK,
        tick_wei_per_kwh=TICK,
        slope_basis_points=draw(st.integers(0, 30_000)),
        target_charge_basis_points=draw(st.integers(0, 10_000)),
        forecast_weight_basis_points=draw(st.integers(0, 10_000)),
        dead_band_basis_points=draw(st.integers(0, 100_000)),
        ramp_wei_per_kwh=draw(st.none() | st.integers(0, 2_000).map(lambda n: n * TICK // 3)),
    )


lasts = st.none() | ticks.map(lambda n: n * TICK)


def of(rule: Rule, charge: Fraction | None, last: int | None, forecast: Fraction | None) -> int:
    return price(rule=rule, state_of_charge=charge, last_wei_per_kwh=last, forecast=forecast)


@given(st.integers(0, 25_000))
def test_the_original_rule_is_a_case_of_it(battery_watt_hours: int) -> None:
    battery = battery_watt_hours / 1000
    original = min(0.07 * (1 + (12.5 - battery) / 25), 0.5)
    ours = of(ORIGINAL, Fraction(battery_watt_hours, 25_000), None, None)
    assert abs(ours / DAI - original) < 1e-14


@given(st.floats(min_value=0, max_value=25))
def test_the_original_rule_is_a_case_of_it_at_every_float(battery: float) -> None:
    original = min(0.07 * (1 + (12.5 - battery) / 25), 0.5)
    raw = raw_price(rule=ORIGINAL, state_of_charge=Fraction(battery) / 25, forecast=None)
    assert abs(float(raw / DAI) - original) < 1e-14


@given(rules(), charges, charges, charges, lasts)
def test_more_charge_never_makes_it_dearer(
    rule: Rule, low: Fraction, high: Fraction, forecast: Fraction, last: int | None
) -> None:
    low, high = sorted((low, high))
    assert of(rule, high, last, forecast) <= of(rule, low, last, forecast)


@given(rules(), charges, charges, charges, lasts)
def test_a_sunnier_forecast_never_makes_it_dearer(
    rule: Rule, charge: Fraction, dull: Fraction, sunny: Fraction, last: int | None
) -> None:
    dull, sunny = sorted((dull, sunny))
    assert of(rule, charge, last, sunny) <= of(rule, charge, last, dull)


@given(rules(), st.none() | charges, st.none() | charges, lasts)
def test_it_stays_within_floor_and_cap_on_whole_ticks(
    rule: Rule, charge: Fraction | None, forecast: Fraction | None, last: int | None
) -> None:
    found = of(rule, charge, last, forecast)
    assert rule.floor_wei_per_kwh <= found <= rule.cap_wei_per_kwh
    assert found % TICK == 0


@given(rules(), charges, charges, st.integers(0, 8_000 * TICK))
def test_it_stays_on_whole_ticks_after_a_price_that_was_not(
    rule: Rule, charge: Fraction, forecast: Fraction, last: int
) -> None:
    assert of(rule, charge, last, forecast) % TICK == 0


@given(rules(), charges, charges, st.integers(0, 2_000), st.fractions(0, 1, max_denominator=99))
def test_it_moves_no_further_than_the_ramp(
    rule: Rule, charge: Fraction, forecast: Fraction, ramp: int, place: Fraction
) -> None:
    rule = replace(rule, ramp_wei_per_kwh=ramp * TICK + TICK // 3)
    floor, cap = rule.floor_wei_per_kwh // TICK, rule.cap_wei_per_kwh // TICK
    last = (floor + int(place * (cap - floor))) * TICK
    assert abs(of(rule, charge, last, forecast) - last) <= ramp * TICK


@given(rules(), charges, charges, lasts)
def test_publishing_twice_changes_nothing(
    rule: Rule, charge: Fraction, forecast: Fraction, last: int | None
) -> None:
    rule = replace(rule, ramp_wei_per_kwh=None)
    first = of(rule, charge, last, forecast)
    assert of(rule, charge, first, forecast) == first


@given(rules(), charges, charges, st.integers(1, 400), ticks)
def test_with_a_ramp_it_arrives_and_stays(
    rule: Rule, charge: Fraction, forecast: Fraction, ramp: int, last: int
) -> None:
    rule = replace(rule, ramp_wei_per_kwh=ramp * 20 * TICK, dead_band_basis_points=15_000)
    found = last * TICK
    for _ in range(8_000 // (20 * ramp) + 2):
        found = of(rule, charge, found, forecast)
    assert of(rule, charge, found, forecast) == found


@given(charges, st.lists(st.integers(-100, 100), max_size=30))
def test_noise_of_one_per_cent_within_the_dead_band_moves_nothing(
    charge: Fraction, noise: list[int]
) -> None:
    # One per cent either way is 25 ticks either way at this reference.
    rule = replace(PLAIN, dead_band_basis_points=30 * 10_000)
    settled = found = of(rule, charge, None, None)
    for each in noise:
        noisy = min(max(charge + Fraction(each, 10_000), Fraction(0)), Fraction(1))
        found = of(rule, noisy, found, None)
        assert found == settled


@given(charges, st.lists(st.integers(-100, 100), min_size=2, max_size=30))
def test_noise_of_one_per_cent_is_never_amplified(charge: Fraction, noise: list[int]) -> None:
    found, seen = None, []
    for each in noise:
        noisy = min(max(charge + Fraction(each, 10_000), Fraction(0)), Fraction(1))
        found = of(PLAIN, noisy, found, None)
        seen.append(found)
    assert max(seen) - min(seen) <= 2 * (25 + 2) * TICK


def test_within_the_dead_band_the_last_price_stays() -> None:
    half = Fraction(1, 2)
    assert of(PLAIN, half, 2_501 * TICK, None) == 2_501 * TICK
    assert of(PLAIN, half, 2_502 * TICK, None) == 2_500 * TICK


def test_halves_of_a_tick_go_down() -> None:
    rule = replace(PLAIN, dead_band_basis_points=0, floor_wei_per_kwh=0)
    just = Fraction(1, 2) - Fraction(1, 5_000)
    assert of(rule, just, None, None) == 2_500 * TICK
    assert of(rule, just - Fraction(1, 10**9), None, None) == 2_501 * TICK


@pytest.mark.parametrize(("last", "held"), [(None, 2_500), (3_210, 3_210), (9_999, 5_000)])
def test_without_a_state_of_charge_the_last_price_is_held(last: int | None, held: int) -> None:
    assert of(PLAIN, None, None if last is None else last * TICK, None) == held * TICK


def test_the_forecast_counts_by_its_weight() -> None:
    rule = replace(PLAIN, forecast_weight_basis_points=2_500)
    blended = raw_price(rule=rule, state_of_charge=Fraction(4, 5), forecast=Fraction(2, 5))
    assert blended == 2_500 * TICK * (1 + Fraction(1, 2) - Fraction(7, 10))
