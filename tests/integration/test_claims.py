"""Claims: what a leaf earned is paid to its wallet, once, and known from the chain alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from accounts.models import Donor, Household
from tests.chain_node import ChainNode, chain_node, chained
from tests.epoch_village import HALF
from tests.minted_village import MintedVillage
from tests.signing import AMINA, BARAKA, signed
from tokens import claims, proofs, queries, sum_tree, wallets
from tokens.claims import NotClaimable
from tokens.models import BlockCursor, Claim, Leaf, OutboxTransfer

__all__ = ["chain_node", "chained"]

pytestmark = pytest.mark.django_db

_WAIT = timedelta(days=4)


@pytest.fixture
def minted(chained: ChainNode, now: datetime) -> MintedVillage:
    """Six households and a donor whose gift has vested; nothing used yet."""
    minted = MintedVillage.found(chained, at=now)
    minted.life.donate(donor=Donor.objects.create(created_at=now))
    return minted


def _linked(minted: MintedVillage, *, donor: Donor | None = None) -> None:
    """Link Amina's wallet with the donor, Baraka's with the first household."""
    at = minted.life.at
    donor = donor or Donor.objects.get()
    home = Household.objects.get(code="KIS0001")
    for purpose, by in (
        (wallets.first_of(donor=donor), AMINA),
        (wallets.of(household=home), BARAKA),
    ):
        asked = wallets.challenge(
            purpose=purpose, address=by.address, uri="http://h/w/", statement="Link.", at=at
        )
        wallets.answer(
            purpose=purpose, message=asked.message, signature=signed(asked.message, by=by), at=at
        )
    wallets.take_effect(at=at + _WAIT)


def _gift() -> Leaf:
    return Leaf.objects.select_related("site").get(kind=Leaf.Kind.DONATION)


def _home() -> Leaf:
    return Leaf.objects.select_related("site").get(household__code="KIS0001")


def test_a_donor_and_a_household_are_paid_to_the_wei_and_once(minted: MintedVillage) -> None:
    _linked(minted)
    minted.life.everybody_uses(1_000_001)
    minted.mint()
    wallets.take_effect(at=minted.life.at)
    minted.life.everybody_uses(333_333)
    epoch = minted.mint()

    for leaf in (_gift(), _home()):
        claims.claim(leaf=leaf, at=minted.life.at)
        claims.claim(leaf=leaf, at=minted.life.at)
    minted.send()

    assert OutboxTransfer.objects.filter(intent__startswith="claim:").count() == 2
    assert minted.holds(AMINA.address) == epoch.leaves.get(leaf=_gift()).tokens_wei
    assert minted.holds(AMINA.address) == 6 * 1_333_334 * HALF
    assert minted.holds(BARAKA.address) == 1_333_334 * HALF
    assert minted.read_claims() == 2
    assert minted.read_claims() == 0
    for leaf in (_gift(), _home()):
        standing = queries.standing(leaf=leaf)
        assert standing.claimed_wei == standing.tokens_wei
        with pytest.raises(NotClaimable, match="nothing"):
            claims.claim(leaf=leaf, at=minted.life.at)


def test_what_came_since_is_claimed_in_the_next_epoch(minted: MintedVillage) -> None:
    _linked(minted)
    minted.life.everybody_uses(1_000)
    minted.mint()
    minted.life.everybody_uses(1_000)
    minted.mint()
    claims.claim(leaf=_gift(), at=minted.life.at)
    minted.send()
    minted.read_claims()
    minted.life.everybody_uses(2_000)
    minted.mint()

    standing = queries.standing(leaf=_gift())
    assert standing.claimable_wei == 6 * 2_000 * HALF
    claims.claim(leaf=_gift(), at=minted.life.at)
    minted.send()

    assert minted.holds(AMINA.address) == 6 * 4_000 * HALF
    assert minted.read_claims() == 1
    assert [claim.tokens_wei for claim in Claim.objects.order_by("pk")] == [
        6 * 2_000 * HALF,
        6 * 2_000 * HALF,
    ]


def test_a_claim_that_somebody_else_paid_for_counts_as_well(minted: MintedVillage) -> None:
    _linked(minted)
    minted.life.everybody_uses(1_000)
    minted.mint()
    minted.life.everybody_uses(1_000)
    minted.mint()
    proof = proofs.of_leaf(leaf=_gift())
    assert proof is not None

    path = [
        {
            "hash": step.hash,
            "milliwatt_hours": step.milliwatt_hours,
            "tokens": step.tokens,
            "is_left": step.is_left,
        }
        for step in proof.path
    ]
    key, row = bytes.fromhex(_gift().key[2:]), proof.row
    minted.contracts.ledger.send(
        "claim",
        key,
        row.wallet,
        row.milliwatt_hours,
        row.tokens_wei,
        path,
        sender=minted.contracts.stranger,
    )

    assert minted.read_claims() == 1
    assert queries.standing(leaf=_gift()).claimable_wei == 0
    assert not OutboxTransfer.objects.filter(intent__startswith="claim:").exists()


def test_nothing_is_claimed_without_an_epoch_a_wallet_or_tokens(minted: MintedVillage) -> None:
    minted.life.use(KIS0002=1_000)
    minted.mint()

    with pytest.raises(NotClaimable, match="no_wallet"):
        claims.claim(leaf=_gift(), at=minted.life.at)
    new = Donor.objects.create(created_at=minted.life.at)
    donation = minted.life.donate(donor=new)
    leaf = Leaf.objects.create(
        site=minted.site,
        kind="donation",
        donation=donation,
        key="0x" + "ab" * 32,
        created_at=minted.life.at,
    )
    with pytest.raises(NotClaimable, match="no_epoch"):
        claims.claim(leaf=leaf, at=minted.life.at)
    assert not OutboxTransfer.objects.filter(intent__startswith="claim:").exists()


def test_a_household_that_used_nothing_has_nothing_to_claim(minted: MintedVillage) -> None:
    _linked_after_first(minted, use={"KIS0002": 1_000})

    with pytest.raises(NotClaimable, match="nothing"):
        claims.claim(leaf=_home(), at=minted.life.at)


def _linked_after_first(minted: MintedVillage, *, use: dict[str, int]) -> None:
    minted.life.use(**use)
    minted.mint()
    _linked(minted)
    minted.life.use(**use)
    minted.mint()


def test_claims_on_their_way_have_a_limit(
    minted: MintedVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _linked_after_first(minted, use={"KIS0001": 1_000})
    monkeypatch.setattr(claims, "MOST_OPEN", 1)
    claims.claim(leaf=_gift(), at=minted.life.at)

    with pytest.raises(NotClaimable, match="busy"):
        claims.claim(leaf=_home(), at=minted.life.at)
    minted.send()
    claims.claim(leaf=_home(), at=minted.life.at)


def test_a_claim_is_shown_on_its_way_until_it_is_read(minted: MintedVillage) -> None:
    _linked_after_first(minted, use={"KIS0001": 1_000})
    assert not queries.standing(leaf=_gift()).is_on_its_way

    claims.claim(leaf=_gift(), at=minted.life.at)
    assert queries.standing(leaf=_gift()).is_on_its_way
    minted.send()
    assert queries.standing(leaf=_gift()).is_on_its_way
    minted.read_claims()
    assert not queries.standing(leaf=_gift()).is_on_its_way


def test_a_claim_asked_for_twice_and_too_late_does_no_harm(minted: MintedVillage) -> None:
    _linked_after_first(minted, use={"KIS0001": 1_000})
    claims.claim_asked(leaf=_gift(), at=minted.life.at)
    minted.send()
    minted.read_claims()

    claims.claim_asked(leaf=_gift(), at=minted.life.at)

    assert OutboxTransfer.objects.filter(intent__startswith="claim:").count() == 1


def test_every_leaf_proves_itself_and_no_other_sum(minted: MintedVillage) -> None:
    minted.life.use(KIS0001=1_000, KIS0002=2_001, KIS0005=3)
    epoch = minted.mint()
    root = sum_tree.Node(bytes.fromhex(epoch.root[2:]), epoch.milliwatt_hours, epoch.tokens_wei)

    for leaf in Leaf.objects.select_related("site"):
        proof = proofs.of_leaf(leaf=leaf)
        assert proof is not None
        told = {
            "key": bytes.fromhex(leaf.key[2:]),
            "wallet": bytes.fromhex(proof.row.wallet[2:]),
            "path": proof.path,
            "milliwatt_hours": proof.row.milliwatt_hours,
            "tokens": proof.row.tokens_wei,
        }
        assert sum_tree.verify(**told, root=root)  # type: ignore[arg-type]
        told["tokens"] = proof.row.tokens_wei + 1
        assert not sum_tree.verify(**told, root=root)  # type: ignore[arg-type]


def test_a_node_that_is_away_leaves_claims_for_the_next_time(
    minted: MintedVillage, settings: Settings
) -> None:
    _linked_after_first(minted, use={"KIS0001": 1_000})
    claims.claim(leaf=_gift(), at=minted.life.at)
    minted.send()
    settings.CHAIN_RPC_URL = "http://127.0.0.1:1"
    assert claims.read_new(at=minted.life.at) == 0

    settings.CHAIN_RPC_URL = minted.node.url
    assert claims.read_new(at=minted.life.at) == 1


def test_claims_of_many_blocks_are_read_span_by_span(minted: MintedVillage) -> None:
    _linked_after_first(minted, use={"KIS0001": 1_000})
    claims.claim(leaf=_gift(), at=minted.life.at)
    minted.send()
    minted.node.mine(50)
    minted.node.finalize()
    BlockCursor.objects.create(
        chain_id=31_337,
        watcher=claims.WATCHER,
        block_number=0,
        block_hash="",
        span_blocks=3,
        read_at=minted.life.at,
    )

    assert minted.read_claims() == 1
    cursor = BlockCursor.objects.get(watcher=claims.WATCHER)
    assert cursor.block_number == minted.node.finalized()
    assert cursor.span_blocks > 3
