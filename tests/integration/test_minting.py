"""Epochs on a real chain: proposed, vetoed, activated; a chain that is down or lies; strangers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import Site
from launcher.dev_accounts import DEV_ACCOUNTS
from tests.chain.deployed import NOBODY, WINDOW_SECONDS, deploy_site
from tests.chain_node import ChainNode
from tests.epoch_village import HALF, EpochVillage, of_donation, of_household
from tests.minting_rig import MintingRig, alarms
from tokens import epochs, minting, proofs, tasks
from tokens.chain.client import Chain, ChainLies, ChainUnavailable
from tokens.models import Epoch, Leaf, OutboxTransfer
from tokens.sum_tree import Node

STRANGER = DEV_ACCOUNTS[9].address


@pytest.fixture
def rig(db: None, chained: ChainNode, now: datetime) -> MintingRig:
    """Five households that used something, on a chain."""
    rig = MintingRig.found(life=EpochVillage.found(at=now), node=chained)
    rig.life.everybody_uses()
    return rig


def foreign(rig: MintingRig, number: int) -> None:
    """A stranger who got hold of the poster's role proposes tokens for nothing."""
    ledger, guardian = rig.contracts.ledger, rig.contracts.guardian
    energy = 10**12
    left = Node(b"\1" * 32, energy, energy * 2 * HALF)
    ledger.send("rotate_poster", STRANGER, sender=guardian)
    ledger.send("propose", number, left, Node(b"\2" * 32, 0, 0), b"\3" * 32, sender=STRANGER)
    ledger.send("rotate_poster", rig.contracts.poster, sender=guardian)


def test_an_epoch_is_proposed_waits_its_window_and_mints(rig: MintingRig) -> None:
    epoch = rig.close()
    assert epoch.state == "closed"
    assert epoch.proposal is not None
    assert epoch.proposal.intent == "propose:kisima:1:1"
    rig.finish()
    epoch = rig.follow()
    assert (epoch.state, epoch.proposed_at) == ("proposed", rig.life.at)
    ledger = rig.contracts.ledger
    assert ledger.read("pending_root") == epoch.root
    assert ledger.read("pending_tokens") == epoch.tokens_wei
    assert rig.supply_wei == 0
    rig.node.increase_time(WINDOW_SECONDS)
    epoch = rig.follow()
    assert epoch.state == "proposed"
    assert OutboxTransfer.objects.filter(intent="activate:kisima:1:1").count() == 1
    rig.finish()
    epoch = rig.follow()
    assert (epoch.state, epoch.active_at) == ("active", rig.life.at)
    assert ledger.read("root") == epoch.root == "0x" + epochs.rebuild(epoch=epoch).hash.hex()
    assert rig.supply_wei == epoch.tokens_wei == 5_000_000 * 2 * HALF
    assert minting.follow(site=rig.life.village.site, at=rig.life.at) is None


def test_the_next_epoch_mints_the_difference(rig: MintingRig) -> None:
    rig.proposed()
    rig.activated()
    rig.life.use(KIS0001=10)
    rig.proposed()
    epoch = rig.activated()
    assert epoch.number == 2
    assert rig.supply_wei == 5_000_010 * 2 * HALF


def test_nothing_is_activated_before_the_window_is_over(rig: MintingRig) -> None:
    rig.close()
    rig.send()
    rig.follow()
    rig.follow()
    assert not OutboxTransfer.objects.filter(intent__startswith="activate:").exists()


def test_epochs_wait_until_the_deployment_of_their_ledger_is_final(
    db: None, own_chain_node: ChainNode, settings: Any, now: datetime
) -> None:
    for name, value in own_chain_node.settings().items():
        setattr(settings, name, value)
    life = EpochVillage.found(at=now)
    contracts = deploy_site(own_chain_node)
    life.deploy(
        ledger=contracts.ledger.address,
        token=contracts.token.address,
        block_number=own_chain_node.block_number(),
    )
    life.everybody_uses()
    rig = MintingRig(life=life, node=own_chain_node, contracts=contracts)
    rig.close()
    rig.send()
    assert rig.follow().state == "closed"
    own_chain_node.finalize()
    assert rig.follow().state == "proposed"


