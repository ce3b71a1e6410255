"""Reading the chain: everything that came is found once, whatever the node does."""

from __future__ import annotations

import pytest

from tests.deposit_chain import WEI, DepositChain, states
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens.chain import watcher
from tokens.models import BlockCursor, Deposit

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


def test_a_token_that_came_is_seen_with_its_key(here: DepositChain) -> None:
    forwarder = here.forwarder()
    receipt = here.pay(forwarder, 5 * WEI)
    assert here.watch() > 0
    deposit = Deposit.objects.get()
    assert (deposit.units, deposit.asset.code, deposit.state) == (5 * WEI, "DAI", "seen")
    assert (deposit.transfer_hash, deposit.block_hash) == (
        receipt["transactionHash"],
        receipt["blockHash"],
    )
    assert (deposit.forwarder, deposit.sender) == (forwarder, here.payer)


def test_what_was_read_is_not_read_again(here: DepositChain) -> None:
    here.pay(here.forwarder(), WEI)
    here.watch()
    assert here.watch() == 0
    assert states() == ["seen"]
    assert BlockCursor.objects.get(watcher=watcher.WATCHER).block_number == (
        here.node.block_number()
    )
