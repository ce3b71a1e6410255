"""Entitlements: sums that are exact, leaves that never shrink, carries that are used up first."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.entitlements import Entitlements, Owned, ReserveTooSmall, UnequalHalves, entitle

HALF = 5 * 10**11
W = 2 * HALF


@dataclass
class Ledger:
    """A site's tokens in plain numbers: each household's, each donation's earned and vested."""

    households: dict[str, int] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)
    vested: set[str] = field(default_factory=set)
    loose: int = 0
    """Of the donors, but of no donation: what rounding left."""
    unallocated: int = 0
    previous: dict[str, int] = field(default_factory=dict)

    def close(self) -> Entitlements:
        made = entitle(
            households=[self._owned(key, wei) for key, wei in self.households.items()],
            donations=[
                self._owned(key, wei if key in self.vested else 0)
                for key, wei in self.earned.items()
            ],
            reserve_key="reserve",
            unallocated=self._owned("unallocated", self.unallocated),
            donors_pool_wei=sum(self.earned.values()) + self.loose,
            wei_per_milliwatt_hour=W,
        )
        self.previous = {leaf.key: leaf.tokens_wei for leaf in made.leaves}
        return made

    def settle(self, household: str, energy: int) -> None:
        """Settle energy, or correct it (below zero); the donors' share goes to nobody if needed."""
        self.households[household] = self.households.get(household, 0) + energy * HALF
        share = energy * HALF
        if not self.earned:
            self.unallocated += share
            return
        each, rest = divmod(share, len(self.earned))
        self.loose += rest
        for key in self.earned:
            self.earned[key] += each

    def _owned(self, key: str, wei: int) -> Owned:
        return Owned(key=key, ledger_wei=wei, previous_wei=self.previous.get(key, 0))


def leaf(made: Entitlements, key: str) -> tuple[int, int]:
    (found,) = [leaf for leaf in made.leaves if leaf.key == key]
    return found.tokens_wei, found.carry_wei


def lived_in() -> Ledger:
    """Five households with 10 mWh each; a donation that has vested, one that has not."""
    ledger = Ledger(earned={"vested": 0, "open": 0}, vested={"vested"})
    for number in range(5):
        ledger.settle(f"home {number}", 10)
    return ledger


households = st.sampled_from([f"home {number}" for number in range(4)])
donations = st.sampled_from([f"gift {number}" for number in range(3)])
steps = st.lists(
    st.tuples(st.just("settle"), households, st.integers(0, 10**9))
    | st.tuples(st.just("correct"), households, st.integers(1, 10**9))
    | st.tuples(st.just("donate"), donations, st.just(0))
    | st.tuples(st.just("vest"), donations, st.just(0))
    | st.tuples(st.just("withdraw"), donations, st.just(0))
    | st.tuples(st.just("close"), households, st.just(0)),
    max_size=40,
)


