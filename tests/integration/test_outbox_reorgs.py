"""The outbox when blocks are replaced, fees rise, others take nonces, the node is away or lies."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from tests.chain_node import ChainNode, chain, chain_node, chained, own_chain_node
from tests.outbox_rig import GWEI, Rig, address, alarms
from tokens.chain import outbox, signers
from tokens.chain.client import ChainLies
from tokens.chain.envelopes import Unsigned
from tokens.models import SignedTransfer

__all__ = ["chain_node", "chained", "own_chain_node"]


@pytest.fixture
def rig(db: None, chained: ChainNode) -> Rig:
    return Rig(node=chained)


@pytest.fixture
def lasting(db: None, tmp_path: Path, settings: Any) -> Iterator[Rig]:
    """A node that keeps its chain when it is stopped, and the settings that use it."""
    arguments = ["--state", str(tmp_path / "state.json")]
    with chain(directory=tmp_path / "chain", arguments=arguments) as node:
        for name, value in node.settings().items():
            setattr(settings, name, value)
        yield Rig(node=node)


@pytest.fixture
def fresh(db: None, own_chain_node: ChainNode, settings: Any) -> Rig:
    """A chain of the test's own: taking a test back does not take back its base fee."""
    for name, value in own_chain_node.settings().items():
        setattr(settings, name, value)
    return Rig(node=own_chain_node)


def resumed(sender: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command("outbox_resume", sender, *arguments, stdout=out)
    return out.getvalue()


def test_a_block_that_vanishes_before_it_is_final_is_made_up_for(rig: Rig) -> None:
    rig.node.mine(2)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.advance()
    assert rig.row("pay:1").state == "mined"
    rig.node.reorg(1)
    assert rig.held() == 0
    rig.node.automine(is_on=False)
    rig.advance()
    row = rig.row("pay:1")
    assert (row.state, row.block_number, row.mined_hash) == ("signed", None, "")
    rig.node.mine()
    rig.node.automine(is_on=True)
    rig.finish()
    assert (rig.row("pay:1").state, len(rig.versions("pay:1"))) == ("final", 1)
    assert rig.held() == 3


def test_a_transfer_that_moved_to_another_block_is_followed_there(rig: Rig) -> None:
    rig.node.mine()
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.advance()
    before = rig.row("pay:1").block_hash
    rig.node.reorg(2, transfers=[(rig.versions("pay:1")[0].raw, 0)])
    rig.advance()
    row = rig.row("pay:1")
    assert row.state == "mined"
    assert row.block_hash not in {before, ""}
    rig.finish()
    assert (rig.row("pay:1").state, rig.held()) == ("final", 3)


def test_a_finalized_block_that_changes_stops_all_until_a_person_accepts_it(rig: Rig) -> None:
    rig.pay("pay:1", value_wei=3)
    rig.finish()
    assert rig.row("pay:1").state == "final"
    depth = rig.node.block_number() - (rig.row("pay:1").block_number or 0) + 1
    rig.node.reorg(depth)
    rig.pay("pay:2", to=2)
    with pytest.raises(ChainLies, match="finalized block"):
        rig.advance()
    rig.run()
    assert "The chain lies" in alarms()["outbox:chain"]
    assert rig.row("pay:2").state == "queued"

    sender = rig.node.poster.address
    assert "finalized block" in resumed(sender)
    assert "Accepted" in resumed(sender, "--yes")
    rig.run()
    assert "outbox:chain" not in alarms()


def test_what_was_sent_before_a_crash_is_found_and_not_signed_again(rig: Rig) -> None:
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    SignedTransfer.objects.update(broadcast_at=None)
    rig.node.mine()
    rig.advance()
    assert (rig.row("pay:1").state, len(rig.versions("pay:1"))) == ("mined", 1)
    assert rig.held() == 3


def test_what_the_node_forgot_is_sent_again(rig: Rig) -> None:
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.node.rpc("anvil_dropAllTransactions")
    rig.advance()
    assert not rig.chain.knows(transfer_hash=rig.versions("pay:1")[0].transfer_hash)
    rig.advance(seconds=15)
    assert rig.chain.knows(transfer_hash=rig.versions("pay:1")[0].transfer_hash)
    assert len(rig.versions("pay:1")) == 1


def test_a_base_fee_that_rises_is_followed_with_the_same_nonce(fresh: Rig) -> None:
    rig = fresh
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.pay("pay:2", to=2, value_wei=4)
    rig.advance()
    first = rig.versions("pay:1")[0]
    for gwei in (40, 90):
        rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
        rig.node.mine()
        rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
        rig.advance(seconds=31)
        rig.advance()
    versions = rig.versions("pay:1")
    assert len(versions) == len(rig.versions("pay:2")) == 3
    for less, more in itertools.pairwise(versions):
        assert more.max_fee_wei * 1000 >= less.max_fee_wei * 1125
        assert more.priority_fee_wei * 1000 >= less.priority_fee_wei * 1125
    assert versions[2].max_fee_wei >= 90 * GWEI > first.max_fee_wei
    rig.node.mine()
    rig.node.automine(is_on=True)
    rig.finish()
    assert rig.row("pay:1").mined_hash == versions[2].transfer_hash
    assert (rig.held(1), rig.held(2)) == (3, 4)
    assert alarms() == {}


def test_an_earlier_version_that_gets_into_a_block_counts(fresh: Rig) -> None:
    rig = fresh
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(60 * GWEI))
    rig.node.mine()
    rig.advance(seconds=31)
    earlier, later = rig.versions("pay:1")
    rig.node.rpc("anvil_dropAllTransactions")
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    rig.chain.send(raw=earlier.raw)
    rig.node.mine()
    rig.advance()
    assert (rig.row("pay:1").state, rig.row("pay:1").mined_hash) == ("mined", earlier.transfer_hash)
    rig.node.finalize()
    rig.advance()
    assert (rig.row("pay:1").state, rig.held()) == ("final", 3)
    assert rig.chain.receipt(transfer_hash=later.transfer_hash) is None


