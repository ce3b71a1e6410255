"""Whatever the order of deposits, reorgs, credits and sweeps: credited == what is final, each once.

The plain model is the chain itself: of every transfer that was ever sent, its receipt says whether
it stands, and in which block. The service may credit no other, and in the end has credited all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Donation
from tests.chain_node import ChainNode
from tests.deposit_chain import WEI, Deployment, DepositChain, assert_books_hold
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens.chain import outbox
from tokens.models import Deposit, Forwarder, Outflow

__all__ = ["chain_node", "chained", "deployed", "here"]

STATES = (Deposit.State.CREDITED, Deposit.State.SWEPT)


@dataclass(frozen=True)
class Sent:
    """A transfer that somebody sent, as the model knows it."""

    transfer_hash: str
    forwarder: int
    units: int


class Deposits(RuleBasedStateMachine):
    """A household and a donor, who pay in DAI and in native money, on a chain that changes."""

    here: ClassVar[DepositChain]

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        self._snapshot = self.node.snapshot()

    @property
    def node(self) -> ChainNode:
        return self.here.node

    @initialize()
    def two_addresses(self) -> None:
        self.forwarders = [self.here.forwarder(), self.here.donors_forwarder()]
        self.here.deployed.dai.send("mint", self.here.payer, 10**6 * WEI, sender=self.here.payer)
        for forwarder in self.forwarders:
            self.here.deployed.factory.send("create", forwarder.salt, sender=self.here.payer)
        Forwarder.objects.update(is_deployed=True)
        self.node.finalize()

    @rule(whose=st.integers(0, 1), units=st.integers(1, 5 * WEI), is_native=st.booleans())
    def pay(self, whose: int, units: int, is_native: bool) -> None:
        forwarder = self.forwarders[whose]
        if is_native:
            receipt = self.here.pay_native(forwarder, units)
        else:
            receipt = self.here.paid(forwarder, units)
        self.sent.append(
            Sent(transfer_hash=receipt["transactionHash"], forwarder=forwarder.pk, units=units)
        )

    @rule(blocks=st.integers(1, 12))
    def time_passes(self, blocks: int) -> None:
        self.node.mine(blocks)

    @rule(depth=st.integers(1, 7))
    def blocks_are_replaced(self, depth: int) -> None:
        self.node.reorg(min(depth, self.node.block_number() - self.node.finalized()))

    @rule()
    def watch(self) -> None:
        self.here.watch()

    @rule()
    def credit(self) -> None:
        self.here.credit()

    @rule()
    def sweep(self) -> None:
        self.here.sweep()
        outbox.run(at=timezone.now())

    @rule(whose=st.integers(0, 1), is_native=st.booleans())
    def somebody_flushes(self, whose: int, is_native: bool) -> None:
        token = "0x" + "00" * 20 if is_native else self.here.deployed.dai.address
        self.here.deployed.factory.send(
            "flush", self.forwarders[whose].salt, token, sender=self.here.payer
        )

    @invariant()
    def only_what_is_final_was_credited_and_once(self) -> None:
        final = self._final()
        credited = list(
            Deposit.objects.filter(state__in=STATES).values_list(
                "transfer_hash", "forwarder_id", "units"
            )
        )
        assert len(set(credited)) == len(credited)
        assert set(credited) <= {(each.transfer_hash, each.forwarder, each.units) for each in final}
        assert self.here.funds() == sum(
            units for _, forwarder, units in credited if forwarder == self.forwarders[0].pk
        )

    def teardown(self) -> None:
        try:
            if hasattr(self, "forwarders"):
                self._in_the_end_all_is_credited()
        finally:
            transaction.set_rollback(True)
            self._atomic.__exit__(None, None, None)
            self.node.revert(self._snapshot)

    def _in_the_end_all_is_credited(self) -> None:
        # A reorg is seen, a doubt is read again, and then it is over.
        for _ in range(4):
            self.here.settle()
        final = self._final()
        credited = Deposit.objects.filter(state__in=STATES)
        assert sorted(credited.values_list("transfer_hash", flat=True)) == sorted(
            each.transfer_hash for each in final
        )
        donor = self.forwarders[1].pk
        assert sum(Donation.objects.values_list("amount_wei", flat=True)) == sum(
            each.units for each in final if each.forwarder == donor
        )
        swept = sum(
            Deposit.objects.filter(state=Deposit.State.SWEPT).values_list("units", flat=True)
        )
        assert swept == sum(Outflow.objects.values_list("units", flat=True))
        assert_books_hold()

    def _final(self) -> list[Sent]:
        """What stands in blocks that can't be replaced, by the chain's own receipts."""
        finalized = self.node.finalized()
        found = []
        for each in self.sent:
            receipt = self.node.receipt(each.transfer_hash)
            if receipt is not None and int(receipt["blockNumber"], 16) <= finalized:
                found.append(each)
        return found


@pytest.mark.django_db
def test_credited_is_what_is_final(here: DepositChain, deployed: Deployment) -> None:
    Deposits.here = here
    run_state_machine_as_test(
        Deposits,
        settings=settings(
            max_examples=max(settings().max_examples // 10, 1),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
