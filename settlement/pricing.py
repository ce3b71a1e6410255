"""The price rule: pure, integers and fractions only.

    f   = (1 - lambda) * s + lambda * s_hat
    raw = p_ref * (1 + beta * (s_star - f))

then dead-band, tick, ramp limit, clamp to [floor, cap], in this order. With lambda 0, beta 1,
s_star 0.5 and the guards off it is the original rule of the project's founding notebook.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

BASIS_POINTS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A tariff's numbers. Prices in wei per kWh; shares in basis points.

    dead_band_basis_points is in ticks (15,000 is one and a half); ramp_wei_per_kwh None is no
    limit; slope is beta, target charge s_star, forecast weight lambda.
    """

    reference_wei_per_kwh: int
    floor_wei_per_kwh: int
    cap_wei_per_kwh: int
    tick_wei_per_kwh: int = 10**14
    slope_basis_points: int = 10_000
    target_charge_basis_points: int = 5_000
    forecast_weight_basis_points: int = 0
    dead_band_basis_points: int = 15_000
    ramp_wei_per_kwh: int | None = None


def raw_price(*, rule: Rule, state_of_charge: Fraction, forecast: Fraction | None) -> Fraction:
    """Return the exact price in wei per kWh before any guard. Charges lie in [0, 1]."""
    weight = Fraction(rule.forecast_weight_basis_points, BASIS_POINTS)
    if forecast is None:
        weight = Fraction(0)
        forecast = state_of_charge
    charge = (1 - weight) * state_of_charge + weight * forecast
    target = Fraction(rule.target_charge_basis_points, BASIS_POINTS)
    slope = Fraction(rule.slope_basis_points, BASIS_POINTS)
    return rule.reference_wei_per_kwh * (1 + slope * (target - charge))


def price(
    *,
    rule: Rule,
    state_of_charge: Fraction | None,
    last_wei_per_kwh: int | None,
    forecast: Fraction | None = None,
) -> int:
    """Return the price to publish in wei per kWh, a multiple of the tick within [floor, cap].

    An unknown state of charge holds the last price, or gives p_ref where there is none.
    """
    if state_of_charge is None:
        held = rule.reference_wei_per_kwh if last_wei_per_kwh is None else last_wei_per_kwh
        return _clamped(rule=rule, wei_per_kwh=_on_tick(Fraction(held), rule.tick_wei_per_kwh))
    raw = raw_price(rule=rule, state_of_charge=state_of_charge, forecast=forecast)
    if last_wei_per_kwh is not None:
        band = Fraction(rule.dead_band_basis_points, BASIS_POINTS) * rule.tick_wei_per_kwh
        if abs(raw - last_wei_per_kwh) < band:
            raw = Fraction(last_wei_per_kwh)
    ticked = _on_tick(raw, rule.tick_wei_per_kwh)
    if last_wei_per_kwh is not None and rule.ramp_wei_per_kwh is not None:
        # Whole ticks within the ramp, also where the last price is of a tariff with another tick.
        tick, ramp = rule.tick_wei_per_kwh, rule.ramp_wei_per_kwh
        lowest = -((ramp - last_wei_per_kwh) // tick) * tick
        highest = (last_wei_per_kwh + ramp) // tick * tick
        ticked = min(highest, max(lowest, ticked))
    return _clamped(rule=rule, wei_per_kwh=ticked)


def _on_tick(value: Fraction, tick: int) -> int:
    """The nearest multiple of the tick; halves go down, in the household's favour."""
    return int(-((tick - 2 * value) // (2 * tick))) * tick


def _clamped(*, rule: Rule, wei_per_kwh: int) -> int:
    return max(rule.floor_wei_per_kwh, min(rule.cap_wei_per_kwh, wei_per_kwh))
