"""Crypto money of a missed campaign that a person sent back: out of the books, once.

Nobody can undo a transfer, so somebody has to make another one, to the address that the first came
from, and says here with which hash. What was sold meanwhile goes back as DAI of the treasury, as
much as it was worth when it came. Tokens that it earned until then stay with the donor.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import campaigns, crypto_treasury, donors_index, gift_letters, ledger
from accounts.deposits import CryptoAsset, float_legs
from accounts.ledger import IMPACT_TOKEN, Leg
from accounts.models import CryptoReturn, Donation, User

KIND = "deposit_returned"
KEY = "deposit_returned:{donation}"


class ReturnRefused(Exception):
    """Nothing was noted; the message says why, for a person."""


@transaction.atomic
def note(
    *,
    donation: Donation,
    asset: CryptoAsset,
    units: int,
    reference: str,
    made_by: User,
    at: datetime,
) -> CryptoReturn:
    """Note that the money of a donation was sent back; units (the asset's smallest) are what came.

    The same donation and reference again return the first note. Raises ReturnRefused.
    """
    ledger.lock(book_id=donation.site.book.pk)
    known = CryptoReturn.objects.filter(donation=donation).first()
    if known is not None and known.reference == reference:
        return known
    stored = Donation.objects.select_related("site__book").get(pk=donation.pk)
    _check(stored, reference=reference)
    is_here = crypto_treasury.float_units(site=stored.site, asset=asset) >= units
    entry = _posted(stored, asset=asset if is_here else None, units=units, at=at)
    made = CryptoReturn.objects.create(
        donation=stored,
        asset=asset.code if is_here else "",
        units=units if is_here else 0,
        amount_wei=stored.amount_wei,
        reference=reference,
        made_by=made_by,
        entry_id=entry,
        recorded_at=at,
    )
    gift_letters.sent_back(crypto_return=made, at=at)
    return made


def _check(donation: Donation, *, reference: str) -> None:
    if donation.withdrawn_at is not None:
        raise ReturnRefused("it was given back already")
    if campaigns.failed_campaign_of(donation=donation) is None:
        raise ReturnRefused("it belongs to no campaign that missed its goal")
    if CryptoReturn.objects.filter(reference=reference).exists():
        raise ReturnRefused("that transfer gave another gift back")


def _posted(donation: Donation, *, asset: CryptoAsset | None, units: int, at: datetime) -> int:
    """Take the donation out of index and book; None: out of the treasury's DAI."""
    amount_wei = donation.amount_wei
    gave = donors_index.withdraw(donation=donation, amount_wei=amount_wei, at=at)
    parked_wei = gave.returned_wei if gave.is_parked else 0
    money = (
        [Leg(kind="treasury", amount=amount_wei)]
        if asset is None
        else float_legs(asset=asset, units=-units, wei=-amount_wei)
    )
    try:
        return ledger.post(
            book_id=donation.site.book.pk,
            kind=KIND,
            key=KEY.format(donation=donation.uid),
            legs=[
                *money,
                Leg(kind="donations", amount=-amount_wei),
                Leg(kind="donors_pool", asset=IMPACT_TOKEN, amount=-parked_wei),
                Leg(kind="unallocated_tokens", asset=IMPACT_TOKEN, amount=parked_wei),
            ],
            occurred_at=at,
            at=at,
        ).entry_id
    except ledger.Overdrawn:
        raise ReturnRefused("it was sold, and the treasury has not as much DAI") from None
