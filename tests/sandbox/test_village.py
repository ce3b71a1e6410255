"""The village model by itself: sums, monotony and independence of the slot's length."""

from __future__ import annotations

import itertools

import pytest

from sandbox.sites import SITES, Meter
from sandbox.village import devices, hourly_milliwatts, register_milliwatt_hours

SEED = 7
START = 1_767_225_600  # 2026-01-01
METERS = SITES["kisima"].meters


def register(meter: Meter, second: int, *, seed: int = SEED) -> int:
    return register_milliwatt_hours(seed=seed, meter=meter, utc_offset_hours=3, second=second)


@pytest.mark.parametrize("slot_seconds", [7, 60, 900, 5400])
def test_slots_of_every_length_sum_to_the_same_day(slot_seconds: int) -> None:
    seconds = list(range(START, START + 86_400, slot_seconds))
    registers = [register(METERS[0], second) for second in [*seconds, START + 86_400]]
    energies = [b - a for a, b in itertools.pairwise(registers)]
    assert min(energies) >= 0
    assert sum(energies) == register(METERS[0], START + 86_400) - register(METERS[0], START)


def test_a_days_energy_stays_near_what_the_devices_use() -> None:
    for meter in METERS:
        expected = sum(hourly_milliwatts(SEED, meter))
        for day in range(20):
            # From local midnight to local midnight.
            start = START - 3 * 3600 + day * 86_400
            energy = register(meter, start + 86_400) - register(meter, start)
            assert 0.64 * expected < energy < 1.36 * expected


def test_a_village_is_the_same_by_seed_and_differs_by_seed() -> None:
    first = [register(meter, START) for meter in METERS]
    assert first == [register(meter, START) for meter in METERS]
    assert first != [register(meter, START, seed=8) for meter in METERS]
    assert len({tuple(devices(SEED, meter).items()) for meter in METERS}) > 15


def test_the_mill_works_by_day_and_lamps_burn_in_the_evening() -> None:
    mill = next(meter for meter in METERS if meter.kind == "mill")
    powers = hourly_milliwatts(SEED, mill)
    assert powers[12] > 5 * powers[3]
    dwelling = hourly_milliwatts(SEED, METERS[0])
    assert dwelling[20] > dwelling[10]