def test_the_data_sets_hash_is_told_in_the_proposal(rig: MintingRig) -> None:
    epoch = rig.proposed()
    assert epoch.proposal is not None
    receipt = rig.node.receipt(epoch.proposal.mined_hash)
    assert receipt is not None
    (event,) = rig.contracts.ledger.events(receipt)
    assert event.name == "Proposed"
    assert event.values["dataset_hash"] == epoch.dataset_hash
    assert event.values["root"] == epoch.root


def test_an_epoch_is_proposed_once_however_often_it_is_asked_for(rig: MintingRig) -> None:
    epoch = rig.close()
    for _ in range(3):
        minting.propose(epoch=epoch, at=rig.life.at)
        rig.follow()
    assert OutboxTransfer.objects.count() == 1


def test_an_epoch_whose_worker_died_before_proposing_is_proposed_by_the_next(
    rig: MintingRig,
) -> None:
    rig.life.must_close()
    assert rig.follow().proposal is None
    rig.finish()
    assert rig.follow().state == "proposed"


def test_a_vetoed_epoch_is_closed_and_proposed_again(rig: MintingRig) -> None:
    first = rig.proposed()
    rig.veto(first)
    rig.node.finalize()
    assert rig.follow().state == "vetoed"
    assert rig.supply_wei == 0
    rig.life.use(KIS0001=5)
    again = rig.proposed()
    assert (again.number, again.attempt) == (1, 2)
    assert rig.activated().pk == again.pk
    assert rig.supply_wei == 5_000_005 * 2 * HALF


def test_a_veto_is_believed_only_once_it_stays(rig: MintingRig) -> None:
    epoch = rig.proposed()
    rig.veto(epoch)
    assert rig.follow().state == "proposed"
    rig.node.reorg(1)
    assert rig.follow().state == "proposed"
    assert rig.activated().pk == epoch.pk


def test_an_activation_that_a_reorg_took_away_is_sent_again(rig: MintingRig) -> None:
    rig.proposed()
    rig.node.increase_time(WINDOW_SECONDS)
    rig.follow()
    rig.send()
    assert rig.contracts.ledger.read("last_epoch") == 1
    assert rig.follow().state == "proposed"
    rig.node.reorg(2)
    assert rig.contracts.ledger.read("last_epoch") == 0
    rig.node.increase_time(WINDOW_SECONDS)
    rig.finish()
    rig.finish()
    assert rig.follow().state == "active"
    assert rig.supply_wei == 5_000_000 * 2 * HALF


def test_anybody_may_activate(rig: MintingRig) -> None:
    epoch = rig.proposed()
    rig.node.increase_time(WINDOW_SECONDS)
    rig.contracts.ledger.send("activate", epoch.number, sender=STRANGER)
    rig.node.finalize()
    assert rig.follow().state == "active"
    assert not OutboxTransfer.objects.filter(intent__startswith="activate:").exists()


def test_an_activation_without_effect_is_tried_again(rig: MintingRig) -> None:
    epoch = rig.proposed()
    rig.node.increase_time(WINDOW_SECONDS)
    rig.follow()
    first = OutboxTransfer.objects.get(intent="activate:kisima:1:1")
    OutboxTransfer.objects.filter(pk=first.pk).update(state="reverted", finished_at=rig.life.at)
    rig.follow()
    assert Epoch.objects.get(pk=epoch.pk).activation != first
    assert OutboxTransfer.objects.filter(intent="activate:kisima:1:1:2").exists()
    rig.finish()
    assert rig.follow().state == "active"


def test_an_epoch_that_the_contract_refuses_is_an_alarm_and_closed_anew(rig: MintingRig) -> None:
    ledger, guardian = rig.contracts.ledger, rig.contracts.guardian
    ledger.send("rotate_poster", STRANGER, sender=guardian)
    rig.close()
    rig.advance()
    rig.advance(seconds=601)
    rig.follow_all()
    (refused,) = Epoch.objects.all()
    assert refused.state == "refused"
    assert "only the poster" in alarms()["epochs:refused:kisima"]
    ledger.send("rotate_poster", rig.contracts.poster, sender=guardian)
    rig.life.everybody_uses()
    again = rig.proposed()
    assert (again.number, again.attempt) == (1, 2)
    rig.activated()
    assert alarms() == {}


