"""Reading the chain: everything that came is found once, whatever the node does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Alarm
from tests.chain.deployed import deploy, sandbox_artifact
from tests.deposit_chain import WEI, DepositChain, assert_books_hold, lasting, states
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tests.twisted_node import Refusal, TwistedNode, before
from tokens.chain import incoming, watcher
from tokens.chain.client import Chain
from tokens.models import BlockCursor, Deposit, StrayTransfer

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def lying(here: DepositChain, settings: Any) -> Iterator[TwistedNode]:
    """The service asks a node that may lie; the people pay on the true one."""
    with before(port=here.node.port) as node:
        settings.CHAIN_RPC_URL = node.url
        yield node


def cursor() -> BlockCursor:
    return BlockCursor.objects.get(watcher=watcher.WATCHER)


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
    assert cursor().block_number == here.node.block_number()


def test_a_transfer_to_somebody_else_is_nobodys_business(here: DepositChain) -> None:
    here.forwarder()
    here.deployed.dai.send("mint", here.payer, 5, sender=here.payer)
    here.watch()
    assert not Deposit.objects.exists()
    assert not StrayTransfer.objects.exists()


def test_a_transfer_of_nothing_is_nothing(here: DepositChain) -> None:
    here.pay(here.forwarder(), 0)
    here.watch()
    assert states() == []


def test_many_forwarders_are_asked_for_in_parts(
    here: DepositChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "FORWARDERS_A_QUESTION", 2)
    theirs = [here.donors_forwarder(nonce=f"nonce{number}") for number in range(5)]
    for forwarder in theirs:
        here.pay(forwarder, WEI)
    here.watch()
    assert Deposit.objects.values("forwarder").distinct().count() == 5


def test_money_from_one_forwarder_to_another_is_both(here: DepositChain) -> None:
    first, second = here.forwarder(), here.donors_forwarder()
    here.pay(first, 5 * WEI)
    with here.node.impersonate(first.address):
        here.deployed.dai.send("transfer", second.address, 2 * WEI, sender=first.address)
    here.watch()
    assert sorted(Deposit.objects.values_list("units", flat=True)) == [2 * WEI, 5 * WEI]
    assert first.outflows.get().units == 2 * WEI


def test_a_node_that_refuses_large_spans_is_asked_for_smaller_ones_and_grows_again(
    here: DepositChain, lying: TwistedNode
) -> None:
    here.pay(here.forwarder(), WEI)
    here.node.mine(40)

    def refuse(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            asked = params[0]
            if int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) >= 8:
                raise Refusal("query exceeds max block range 8")
        return result

    lying.twist = refuse
    here.watch()
    assert cursor().block_number == here.node.block_number()
    assert cursor().span_blocks <= 10
    assert states() == ["seen"]
    lying.twist = None
    before_span = cursor().span_blocks
    here.node.mine(before_span)
    here.watch()
    assert cursor().span_blocks > before_span


def test_a_node_that_refuses_even_one_block_is_an_alarm_and_no_loop(
    here: DepositChain, lying: TwistedNode
) -> None:
    here.pay(here.forwarder(), WEI)

    def refuse(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            raise Refusal("limit exceeded")
        return result

    lying.twist = refuse
    assert here.watch() == 0
    assert "limit exceeded" in lasting(Alarm.Kind.CHAIN)[0]
    lying.twist = None
    assert here.watch() > 0
    assert lasting(Alarm.Kind.CHAIN) == []


def test_a_node_that_goes_away_stops_crediting_with_an_alarm_and_it_resumes(
    here: DepositChain, lying: TwistedNode, settings: Any
) -> None:
    here.pay(here.forwarder(), WEI)
    here.node.finalize()
    here.watch()
    lying.stop()
    assert here.credit() == here.watch() == 0
    assert len(lasting(Alarm.Kind.CHAIN)) == 2
    assert "is down" in lasting(Alarm.Kind.CHAIN)[0]
    with before(port=here.node.port) as node:
        settings.CHAIN_RPC_URL = node.url
        here.watch()
        assert here.credit() == 1
    assert lasting(Alarm.Kind.CHAIN) == []


def test_another_chain_is_not_believed(here: DepositChain, lying: TwistedNode) -> None:
    here.pay(here.forwarder(), WEI)
    here.settle()
    here.pay(here.forwarder(), WEI)
    here.node.finalize()
    lying.twist = lambda method, params, told: "0x1" if method == "eth_chainId" else told
    assert here.watch() == here.credit() == 0
    assert "the node is on chain 1, not 31337" in lasting(Alarm.Kind.CHAIN)[0]
    lying.twist = None
    here.watch()
    assert here.credit() == 1
    assert here.funds() == 2 * WEI


def test_logs_that_a_node_leaves_out_stop_crediting_until_it_tells_them(
    here: DepositChain, lying: TwistedNode
) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.pay(here.donors_forwarder(), WEI)
    lying.twist = _without_logs_to(forwarder.address)
    for _ in range(3):
        assert here.settle() == 0
    assert states() == ["seen"]
    assert (
        "5.000000000000000000 DAI more on chain than its logs say"
        in (lasting(Alarm.Kind.DEPOSIT)[0])
    )
    lying.twist = None
    here.settle()
    here.settle()
    assert states() == ["credited", "credited"]
    assert here.funds() == 5 * WEI
    assert lasting(Alarm.Kind.DEPOSIT) == []
    assert_books_hold()


def test_native_money_whose_log_comes_later_is_credited_once(
    here: DepositChain, lying: TwistedNode
) -> None:
    forwarder = here.deployed_forwarder()
    here.pay_native(forwarder, 3 * WEI)
    lying.twist = lambda method, params, told: [] if method == "eth_getLogs" else told
    here.settle()
    here.settle()
    assert states() == ["review"]
    lying.twist = None
    # Whatever makes the blocks be read again: here a person sets the cursor back.
    cursor_row = cursor()
    cursor_row.block_number, cursor_row.block_hash = 0, str(here.node.block(0)["hash"])
    cursor_row.save()
    for _ in range(3):
        here.settle()
    assert sorted(states()) == ["credited", "vanished"]
    assert here.funds() == 3 * WEI
    assert_books_hold()


def test_a_token_that_calls_itself_dai_is_a_stray(here: DepositChain) -> None:
    """Any contract may log a Transfer: what counts is the token's address."""
    fake = deploy(here.node, sandbox_artifact("SandboxToken"), "Dai", "DAI", 18)
    here.pay(here.forwarder(), 5 * WEI, token=fake)
    here.settle()
    assert here.funds() == 0
    assert StrayTransfer.objects.get().token_address == fake.address


def _without_logs_to(address: str) -> Any:
    topic = "0x" + address[2:].lower().rjust(64, "0")

    def twist(method: str, params: list[Any], result: Any) -> Any:
        if method != "eth_getLogs":
            return result
        return [each for each in result if topic not in each["topics"]]

    return twist


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_watchers_that_race_find_everything_once(here: DepositChain) -> None:
    forwarder = here.forwarder()
    for units in range(1, 9):
        here.pay(forwarder, units * WEI)
    here.node.finalize()
    failures: list[BaseException] = []
    barrier = threading.Barrier(3)

    def race() -> None:
        try:
            barrier.wait()
            chain = Chain(rpc_url=here.node.url, chain_id=here.node.chain_id)
            for _ in range(3):
                watcher.watch(chain=chain, at=timezone.now())
                here.credit()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert states() == ["credited"] * 8
    assert here.funds() == sum(range(1, 9)) * WEI
    assert_books_hold()
