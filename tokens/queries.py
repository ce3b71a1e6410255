"""What pages show of tokens: a site's epochs and sums, a leaf, a donor's donations.

Reads only. Tokens are wei, energy milliwatt-hours; nothing here tells of a household but what
belongs to the key it is asked with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Sum

from accounts import donors_index
from accounts.donors_index import Index, Position
from accounts.fields import WeiField
from accounts.models import Donation, Donor, DonorsIndex, Site
from tokens.chain import forwarders
from tokens.models import (
    Claim,
    Contract,
    Epoch,
    EpochLeaf,
    Leaf,
    OutboxTransfer,
    Verification,
    WalletLink,
)

EPOCHS_SHOWN = 10
MILLIWATT_HOURS = "_milliwatt_hours"


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where a site's contracts stand."""

    chain_id: int
    token: str
    ledger: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyBalance:
    """The published energy balance of an epoch: signed figures in milliwatt-hours by name."""

    starts_at: datetime
    ends_at: datetime
    is_balanced: bool
    figures: dict[str, int]
    solar_share_basis_points: int | None
    slots: int
    slots_reported: int

    @property
    def supply_milliwatt_hours(self) -> int:
        """What sun and battery gave together."""
        taken = self.figures.get("battery_in", 0)
        return self.figures.get("generation", 0) + self.figures.get("battery_out", 0) - taken


@dataclass(frozen=True, kw_only=True, slots=True)
class Impact:
    """What stands on chain of a site; None and zero before its first epoch."""

    addresses: Addresses | None
    active: Epoch | None
    epochs: list[Epoch]
    households_wei: int
    donors_wei: int
    claimed_wei: int
    balance: EnergyBalance | None
    verification: Verification | None

    @property
    def version(self) -> str:
        """Names everything that the page shows."""
        states = ",".join(f"{epoch.pk}:{epoch.state}" for epoch in self.epochs)
        ran_at = self.verification and self.verification.ran_at
        return f"{states};{self.claimed_wei};{ran_at}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeafStanding:
    """What a leaf has in its site's active epoch, and what was taken of it.

    in_epoch is None before the first epoch with it; claim is what was sent for that epoch.
    """

    leaf: Leaf
    in_epoch: EpochLeaf | None
    claimed_wei: int
    claim: OutboxTransfer | None
    claims: list[Claim]

    @property
    def tokens_wei(self) -> int:
        return 0 if self.in_epoch is None else self.in_epoch.tokens_wei

    @property
    def claimable_wei(self) -> int:
        """What a claim would pay now; zero without a wallet in the epoch."""
        if self.in_epoch is None or not self.in_epoch.wallet:
            return 0
        return max(self.tokens_wei - self.claimed_wei, 0)

    @property
    def is_on_its_way(self) -> bool:
        """A claim was sent and is not final yet, or is final and not read from the chain yet."""
        if self.claim is None:
            return False
        is_read = self.claimable_wei == 0
        is_final = self.claim.state == OutboxTransfer.State.FINAL
        return self.claim.state in OutboxTransfer.OPEN or (is_final and not is_read)


@dataclass(frozen=True, kw_only=True, slots=True)
class DonationStanding:
    """A donation: tokens earned so far by the books, and what its leaf has."""

    donation: Donation
    earned_wei: int
    standing: LeafStanding | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteCheck:
    """What our own last run of verify.py says of a site; None: it was not run yet."""

    site: Site
    verification: Verification | None


def addresses(*, site: Site) -> Addresses | None:
    """Return where the site's contracts stand on the chain of the settings."""
    found = {
        contract.kind: contract.address
        for contract in Contract.objects.filter(site=site, chain_id=settings.CHAIN_ID)
    }
    token, ledger = found.get(Contract.Kind.TOKEN), found.get(Contract.Kind.LEDGER)
    if token is None or ledger is None:
        return None
    return Addresses(chain_id=settings.CHAIN_ID, token=token, ledger=ledger)


def active_epoch(*, site: Site) -> Epoch | None:
    """Return the newest epoch that is active on chain."""
    return (
        Epoch.objects.filter(site=site, chain_id=settings.CHAIN_ID, state=Epoch.State.ACTIVE)
        .order_by("-number")
        .defer("dataset")
        .first()
    )


def impact(*, site: Site) -> Impact:
    """Return what a site's public page of impact shows."""
    listed = list(
        Epoch.objects.filter(site=site, chain_id=settings.CHAIN_ID)
        .defer("dataset")
        .order_by("-number", "-attempt")[:EPOCHS_SHOWN]
    )
    active = active_epoch(site=site)
    households_wei = 0
    if active is not None:
        households = EpochLeaf.objects.filter(epoch=active, leaf__kind=Leaf.Kind.HOUSEHOLD)
        households_wei = _sum(households.aggregate(total=_wei("tokens_wei")))
    claims = Claim.objects.filter(site=site, chain_id=settings.CHAIN_ID)
    return Impact(
        addresses=addresses(site=site),
        active=active,
        epochs=listed,
        households_wei=households_wei,
        donors_wei=0 if active is None else active.tokens_wei - households_wei,
        claimed_wei=_sum(claims.aggregate(total=_wei("tokens_wei"))),
        balance=None if active is None else balance(epoch=active),
        verification=Verification.objects.filter(site=site).first(),
    )