def test_a_proposal_that_is_not_ours_stops_epochs_until_the_guardian_vetoes_it(
    rig: MintingRig,
) -> None:
    rig.close()
    foreign(rig, 1)
    with pytest.raises(minting.NotOurs, match="awaits epoch 1"):
        rig.follow()
    rig.follow_all()
    assert "awaits epoch 1" in alarms()["epochs:chain:kisima"]
    rig.contracts.ledger.send("veto", 1, sender=rig.contracts.guardian)
    rig.node.finalize()
    rig.finish()
    rig.follow_all()
    assert alarms() == {}
    assert Epoch.objects.get().state == "proposed"


def test_a_proposal_that_is_not_ours_is_seen_between_two_epochs(rig: MintingRig) -> None:
    rig.proposed()
    rig.activated()
    rig.follow_all()
    assert alarms() == {}
    foreign(rig, 2)
    rig.follow_all()
    assert "awaits epoch 2" in alarms()["epochs:chain:kisima"]


def test_a_root_that_is_not_ours_is_never_taken_for_active(rig: MintingRig) -> None:
    rig.close()
    foreign(rig, 1)
    rig.node.increase_time(WINDOW_SECONDS)
    rig.contracts.ledger.send("activate", 1, sender=STRANGER)
    rig.node.finalize()
    with pytest.raises(ChainLies, match="epoch 1 active with root"):
        rig.follow()
    assert Epoch.objects.get().state == "closed"


def test_while_the_chain_is_down_nothing_is_closed_and_then_it_goes_on(
    rig: MintingRig, settings: Any
) -> None:
    url, settings.CHAIN_RPC_URL = settings.CHAIN_RPC_URL, "http://127.0.0.1:9"
    rig.close_all()
    rig.follow_all()
    assert "The chain is down, epochs rest" in alarms()[minting.CHAIN_ALARM]
    assert not Epoch.objects.exists()
    settings.CHAIN_RPC_URL = url
    rig.close_all()
    assert alarms() == {}
    assert Epoch.objects.get().proposal is not None


def test_while_the_chain_is_another_one_nothing_is_closed(rig: MintingRig, settings: Any) -> None:
    settings.CHAIN_ID = 100
    rig.close_all()
    rig.follow_all()
    assert "The chain lies, epochs rest" in alarms()[minting.CHAIN_ALARM]
    settings.CHAIN_ID = 31_337
    rig.close_all()
    assert alarms() == {}
    assert Epoch.objects.count() == 1


