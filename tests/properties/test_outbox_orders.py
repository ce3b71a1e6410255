"""Whatever the order of queueing, advancing, dying and reorgs: as many effects as intents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import audit
from tests.chain_node import ChainNode, chain_node, chained
from tests.outbox_rig import GWEI, Rig, address
from tests.outbox_worker import POINTS, armed
from tokens.audit import outbox as outbox_audit
from tokens.models import OutboxTransfer

__all__ = ["chain_node", "chained"]

MOST_PASSES = 60
STEPS = st.lists(
    st.one_of(
        st.just(("queue", 0)),
        st.just(("again", 0)),
        st.tuples(st.just("advance"), st.sampled_from((2, 16, 31))),
        st.tuples(st.just("die"), st.sampled_from(sorted(POINTS))),
        st.tuples(st.just("mine"), st.integers(1, 5)),
        st.tuples(st.just("reorg"), st.integers(1, 3)),
        st.tuples(st.just("fee"), st.sampled_from((1, 5, 40))),
        st.just(("forget", 0)),
    ),
    min_size=8,
    max_size=25,
)


class Died(BaseException):
    """The worker is gone: nothing that catches errors may go on."""


def die() -> None:
    raise Died


@contextmanager
def rolled_back(node: ChainNode) -> Iterator[None]:
    """Take back what happens to the database and the chain."""
    snapshot = node.snapshot()
    block: Any = transaction.atomic()
    block._from_testcase = True  # as a test's own: commits inside count as commits
    with block:
        yield
        transaction.set_rollback(True)
    node.revert(snapshot)


class Life:
    """Does steps, each known to the model only as: so many intents, each of its own amount."""

    def __init__(self, rig: Rig, patch: pytest.MonkeyPatch) -> None:
        self.rig = rig
        self.patch = patch
        self.queued = 0
        self.first = rig.node.nonce(rig.node.poster.address)
        self.before = rig.node.block_number()

    def do(self, step: str, argument: Any) -> None:
        node = self.rig.node
        if step == "queue":
            self.queued += 1
            self.rig.pay(f"pay:{self.queued}", to=self.queued, value_wei=self.queued)
        elif step == "again" and self.queued:
            self.rig.pay("pay:1", to=1, value_wei=1)
        elif step == "advance":
            self.rig.advance(seconds=argument)
        elif step == "die":
            self.die_at(argument)
        elif step == "mine":
            node.mine(argument)
        elif step == "reorg":
            node.reorg(min(argument, node.block_number() - self.before) or 1)
        elif step == "fee":
            self.fee(argument)
        elif step == "forget":
            node.rpc("anvil_dropAllTransactions")

    def fee(self, gwei: int) -> None:
        self.rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))

    def die_at(self, point: str) -> None:
        """One pass of a worker that dies when it comes to the point, if it comes to it."""
        with self.patch.context() as patch:
            patch.setattr(*armed(point, stop=die))
            try:
                self.rig.advance(seconds=31)
            except Died:
                return

    def end(self) -> None:
        for _ in range(MOST_PASSES):
            self.fee(1)
            self.rig.advance(seconds=31)
            self.rig.node.mine(5)
            if not OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN).exists():
                return
        raise AssertionError(list(OutboxTransfer.objects.values("intent", "state", "nonce")))

    def check(self) -> None:
        numbers = range(1, self.queued + 1)
        assert [self.rig.node.balance(address(number)) for number in numbers] == list(numbers)
        nonces = OutboxTransfer.objects.order_by("id").values_list("nonce", flat=True)
        assert list(nonces) == list(range(self.first, self.first + self.queued))
        assert self.rig.node.nonce(self.rig.node.poster.address) == self.first + self.queued
        found = audit.run(checks=outbox_audit.CHECKS)
        assert [finding for result in found for finding in result.findings] == []


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_as_many_effects_as_intents_in_any_order(
    db: None, chained: ChainNode, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, Any]]
) -> None:
    with rolled_back(chained):
        chained.automine(is_on=False)
        chained.mine(4)
        life = Life(Rig(node=chained), monkeypatch)
        life.fee(1)
        for step, argument in steps:
            life.do(step, argument)
        life.end()
        life.check()
