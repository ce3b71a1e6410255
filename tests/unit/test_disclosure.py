"""What published sums tell of few: the rule beside an attack by linear algebra."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.disclosure import fewest_told

Homes = Sequence[tuple[str, str]]
"""Each household's cell and tier."""


def counted(homes: Homes) -> dict[tuple[str, str], int]:
    return {home: homes.count(home) for home in homes}


def rank(rows: list[list[Fraction]]) -> int:
    """By Gauss, exactly."""
    rows, found = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((n for n in range(found, len(rows)) if rows[n][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for number in range(len(rows)):
            if number != found and rows[number][column]:
                times = rows[number][column] / rows[found][column]
                rows[number] = [
                    one - times * other
                    for one, other in zip(rows[number], rows[found], strict=True)
                ]
        found += 1
    return found


def attacked(homes: Homes, *, most: int = 99) -> int | None:
    """The size of the smallest group whose use somebody can compute who knows every sum; None
    where there is none of `most` or fewer.

    A group is told of where a weighted sum of the published ones vanishes on all others: where
    without the group's columns the sums are fewer that are independent.
    """
    names = sorted({("cell", cell) for cell, _ in homes} | {("tier", tier) for _, tier in homes})
    published = [
        [Fraction(name == (cell if kind == "cell" else tier)) for cell, tier in homes]
        for kind, name in names
    ]
    whole = rank(published)
    for size in range(1, min(len(homes), most) + 1):
        for group in combinations(range(len(homes)), size):
            others = [
                [weight for home, weight in enumerate(row) if home not in group]
                for row in published
            ]
            if rank(others) < whole:
                return size
    return None


@given(
    homes=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["home", "shop", "clinic"])),
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_the_rule_finds_what_the_attack_finds(homes: list[tuple[str, str]]) -> None:
    assert fewest_told(counted(homes)) == attacked(homes)


def test_a_clinic_among_homes_is_told_of_by_the_difference() -> None:
    homes = [("a", "home")] * 8 + [("a", "clinic")] + [("b", "home")] * 7
    # The clinic is the only one of its tier.
    assert fewest_told(counted(homes)) == 1


def test_a_tier_and_a_cell_that_are_nearly_the_same_tell_of_the_difference() -> None:
    homes = [("a", "home")] * 9 + [("b", "shop")] * 6 + [("b", "home")] * 2
    assert fewest_told(counted(homes)) == 2
    assert attacked(homes[:1] + homes[9:]) == 1


@pytest.mark.parametrize("size", [5, 6])
def test_tiers_that_are_mixed_in_every_cell_tell_of_no_fewer_than_the_smallest_sum(
    size: int,
) -> None:
    homes = [("a", "home")] * size + [("a", "shop")] * size + [("b", "home")] * size
    assert fewest_told(counted(homes)) == size


def test_nobody_is_told_of_where_nobody_is() -> None:
    assert fewest_told({}) is None
    assert fewest_told({("a", "home"): 0}) is None
