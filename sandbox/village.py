"""What each meter of a village has counted at any instant: pure, by (seed, meter, second).

The register is defined from the top down, so that any instant is found without walking there:
days by a mean and a bounded deviation, hours by the devices a customer owns, minutes by blocks
in which something is switched on, seconds in between by a straight line. Energy of a slot of any
length is the difference of two registers: slots of every length agree to the milliwatt-hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate

from sandbox.device_use import USE_PER_MILLE, WATTS
from sandbox.noise import bits, seed_of
from sandbox.sites import Meter

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
# 2015-01-01: registers are zero or more from here on.
FIRST_DAY = 16_436
# A day's energy is off its mean by less than this.
DAY_DEVIATION_PERCENT = 35

_FIXED_DEVICES: Mapping[str, Mapping[str, int]] = {
    "shop": {"sme": 1, "fridge": 1, "light": 4, "phone": 4},
    "mill": {"mill": 1, "light": 2},
    "clinic": {"fridge": 1, "light": 6, "fan": 2, "sme": 1},
    "school": {"sme": 1, "light": 6, "fan": 2},
}


@lru_cache(maxsize=4096)
def meter_seed(seed: int, serial: str) -> int:
    """The seed of everything random about one meter."""
    return seed_of(seed, "meter", serial)


@lru_cache(maxsize=4096)
def devices(seed: int, meter: Meter) -> dict[str, int]:
    """Devices a customer owns. Dwellings differ, between CLOVER's first and last ownership."""
    if meter.kind in _FIXED_DEVICES:
        return dict(_FIXED_DEVICES[meter.kind])
    draw = bits(meter_seed(seed, meter.serial), -1)
    percents = [(draw >> shift) % 100 for shift in range(0, 56, 8)]
    return {
        "light": 2 + percents[0] % 3,
        "phone": 1 + percents[1] % 3,
        "radio": int(percents[2] < 35),
        "tv": int(percents[3] < 50),
        "laptop": int(percents[4] < 10),
        "fan": percents[5] % 3,
        "fridge": int(percents[6] < 10),
    }


@lru_cache(maxsize=4096)
def hourly_milliwatts(seed: int, meter: Meter) -> tuple[int, ...]:
    """Expected power in each hour of the local day, 24 integers."""
    owned = devices(seed, meter)
    return tuple(
        sum(count * WATTS[name] * USE_PER_MILLE[name][hour] for name, count in owned.items())
        for hour in range(24)
    )


def _register_at_day(seed: int, meter: Meter, day: int) -> int:
    """Milliwatt-hours at the start of a local day (days since 1970)."""
    mean = sum(hourly_milliwatts(seed, meter))
    deviation = bits(meter_seed(seed, meter.serial), day) % (mean * DAY_DEVIATION_PERCENT // 100)
    return mean * (day - FIRST_DAY) + deviation


@lru_cache(maxsize=512)
def _registers_of_day(seed: int, meter: Meter, day: int) -> tuple[int, ...]:
    """Milliwatt-hours at the 25 full hours of a local day."""
    start, end = (_register_at_day(seed, meter, number) for number in (day, day + 1))
    own_seed = meter_seed(seed, meter.serial) ^ 0x5BD1E995
    # 40 to 167 % of what the devices' averages say.
    weights = [
        power * (40 + bits(own_seed, day * 24 + hour) % 128) + 1
        for hour, power in enumerate(hourly_milliwatts(seed, meter))
    ]
    total, energy = sum(weights), end - start
    return (start, *(start + energy * part // total for part in accumulate(weights)))


@lru_cache(maxsize=8192)
def _registers_of_hour(seed: int, meter: Meter, local_hour: int) -> tuple[int, ...]:
    """Milliwatt-hours at the 61 full minutes of a local hour (hours since 1970)."""
    day, hour = divmod(local_hour, 24)
    hours = _registers_of_day(seed, meter, day)
    start, energy = hours[hour], hours[hour + 1] - hours[hour]
    own_seed = meter_seed(seed, meter.serial) ^ 0x27D4EB2F
    levels, flicker = bits(own_seed, 2 * local_hour), bits(own_seed, 2 * local_hour + 1)
    # Ten minutes at a time more or less is switched on; a minute's own part is up to a third.
    weights = [
        40 + (levels >> 8 * (minute // 10) & 0x7F) + (30 if flicker >> minute & 1 else 0)
        for minute in range(60)
    ]
    total = sum(weights)
    return (start, *(start + energy * part // total for part in accumulate(weights)))


def register_milliwatt_hours(*, seed: int, meter: Meter, utc_offset_hours: int, second: int) -> int:
    """What the meter has counted since 2015 at a UTC epoch second; never decreases."""
    local_second = second + utc_offset_hours * HOUR_SECONDS
    local_hour, into_hour = divmod(local_second, HOUR_SECONDS)
    minutes = _registers_of_hour(seed, meter, local_hour)
    minute, rest = divmod(into_hour, 60)
    if not rest:
        return minutes[minute]
    return minutes[minute] + (minutes[minute + 1] - minutes[minute]) * rest // 60


def minute_registers(
    *, seed: int, meter: Meter, utc_offset_hours: int, hour: int
) -> tuple[int, ...]:
    """The 61 registers of a UTC hour (hours since 1970), in milliwatt-hours."""
    return _registers_of_hour(seed, meter, hour + utc_offset_hours)
