"""What a benchmark found, and the budgets it is held against."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from statistics import median

BUDGETS: dict[str, dict[str, float]] = {
    "settle": {"vs_bare": 0.5, "vs_orm": 60, "vs_hordak": 40},
    "ussd": {"vs_empty_view": 0.2},
    "hooks": {
        "vs_empty_view": 0.2,
        "vs_empty_view_daraja_confirmation": 0.2,
        "vs_empty_view_daraja_stk": 0.2,
        "vs_empty_view_momo": 0.2,
        "vs_empty_view_pawapay": 0.2,
        "vs_empty_view_stripe": 0.2,
    },
}
"""Smallest ratio that is good enough (design.md, Budgets)."""

CEILINGS: dict[str, dict[str, float]] = {
    "ussd": {"hop_p99_ms_at_100_per_second": 50},
    "chain": {
        "gas_per_epoch_100_households": 220_000,
        "gas_per_epoch_10000_households": 220_000,
        "gas_per_epoch_1000000_households": 220_000,
        "tree_build_seconds_1000000_households": 15,
        "tree_build_peak_mb_1000000_households": 700,
    },
    "dashboard": {
        f"{page}_page_{figure}": ceiling
        for page in ("now", "battery", "production", "consumption")
        for figure, ceiling in (("warm_ms", 300), ("gzipped_bytes", 100_000))
    },
}
"""Largest figure that is good enough."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Figures (the unit is in the name) and ratios (above 1: better than the baseline)."""

    bench: str
    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return one line of JSON, numbers rounded to what the noise leaves of them."""
        return json.dumps(
            {
                "bench": self.bench,
                "figures": {name: rounded(value) for name, value in self.figures.items()},
                "ratios": {name: rounded(value) for name, value in self.ratios.items()},
            }
        )

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return (bench, what, value, budget) of every ratio and figure, ratios first."""
        found = []
        for name, value in self.ratios.items():
            floor = BUDGETS.get(self.bench, {}).get(name)
            budget = "" if floor is None else _verdict(f">= {floor:g}", is_met=value >= floor)
            found.append((self.bench, name, _shown(value), budget))
        for name, value in self.figures.items():
            ceiling = CEILINGS.get(self.bench, {}).get(name)
            budget = "" if ceiling is None else _verdict(f"< {ceiling:g}", is_met=value < ceiling)
            found.append((self.bench, name, _shown(value), budget))
        return found


def rounded(value: float) -> float:
    """Keep three significant digits below 1,000, whole numbers above."""
    return round(value) if abs(value) >= 1_000 else float(f"{value:.3g}")


def middle(values: list[float]) -> float:
    """Return the median of the runs."""
    return float(median(values))


def _shown(value: float) -> str:
    return f"{rounded(value):,}".removesuffix(".0")


def _verdict(budget: str, *, is_met: bool) -> str:
    return f"{budget}: {'met' if is_met else 'missed'}"
