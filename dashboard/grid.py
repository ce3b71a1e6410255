"""Cells of a map, each of enough households. Pure: positions in, rectangles out.

Cells are halves of halves of a square around the site's origin, so their edges are whole hundreds
of metres and say nothing of where a home is. A cell is cut in two only where both halves have
enough; who would stand in the way of that is left off the map, up to a tenth of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SIDE_METRES = 100
LARGEST_HALF = SIDE_METRES * 2**9
OFF_THE_MAP = 10
"""One household in so many may be left off the map."""

Places = Mapping[int, tuple[int, int]]
"""Metres east and north of the origin by household."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A rectangle in metres from the origin, [west, east) x [south, north), and who lives there."""

    west: int
    south: int
    east: int
    north: int
    households: frozenset[int]

    @property
    def name(self) -> str:
        """What tells it from the others of its grid."""
        return f"{self.west},{self.south}"


@dataclass(kw_only=True)
class _Cutting:
    """The state of one cutting: places, the cells so far, who is off the map, who else may be."""

    places: Places
    fewest: int
    may_leave: int
    cells: list[Cell] = field(default_factory=list)


def cells(*, places: Places, fewest: int, beside: int = 0) -> tuple[Cell, ...]:
    """Return the cells of a site's grid, from the south-west on; each of `fewest` or more.

    Households that are in none, with the `beside` that have no place at all, are none or `fewest`
    or more as well: the rest must not be told of by the total less the cells.
    """
    half = SIDE_METRES
    inside = _within(places, half)
    while len(places) - len(inside) > len(places) // OFF_THE_MAP and half < LARGEST_HALF:
        half *= 2
        inside = _within(places, half)
    cutting = _Cutting(
        places=places,
        fewest=fewest,
        may_leave=len(places) // OFF_THE_MAP - (len(places) - len(inside)),
    )
    if len(inside) >= fewest:
        _cut(cutting, Cell(west=-half, south=-half, east=half, north=half, households=inside))
    found = sorted(cutting.cells, key=lambda cell: (-len(cell.households), cell.south, cell.west))
    rest = beside + len(places) - sum(len(cell.households) for cell in found)
    while found and 0 < rest < fewest:
        rest += len(found.pop().households)
    return tuple(sorted(found, key=lambda cell: (cell.south, cell.west)))


def _within(places: Places, half: int) -> frozenset[int]:
    return frozenset(
        household
        for household, (easting, northing) in places.items()
        if -half <= easting < half and -half <= northing < half
    )


def _cut(cutting: _Cutting, cell: Cell) -> None:
    """Cut the longer side in the middle as long as both halves have enough."""
    halves = _halves(cutting.places, cell)
    if halves is None:
        cutting.cells.append(cell)
        return
    fuller, other = sorted(halves, key=lambda half: -len(half.households))
    lost = len(other.households)
    if lost >= cutting.fewest:
        for half in halves:
            _cut(cutting, half)
    elif len(fuller.households) >= cutting.fewest and lost <= cutting.may_leave:
        cutting.may_leave -= lost
        _cut(cutting, fuller)
    else:
        cutting.cells.append(cell)


def _halves(places: Places, cell: Cell) -> tuple[Cell, Cell] | None:
    """West and east, or south and north; None for a cell that is small enough."""
    width, height = cell.east - cell.west, cell.north - cell.south
    if max(width, height) <= SIDE_METRES:
        return None
    across = width >= height
    middle = (cell.west + cell.east) // 2 if across else (cell.south + cell.north) // 2
    first = frozenset(home for home in cell.households if places[home][not across] < middle)
    second = cell.households - first
    if across:
        return (
            Cell(west=cell.west, south=cell.south, east=middle, north=cell.north, households=first),
            Cell(
                west=middle, south=cell.south, east=cell.east, north=cell.north, households=second
            ),
        )
    return (
        Cell(west=cell.west, south=cell.south, east=cell.east, north=middle, households=first),
        Cell(west=cell.west, south=middle, east=cell.east, north=cell.north, households=second),
    )
