"""Cells of a map: enough in each and in none, edges on the grid, everybody at most once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import grid
from dashboard.grid import SIDE_METRES, Cell

FEWEST = 5
metres = st.integers(min_value=-900, max_value=900)
villages = st.lists(st.tuples(metres, metres), max_size=80).map(
    lambda listed: dict(enumerate(listed))
)


def clusters(*told: tuple[int, int, int]) -> dict[int, tuple[int, int]]:
    """So many homes each at a place."""
    homes = [(easting, northing) for easting, northing, count in told for _ in range(count)]
    return dict(enumerate(homes))


def edges(cells: tuple[Cell, ...]) -> list[tuple[int, int, int, int, int]]:
    return [(cell.west, cell.south, cell.east, cell.north, len(cell.households)) for cell in cells]


@given(places=villages)
def test_every_cell_has_enough_and_so_have_all_that_are_in_none(
    places: dict[int, tuple[int, int]],
) -> None:
    found = grid.cells(places=places, fewest=FEWEST)

    shown = [home for cell in found for home in cell.households]
    assert all(len(cell.households) >= FEWEST for cell in found)
    assert len(shown) == len(set(shown))
    assert len(places) - len(shown) == 0 or len(places) - len(shown) >= FEWEST or not found


@given(places=villages)
def test_edges_lie_on_the_grid_and_households_within_them(
    places: dict[int, tuple[int, int]],
) -> None:
    for cell in grid.cells(places=places, fewest=FEWEST):
        for edge in (cell.west, cell.south, cell.east, cell.north):
            assert edge % SIDE_METRES == 0
        for home in cell.households:
            easting, northing = places[home]
            assert cell.west <= easting < cell.east
            assert cell.south <= northing < cell.north


@given(places=villages)
def test_cells_do_not_overlap(places: dict[int, tuple[int, int]]) -> None:
    found = grid.cells(places=places, fewest=FEWEST)
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            assert (
                one.east <= other.west
                or other.east <= one.west
                or one.north <= other.south
                or other.north <= one.south
            )


def test_a_cell_is_cut_only_where_both_halves_have_enough() -> None:
    places = clusters((-50, 50, 5), (50, 50, 5), (50, -50, 4))
    # East is cut off; its south has four only, and nobody else may be left off.
    assert edges(grid.cells(places=places, fewest=FEWEST)) == [
        (0, -100, 100, 100, 9),
        (-100, 0, 0, 100, 5),
    ]


def test_a_few_far_off_do_not_blur_the_map_and_are_hidden_among_enough() -> None:
    places = clusters((-50, 50, 12), (50, 50, 18), (50, -50, 8), (3_000, 3_000, 2))
    # Two of forty may be left off; alone they would be told of by the total: eight join them.
    assert edges(grid.cells(places=places, fewest=FEWEST)) == [
        (-100, 0, 0, 100, 12),
        (0, 0, 100, 100, 18),
    ]


def test_no_cell_is_smaller_than_a_hundred_metres() -> None:
    assert edges(grid.cells(places=clusters((10, 10, 50)), fewest=FEWEST)) == [(0, 0, 100, 100, 50)]


def test_one_without_a_place_is_hidden_among_enough() -> None:
    places = clusters((-50, 50, 12), (50, 50, 18), (50, -50, 8))
    assert len(grid.cells(places=places, fewest=FEWEST)) == 3
    assert len(grid.cells(places=places, fewest=FEWEST, beside=1)) == 2
    assert len(grid.cells(places=places, fewest=FEWEST, beside=5)) == 3


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_site_of_few_has_no_cells(count: int) -> None:
    assert grid.cells(places=clusters((10, 10, count)), fewest=FEWEST) == ()


def test_a_site_without_neighbours_is_one_cell() -> None:
    places = clusters((-4_000, 0, 3), (4_000, 0, 3), (0, 4_000, 3))
    (cell,) = grid.cells(places=places, fewest=FEWEST)
    assert len(cell.households) == 9
