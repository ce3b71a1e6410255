"""The plant of a village: PV, battery, a small generator behind them, minute by minute.

Flows are integers of milliwatt-hours and balance exactly in every slot:
pv + battery discharge + generator = feeder + battery charge. The feeder carries what the meters
count plus 6 % lost on the lines. A full battery curtails the PV; an empty one starts the generator.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

from sandbox.sites import Site
from sandbox.sky import Sky
from sandbox.village import minute_registers

HOURS_PER_ANCHOR = 10 * 24
SPIN_UP_HOURS = 6 * 24
LINE_LOSS_PERCENT = 6
PERFORMANCE_RATIO = 0.80
LEAST_CHARGE_PERCENT = 10
EFFICIENCY_PERCENT = 95  # each way, as CLOVER's default battery
C_RATE_PERCENT = 33
FLOWS = ("pv", "charge", "discharge", "generator", "feeder", "households")


class Checkpoints(Protocol):
    """Stored energy at full hours, kept by whoever has a place for it."""

    def load(self, *, site: str, hour: int) -> int | None:
        """Milliwatt-hours in the battery at the start of a UTC hour, None if unknown."""

    def save(self, *, site: str, stored_by_hour: dict[int, int]) -> None:
        """Keep some more of them."""


@dataclass(frozen=True, slots=True)
class Minute:
    """Cumulative flows since the start of the hour, and what the battery holds, at a minute."""

    flows: tuple[int, ...]  # milliwatt-hours, in the order of FLOWS
    stored_milliwatt_hours: int


@dataclass(frozen=True, slots=True)
class SlotFlows:
    """Milliwatt-hours of one slot by name of FLOWS, and the state of charge at its end."""

    flows: dict[str, int]
    soc_percent: float


class Plant:
    """One site's plant. Safe to call from several threads."""

    def __init__(self, *, seed: int, site: Site, checkpoints: Checkpoints) -> None:
        self.site = site
        self._seed = seed
        self._checkpoints = checkpoints
        self._lock = threading.Lock()
        self._hour = lru_cache(maxsize=256)(self._simulate_hour)

    @cached_property
    def _sky(self) -> Sky:
        return Sky.over(seed=self._seed, latitude=self.site.latitude, longitude=self.site.longitude)

    @property
    def _capacity(self) -> int:
        return self.site.battery_capacity_watt_hours * 1000

    def slot(self, *, starts_at: int, seconds: int) -> SlotFlows:
        """Flows between two UTC epoch seconds."""
        with self._lock:
            before, after = self._at(starts_at), self._at(starts_at + seconds)
            totals = [b - a for a, b in zip(before.flows, after.flows, strict=True)]
            for hour in range(starts_at // 3600, (starts_at + seconds) // 3600):
                whole = self._minutes(hour)[60].flows
                totals = [total + part for total, part in zip(totals, whole, strict=True)]
        soc = after.stored_milliwatt_hours * 100 / self._capacity
        return SlotFlows(flows=dict(zip(FLOWS, totals, strict=True)), soc_percent=round(soc, 3))

    def _at(self, second: int) -> Minute:
        hour, rest = divmod(second, 3600)
        minute, into = divmod(rest, 60)
        minutes = self._minutes(hour)
        here = minutes[minute]
        if not into:
            return here
        after = minutes[minute + 1]
        flows = [a + (b - a) * into // 60 for a, b in zip(here.flows, after.flows, strict=True)]
        # Rounding must not break the balance: the feeder is what the others leave.
        pv, charge, discharge, generator, _feeder, households = flows
        flows[4] = pv + discharge + generator - charge
        stored = here.stored_milliwatt_hours
        stored += (after.stored_milliwatt_hours - stored) * into // 60
        return Minute(
            flows=(pv, charge, discharge, generator, flows[4], households),
            stored_milliwatt_hours=stored,
        )

    def _minutes(self, hour: int) -> tuple[Minute, ...]:
        return self._hour(hour, self._stored_at(hour))

    def _stored_at(self, hour: int) -> int:
        """Energy in the battery at a full hour.

        Every ten days the count is taken up afresh, at 60 % six days earlier: by then the
        battery has been full and no longer remembers where it began.
        """
        known = self._checkpoints.load(site=self.site.slug, hour=hour)
        if known is not None:
            return known
        anchor = hour // HOURS_PER_ANCHOR * HOURS_PER_ANCHOR
        start, stored = anchor - SPIN_UP_HOURS, self._capacity * 60 // 100
        for candidate in range(hour - 1, anchor - 1, -1):
            earlier = self._checkpoints.load(site=self.site.slug, hour=candidate)
            if earlier is not None:
                start, stored = candidate, earlier
                break
        found: dict[int, int] = {}
        for current in range(start, hour):
            stored = self._hour(current, stored)[60].stored_milliwatt_hours
            if current + 1 >= anchor:
                found[current + 1] = stored
        self._checkpoints.save(site=self.site.slug, stored_by_hour=found)
        return stored

    def _simulate_hour(self, hour: int, stored: int) -> tuple[Minute, ...]:
        """The 61 minutes of a UTC hour, from what the battery holds at its start."""
        households = [0] * 61
        for meter in self.site.meters:
            registers = minute_registers(
                seed=self._seed,
                meter=meter,
                utc_offset_hours=self.site.utc_offset_hours,
                hour=hour,
            )
            first = registers[0]
            for minute in range(61):
                households[minute] += registers[minute] - first
        sun = self._sun_of_hour(hour)
        limit = self._capacity * C_RATE_PERCENT // 100 // 60
        least = self._capacity * LEAST_CHARGE_PERCENT // 100
        pv = charge = discharge = generator = feeder = 0
        minutes = [Minute(flows=(0,) * len(FLOWS), stored_milliwatt_hours=stored)]
        for minute in range(60):
            used = households[minute + 1] - households[minute]
            load = used * (100 + LINE_LOSS_PERCENT) // 100
            surplus = sun[minute] - load
            into = out = burnt = 0
            if surplus >= 0:
                room = (self._capacity - stored) * 100 // EFFICIENCY_PERCENT
                into = min(surplus, limit, room)
                stored = min(self._capacity, stored + into * EFFICIENCY_PERCENT // 100)
                made = load + into
            else:
                made = sun[minute]
                left = max(0, stored - least) * EFFICIENCY_PERCENT // 100
                out = min(-surplus, limit, left)
                stored -= -(-out * 100 // EFFICIENCY_PERCENT)
                burnt = -surplus - out
            pv, charge, discharge = pv + made, charge + into, discharge + out
            generator, feeder = generator + burnt, feeder + load
            flows = (pv, charge, discharge, generator, feeder, households[minute + 1])
            minutes.append(Minute(flows=flows, stored_milliwatt_hours=stored))
        return tuple(minutes)

    def _sun_of_hour(self, hour: int) -> list[int]:
        """What the PV could make in each minute, milliwatt-hours."""
        start = hour * 3600
        sky = self._sky
        if max(sky.sun_sine(start), sky.sun_sine(start + 3600)) <= 0:
            return [0] * 60
        # W/m2 against the 1,000 of the peak rating; a minute is a sixtieth of an hour.
        scale = self.site.pv_peak_watts / 1000 * PERFORMANCE_RATIO * 1000 / 60
        return [int(sky.irradiance(start + 60 * minute + 30).total * scale) for minute in range(60)]
