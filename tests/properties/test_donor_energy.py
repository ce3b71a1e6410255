"""All donors' energy and the unallocated one are the energy settled, whatever came in between."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from accounts.donors_index import Index, Position, rewarded, touched, withdrawn
from accounts.models import Site
from accounts.money import MILLIWATT_HOURS_PER_KWH
from tokens.donor_history import MOST_POINTS, spread
from tokens.donor_impact import milliwatt_hours, runs
from tokens.share_cards import rounded_down

halves = st.sampled_from([1, 3, 5 * 10**11, 10**12])
amounts = st.integers(1, 7) | st.integers(10**15, 10**24)
steps = st.lists(
    st.tuples(st.just("donate"), amounts, st.integers(0, 5))
    | st.tuples(st.just("settle"), st.integers(1, 10**7), st.integers(0, 5))
    | st.tuples(st.just("take back"), amounts, st.integers(0, 5)),
    min_size=1,
    max_size=24,
)


@given(half=halves, lived=steps)
def test_donors_energy_sums_to_what_was_settled_to_a_milliwatt_hour_a_donor(
    half: int, lived: list[tuple[str, int, int]]
) -> None:
    site = Site(impact_token_wei_per_kwh=2 * half * MILLIWATT_HOURS_PER_KWH)
    index, positions, settled = Index(), list[Position](), 0
    for what, amount, place in lived:
        if what == "donate":
            positions.append(Position(amount_wei=amount, paid_index=index.accumulated))
            index = replace(index, donated_wei=index.donated_wei + amount)
        elif what == "settle":
            settled += amount
            index = rewarded(index=index, reward_wei=amount * half)
        elif place < len(positions) and positions[place].amount_wei:
            index, positions[place], _ = withdrawn(
                index=index,
                position=positions[place],
                amount_wei=min(amount, positions[place].amount_wei),
                is_vested=place % 2 == 0,
            )

    earned = [touched(index=index, position=each).claimed_wei for each in positions]
    told = sum(milliwatt_hours(earned_wei=each, site=site) for each in earned)
    unallocated = milliwatt_hours(earned_wei=index.unallocated_wei, site=site)
    short = settled - told - unallocated

    assert 0 <= short <= len(positions) + (index.unallocated_wei > 0)
    together = milliwatt_hours(earned_wei=sum(earned), site=site)
    assert 0 <= together - told < max(len(positions), 1)


def test_a_site_that_mints_nothing_has_no_energy_of_donors() -> None:
    assert milliwatt_hours(earned_wei=10**18, site=Site(impact_token_wei_per_kwh=0)) == 0


@given(numbers=st.sets(st.integers(1, 60)))
def test_runs_hold_every_number_once_and_touch_nowhere(numbers: set[int]) -> None:
    found = runs(sorted(numbers))

    assert {n for first, last in found for n in range(first, last + 1)} == numbers
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))


@given(first=st.integers(1, 10_000), count=st.integers(1, 10_000))
def test_shown_epochs_are_few_evenly_spaced_and_end_with_the_last(first: int, count: int) -> None:
    last = first + count - 1
    shown = spread(first=first, last=last)

    assert len(shown) <= MOST_POINTS
    assert shown[-1] == last
    assert first <= shown[0]
    assert len({b - a for a, b in itertools.pairwise(shown)}) <= 1
    assert len(shown) == count or len(shown) > MOST_POINTS // 2 - 1


@given(number=st.integers(0, 10**30))
def test_a_cards_figures_are_one_two_or_five_and_zeros_and_never_too_high(number: int) -> None:
    shown = rounded_down(number)

    assert shown <= number
    assert shown == 0 if number == 0 else number < 3 * shown
    assert str(shown).rstrip("0") in {"", "1", "2", "5"}
