"""Taking a credit back in parts: exact, balanced, never the wrong way, undone without a trace."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.opposite import HOUSEHOLD, RESERVE, due, folded, most_minor

MARKET = ("fx_position", "")
FEES, SPREAD = ("fees_charged", "mpesa"), ("spread_charged", "mpesa")

wei = st.integers(0, 3) | st.integers(0, 10**24)


@st.composite
def credits(draw: st.DrawFn) -> dict[tuple[str, str], int]:
    """A credit's legs, folded: what the household got, charges, the market, and the reserve."""
    parts = {HOUSEHOLD: draw(wei), FEES: draw(wei), SPREAD: draw(wei), MARKET: -draw(wei)}
    parts[RESERVE] = -sum(parts.values())
    return {account: amount for account, amount in parts.items() if amount}


steps = st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 2)), min_size=1, max_size=12)


def test_a_credit_is_folded_as_it_is_taken_back() -> None:
    assert folded(
        [
            ("household_funds", "", 7),
            ("household_repayment", "", 3),
            ("fx_position", "KES", -12),
            ("rail_fees", "mpesa", -2),
            ("fees_charged", "mpesa", 2),
            ("fx_reserve", "", 2),
        ],
        position=("fx_position", "KES"),
    ) == {HOUSEHOLD: 10, ("fx_position", "KES"): -14, FEES: 2, RESERVE: 2}
    taken = [("household_funds", "", -7), ("payer_claim", "", -3)]
    assert folded(taken, position=MARKET) == {HOUSEHOLD: -10}
    # A fee that ate all of it leaves no leg of the position.
    assert folded([("rail_fees", "mpesa", -2)], position=MARKET) == {MARKET: -2}


@given(credits(), steps)
def test_whatever_the_steps_the_whole_is_exactly_undone(
    credit: dict[tuple[str, str], int], steps: list[tuple[int, int]]
) -> None:
    """Steps are (amount, whether it is put back later)."""
    paid_minor = sum(amount for amount, _ in steps)
    moved: Counter[tuple[str, str]] = Counter()
    standing: list[tuple[int, dict[tuple[str, str], int]]] = []
    taken_minor = 0

    def take(amount_minor: int) -> None:
        nonlocal taken_minor
        taken_minor += amount_minor
        legs = due(credit=credit, moved=moved, taken_minor=taken_minor, paid_minor=paid_minor)
        assert sum(legs.values()) == 0
        for account, leg in legs.items():
            assert account == RESERVE or leg * credit[account] < 0
        moved.update(legs)
        standing.append((amount_minor, legs))

    for amount_minor, turns in steps:
        take(amount_minor)
        if turns == 1:
            back_minor, legs = standing.pop(0)
            moved.subtract(legs)
            taken_minor -= back_minor
        share = abs(credit.get(HOUSEHOLD, 0)) * taken_minor // paid_minor
        assert abs(-moved[HOUSEHOLD] - share) < len(steps)
    if taken_minor < paid_minor:
        take(paid_minor - taken_minor)
    assert {account: -amount for account, amount in moved.items() if amount} == credit


@given(
    credited_wei=st.integers(0, 10**21),
    unspent_wei=st.integers(0, 10**21),
    paid_minor=st.integers(1, 10**7),
    data=st.data(),
)
def test_the_most_that_can_be_given_back_is_the_most(
    credited_wei: int, unspent_wei: int, paid_minor: int, data: st.DataObject
) -> None:
    taken_minor = data.draw(st.integers(0, paid_minor))
    moved_wei = credited_wei * taken_minor // paid_minor
    most = most_minor(
        credited_wei=credited_wei,
        moved_wei=moved_wei,
        unspent_wei=unspent_wei,
        taken_minor=taken_minor,
        paid_minor=paid_minor,
    )

    def needed(amount_minor: int) -> int:
        return credited_wei * (taken_minor + amount_minor) // paid_minor - moved_wei

    assert 0 <= most <= paid_minor - taken_minor
    assert needed(most) <= unspent_wei
    assert most == paid_minor - taken_minor or needed(most + 1) > unspent_wei


@pytest.mark.parametrize(("unspent_wei", "most"), [(0, 0), (99, 33), (150, 50), (10**9, 100)])
def test_the_most_in_round_figures(unspent_wei: int, most: int) -> None:
    assert most == most_minor(
        credited_wei=300, moved_wei=0, unspent_wei=unspent_wei, taken_minor=0, paid_minor=100
    )
