"""Credited money goes on to the treasury, once it is worth it, and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.models import Alarm
from tests.chain.deployed import deploy
from tests.deposit_chain import (
    USDC_UNITS,
    WEI,
    DepositChain,
    assert_books_hold,
    lasting,
    states,
)
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens.chain import deposits, sweeps
from tokens.chain.artifacts import Artifact
from tokens.models import ChainAsset, Deposit, OutboxTransfer, Outflow

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db

STUBBORN = """
# pragma version 0.4.3

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

balanceOf: public(HashMap[address, uint256])
decimals: public(uint8)
is_willing: public(bool)

@deploy
def __init__():
    self.decimals = 18

@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)

@external
def be_willing():
    self.is_willing = True

@external
def transfer(receiver: address, amount: uint256) -> bool:
    if not self.is_willing:
        return False
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, value=amount)
    return True
"""


def in_treasury(here: DepositChain) -> int:
    return int(here.deployed.dai.read("balanceOf", here.node.treasury.address))


def test_a_credited_deposit_is_swept_to_the_treasury(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.settle()
    assert here.sweep() == 1
    here.send_outbox()
    here.settle()
    assert states() == ["swept"]
    assert in_treasury(here) == 5 * WEI
    assert here.deployed.dai.read("balanceOf", forwarder.address) == 0
    assert OutboxTransfer.objects.get().sender == here.node.sweeper.address
    assert_books_hold()


def test_native_money_is_swept_too(here: DepositChain) -> None:
    forwarder = here.deployed_forwarder()
    here.pay_native(forwarder, 2 * WEI)
    here.settle()
    before = here.node.balance(here.node.treasury.address)
    assert here.sweep() == 1
    here.send_outbox()
    here.settle()
    assert states() == ["swept"]
    assert here.node.balance(here.node.treasury.address) == before + 2 * WEI
    assert_books_hold()


def test_what_is_not_credited_is_not_swept(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.watch()
    assert here.sweep() == 0


def test_small_money_waits_for_more_or_for_a_week(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, WEI // 2)
    here.settle()
    assert here.sweep() == 0
    assert deposits.sweep(at=timezone.now() + sweeps.OLDEST) == 1
    here.send_outbox()
    here.pay(forwarder, WEI // 2)
    here.pay(forwarder, WEI // 2)
    here.settle()
    assert here.sweep() == 1


def test_a_sweep_that_is_under_way_is_not_queued_again(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.settle()
    assert (here.sweep(), here.sweep()) == (1, 0)
    here.pay(forwarder, 7 * WEI)
    here.settle()
    assert here.sweep() == 0
    here.send_outbox()
    here.settle()
    assert states() == ["swept", "swept"]
    assert in_treasury(here) == 12 * WEI


def test_what_comes_after_the_flush_stays_for_the_next(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.settle()
    here.sweep()
    here.send_outbox()
    here.pay(forwarder, 7 * WEI)
    here.settle()
    assert states() == ["swept", "credited"]
    assert here.sweep() == 1
    here.send_outbox()
    here.settle()
    assert states() == ["swept", "swept"]
    assert sorted(Outflow.objects.values_list("units", flat=True)) == [5 * WEI, 7 * WEI]
    assert_books_hold()


def test_a_flush_by_anybody_else_is_seen_as_well(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.deployed.factory.send(
        "flush", forwarder.salt, here.deployed.dai.address, sender=here.payer
    )
    assert here.settle() == 1
    assert here.settle() == 0
    assert states() == ["swept"]
    assert here.sweep() == 0
    assert here.funds() == 5 * WEI
    assert_books_hold()


def test_each_asset_is_swept_by_itself(here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.pay(forwarder, 5 * USDC_UNITS, token=here.deployed.usdc)
    here.settle()
    assert here.sweep() == 2


def test_a_token_that_returns_false_stays_with_an_alarm_and_is_tried_again(
    here: DepositChain, tmp_path: Path
) -> None:
    token = deploy(here.node, _compiled(STUBBORN, tmp_path))
    asset = here.asset("STUB", token.address)
    forwarder = here.forwarder()
    token.send("mint", forwarder.address, 5 * WEI, sender=here.payer)
    assert here.settle() == 1
    assert here.funds() == 5 * WEI
    here.sweep()
    OutboxTransfer.objects.update(gas_limit=300_000)
    here.send_outbox()
    assert OutboxTransfer.objects.get().state == "reverted"
    here.sweep()
    assert f"STUB can't be moved off {forwarder}" in lasting(Alarm.Kind.DEPOSIT)[0]
    assert states() == ["credited"]

    token.send("be_willing", sender=here.payer)
    assert here.sweep() == 0
    assert deposits.sweep(at=timezone.now() + sweeps.AGAIN_AFTER) == 1
    here.send_outbox()
    here.settle()
    here.sweep()
    assert states() == ["swept"]
    assert lasting(Alarm.Kind.DEPOSIT) == []
    assert token.read("balanceOf", here.node.treasury.address) == 5 * WEI
    assert ChainAsset.objects.get(pk=asset.pk).code == "STUB"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"units": 1}, "never change"),
        ({"transfer_hash": "0x00"}, "never changes"),
        ({"state": "seen"}, "stays credited"),
        ({"state": "vanished"}, "stays credited"),
        ({"credited_wei": 1}, "stays credited"),
        ({"entry": None}, "stays credited"),
    ],
)
def test_the_database_keeps_what_was_credited(
    here: DepositChain, changes: dict[str, object], said: str
) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.settle()
    with pytest.raises(DatabaseError, match=said), transaction.atomic():
        Deposit.objects.update(**changes)
    with pytest.raises(DatabaseError), transaction.atomic():
        Deposit.objects.all().delete()


def test_the_database_keeps_whose_a_forwarder_is(here: DepositChain) -> None:
    forwarder = here.forwarder()
    for changes in ({"address": "0x00"}, {"salt": "0x00"}):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            type(forwarder).objects.update(**changes)


def test_nothing_is_swept_before_it_was_credited(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.watch()
    with pytest.raises(DatabaseError), transaction.atomic():
        Deposit.objects.update(state="swept")


def test_small_heaps_are_due_after_a_week(here: DepositChain) -> None:
    here.pay(here.forwarder(), 1)
    here.settle()
    assert deposits.sweep(at=timezone.now() + timedelta(days=6)) == 0


def _compiled(source: str, directory: Path) -> Artifact:
    from launcher import compile_contracts  # noqa: PLC0415 - the compiler loads slowly

    path = directory / "Stubborn.vy"
    path.write_text(source)
    found = compile_contracts.compiled(sources=[path])[path]
    return Artifact(abi=found["abi"], bytecode=found["bytecode"])
