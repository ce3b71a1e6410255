"""Blocks that are replaced: before a deposit is credited it goes with them, after it none is."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from eth_account import Account

from accounts.models import Alarm
from tests.chain.deployed import mined
from tests.deposit_chain import PAYER, WEI, DepositChain, assert_books_hold, lasting, states
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tests.twisted_node import before
from tokens.chain import reorgs, watcher
from tokens.models import BlockCursor, ChainAsset, Deposit, Outflow, StrayTransfer

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


def transfer_of(here: DepositChain, units: int, *, to: str) -> dict[str, Any]:
    """A transfer as a reorg takes it into its new blocks."""
    word = f"{units:064x}"
    return {
        "from": here.payer,
        "to": here.deployed.dai.address,
        "gas": hex(100_000),
        "data": f"0xa9059cbb{to[2:].lower():0>64}{word}",
    }


def test_a_deposit_whose_block_vanished_goes_with_it(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.watch()
    here.node.reorg(1)
    here.watch()
    assert states() == ["vanished"]
    assert here.settle() == 0
    assert here.funds() == 0
    assert_books_hold()


def test_a_deposit_that_comes_again_in_another_block_is_credited_once(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.deployed.dai.send("mint", here.payer, 50 * WEI, sender=here.payer)
    here.node.mine()
    here.watch()
    here.pay(forwarder, 7 * WEI)
    here.watch()
    here.node.reorg(2, transfers=[(transfer_of(here, 9 * WEI, to=forwarder.address), 1)])
    here.watch()
    assert here.settle() == 2
    assert sorted(states()) == ["credited", "credited", "vanished"]
    assert here.funds() == 14 * WEI
    assert_books_hold()


def test_the_same_transfer_in_another_block_is_the_same_deposit(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.deployed.dai.send("mint", here.payer, 50 * WEI, sender=here.payer)
    raw = signed(here, transfer_of(here, 9 * WEI, to=forwarder.address))
    first = mined(here.node, str(here.node.rpc("eth_sendRawTransaction", raw)))
    here.watch()
    here.node.reorg(1, transfers=[(raw, 0)])
    here.node.mine()
    here.watch()
    deposit = Deposit.objects.get()
    assert deposit.transfer_hash == first["transactionHash"]
    assert (deposit.state, deposit.finished_at) == ("seen", None)
    assert deposit.block_hash != first["blockHash"]
    assert here.settle() == 1
    assert here.funds() == 9 * WEI


def signed(here: DepositChain, fields: dict[str, Any]) -> str:
    """The bytes of a transfer by the payer, which are the same in any block."""
    account = Account.from_key(here.node.accounts[PAYER].key)
    made = account.sign_transaction(
        {
            "to": fields["to"],
            "data": fields["data"],
            "gas": 100_000,
            "maxFeePerGas": 100 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "nonce": here.node.nonce(here.payer),
            "chainId": here.node.chain_id,
            "value": 0,
        }
    )
    return str(made.raw_transaction.to_0x_hex())


def test_what_left_and_what_strayed_vanishes_too(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.node.finalize()
    here.watch()
    usdc = here.deployed.usdc
    ChainAsset.objects.filter(code="USDC").delete()
    here.deployed.factory.send(
        "flush", forwarder.salt, here.deployed.dai.address, sender=here.payer
    )
    here.pay(forwarder, 3, token=usdc)
    here.watch()
    assert (Outflow.objects.count(), StrayTransfer.objects.count()) == (1, 1)
    here.node.reorg(3)
    here.watch()
    assert (Outflow.objects.count(), StrayTransfer.objects.count()) == (0, 0)
    assert here.settle() == 1
    assert states() == ["credited"]


def test_a_reorg_after_the_credit_touches_nothing_that_was_final(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    assert here.settle() == 1
    here.pay(here.forwarder(), 2 * WEI)
    here.watch()
    here.node.reorg(1)
    here.watch()
    assert states() == ["credited", "vanished"]
    assert lasting(Alarm.Kind.CHAIN) == []
    assert here.funds() == 5 * WEI


def test_a_finalized_block_that_changed_stops_crediting_with_an_alarm(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    assert here.settle() == 1
    final = BlockCursor.objects.get(watcher=reorgs.FINAL)
    depth = here.node.block_number() - final.block_number + 2
    here.node.reorg(depth)
    assert here.watch() == here.credit() == 0
    said = lasting(Alarm.Kind.CHAIN)
    assert len(said) == 2
    assert f"finalized block {final.block_number} was {final.block_hash}" in said[0]
    assert states() == ["credited"]


def test_a_person_may_accept_a_finalized_block_that_changed_for_good(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.settle()
    here.node.mine(5)
    here.settle()
    final = BlockCursor.objects.get(watcher=reorgs.FINAL)
    assert "They agree" in _resumed()
    here.node.reorg(here.node.block_number() - final.block_number + 1)
    assert here.watch() == 0
    assert "With --accept" in _resumed()
    assert here.watch() == 0
    assert "Accepted" in _resumed("--accept")
    here.pay(here.forwarder(), 2 * WEI)
    assert here.settle() == 1
    assert lasting(Alarm.Kind.CHAIN) == []
    assert here.funds() == 7 * WEI


def _resumed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("deposits_resume", *arguments, stdout=out)
    return out.getvalue()


def test_a_node_that_lies_about_a_finalized_block_is_believed_again_when_it_stops(
    here: DepositChain, settings: Any
) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    assert here.settle() == 1
    here.pay(here.forwarder(), 2 * WEI)
    final = BlockCursor.objects.get(watcher=reorgs.FINAL)

    def twist(method: str, params: list[Any], told: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == hex(final.block_number):
            return {**told, "hash": "0x" + "ab" * 32}
        return told

    with before(port=here.node.port) as node:
        settings.CHAIN_RPC_URL, node.twist = node.url, twist
        assert here.settle() == 0
        assert "the node tells 0xabab" in lasting(Alarm.Kind.CHAIN)[0]
        node.twist = None
        here.watch()
        assert here.credit() == 1
    assert here.funds() == 7 * WEI
    assert lasting(Alarm.Kind.CHAIN) == []


def test_a_node_that_is_behind_is_waited_for(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.settle()
    ahead = BlockCursor.objects.get(watcher=watcher.WATCHER)
    number = ahead.block_number
    BlockCursor.objects.filter(pk=ahead.pk).update(block_number=number + 50)
    assert here.watch() == 0
    assert f"has not got to block {number + 50}" in lasting(Alarm.Kind.CHAIN)[0]
    BlockCursor.objects.filter(pk=ahead.pk).update(block_number=number)
    here.watch()
    assert lasting(Alarm.Kind.CHAIN) == []


def test_reading_goes_on_from_the_last_final_block(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.settle()
    final = BlockCursor.objects.get(watcher=reorgs.FINAL).block_number
    here.node.mine(3)
    here.watch()
    here.node.reorg(2)
    cursor = BlockCursor.objects.get(watcher=watcher.WATCHER)
    back = reorgs.recover(chain=here.chain, cursor=cursor, at=here.at)
    assert back.block_number == final
