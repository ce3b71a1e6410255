"""A site's map with what a household of each cell uses: SVG geometry from what is stored here.

No tiles and nothing from outside: shapes of accounts.SiteMap, cells of dashboard.grid. Where a
household lies is on no map; the edges of cells are whole hundreds of metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from accounts.basemaps import FEWEST_POINTS
from accounts.models import Site, SiteMap
from accounts.money import MILLIWATT_HOURS_PER_KWH
from dashboard import wording
from dashboard.breakdown import Breakdown, CellUse

WIDTH = 360
MARGIN_METRES = 50
MOST_CLASSES = 5
_BARS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
_STEPS = (1, 2, 5)
_AREAS = ("outline", "water")
Point = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Square:
    """One cell as drawn: its class from 1 on, edges and middle in the drawing's units, and what
    the table says of it."""

    level: int
    x: str
    y: str
    width: str
    height: str
    middle_x: str
    middle_y: str
    place: str
    households: int
    mean: str
    total: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One shape of the map below: its kind, and an SVG path."""

    kind: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatMap:
    """Everything there is to draw: cells by row from the north, classes with their bounds in words,
    the scale bar's length in units and metres."""

    height: int
    lines: tuple[Line, ...]
    squares: tuple[Square, ...]
    classes: tuple[tuple[int, str], ...]
    bar_width: str
    bar_metres: int
    elsewhere: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """Which metres are drawn: the west and north edge, and metres a unit."""

    west: int
    north: int
    metres_per_unit: Fraction

    def x(self, easting: int) -> str:
        return _number((easting - self.west) / self.metres_per_unit)

    def y(self, northing: int) -> str:
        return _number((self.north - northing) / self.metres_per_unit)

    def length(self, metres: int) -> str:
        return _number(metres / self.metres_per_unit)


def heat_map(*, site: Site, told: Breakdown) -> HeatMap | None:
    """Return the map of the days told; None where no cell may be told of."""
    if not told.cells:
        return None
    west = min(use.cell.west for use in told.cells) - MARGIN_METRES
    east = max(use.cell.east for use in told.cells) + MARGIN_METRES
    south = min(use.cell.south for use in told.cells) - MARGIN_METRES
    north = max(use.cell.north for use in told.cells) + MARGIN_METRES
    view = _View(west=west, north=north, metres_per_unit=Fraction(east - west, WIDTH))
    means = [_mean(use) for use in told.cells]
    step = class_step(max(means))
    ordered = sorted(
        zip(told.cells, means, strict=True),
        key=lambda pair: (-pair[0].cell.north, pair[0].cell.west),
    )
    metres = max(length for length in _BARS if length <= max((east - west) // 3, _BARS[0]))
    return HeatMap(
        height=int((north - south) / view.metres_per_unit) + 1,
        lines=_lines(site=site, view=view),
        squares=tuple(_square(use=use, mean=mean, step=step, view=view) for use, mean in ordered),
        classes=_classes(step=step, highest=max(means)),
        bar_width=view.length(metres),
        bar_metres=metres,
        elsewhere=told.elsewhere,
    )


def class_step(highest: Fraction) -> Fraction:
    """Return how wide a class is, so that MOST_CLASSES of them reach the highest: 1, 2 or 5 times a
    power of ten."""
    if highest <= 0:
        return Fraction(1)
    power = Fraction(1)
    while power * MOST_CLASSES > highest:
        power /= 10
    while True:
        for step in _STEPS:
            if power * step * MOST_CLASSES >= highest:
                return power * step
        power *= 10


def level_of(mean: Fraction, *, step: Fraction) -> int:
    """Return the class of a mean, from 1 on: above its lower bound, up to its upper one."""
    return max(1, -(-mean.numerator * step.denominator // (mean.denominator * step.numerator)))


def _mean(use: CellUse) -> Fraction:
    """kWh of a household and day."""
    return Fraction(use.energy, MILLIWATT_HOURS_PER_KWH * use.household_days)


def _classes(*, step: Fraction, highest: Fraction) -> tuple[tuple[int, str], ...]:
    decimals = next((d for d in range(6) if (step * 10**d).denominator == 1), 6)
    bounds = [
        wording.rounded(step * level, decimals=decimals)
        for level in range(level_of(highest, step=step) + 1)
    ]
    return tuple(
        (level, _("%(low)s to %(high)s") % {"low": low, "high": high})
        for level, (low, high) in enumerate(pairwise(bounds), start=1)
    )


def _square(*, use: CellUse, mean: Fraction, step: Fraction, view: _View) -> Square:
    cell = use.cell
    return Square(
        level=level_of(mean, step=step),
        x=view.x(cell.west),
        y=view.y(cell.north),
        width=view.length(cell.east - cell.west),
        height=view.length(cell.north - cell.south),
        middle_x=_number((Fraction(cell.west + cell.east, 2) - view.west) / view.metres_per_unit),
        middle_y=_number(
            (view.north - Fraction(cell.north + cell.south, 2)) / view.metres_per_unit
        ),
        place=_place(west=cell.west, south=cell.south, east=cell.east, north=cell.north),
        households=use.households,
        mean=wording.rounded(mean, decimals=3),
        total=wording.kwh(use.energy),
    )


def _place(*, west: int, south: int, east: int, north: int) -> str:
    """Where a cell lies, in words: metres from the container; west and south are below zero."""
    return _("%(west)s to %(east)s m east, %(south)s to %(north)s m north") % {
        "west": west,
        "east": east,
        "south": south,
        "north": north,
    }


def _lines(*, site: Site, view: _View) -> tuple[Line, ...]:
    """The map below, areas first; what lies outside the drawing is cut off by it."""
    stored = SiteMap.objects.filter(site=site).values_list("shapes", flat=True).first()
    shapes: list[dict[str, Any]] = stored or []
    order = list(FEWEST_POINTS)
    return tuple(
        Line(kind=shape["kind"], path=_path(shape["kind"], shape["points"], view=view))
        for shape in sorted(shapes, key=lambda shape: order.index(shape["kind"]))
    )


def _path(kind: str, points: Sequence[Point], *, view: _View) -> str:
    if kind == "container":
        easting, northing = points[0]
        return f"M{view.x(easting)} {view.y(northing)}m-6-4h12v8h-12z"
    path = "".join(
        f"{'L' if number else 'M'}{view.x(easting)} {view.y(northing)}"
        for number, (easting, northing) in enumerate(points)
    )
    return path + ("z" if kind in _AREAS else "")


def _number(value: Fraction) -> str:
    """One decimal is a tenth of a pixel."""
    tenths = round(value * 10)
    whole, part = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole}" + (f".{part}" if part else "")
