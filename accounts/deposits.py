"""Money that came on chain, in the ledger: a top-up of a household, or a donor's donation.

What lies on chain is an asset of the site's book, the account crypto_float, named after what it is.
What is at par is kept in wei of DAI; anything else in its own smallest units, against a position
(crypto_position) in those units and in the DAI it was worth when it was credited. Which block it
lay in and whether that block stays is the business of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import crediting, donors_index, gift_letters, ledger, notices, sites
from accounts.ledger import Leg
from accounts.models import Donation, Donor, Household, Site

KEY = "deposit:{chain_id}:{transfer_hash}:{log_index}"
HOUSEHOLD_KIND = "deposit"
DONATION_KIND = "deposit_donation"


class DepositRefused(Exception):
    """The deposit can't be credited to whom it was meant for: a person has to look."""


class AlreadyCredited(Exception):
    """The ledger has an entry of this deposit already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CryptoAsset:
    """Money on chain: its code names its accounts.

    is_par: one of it counts as one DAI, and it has DAI's eighteen decimals.
    """

    code: str
    decimals: int
    is_par: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalDeposit:
    """A deposit that no reorganisation takes back.

    units are the asset's smallest, worth_wei what they are worth in DAI, rounded down.
    """

    chain_id: int
    transfer_hash: str
    log_index: int
    asset: CryptoAsset
    units: int
    worth_wei: int
    came_at: datetime

    @property
    def key(self) -> str:
        """The key of its entry: (chain, transfer, log) is credited once."""
        return KEY.format(
            chain_id=self.chain_id, transfer_hash=self.transfer_hash, log_index=self.log_index
        )

    @property
    def legs(self) -> list[Leg]:
        """The money's legs, which leave worth_wei to give to somebody."""
        return float_legs(asset=self.asset, units=self.units, wei=self.worth_wei)


def float_legs(*, asset: CryptoAsset, units: int, wei: int) -> list[Leg]:
    """Return the legs of units that came on chain, booked at so many wei; below zero: that left."""
    if asset.is_par:
        return [Leg(kind="crypto_float", name=asset.code, amount=-units)]
    return [
        Leg(kind="crypto_float", name=asset.code, asset=asset.code, amount=-units),
        Leg(kind="crypto_position", name=asset.code, asset=asset.code, amount=units),
        Leg(kind="crypto_position", name=asset.code, amount=-wei),
    ]


def site_for(*, household: Household, operator_id: int, at: datetime) -> Site:
    """Return the site at which a household is credited now: where it lives.

    Raises DepositRefused where it is closed, lives nowhere, or is another operator's customer.
    """
    if household.closed_at is not None and household.closed_at <= at:
        raise DepositRefused(f"account {household.code} is closed")
    site = sites.site_of(household=household, at=at)
    if site is None:
        raise DepositRefused(f"{household.code} belongs to no site")
    if site.operator_id != operator_id:
        raise DepositRefused(f"{household.code} is a customer of another operator")
    return site


@transaction.atomic
def credit_household(
    *, deposit: FinalDeposit, household: Household, site: Site, at: datetime
) -> int:
    """Credit a household with what its deposit is worth; return the entry's id. Tells it.

    Raises AlreadyCredited for a deposit whose entry the book has.
    """
    ledger.lock(book_id=site.book.pk)
    shares = crediting.share(household=household, site=site, credited_wei=deposit.worth_wei)
    entry_id = _posted(
        deposit=deposit, site=site, kind=HOUSEHOLD_KIND, legs=[*deposit.legs, *shares.legs], at=at
    )
    notices.tell_household(
        household=household,
        kind="deposit_credited",
        key=deposit.key,
        params={
            "site": site.slug,
            "asset": deposit.asset.code,
            "units": str(deposit.units),
            "decimals": deposit.asset.decimals,
            "reference": deposit.transfer_hash,
            **shares.told,
        },
        at=at,
    )
    return entry_id


@transaction.atomic
def credit_donation(
    *, deposit: FinalDeposit, donor: Donor, site: Site, at: datetime
) -> tuple[int, Donation]:
    """Credit a donor's deposit as a donation that vests at once; return the entry's id and it.

    Nobody can take a final transfer back, so nothing is waited for. Raises AlreadyCredited.
    """
    ledger.lock(book_id=site.book.pk)
    entry_id = _posted(
        deposit=deposit,
        site=site,
        kind=DONATION_KIND,
        legs=[*deposit.legs, Leg(kind="donations", amount=deposit.worth_wei)],
        at=at,
    )
    donation = donors_index.donate(
        donor=donor,
        site=site,
        amount_wei=deposit.worth_wei,
        donated_at=deposit.came_at,
        vests_at=deposit.came_at,
    )
    gift_letters.came_on_chain(
        donation=donation,
        units=deposit.units,
        decimals=deposit.asset.decimals,
        asset=deposit.asset.code,
        reference=deposit.transfer_hash,
        at=at,
    )
    return entry_id, donation


def _posted(*, deposit: FinalDeposit, site: Site, kind: str, legs: list[Leg], at: datetime) -> int:
    if deposit.worth_wei <= 0:
        raise DepositRefused("it is worth less than one wei")
    try:
        entry = ledger.post(
            book_id=site.book.pk,
            kind=kind,
            key=deposit.key,
            legs=legs,
            occurred_at=deposit.came_at,
            at=at,
        )
    except ledger.KeyReused as error:
        raise AlreadyCredited(f"{deposit.key} has another entry") from error
    if entry.is_replay:
        raise AlreadyCredited(f"{deposit.key} has entry {entry.entry_id}")
    return entry.entry_id
