"""The donors' index: exact, constant in the number of donations, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.donors_index import SCALE, Index, Position, rewarded, touched, withdrawn


@dataclass
class Site:
    """An index with its positions, beside it the exact shares."""

    index: Index = field(default_factory=Index)
    positions: list[Position] = field(default_factory=list)
    exact: list[Fraction] = field(default_factory=list)

    def donate(self, amount_wei: int) -> None:
        self.positions.append(Position(amount_wei=amount_wei, paid_index=self.index.accumulated))
        self.index = replace(self.index, donated_wei=self.index.donated_wei + amount_wei)
        self.exact.append(Fraction(0))

    def reward(self, reward_wei: int) -> None:
        self.index = rewarded(index=self.index, reward_wei=reward_wei)
        if self.positions:
            donated = sum(position.amount_wei for position in self.positions)
            self.exact = [
                share + Fraction(reward_wei * position.amount_wei, donated)
                for share, position in zip(self.exact, self.positions, strict=True)
            ]

    def touch(self, number: int) -> None:
        place = number % len(self.positions)
        self.positions[place] = touched(index=self.index, position=self.positions[place])

    def withdraw(self, number: int, amount_wei: int, *, is_vested: bool) -> int:
        """Take out part of a position, if it is there still; what was parked by that."""
        place = number % len(self.positions)
        before = self.positions[place]
        amount_wei = min(amount_wei, before.amount_wei)
        if not amount_wei:
            return 0
        self.index, self.positions[place], gave = withdrawn(
            index=self.index, position=before, amount_wei=amount_wei, is_vested=is_vested
        )
        return gave.returned_wei if gave.is_parked else 0

    def scaled(self, position: Position) -> int:
        pending = position.amount_wei * (self.index.accumulated - position.paid_index)
        return position.claimed_wei * SCALE + position.fraction + pending


amounts = st.integers(1, 10**9) | st.integers(10**15, 10**27)
steps = st.lists(
    st.tuples(st.just("donate"), amounts)
    | st.tuples(st.just("reward"), st.integers(0, 10) | st.integers(0, 10**27))
    | st.tuples(st.just("touch"), st.integers(0, 50)),
    max_size=40,
)


def after(history: list[tuple[str, int]]) -> Site:
    site = Site()
    for what, number in history:
        if what == "donate":
            site.donate(number)
        elif what == "reward":
            site.reward(number)
        elif site.positions:
            site.touch(number)
    return site


@given(steps)
def test_the_identity_holds_to_the_last_part_of_a_wei(history: list[tuple[str, int]]) -> None:
    site = after(history)
    owed = sum(site.scaled(position) for position in site.positions)
    shared = site.index.rewarded_wei - site.index.unallocated_wei
    assert owed + site.index.remainder == SCALE * shared
    assert site.index.rewarded_wei == sum(n for what, n in history if what == "reward")


@given(steps)
def test_each_donation_gets_its_exact_share(history: list[tuple[str, int]]) -> None:
    site = after(history)
    for position, exact in zip(site.positions, site.exact, strict=True):
        assert abs(Fraction(site.scaled(position), SCALE) - exact) < Fraction(1, 10**6)


@given(steps, st.lists(st.integers(0, 50), max_size=10))
def test_touching_at_any_time_changes_no_share(
    history: list[tuple[str, int]], touches: list[int]
) -> None:
    site = after(history)
    before = [site.scaled(position) for position in site.positions]
    for number in touches:
        if site.positions:
            site.touch(number)
    assert [site.scaled(position) for position in site.positions] == before
    assert all(0 <= position.fraction < SCALE for position in site.positions)


@given(steps)
def test_what_was_claimed_never_shrinks(history: list[tuple[str, int]]) -> None:
    site = after(history)
    for number, position in enumerate(site.positions):
        site.touch(number)
        assert site.positions[number].claimed_wei >= position.claimed_wei


@given(
    st.lists(
        st.tuples(st.sampled_from(("donate", "reward")), amounts, st.booleans())
        | st.tuples(st.just("withdraw"), amounts, st.booleans())
        | st.tuples(st.just("withdraw"), st.just(10**30), st.booleans()),
        max_size=40,
    )
)
def test_withdrawing_loses_no_part_of_a_wei(history: list[tuple[str, int, bool]]) -> None:
    site = Site()
    parked = 0
    for what, number, is_vested in history:
        if what == "donate":
            site.donate(number)
        elif what == "reward":
            site.index = rewarded(index=site.index, reward_wei=number)
            parked += 0 if site.index.donated_wei else number
        elif site.positions:
            parked += site.withdraw(number % 7, number, is_vested=is_vested)
        owed = sum(site.scaled(position) for position in site.positions)
        shared = site.index.rewarded_wei - site.index.unallocated_wei
        assert owed + site.index.remainder == SCALE * shared
        assert site.index.unallocated_wei == parked
        assert site.index.donated_wei == sum(each.amount_wei for each in site.positions)
        assert all(0 <= each.fraction < SCALE for each in site.positions)


def test_unvested_tokens_go_to_the_others_and_vested_ones_stay() -> None:
    for is_vested, left, others in ((False, 0, 12), (True, 9, 3)):
        site = after([("donate", 3), ("donate", 1), ("reward", 12)])
        assert site.withdraw(0, 3, is_vested=is_vested) == 0
        site.touch(1)
        assert [position.claimed_wei for position in site.positions] == [left, others]


def test_half_of_a_donation_gives_half_of_its_tokens_to_all_that_remain() -> None:
    site = after([("donate", 4), ("donate", 2), ("reward", 12)])
    site.withdraw(0, 2, is_vested=False)
    for number in (0, 1):
        site.touch(number)
    # 8 of 12 were its own; 4 of them went to two equal halves.
    assert [position.claimed_wei for position in site.positions] == [6, 6]


@pytest.mark.parametrize("amount_wei", [0, -1, 5])
def test_no_more_is_withdrawn_than_is_there(amount_wei: int) -> None:
    site = after([("donate", 4)])
    with pytest.raises(ValueError, match="has 4 wei left"):
        withdrawn(
            index=site.index, position=site.positions[0], amount_wei=amount_wei, is_vested=False
        )


def test_without_a_donation_the_reward_is_parked() -> None:
    site = after([("reward", 7), ("donate", 3), ("reward", 10)])
    assert (site.index.unallocated_wei, site.index.rewarded_wei) == (7, 17)


def test_thirds_lose_nothing() -> None:
    site = after([("donate", 1), ("donate", 2), *[("reward", 1)] * 3, ("touch", 0), ("touch", 1)])
    assert site.index.remainder == 0
    assert [position.claimed_wei for position in site.positions] == [1, 2]


def test_a_thousand_equal_batches_are_as_exact_as_one() -> None:
    few, many = (after([("donate", 3), ("donate", 4)]) for _ in range(2))
    for _ in range(1_000):
        many.reward(1_000)
    few.reward(1_000_000)
    assert many.index == few.index
