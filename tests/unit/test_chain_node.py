"""The node that tests start: what its helpers promise holds on a real anvil."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tests.chain_node import ChainNode, NodeError, chain

LIVES_NOWHERE = "0x000000000000000000000000000000000000dEaD"


def test_accounts_are_those_of_the_node_and_fit_their_keys(chain_node: ChainNode) -> None:
    assert chain_node.rpc("eth_accounts") == [
        account.address.lower() for account in chain_node.accounts
    ]
    assert [Account.from_key(account.key).address for account in chain_node.accounts] == [
        account.address for account in chain_node.accounts
    ]


def test_a_transfer_is_mined_at_once_and_counted(own_chain_node: ChainNode) -> None:
    sent = own_chain_node.send(
        sender=own_chain_node.accounts[4].address, to=LIVES_NOWHERE, value_wei=7
    )

    receipt = own_chain_node.receipt(sent)
    assert receipt is not None
    assert receipt["status"] == "0x1"
    assert own_chain_node.balance(LIVES_NOWHERE) == 7
    assert own_chain_node.balance(LIVES_NOWHERE, 0) == 0
    assert own_chain_node.nonce(own_chain_node.accounts[4].address) == 1


def test_without_automine_a_transfer_waits_for_a_block(own_chain_node: ChainNode) -> None:
    own_chain_node.automine(is_on=False)

    sent = own_chain_node.send(sender=own_chain_node.accounts[4].address, to=LIVES_NOWHERE)

    assert own_chain_node.receipt(sent) is None
    assert own_chain_node.mine() == 1
    assert own_chain_node.receipt(sent) is not None


def test_a_reorg_takes_blocks_back_with_their_transfers(own_chain_node: ChainNode) -> None:
    own_chain_node.mine(3)
    sent = own_chain_node.send(
        sender=own_chain_node.accounts[4].address, to=LIVES_NOWHERE, value_wei=7
    )
    before = own_chain_node.block(4)["hash"]

    assert own_chain_node.reorg(2) == 4

    assert own_chain_node.block(4)["hash"] != before
    assert own_chain_node.receipt(sent) is None
    assert own_chain_node.balance(LIVES_NOWHERE) == 0


def test_a_reorg_puts_other_transfers_where_it_is_told(own_chain_node: ChainNode) -> None:
    own_chain_node.mine(3)
    other = {
        "from": own_chain_node.accounts[4].address,
        "to": LIVES_NOWHERE,
        "value": "0x9",
        "gas": "0x5208",
    }

    own_chain_node.reorg(2, transfers=[(other, 1)])

    assert own_chain_node.balance(LIVES_NOWHERE, 2) == 0
    assert own_chain_node.balance(LIVES_NOWHERE, 3) == 9


def test_a_block_is_final_two_epochs_later(own_chain_node: ChainNode) -> None:
    goal = own_chain_node.mine(5)
    assert own_chain_node.finalized() < goal

    newest = own_chain_node.finalize()

    assert own_chain_node.finalized() >= goal
    assert newest - goal <= 8


def test_time_goes_where_it_is_set(own_chain_node: ChainNode) -> None:
    began = int(own_chain_node.block()["timestamp"], 16)

    own_chain_node.set_time(began + 1_000)
    own_chain_node.mine()
    assert int(own_chain_node.block()["timestamp"], 16) == began + 1_000

    own_chain_node.increase_time(500)
    assert int(own_chain_node.block()["timestamp"], 16) >= began + 1_500


def test_impersonation_ends_with_its_block(own_chain_node: ChainNode) -> None:
    with own_chain_node.impersonate(LIVES_NOWHERE) as address:
        own_chain_node.send(sender=address, to=own_chain_node.accounts[4].address, value_wei=5)

    with pytest.raises(NodeError, match="No Signer"):
        own_chain_node.send(sender=LIVES_NOWHERE, to=own_chain_node.accounts[4].address)


def test_a_revert_takes_back_blocks_time_and_what_waits(own_chain_node: ChainNode) -> None:
    own_chain_node.mine(2)
    before = own_chain_node.block()
    snapshot = own_chain_node.snapshot()
    own_chain_node.increase_time(100_000)
    own_chain_node.send(sender=own_chain_node.accounts[4].address, to=LIVES_NOWHERE, value_wei=7)
    own_chain_node.automine(is_on=False)
    waiting = own_chain_node.send(sender=own_chain_node.accounts[4].address, to=LIVES_NOWHERE)

    own_chain_node.revert(snapshot)
    own_chain_node.mine()

    assert own_chain_node.block(2) == before
    assert own_chain_node.balance(LIVES_NOWHERE) == 0
    assert own_chain_node.receipt(waiting) is None
    assert own_chain_node.nonce(own_chain_node.accounts[4].address, "pending") == 0
    later = int(own_chain_node.block()["timestamp"], 16) - int(before["timestamp"], 16)
    assert later < 1_000


@pytest.mark.parametrize("turn", [1, 2])
def test_what_one_test_does_to_the_chain_another_does_not_see(
    chained: ChainNode, settings: Any, turn: int
) -> None:
    assert chained.url == settings.CHAIN_RPC_URL
    assert chained.balance(LIVES_NOWHERE) == 0

    chained.send(sender=chained.accounts[4].address, to=LIVES_NOWHERE, value_wei=turn)
    chained.automine(is_on=False)

    assert chained.balance(LIVES_NOWHERE) == turn


def test_without_asking_a_test_has_no_chain(settings: Any) -> None:
    assert settings.CHAIN_RPC_URL == ""
    assert settings.CHAIN_POSTER == ""


def test_a_stopped_node_leaves_no_process_and_comes_back_on_its_port(tmp_path: Path) -> None:
    with chain(directory=tmp_path) as node:
        port = node.port
        node.mine(2)
        node.stop(number=signal.SIGKILL)
        with pytest.raises(OSError, match="refused"):
            node.rpc("eth_chainId")

        node.start(port=port)

        assert (node.port, node.block_number()) == (port, 0)
    with pytest.raises(OSError, match="refused"):
        node.rpc("eth_chainId")