def test_beyond_the_highest_fee_nothing_is_signed_until_they_fall(
    fresh: Rig, settings: Any
) -> None:
    rig = fresh
    settings.CHAIN_MAX_FEE_GWEI = 20
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(60 * GWEI))
    rig.node.mine()
    rig.pay("pay:2", to=2)
    for _ in range(12):
        rig.advance(seconds=31)
    versions = rig.versions("pay:1")
    assert len(versions) > 1
    assert max(version.max_fee_wei for version in versions) <= 20 * GWEI
    key = f"outbox:fees:{rig.node.poster.address}"
    assert "CHAIN_MAX_FEE_GWEI allows 20" in alarms()[key]
    assert (rig.row("pay:1").state, rig.row("pay:2").state) == ("signed", "queued")
    rig.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    rig.node.mine()
    rig.node.automine(is_on=True)
    rig.finish()
    rig.finish()
    assert (rig.row("pay:1").state, rig.row("pay:2").state) == ("final", "final")
    assert alarms() == {}
    assert rig.held() == 3


def test_a_nonce_that_a_stranger_took_holds_the_sender_until_a_person_has_looked(
    rig: Rig,
) -> None:
    sender = rig.node.poster.address
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.node.rpc("anvil_dropAllTransactions")
    rig.node.automine(is_on=True)
    rig.node.send(sender=sender, to=address(9), value_wei=1)
    rig.node.finalize()
    rig.pay("pay:2", to=2, value_wei=4)
    rig.advance()
    row = rig.row("pay:1")
    assert (row.state, rig.row("pay:2").state) == ("signed", "queued")
    key = f"outbox:nonce:{rig.node.chain_id}:{sender}:taken-{row.nonce}"
    assert f"outbox_resume {sender}" in alarms()[key]

    assert f"Nonce {row.nonce} of {sender}" in resumed(sender)
    assert rig.row("pay:1").state == "signed", "telling changes nothing"
    assert "Accepted" in resumed(sender, "--yes")
    row = rig.row("pay:1")
    assert (row.state, row.failure) == (
        "reverted",
        f"given up: another transfer used nonce {row.nonce}",
    )
    rig.finish()
    assert (rig.row("pay:2").state, rig.held(1), rig.held(2)) == ("final", 0, 4)
    assert alarms() == {}
    assert "Nothing holds" in resumed(sender)


def test_a_chain_ahead_of_the_database_holds_the_sender_until_a_person_has_looked(
    rig: Rig,
) -> None:
    sender = rig.node.poster.address
    rig.pay("pay:1")
    rig.finish()
    rig.node.send(sender=sender, to=address(9), value_wei=1)
    rig.pay("pay:2", to=2, value_wei=4)
    rig.advance()
    rig.advance()
    told = rig.node.nonce(sender)
    assert rig.row("pay:2").state == "queued"
    key = f"outbox:nonce:{rig.node.chain_id}:{sender}:ahead-{told}"
    assert "this database is older than the chain" in alarms()[key]
    resumed(sender, "--yes")
    rig.finish()
    assert (rig.row("pay:2").state, rig.row("pay:2").nonce) == ("final", told)
    assert alarms() == {}


def lost(rig: Rig, intent: str) -> str:
    """Have the chain do what an intent is for, by bytes that the database does not know."""
    row = rig.row(intent)
    signed = signers.signer(django_settings.CHAIN_POSTER).sign(
        transfer=Unsigned(
            chain_id=row.chain_id,
            nonce=rig.node.nonce(row.sender),
            to=row.to_address,
            value_wei=row.value_wei,
            data=row.data,
            gas_limit=row.gas_limit or 21_000,
            max_fee_wei=900 * GWEI,
            priority_fee_wei=90 * GWEI,
        )
    )
    rig.chain.send(raw=signed.raw)
    rig.node.drain()
    rig.node.finalize()
    return signed.transfer_hash


