"""Payouts in DAI on a real node: sent once by the outbox, paid once the token logged them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import ledger
from accounts.ledger import Leg
from settlement import payout_sending, payouts
from settlement.models import Payout
from settlement.payouts import NotPayable
from tests.chain.deployed import Contract, deploy, sandbox_artifact
from tests.chain_node import ChainNode
from tests.integration.sandboxed import today
from tests.paying_out import (
    WALLET,
    WEI,
    assert_all_books_hold,
    earn_revenue,
    earned,
    fresh,
    payee,
    person,
    pool,
    proposed,
    stands,
)
from tests.village import Village
from tokens import payouts_on_chain
from tokens.chain import outbox
from tokens.models import ChainAsset, OutboxTransfer

__all__ = ["today"]

pytestmark = pytest.mark.django_db

State = Payout.State


@pytest.fixture
def dai(chained: ChainNode, settings: Settings) -> Contract:
    """A token on chain that the treasury has 1,000 of, and the setting that signs for it."""
    settings.CHAIN_TREASURY_SIGNER = f"local:{chained.treasury.key}"
    token = deploy(chained, sandbox_artifact("SandboxToken"), "Dai", "DAI", 18)
    token.send("mint", chained.treasury.address, 1_000 * WEI, sender=chained.treasury.address)
    ChainAsset.objects.create(
        chain_id=chained.chain_id, code="DAI", address=token.address, pricing="par"
    )
    return token


@pytest.fixture
def kisima(today: Village) -> Village:
    """Kisima with revenue, and 30 DAI of it at the treasury."""
    earn_revenue(today)
    ledger.post(
        book_id=today.site.book.pk,
        kind="opening",
        key="opening:treasury",
        legs=[Leg(kind="treasury", amount=-30 * WEI), Leg(kind="fx_reserve", amount=30 * WEI)],
        occurred_at=timezone.now(),
        at=timezone.now(),
    )
    return today


def agreed(village: Village, *, wei: int = 10 * WEI + 7) -> Payout:
    token = earned(village, payee(village, way="chain"), amount_wei=wei)
    return payouts.approve(
        payout=proposed(village, token),
        approved_by=person(village, "approver"),
        at=timezone.now(),
    )


def mine(node: ChainNode, *, seconds: int = 0) -> None:
    """The outbox sends what waits, and the block it is in becomes final."""
    at = timezone.now() + timedelta(seconds=seconds)
    for _ in range(3):
        outbox.run(at=at)
        node.drain()
        node.finalize()
    outbox.run(at=at)


def look(payout: Payout, *, minutes: int = 5) -> Payout:
    payouts_on_chain.run(at=timezone.now() + timedelta(minutes=minutes))
    return fresh(payout)


def test_dai_reach_the_wallet_to_the_wei(
    kisima: Village, dai: Contract, chained: ChainNode
) -> None:
    payout = look(agreed(kisima))
    assert payout.state == State.SENT
    assert look(payout).state == State.SENT
    mine(chained)
    payout = look(payout, minutes=30)
    assert (payout.state, payout.service_token.state) == (State.PAID, "burned")
    assert dai.read("balanceOf", WALLET) == 10 * WEI + 7
    sent = OutboxTransfer.objects.get(intent=f"payout:{payout.uid}")
    assert (payout.reference, sent.sender) == (sent.mined_hash, chained.treasury.address)
    assert stands(kisima, "treasury") == -20 * WEI + 7
    assert pool(kisima) == 40 * WEI - 7
    assert stands(kisima, "payout_due") == 0
    assert payout.reconciled_at is not None
    assert_all_books_hold()


def test_it_is_sent_once_however_often_anybody_looks(
    kisima: Village, dai: Contract, chained: ChainNode
) -> None:
    payout = agreed(kisima)
    for _ in range(3):
        payouts_on_chain.advance(payout_id=payout.pk, at=timezone.now())
    mine(chained)
    for _ in range(3):
        payouts_on_chain.advance(payout_id=payout.pk, at=timezone.now())
    assert dai.read("balanceOf", WALLET) == 10 * WEI + 7
    assert OutboxTransfer.objects.count() == 1


def test_a_worker_that_died_between_is_made_up_for(
    kisima: Village, dai: Contract, chained: ChainNode
) -> None:
    payout = payout_sending.claim(payout_id=agreed(kisima).pk, at=timezone.now())
    assert payout is not None
    assert look(payout).state == State.SENT
    mine(chained)
    assert look(payout, minutes=30).state == State.PAID


def test_what_the_treasury_does_not_have_on_chain_comes_back(
    kisima: Village, dai: Contract, chained: ChainNode
) -> None:
    dai.send("transfer", WALLET, 995 * WEI, sender=chained.treasury.address)
    payout = look(agreed(kisima))
    outbox.run(at=timezone.now())
    outbox.run(at=timezone.now() + timedelta(minutes=11))
    payout = look(payout, minutes=30)
    assert (payout.state, payout.failure_code) == (State.FAILED, "reverted")
    assert pool(kisima) == 50 * WEI
    assert_all_books_hold()


def test_a_token_that_moves_nothing_has_paid_nobody(
    kisima: Village, dai: Contract, chained: ChainNode
) -> None:
    ChainAsset.objects.update(address=silent(chained).address)
    payout = look(agreed(kisima))
    mine(chained)
    payout = look(payout, minutes=30)
    assert (payout.state, payout.failure_code) == (State.FAILED, "silent")
    assert pool(kisima) == 50 * WEI


def test_a_node_that_is_away_leaves_it_on_its_way(
    kisima: Village, dai: Contract, chained: ChainNode, settings: Settings
) -> None:
    payout = look(agreed(kisima))
    mine(chained)
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    assert look(payout, minutes=30).state == State.SENT
    settings.CHAIN_RPC_URL = chained.url
    assert look(payout, minutes=60).state == State.PAID


def test_without_a_signer_nothing_is_proposed(
    kisima: Village, dai: Contract, settings: Settings
) -> None:
    settings.CHAIN_TREASURY_SIGNER = ""
    with pytest.raises(NotPayable, match="CHAIN_TREASURY_SIGNER is not set"):
        agreed(kisima)


@pytest.mark.parametrize("is_signer_gone", [True, False])
def test_what_was_approved_fails_where_the_setting_or_the_asset_is_gone(
    kisima: Village, dai: Contract, settings: Settings, is_signer_gone: bool
) -> None:
    payout = agreed(kisima)
    if is_signer_gone:
        settings.CHAIN_TREASURY_SIGNER = ""
    else:
        ChainAsset.objects.update(closed_at=timezone.now())
    payout = look(payout)
    assert (payout.state, payout.failure_code) == (State.FAILED, "setup")
    assert pool(kisima) == 50 * WEI
    assert not OutboxTransfer.objects.exists()


def silent(node: ChainNode) -> Contract:
    """Runtime code that answers true to whatever it is asked, and does nothing."""
    address = "0x00000000000000000000000000000000C0de5157"
    node.rpc("anvil_setCode", address, "0x600160005260206000f3")
    return Contract(node=node, address=address, artifact=sandbox_artifact("SandboxToken"))
