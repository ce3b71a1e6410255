"""The outbox on a real node: each intent has one effect, and what was refused has none."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings

from accounts.models import Alarm
from launcher.dev_accounts import SWEEPER
from tests.chain_node import ChainNode, chain_node, chained
from tests.outbox_rig import COUNTER, GATE, REFUSER, Rig, address, alarms
from tokens import tasks
from tokens.chain import outbox
from tokens.models import OutboxTransfer

__all__ = ["chain_node", "chained"]


@pytest.fixture
def rig(db: None, chained: ChainNode) -> Rig:
    return Rig(node=chained)


def test_a_transfer_is_queued_signed_sent_mined_and_final(rig: Rig) -> None:
    first = rig.node.nonce(rig.node.poster.address)
    rig.pay("pay:1", value_wei=7)
    rig.advance()
    row = rig.row("pay:1")
    assert (row.state, row.nonce, row.gas_limit) == ("signed", first, 26_250)
    rig.advance()
    row = rig.row("pay:1")
    assert (row.state, row.block_number, row.gas_used) == ("mined", rig.node.block_number(), 21_000)
    rig.node.finalize()
    rig.advance()
    row = rig.row("pay:1")
    assert (row.state, row.finished_at, row.failure) == ("final", rig.at, "")
    assert rig.held() == 7
    assert alarms() == {}


def test_transfers_get_nonces_in_the_order_of_the_queue_without_holes(rig: Rig) -> None:
    rows = [rig.pay(f"pay:{number}", to=number, value_wei=number) for number in range(1, 21)]
    rig.finish()
    rig.finish()
    first = rig.row("pay:1").nonce
    assert first is not None
    nonces = OutboxTransfer.objects.order_by("id").values_list("nonce", flat=True)
    assert list(nonces) == list(range(first, first + len(rows)))
    assert {row.state for row in OutboxTransfer.objects.all()} == {"final"}
    assert [rig.held(number) for number in range(1, 21)] == list(range(1, 21))


def test_the_same_intent_is_one_transfer_whenever_it_is_queued(rig: Rig) -> None:
    first = rig.pay("pay:1", value_wei=5)
    rig.finish()
    assert rig.pay("pay:1", value_wei=5).pk == first.pk
    rig.finish()
    assert rig.held() == 5
    assert rig.pay("pay:1", value_wei=5).state == "final"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"value_wei": 6}, "value_wei"),
        ({"to": address(2)}, "to_address"),
        ({"data": "0x01"}, "data"),
        ({"sender": SWEEPER.address}, "sender"),
    ],
)
def test_an_intent_that_was_queued_before_can_not_do_something_else(
    rig: Rig, changed: dict[str, Any], named: str
) -> None:
    rig.pay("pay:1", value_wei=5)
    asked: dict[str, Any] = {"to": address(1), "data": "0x", "value_wei": 5, **changed}
    with pytest.raises(outbox.IntentReused, match=named):
        outbox.queue(chain_id=rig.node.chain_id, intent="pay:1", at=rig.at, **asked)


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "0x12"},
        {"to": "kisima"},
        {"data": "0x1"},
        {"data": "12"},
        {"value_wei": -1},
        {"intent": ""},
        {"intent": "x" * 121},
        {"sender": "0x"},
    ],
)
def test_what_is_no_transfer_is_not_queued(rig: Rig, changed: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"intent": "pay:1", "to": address(1), "data": "0x", **changed}
    with pytest.raises(outbox.BadTransfer):
        outbox.queue(chain_id=rig.node.chain_id, at=rig.at, **asked)
    assert not OutboxTransfer.objects.exists()


def test_two_senders_have_nonces_of_their_own(rig: Rig) -> None:
    rig.pay("pay:1")
    outbox.queue(
        chain_id=rig.node.chain_id,
        intent="sweep:1",
        to=address(2),
        data="0x",
        value_wei=3,
        sender=SWEEPER.address.lower(),
        at=rig.at,
    )
    rig.finish()
    assert rig.row("sweep:1").sender == SWEEPER.address
    assert rig.row("sweep:1").state == rig.row("pay:1").state == "final"
    assert rig.node.nonce(SWEEPER.address) == 1


def test_a_transfer_without_an_address_makes_a_contract(rig: Rig) -> None:
    code = bytes.fromhex(COUNTER[2:])
    creation = (
        "0x60" + f"{len(code):02x}" + "600c60003960" + f"{len(code):02x}" + "6000f3" + COUNTER[2:]
    )
    outbox.queue(chain_id=rig.node.chain_id, intent="deploy", to="", data=creation, at=rig.at)
    rig.finish()
    made = rig.row("deploy").contract_address
    assert rig.chain.code(address=made) == code


def test_a_transfer_that_would_revert_waits_for_what_it_waits_for(rig: Rig) -> None:
    gate = rig.contract(GATE, number=50)
    rig.call("enter", to=gate)
    rig.pay("pay:1")
    rig.advance()
    row = rig.row("enter")
    assert (row.state, row.nonce, row.failure) == ("queued", None, "reverted without a reason")
    assert "enter is not signed" in alarms()[f"outbox:refused:{row.pk}"]
    assert rig.row("pay:1").state == "signed", "it holds nobody else up"
    rig.node.rpc("anvil_setStorageAt", gate, "0x0", f"0x{1:064x}")
    rig.advance(seconds=11)
    assert rig.row("enter").state == "signed"
    assert alarms() == {}
    rig.finish()
    assert rig.row("enter").state == "final"


def test_a_transfer_that_reverts_for_ten_minutes_is_given_up_without_a_nonce(rig: Rig) -> None:
    rig.call("refused", to=rig.contract(REFUSER, number=51))
    for _ in range(60):
        rig.advance(seconds=10)
        assert rig.row("refused").state == "queued"
    rig.advance(seconds=10)
    row = rig.row("refused")
    assert (row.state, row.nonce, row.finished_at) == ("reverted", None, rig.at)
    assert row.failure == "reverted: no sun"
    assert alarms() == {}


def test_a_transfer_that_reverts_on_chain_ends_with_its_reason(rig: Rig) -> None:
    rig.call("refused", to=rig.contract(REFUSER, number=51), gas_limit=100_000)
    rig.advance()
    rig.advance()
    assert (rig.row("refused").state, rig.row("refused").failure) == ("mined", "reverted: no sun")
    rig.node.finalize()
    rig.advance()
    assert (rig.row("refused").state, rig.row("refused").failure) == (
        "reverted",
        "reverted: no sun",
    )


def test_a_transfer_that_runs_out_of_gas_says_so(rig: Rig) -> None:
    counter = rig.contract(COUNTER, number=52)
    rig.call("count", to=counter, gas_limit=21_500)
    rig.finish()
    assert (rig.row("count").state, rig.row("count").failure) == ("reverted", "out of gas")
    assert rig.counted(counter) == 0


def test_too_little_money_is_an_alarm_until_somebody_sends_some(rig: Rig) -> None:
    rig.node.set_balance(rig.node.poster.address, wei=1_000)
    rig.pay("pay:1", value_wei=10**18)
    rig.advance()
    assert (rig.row("pay:1").state, rig.row("pay:1").nonce) == ("queued", None)
    key = f"outbox:funds:{rig.node.poster.address}"
    assert "has too little to pay for pay:1" in alarms()[key]
    rig.advance()
    assert Alarm.objects.filter(key=key).count() == 1
    rig.node.set_balance(rig.node.poster.address, wei=2 * 10**18)
    rig.finish()
    assert rig.row("pay:1").state == "final"
    assert alarms() == {}


def test_money_that_went_after_signing_is_an_alarm_too(rig: Rig) -> None:
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=10**18)
    rig.advance()
    rig.node.rpc("anvil_dropAllTransactions")
    rig.node.set_balance(rig.node.poster.address, wei=1_000)
    rig.advance(seconds=16)
    assert (rig.row("pay:1").state, len(rig.versions("pay:1"))) == ("signed", 1)
    assert list(alarms()) == [f"outbox:funds:{rig.node.poster.address}"]
    rig.node.set_balance(rig.node.poster.address, wei=2 * 10**18)
    rig.advance()
    rig.node.mine()
    rig.advance()
    assert (rig.row("pay:1").state, len(rig.versions("pay:1"))) == ("mined", 1)
    assert alarms() == {}


def test_a_signer_that_is_away_is_an_alarm_and_takes_no_nonce(rig: Rig, settings: Any) -> None:
    poster = settings.CHAIN_POSTER
    settings.CHAIN_POSTER = f"web3signer:http://127.0.0.1:9#{rig.node.poster.address}"
    rig.pay("pay:1")
    rig.advance()
    assert (rig.row("pay:1").state, rig.row("pay:1").nonce) == ("queued", None)
    assert list(alarms()) == [f"outbox:signer:{rig.node.poster.address}"]
    settings.CHAIN_POSTER = poster
    rig.finish()
    assert rig.row("pay:1").state == "final"
    assert alarms() == {}


def test_a_sender_without_a_signer_is_an_alarm(rig: Rig, settings: Any) -> None:
    rig.pay("pay:1")
    settings.CHAIN_POSTER = settings.CHAIN_SWEEPER
    rig.advance()
    assert "neither CHAIN_POSTER" in alarms()[f"outbox:signer:{rig.node.poster.address}"]


def test_the_task_rests_without_a_node_and_runs_every_two_seconds(rig: Rig, settings: Any) -> None:
    rig.pay("pay:1")
    settings.CHAIN_RPC_URL = ""
    tasks.advance_outbox()
    assert rig.row("pay:1").state == "queued"
    settings.CHAIN_RPC_URL = rig.node.url
    tasks.advance_outbox()
    assert rig.row("pay:1").state == "signed"
    beat = django_settings.CELERY_BEAT_SCHEDULE["advance the outbox"]
    assert (beat["task"], beat["schedule"]) == ("tokens.tasks.advance_outbox", 2.0)