def test_after_a_restore_what_was_done_is_taken_in_and_not_done_again(rig: Rig) -> None:
    """The database lacks the nonce and the bytes of what it queued and the chain has done."""
    sender = rig.node.poster.address
    rig.pay("pay:1")
    rig.finish()
    rig.pay("pay:2", to=2, value_wei=4)
    done = lost(rig, "pay:2")
    rig.pay("pay:3", to=3, value_wei=5)
    rig.advance()
    assert (rig.row("pay:2").state, rig.row("pay:3").state) == ("queued", "queued")
    assert f"{done} is pay:2, nonce {rig.node.nonce(sender) - 1}" in resumed(
        sender, "--adopt", done
    )
    resumed(sender, "--yes")
    rig.finish()
    rig.finish()
    assert (rig.row("pay:2").state, rig.row("pay:2").mined_hash) == ("final", done)
    assert (rig.row("pay:3").state, rig.held(2), rig.held(3)) == ("final", 4, 5)
    assert alarms() == {}


def test_after_a_restore_a_version_with_more_gas_is_taken_in_too(rig: Rig) -> None:
    sender = rig.node.poster.address
    rig.node.automine(is_on=False)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    rig.node.rpc("anvil_dropAllTransactions")
    rig.node.automine(is_on=True)
    done = lost(rig, "pay:1")
    rig.advance()
    assert len(alarms()) == 1
    for _ in range(2):
        assert f"{done} is pay:1" in resumed(sender, "--adopt", done)
    rig.finish()
    assert (rig.row("pay:1").state, rig.row("pay:1").mined_hash) == ("final", done)
    assert (len(rig.versions("pay:1")), rig.held()) == (2, 3)
    assert alarms() == {}


def test_what_does_nothing_that_waits_is_not_taken_in(rig: Rig) -> None:
    rig.pay("pay:1", value_wei=3)
    foreign = rig.node.send(sender=rig.node.poster.address, to=address(9), value_wei=3)
    for transfer_hash, why in (
        (foreign, "no transfer of ours"),
        (f"0x{7:064x}", "has no transfer"),
    ):
        with pytest.raises(CommandError, match=why):
            resumed(rig.node.poster.address, "--adopt", transfer_hash)
    assert (rig.row("pay:1").state, rig.versions("pay:1")) == ("queued", [])


def test_what_waits_in_the_pool_and_is_not_ours_holds_the_sender_too(rig: Rig) -> None:
    """A database restored while its transfers wait would sign others with their nonces."""
    sender = rig.node.poster.address
    rig.pay("pay:0", to=8)
    rig.finish()
    rig.node.automine(is_on=False)
    fees = rig.chain.fees()
    more = (2 * fees.base_fee_wei + fees.priority_fee_wei) * 12 // 10
    foreign = {"from": sender, "to": address(9), "value": "0x1", "maxFeePerGas": hex(more)}
    foreign["maxPriorityFeePerGas"] = hex(fees.priority_fee_wei * 12 // 10)
    rig.node.rpc("eth_sendTransaction", foreign)
    rig.pay("pay:1", value_wei=3)
    rig.advance()
    assert rig.row("pay:1").state == "queued"
    assert len(alarms()) == 1

    resumed(sender, "--yes")
    for _ in range(8):
        rig.advance()
    last = rig.row("pay:0").nonce
    assert last is not None
    assert rig.row("pay:1").nonce == last + 1, "it takes the place in the pool and leaves no hole"
    assert len(rig.versions("pay:1")) > 1, "for which it has to pay more"
    rig.node.mine()
    rig.node.automine(is_on=True)
    rig.finish()
    assert (rig.row("pay:1").state, rig.held(1), rig.held(9)) == ("final", 3, 0)
    assert alarms() == {}


def test_a_node_that_goes_away_is_an_alarm_and_all_goes_on_when_it_is_back(lasting: Rig) -> None:
    rig = lasting
    rig.pay("pay:1", value_wei=3)
    rig.run()
    rig.node.drain()
    rig.node.stop()
    rig.pay("pay:2", to=2, value_wei=4)
    for _ in range(2):
        rig.run()
    assert "The chain is down" in alarms()["outbox:chain"]
    rig.node.start(port=rig.node.port)
    rig.run()
    assert alarms() == {}
    rig.finish()
    assert (rig.row("pay:1").state, rig.row("pay:2").state) == ("final", "final")
    assert (rig.held(1), rig.held(2)) == (3, 4)


def test_a_node_of_another_chain_is_an_alarm_and_gets_nothing(rig: Rig, settings: Any) -> None:
    settings.CHAIN_ID = 100
    outbox.queue(chain_id=100, intent="pay:1", to=address(1), data="0x", at=rig.at)
    before = rig.node.block_number()
    rig.run()
    assert "the node is on chain 31337, not 100" in alarms()["outbox:chain"]
    assert (rig.row("pay:1").state, rig.node.block_number()) == ("queued", before)
    with pytest.raises(CommandError, match="not 100"):
        resumed(rig.node.poster.address)