def do(ledger: Ledger, step: str, name: str, energy: int) -> None:
    if step == "settle":
        ledger.settle(name, energy)
    elif step == "correct":
        taken = min(energy, ledger.households.get(name, 0) // HALF)
        donors = [*ledger.earned.values(), *([] if ledger.earned else [ledger.unallocated])]
        if all(wei >= taken * HALF for wei in donors):
            ledger.settle(name, -taken)
    elif step == "donate":
        ledger.earned.setdefault(name, 0)
    elif step == "vest" and name in ledger.earned:
        ledger.vested.add(name)
    elif step == "withdraw" and name in ledger.earned and name not in ledger.vested:
        others = [key for key in ledger.earned if key != name]
        given, ledger.earned[name] = ledger.earned[name], 0
        if others:
            ledger.earned[others[0]] += given
        else:
            ledger.unallocated += given


@given(steps)
def test_sums_are_exact_and_only_the_reserve_ever_falls(
    story: list[tuple[str, str, int]],
) -> None:
    ledger = Ledger()
    for step, name, energy in [*story, ("close", "", 0)]:
        do(ledger, step, name, energy)
        if step != "close":
            continue
        before = dict(ledger.previous)
        try:
            made = ledger.close()
        except ReserveTooSmall:
            assert ledger.previous == before
            continue
        assert made.tokens_wei == W * made.milliwatt_hours
        assert made.carry_wei == W * made.carry_milliwatt_hours
        assert all(leaf.tokens_wei >= 0 and leaf.milliwatt_hours >= 0 for leaf in made.leaves)
        for one in made.leaves:
            if one.key != "reserve":
                assert one.tokens_wei >= before.get(one.key, 0)
                assert one.carry_wei >= 0
        for one in made.households:
            assert one.tokens_wei - one.carry_wei == ledger.households[one.key]
            assert one.tokens_wei == HALF * one.milliwatt_hours
        for one in made.donations:
            own = ledger.earned[one.key] if one.key in ledger.vested else 0
            assert one.tokens_wei - one.carry_wei == own
            assert one.milliwatt_hours == 0
        unvested = sum(wei for key, wei in ledger.earned.items() if key not in ledger.vested)
        assert made.reserve.tokens_wei - made.reserve.carry_wei == unvested + ledger.loose
        assert made.unallocated.tokens_wei - made.unallocated.carry_wei == ledger.unallocated


def test_half_is_the_households_and_half_the_donors() -> None:
    made = lived_in().close()
    assert made.milliwatt_hours == 50
    assert made.tokens_wei == 50 * W
    assert leaf(made, "home 0") == (10 * HALF, 0)
    assert leaf(made, "vested") == (25 * HALF, 0)
    assert leaf(made, "open") == (0, 0)
    assert leaf(made, "reserve") == (25 * HALF, 0)
    assert leaf(made, "unallocated") == (0, 0)


def test_a_correction_leaves_the_leaf_and_becomes_its_carry() -> None:
    ledger = lived_in()
    ledger.close()
    ledger.settle("home 0", -4)
    made = ledger.close()
    assert leaf(made, "home 0") == (10 * HALF, 4 * HALF)
    assert leaf(made, "vested") == (25 * HALF, 2 * HALF)
    assert leaf(made, "reserve") == (25 * HALF, 2 * HALF)
    assert made.carry_milliwatt_hours == 4
    assert made.milliwatt_hours == 50


def test_a_later_accrual_uses_up_the_carry_before_the_leaf_grows() -> None:
    ledger = lived_in()
    ledger.close()
    ledger.settle("home 0", -4)
    ledger.close()
    ledger.settle("home 0", 3)
    assert leaf(ledger.close(), "home 0") == (10 * HALF, 1 * HALF)
    ledger.settle("home 0", 3)
    made = ledger.close()
    assert leaf(made, "home 0") == (12 * HALF, 0)
    assert made.carry_wei == 0


def test_a_correction_before_the_first_epoch_needs_no_carry() -> None:
    ledger = lived_in()
    ledger.settle("home 0", -4)
    assert leaf(ledger.close(), "home 0") == (6 * HALF, 0)


def test_what_vests_leaves_the_reserve() -> None:
    ledger = lived_in()
    ledger.close()
    ledger.vested.add("open")
    made = ledger.close()
    assert leaf(made, "open") == (25 * HALF, 0)
    assert leaf(made, "reserve") == (0, 0)


def test_what_a_withdrawal_before_vesting_gives_back_goes_to_the_others() -> None:
    ledger = lived_in()
    ledger.close()
    do(ledger, "withdraw", "open", 0)
    made = ledger.close()
    assert leaf(made, "open") == (0, 0)
    assert leaf(made, "vested") == (50 * HALF, 0)
    assert leaf(made, "reserve") == (0, 0)


def test_the_reserve_lends_what_a_donation_kept_though_others_got_it() -> None:
    ledger = lived_in()
    ledger.close()
    ledger.earned["vested"] -= 5 * HALF
    ledger.earned["other"] = 5 * HALF
    ledger.vested.add("other")
    made = ledger.close()
    assert leaf(made, "vested") == (25 * HALF, 5 * HALF)
    assert leaf(made, "other") == (5 * HALF, 0)
    assert leaf(made, "reserve") == (20 * HALF, -5 * HALF)
    assert made.carry_wei == 0


def test_an_epoch_waits_where_the_reserve_can_not_lend_enough() -> None:
    ledger = lived_in()
    ledger.vested.add("open")
    ledger.close()
    ledger.earned["vested"] -= 5 * HALF
    ledger.earned["other"] = 5 * HALF
    ledger.vested.add("other")
    with pytest.raises(ReserveTooSmall, match=f"{5 * HALF} wei above"):
        ledger.close()
    ledger.settle("home 0", 30)
    assert leaf(ledger.close(), "vested") == (30 * HALF, 0)


def test_books_whose_halves_differ_close_no_epoch() -> None:
    ledger = lived_in()
    ledger.households["home 0"] += HALF
    with pytest.raises(UnequalHalves, match="households own"):
        ledger.close()


def test_tokens_of_a_household_are_whole_milliwatt_hours() -> None:
    ledger = lived_in()
    ledger.households["home 0"] += 1
    ledger.loose += 1
    with pytest.raises(UnequalHalves, match="no whole"):
        ledger.close()


@pytest.mark.parametrize("wei_per_milliwatt_hour", [0, -2, 1, 10**12 + 1])
def test_tokens_of_a_milliwatt_hour_must_halve(wei_per_milliwatt_hour: int) -> None:
    with pytest.raises(UnequalHalves, match="halved"):
        entitle(
            households=[],
            donations=[],
            reserve_key="reserve",
            unallocated=Owned(key="unallocated", ledger_wei=0),
            donors_pool_wei=0,
            wei_per_milliwatt_hour=wei_per_milliwatt_hour,
        )
