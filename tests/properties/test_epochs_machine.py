"""Whatever happens between them, on chain there are just the tokens of the energy that was settled.

A real chain and a real database beside a model in plain Python: who used what, who gave what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import ClassVar

import pytest
from django.db import transaction
from eth_utils.address import to_checksum_address
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.audit import run
from accounts.models import Donation
from tests.chain_node import ChainNode
from tests.epoch_village import HALF, EpochVillage, of_donation, of_household, of_kind
from tests.minting_rig import MintingRig
from tokens import proofs
from tokens.audit.epochs import CHECKS
from tokens.models import Epoch, Leaf

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
W = 2 * HALF
CODES = tuple(f"KIS{number:04d}" for number in range(1, 8))

codes = st.sampled_from(CODES)


@dataclass
class Gift:
    """A donation: what still counts of it, and its exact share of what was rewarded."""

    donation: Donation
    amount_wei: int
    vests_at: datetime
    earned_wei: Fraction = Fraction(0)


@dataclass
class Model:
    """Energy by household, shares of donors, and what the chain should hold of them."""

    energy: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CODES, 0))
    gifts: list[Gift] = field(default_factory=list)
    unallocated_wei: Fraction = Fraction(0)
    closed_energy: int | None = None
    """Of the epoch on its way."""
    active_energy: int = 0
    claimed_wei: dict[str, int] = field(default_factory=dict)

    def reward(self, wei: Fraction | int) -> None:
        """Share tokens between the gifts that count, or park them."""
        counted = sum(gift.amount_wei for gift in self.gifts)
        if not counted:
            self.unallocated_wei += wei
        for gift in self.gifts:
            gift.earned_wei += Fraction(wei * gift.amount_wei, counted) if counted else 0

    @property
    def total_energy(self) -> int:
        return sum(self.energy.values())


class Epochs(RuleBasedStateMachine):
    """A village that uses power and gets donations, while its epochs go on chain or are vetoed."""

    rig: ClassVar[MintingRig]
    started_at: ClassVar[datetime]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.snapshot = self.rig.node.snapshot()
        self.rig.life.at = self.started_at
        self.model = Model()
        self.steps = 0

    def teardown(self) -> None:
        try:
            found = [finding.detail for each in run(checks=CHECKS) for finding in each.findings]
            assert found == []
        finally:
            self.rig.node.revert(self.snapshot)
            transaction.set_rollback(False)
            transaction.savepoint_rollback(self.savepoint)

    @property
    def life(self) -> EpochVillage:
        return self.rig.life

    @rule(code=codes, energy=st.integers(0, 1_250_000))
    def settle(self, code: str, energy: int) -> None:
        self.life.use(**{code: energy})
        self.model.energy[code] += energy
        self.model.reward(energy * HALF)

    @rule(amount_wei=st.integers(1, 10**6) | st.integers(10**18, 10**20), days=st.integers(0, 2))
    def donate(self, amount_wei: int, days: int) -> None:
        donation = self.life.donate(amount_wei=amount_wei, days=days)
        self.model.gifts.append(
            Gift(donation=donation, amount_wei=amount_wei, vests_at=donation.vests_at)
        )

    @rule()
    def a_day_goes_by(self) -> None:
        self.life.at += timedelta(days=1)

    @precondition(lambda self: any(gift.amount_wei for gift in self.model.gifts))
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        gift = data.draw(st.sampled_from([g for g in self.model.gifts if g.amount_wei]))
        gift.donation.refresh_from_db()
        self.life.withdraw(gift.donation)
        gift.amount_wei = 0
        if self.life.at < gift.vests_at:
            given_back, gift.earned_wei = gift.earned_wei, Fraction(0)
            self.model.reward(given_back)

    @rule(code=codes)
    def link_a_wallet(self, code: str) -> None:
        Leaf.objects.filter(household__code=code).update(wallet=wallet_of(code))

    @rule()
    def close(self) -> None:
        self.life.at += timedelta(minutes=15)
        is_due = self.model.closed_energy is None and self.model.total_energy > 0
        if not is_due:
            assert self.life.close() is None
            return
        epoch = self.rig.close()
        self.model.closed_energy = self.model.total_energy
        self.leaves_are_those_of_the_model(epoch)

    @precondition(lambda self: self.model.closed_energy is None)
    @rule(code=codes)
    def a_whole_epoch(self, code: str) -> None:
        """What single steps seldom add up to."""
        self.settle(code, 1_000)
        for each in CODES:
            self.link_a_wallet(each)
        self.close()
        self.propose()
        self.activate()

    @precondition(lambda self: self.open_is("closed"))
    @rule()
    def propose(self) -> None:
        self.rig.finish()
        assert self.rig.follow().state == "proposed"

    @precondition(lambda self: self.open_is("proposed"))
    @rule()
    def veto(self) -> None:
        self.rig.veto(self.open())
        self.rig.node.finalize()
        assert self.rig.follow().state == "vetoed"
        self.model.closed_energy = None

    @precondition(lambda self: self.open_is("proposed"))
    @rule()
    def activate(self) -> None:
        self.rig.activated()
        assert self.model.closed_energy is not None
        self.model.active_energy, self.model.closed_energy = self.model.closed_energy, None

    @precondition(lambda self: self.model.active_energy > 0)
    @rule(code=codes)
    def claim(self, code: str) -> None:
        leaf = Leaf.objects.get(household__code=code)
        proof = proofs.of_leaf(leaf=leaf)
        assert proof is not None
        row = proof.row
        if not row.wallet:
            return
        self.rig.contracts.ledger.send(
            "claim",
            leaf.key,
            row.wallet,
            row.milliwatt_hours,
            row.tokens_wei,
            list(proof.path),
            sender=self.rig.contracts.stranger,
        )
        self.model.claimed_wei[code] = row.tokens_wei

    @invariant()
    def the_supply_is_the_energy_that_was_made_active(self) -> None:
        self.steps += 1
        expected = self.model.active_energy * W
        token, ledger = self.rig.contracts.token, self.rig.contracts.ledger
        assert self.rig.supply_wei == expected == ledger.read("tokens")
        held = {code: token.read("balanceOf", wallet_of(code)) for code in self.model.claimed_wei}
        assert held == self.model.claimed_wei
        assert token.read("balanceOf", ledger.address) == expected - sum(held.values())
        if expected:
            active = Epoch.objects.filter(state="active").order_by("-number")[0]
            assert (active.tokens_wei, active.milliwatt_hours) == (
                expected,
                self.model.active_energy,
            )

    def leaves_are_those_of_the_model(self, epoch: Epoch) -> None:
        """Households to the wei; a donation to the wei that each step may have rounded off."""
        for code, energy in self.model.energy.items():
            own = of_household(epoch, self.life.households[code])
            assert (own.milliwatt_hours, own.tokens_wei) == (energy, energy * HALF)
        donors_wei = 0
        for gift in self.model.gifts:
            tokens_wei = of_donation(epoch, gift.donation).tokens_wei
            due = gift.earned_wei if gift.vests_at <= self.life.at else Fraction(0)
            assert abs(due - tokens_wei) <= self.steps + 1
            donors_wei += tokens_wei
        parked_wei = of_kind(epoch, Leaf.Kind.UNALLOCATED).tokens_wei
        assert abs(self.model.unallocated_wei - parked_wei) <= self.steps + 1
        reserve_wei = of_kind(epoch, Leaf.Kind.RESERVE).tokens_wei
        assert donors_wei + parked_wei + reserve_wei == self.model.total_energy * HALF
        assert epoch.tokens_wei == self.model.total_energy * W

    def open(self) -> Epoch:
        return Epoch.objects.get(state__in=Epoch.OPEN)

    def open_is(self, state: str) -> bool:
        return Epoch.objects.filter(state=state).exists()


def wallet_of(code: str) -> str:
    """The wallet of a household, in the form with its checksum."""
    return str(to_checksum_address("0x" + code[3:].rjust(40, "a")))


@pytest.fixture
def rig(db: None, chained: ChainNode) -> Iterator[MintingRig]:
    yield MintingRig.found(life=EpochVillage.found(at=FOUNDED, households=len(CODES)), node=chained)


def test_the_chain_agrees_with_the_model(rig: MintingRig) -> None:
    Epochs.rig, Epochs.started_at = rig, rig.life.at
    run_state_machine_as_test(
        Epochs,
        settings=settings(
            max_examples=max(settings().max_examples // 10, 1),
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
        ),
    )
