"""The treasury: money that had come on chain turned into DAI, in batches.

Like accounts.treasury: a site's position in an asset stands at what its deposits were worth when
they were credited, so a sale realises a result, what was bought against the average cost of what
was sold. What is at par cost what it counts as.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import ledger
from accounts.deposits import CryptoAsset, float_legs
from accounts.ledger import DAI, Leg
from accounts.models import CryptoConversion, LedgerAccount, Site, User
from accounts.money import decimal_string
from accounts.treasury import ConversionDiffers, ConversionRefused

KEY = "crypto_conversion:{asset}:{reference}"
Kind = LedgerAccount.Kind


@transaction.atomic
def convert(
    *,
    site: Site,
    asset: CryptoAsset,
    sold_units: int,
    bought_wei: int,
    reference: str,
    converted_at: datetime,
    made_by: User,
    note: str,
    at: datetime,
) -> CryptoConversion:
    """Book that a site's money of an asset was sold, and the DAI that came of it.

    sold_units is what left, gas and the exchange's fees included; both lower what was bought, and
    so the result. One entry, with S sold at a cost of C:
        crypto_float +S, crypto_position (asset) -S, crypto_position (DAI) +C,
        treasury -bought, fx_result bought - C
    where the asset is at par without the position's legs, and C = S. The same site, asset and
    reference again return the first conversion. Raises ConversionDiffers, ConversionRefused.
    """
    reference = reference.strip()
    ledger.lock(book_id=site.book.pk)
    known = CryptoConversion.objects.filter(
        site=site, asset=asset.code, reference=reference
    ).first()
    if known is not None:
        return _replayed(known, told=(sold_units, bought_wei))
    check(
        site=site,
        asset=asset,
        sold_units=sold_units,
        bought_wei=bought_wei,
        reference=reference,
        converted_at=converted_at,
        at=at,
    )
    made = CryptoConversion(
        site=site,
        asset=asset.code,
        is_par=asset.is_par,
        decimals=asset.decimals,
        sold_units=sold_units,
        bought_wei=bought_wei,
        cost_wei=cost_wei(site=site, asset=asset, sold_units=sold_units),
        reference=reference,
        note=note[:200],
        made_by=made_by,
        converted_at=converted_at,
        recorded_at=at,
    )
    made.entry_id = ledger.post(
        book_id=site.book.pk,
        kind="crypto_conversion",
        key=KEY.format(asset=asset.code, reference=reference),
        legs=[
            *float_legs(asset=asset, units=-sold_units, wei=-made.cost_wei),
            Leg(kind="treasury", amount=-bought_wei),
            Leg(kind="fx_result", name=asset.code, amount=made.result_wei),
        ],
        occurred_at=converted_at,
        at=at,
    ).entry_id
    made.save(force_insert=True)
    return made


def check(
    *,
    site: Site,
    asset: CryptoAsset,
    sold_units: int,
    bought_wei: int,
    reference: str,
    converted_at: datetime,
    at: datetime,
) -> None:
    """Raise ConversionRefused where a conversion can't have happened as it is told."""
    if sold_units <= 0 or bought_wei <= 0:
        raise ConversionRefused("what was sold and what was bought are above zero")
    if not reference.strip():
        raise ConversionRefused("a conversion needs the exchange's reference, or a transfer's hash")
    if converted_at > at:
        raise ConversionRefused("the money can't have been converted in the future")
    held = float_units(site=site, asset=asset)
    if sold_units > held:
        amount = decimal_string(amount=held, decimals=asset.decimals)
        raise ConversionRefused(f"{site} has no more than {amount} {asset.code} on chain")


def float_units(*, site: Site, asset: CryptoAsset) -> int:
    """Return what a site's book has of an asset, in smallest units."""
    return -_stands(site=site, kind=Kind.CRYPTO_FLOAT, asset=asset, in_dai=asset.is_par)


def cost_wei(*, site: Site, asset: CryptoAsset, sold_units: int) -> int:
    """Return what so much of an asset was booked at: the average, rounded down; all for all."""
    if asset.is_par:
        return sold_units
    held = _stands(site=site, kind=Kind.CRYPTO_POSITION, asset=asset, in_dai=False)
    booked = -_stands(site=site, kind=Kind.CRYPTO_POSITION, asset=asset, in_dai=True)
    return booked * sold_units // held


def _stands(*, site: Site, kind: LedgerAccount.Kind, asset: CryptoAsset, in_dai: bool) -> int:
    account = LedgerAccount.objects.filter(
        book_id=site.book.pk,
        household_id__isnull=True,
        kind=kind,
        name=asset.code,
        asset=DAI if in_dai else asset.code,
    ).first()
    return 0 if account is None else account.amount


def _replayed(known: CryptoConversion, *, told: tuple[int, int]) -> CryptoConversion:
    if (known.sold_units, known.bought_wei) != told:
        raise ConversionDiffers(
            f"{known.reference} is booked already for {known.site} and {known.asset}, with other "
            "amounts"
        )
    return known