def test_a_chain_that_stops_answering_in_the_middle_is_an_alarm(
    rig: MintingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.close()
    rig.finish()
    real = Chain.call

    def silent(self: Chain, **arguments: Any) -> bytes:
        raise ChainUnavailable("no answer")

    monkeypatch.setattr(Chain, "call", silent)
    rig.follow_all()
    assert "no answer" in alarms()["epochs:chain:kisima"]
    assert Epoch.objects.get().state == "closed"
    monkeypatch.setattr(Chain, "call", real)
    rig.follow_all()
    assert alarms() == {}
    assert Epoch.objects.get().state == "proposed"


def test_an_address_without_our_ledger_is_a_lie(
    db: None, chained: ChainNode, now: datetime
) -> None:
    life = EpochVillage.found(at=now)
    life.deploy(ledger="0x" + "00" * 19 + "99")
    life.everybody_uses()
    minting.propose(epoch=life.must_close(), at=life.at)
    with pytest.raises(ChainLies, match="no ledger of ours"):
        minting.follow(site=life.village.site, at=life.at)


def test_a_chain_that_forgot_a_finalized_epoch_lies(rig: MintingRig) -> None:
    before = rig.node.snapshot()
    rig.proposed()
    rig.activated()
    rig.node.revert(before)
    rig.follow_all()
    assert "has epoch 0 active" in alarms()["epochs:chain:kisima"]


def test_a_signer_that_is_none_is_an_alarm(rig: MintingRig, settings: Any) -> None:
    poster, settings.CHAIN_POSTER = settings.CHAIN_POSTER, ""
    rig.close_all()
    assert "Nobody signs for epochs" in alarms()["epochs:closing:kisima"]
    settings.CHAIN_POSTER = poster
    rig.follow_all()
    rig.close_all()
    assert alarms() == {}
    assert Epoch.objects.get().proposal is not None


def test_too_few_households_are_an_alarm_of_the_operator(
    db: None, chained: ChainNode, now: datetime
) -> None:
    rig = MintingRig.found(life=EpochVillage.found(at=now, households=4), node=chained)
    rig.life.everybody_uses()
    rig.close_all()
    assert "4 households are fewer than the 5" in alarms()["epochs:closing:kisima"]
    rig.life.move_in("KIS0005")
    rig.close_all()
    assert alarms() == {}
    assert Epoch.objects.count() == 1


def test_two_sites_mint_by_their_own_figure(rig: MintingRig) -> None:
    second = EpochVillage.found(
        at=rig.life.village.founded_at + timedelta(days=90),
        slug="ngambo",
        prefix="NGA",
        beside=rig.life.village,
    )
    Site.objects.filter(pk=second.village.site.pk).update(impact_token_wei_per_kwh=6 * 10**17)
    second.village.site.refresh_from_db()
    other = MintingRig.found(life=second, node=rig.node, wei_per_milliwatt_hour=6 * 10**11)
    second.use(NGA0001=7)
    for each in (rig, other):
        each.close()
    rig.finish()
    other.life.at = rig.life.at
    rig.follow_all()
    rig.node.increase_time(WINDOW_SECONDS)
    rig.follow_all()
    rig.finish()
    rig.follow_all()
    assert {epoch.state for epoch in Epoch.objects.all()} == {"active"}
    assert rig.supply_wei == 5_000_000 * 2 * HALF
    assert other.supply_wei == 7 * 6 * 10**11


def claim(rig: MintingRig, leaf: Leaf) -> int:
    """Claim a leaf by its proof as a stranger; what the wallet holds then."""
    proof = proofs.of_leaf(leaf=leaf)
    assert proof is not None
    row = proof.row
    rig.contracts.ledger.send(
        "claim",
        row.leaf.key,
        row.wallet or NOBODY,
        row.milliwatt_hours,
        row.tokens_wei,
        list(proof.path),
        sender=STRANGER,
    )
    return int(rig.contracts.token.read("balanceOf", row.wallet))


def test_households_and_donors_claim_by_their_proofs(rig: MintingRig) -> None:
    for number in range(6, 13):
        rig.life.move_in(f"KIS{number:04d}")
    given = [rig.life.donate(amount_wei=10**18 * number) for number in (1, 2, 3)]
    rig.life.everybody_uses()
    rig.proposed()
    rig.activated()
    Leaf.objects.filter(household__code="KIS0007").update(wallet=DEV_ACCOUNTS[6].address)
    Leaf.objects.filter(donation=given[1]).update(wallet=DEV_ACCOUNTS[7].address)
    rig.life.everybody_uses()
    rig.proposed()
    epoch = rig.activated()
    household = Leaf.objects.get(household__code="KIS0007")
    donation = Leaf.objects.get(donation=given[1])
    own = of_household(epoch, rig.life.households["KIS0007"])
    assert claim(rig, household) == own.tokens_wei == 2_000_000 * HALF
    assert claim(rig, household) == own.tokens_wei
    assert claim(rig, donation) == of_donation(epoch, given[1]).tokens_wei > 0


def test_tasks_rest_without_a_chain(rig: MintingRig, settings: Any) -> None:
    settings.CHAIN_RPC_URL = ""
    tasks.close_epochs()
    tasks.follow_epochs()
    assert not Epoch.objects.exists()
    assert alarms() == {}


def test_tasks_close_and_follow(rig: MintingRig) -> None:
    tasks.close_epochs()
    assert Epoch.objects.get().proposal is not None
    rig.finish()
    tasks.follow_epochs()
    assert Epoch.objects.get().state == "proposed"
