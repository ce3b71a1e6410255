"""An epoch's energy balance as bars, one under the other. Pure: numbers in, geometry out.

Drawn for 360 units of width, so that text stays readable on a screen of 320 px.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from dashboard import wording

WIDTH = 360
ROW_HEIGHT = 40
BAR_HEIGHT = 14
_NAMES = {
    "generation": _("Sun"),
    "battery_out": _("Out of the battery"),
    "battery_in": _("Into the battery"),
    "feeder": _("Through the feeder"),
    "households": _("At households"),
    "paid": _("Paid for"),
    "losses": _("Lost on the way"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One figure: its name, its text in kWh, and its bar in the drawing's units."""

    key: str
    name: str
    kwh: str
    width: int
    top: int
    text_top: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """All bars and how high they are together."""

    bars: tuple[Bar, ...]
    height: int


def picture(figures: Mapping[str, int]) -> Picture:
    """Return the bars of figures in milliwatt-hours; the longest fills the width.

    A figure below zero (losses, where something else fed in) has no bar, but its number.
    """
    known = [(key, figures[key]) for key in _NAMES if key in figures]
    longest = max((value for _key, value in known), default=0)
    return Picture(
        bars=tuple(
            Bar(
                key=key,
                name=str(_NAMES[key]),
                kwh=wording.kwh(value),
                width=max(value, 0) * WIDTH // longest if longest > 0 else 0,
                top=row * ROW_HEIGHT + 20,
                text_top=row * ROW_HEIGHT + 14,
            )
            for row, (key, value) in enumerate(known)
        ),
        height=len(known) * ROW_HEIGHT,
    )