def balance(*, epoch: Epoch) -> EnergyBalance:
    """Return an epoch's energy balance as it was published."""
    told = epoch.balance
    figures = {
        name.removesuffix(MILLIWATT_HOURS): int(value)
        for name, value in told.items()
        if name.endswith(MILLIWATT_HOURS) and value is not None
    }
    share = told.get("solar_share_basis_points")
    return EnergyBalance(
        starts_at=epoch.starts_at,
        ends_at=epoch.ends_at,
        is_balanced=epoch.is_balanced,
        figures=figures,
        solar_share_basis_points=None if share is None else int(share),
        slots=int(told.get("slots") or 0),
        slots_reported=int(told.get("slots_reported") or 0),
    )


def leaf_of(*, key: str) -> Leaf | None:
    """Return a holder's leaf (not the site's own ones) by its key."""
    return (
        Leaf.objects.filter(key=key.lower(), kind__in=(Leaf.Kind.HOUSEHOLD, Leaf.Kind.DONATION))
        .select_related("site", "household", "donation__donor")
        .first()
    )


def standing(*, leaf: Leaf) -> LeafStanding:
    """Return what one leaf has."""
    return standings(leaves=[leaf])[leaf.pk]


def standings(*, leaves: Iterable[Leaf]) -> dict[int, LeafStanding]:
    """Return what leaves have, by their id; the number of queries does not grow with them."""
    listed = {leaf.pk: leaf for leaf in leaves}
    newest = {
        epoch.site_id: epoch
        for epoch in Epoch.objects.filter(
            site__in={leaf.site_id for leaf in listed.values()},
            chain_id=settings.CHAIN_ID,
            state=Epoch.State.ACTIVE,
        )
        .defer("dataset")
        .order_by("site_id", "-number")
        .distinct("site_id")
    }
    in_epochs = {
        row.leaf_id: row
        for row in EpochLeaf.objects.filter(leaf__in=listed, epoch__in=newest.values())
        .select_related("epoch", "leaf")
        .defer("epoch__dataset")
    }
    sent = _sent(in_epochs.values())
    claims: dict[int, list[Claim]] = {}
    for claim in Claim.objects.filter(leaf__in=listed, chain_id=settings.CHAIN_ID):
        claims.setdefault(claim.leaf_id, []).append(claim)
    return {
        pk: LeafStanding(
            leaf=leaf,
            in_epoch=in_epochs.get(pk),
            claimed_wei=sum(claim.tokens_wei for claim in claims.get(pk, [])),
            claim=sent.get(claim_intent(in_epochs[pk])) if pk in in_epochs else None,
            claims=claims.get(pk, []),
        )
        for pk, leaf in listed.items()
    }


def claim_intent(in_epoch: EpochLeaf) -> str:
    """Return the outbox's intent of claiming a leaf in an epoch."""
    return f"claim:{in_epoch.leaf.key}:{in_epoch.epoch.number}"


def donors_of(*, wallet: str) -> list[Donor]:
    """Return the donors whose wallet in effect this is."""
    links = WalletLink.objects.filter(
        address=wallet, donor__isnull=False, took_effect_at__isnull=False, unlinked_at__isnull=True
    )
    return list(Donor.objects.filter(wallets__in=links, closed_at__isnull=True).order_by("pk"))


def donations(*, donors: Iterable[Donor]) -> list[DonationStanding]:
    """Return the donations of donors, newest first."""
    listed = list(
        Donation.objects.filter(donor__in=[donor.pk for donor in donors])
        .select_related("site", "leaf__site")
        .order_by("-donated_at", "-pk")
    )
    indexes = {
        index.site_id: index
        for index in DonorsIndex.objects.filter(site__in=[each.site_id for each in listed])
    }
    leaves = [donation.leaf for donation in listed if hasattr(donation, "leaf")]
    by_leaf = standings(leaves=leaves)
    return [
        DonationStanding(
            donation=donation,
            earned_wei=earned_wei(donation=donation, index=indexes[donation.site_id]),
            standing=by_leaf.get(donation.leaf.pk) if hasattr(donation, "leaf") else None,
        )
        for donation in listed
    ]


def takes_crypto(*, site: Site) -> bool:
    """Return whether crypto money can be paid for the site: licence, node, contracts, an asset."""
    try:
        return bool(forwarders.offered(site=site))
    except forwarders.CryptoRefused:
        return False


def checks(*, sites: Iterable[Site]) -> list[SiteCheck]:
    """Return the last check of each site, each once, by name."""
    listed = {site.pk: site for site in sites}
    known = {each.site_id: each for each in Verification.objects.filter(site__in=listed)}
    return [
        SiteCheck(site=site, verification=known.get(pk))
        for pk, site in sorted(listed.items(), key=lambda pair: (pair[1].name, pair[0]))
    ]


def earned_wei(*, donation: Donation, index: DonorsIndex) -> int:
    """What the books give the donation now; nothing is written."""
    brought = donors_index.touched(
        index=Index(
            donated_wei=index.donated_wei,
            accumulated=index.accumulated,
            remainder=index.remainder,
            rewarded_wei=index.rewarded_wei,
            unallocated_wei=index.unallocated_wei,
        ),
        position=Position(
            amount_wei=donation.amount_wei,
            paid_index=donation.paid_index,
            fraction=donation.fraction,
            claimed_wei=donation.claimed_wei,
        ),
    )
    return brought.claimed_wei


def _sent(in_epochs: Iterable[EpochLeaf]) -> dict[str, OutboxTransfer]:
    """Return the claims that were sent for leaves of epochs, by their intent."""
    intents = [claim_intent(row) for row in in_epochs]
    rows = OutboxTransfer.objects.filter(chain_id=settings.CHAIN_ID, intent__in=intents)
    return {row.intent: row for row in rows}


def _wei(name: str) -> Sum:
    return Sum(name, output_field=WeiField())


def _sum(row: dict[str, int | None]) -> int:
    return row["total"] or 0
