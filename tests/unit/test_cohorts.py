"""Cohorts: at least five each, filled in the order of households, evenly afterwards."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.cohorts import FEWEST_HOUSEHOLDS, TooFewHouseholds, place


def test_five_at_a_time_make_a_cohort_in_the_order_of_their_ids() -> None:
    placed = place(households=[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], members={})
    assert placed == {**dict.fromkeys(range(1, 6), 1), **dict.fromkeys(range(6, 11), 2)}


def test_who_is_left_joins_the_cohorts_with_the_fewest_members() -> None:
    placed = place(households=[21, 22, 23], members={1: 7, 2: 5, 3: 6})
    assert placed == {21: 2, 22: 2, 23: 3}


def test_the_first_of_equal_cohorts_is_joined_first() -> None:
    assert place(households=[21, 22], members={1: 5, 2: 5}) == {21: 1, 22: 2}


def test_a_new_cohort_takes_the_next_number() -> None:
    assert set(place(households=range(5), members={1: 5, 2: 5}).values()) == {3}


def test_nobody_new_changes_nothing() -> None:
    assert place(households=[], members={1: 5}) == {}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_fewer_than_five_and_no_cohort_are_too_few(count: int) -> None:
    with pytest.raises(TooFewHouseholds, match=f"{count} households are fewer"):
        place(households=range(count), members={})


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_no_cohort_ever_has_fewer_than_five_and_nobody_is_left_out(arrivals: list[int]) -> None:
    members: Counter[int] = Counter()
    everybody: dict[int, int] = {}
    waiting = 0
    for number in arrivals:
        waiting += number
        first = len(everybody)
        try:
            placed = place(households=range(first, first + waiting), members=members)
        except TooFewHouseholds:
            assert not members
            continue
        waiting = 0
        everybody |= placed
        members = Counter(everybody.values())
        assert min(members.values()) >= FEWEST_HOUSEHOLDS
        assert set(members) == set(range(1, max(members) + 1))
