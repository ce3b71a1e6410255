"""The treasury: received money moved out of a rail's float and turned into DAI.

A book's position in a currency stands at what its payments were worth when they came, so a sale
realises a result: what was bought against the average cost of what was sold. The currencies of one
book are told apart by the name of the position's account in DAI; one without a name is the site's
own currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import floats, ledger
from accounts.ledger import DAI, Leg
from accounts.models import LedgerAccount, Rail, Site, TreasuryConversion, User

KEY = "conversion:{rail}:{reference}"


class ConversionRefused(ValueError):
    """The conversion can't have happened as it was entered; nothing was booked."""


class ConversionDiffers(Exception):
    """The reference is known for the site and rail, with other amounts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A book's money of one currency: minor units, and the wei they were booked at.

    name is that of the account that holds those wei.
    """

    amount_minor: int
    cost_wei: int
    name: str

    def cost_of(self, *, sold_minor: int, fee_minor: int, bought_wei: int) -> int:
        """Return the cost of a sale, in wei: the average, rounded down; all of it for the last.

        What is sold beyond the position (money in suspense, or waiting to be paid back) was never
        booked in DAI: it costs what the sale itself makes of it, and has no result.
        """
        covered_minor = min(sold_minor, max(self.amount_minor, 0))
        cost_wei = self.cost_wei * covered_minor // self.amount_minor if covered_minor else 0
        beyond_minor = sold_minor - covered_minor
        return cost_wei + bought_wei * beyond_minor // (sold_minor - fee_minor)


@transaction.atomic
def convert(
    *,
    site: Site,
    rail: Rail,
    sold_minor: int,
    fee_minor: int,
    bought_wei: int,
    reference: str,
    converted_at: datetime,
    made_by: User,
    note: str,
    at: datetime,
) -> TreasuryConversion:
    """Book that money left a rail's float of a site, and the DAI that came of it.

    sold_minor is what left the float, fee_minor the part of it that bank and exchange kept; both in
    minor units of the rail's currency. reference is the provider's id of the payout, by which
    reconciliation finds it. One entry, with S sold, F the fee, C the cost of S, f = C*F//S:

        float +S, fx_position (currency) -S, fx_position (DAI) +C,
        rail_fees -f, treasury -bought, fx_result bought - (C - f)

    The fee is an expense at cost, and the result is what the rest of the money made: the fee is
    not in it a second time, and both together are bought - C. The same site, rail and reference
    again return the first conversion. Raises ConversionDiffers, ConversionRefused.
    """
    reference = reference.strip()
    book_id = site.book.pk
    ledger.lock(book_id=book_id)
    known = TreasuryConversion.objects.filter(site=site, rail=rail, reference=reference).first()
    if known is not None:
        return _replayed(known, told=(sold_minor, fee_minor, bought_wei))
    check(
        site=site,
        rail=rail,
        sold_minor=sold_minor,
        fee_minor=fee_minor,
        bought_wei=bought_wei,
        reference=reference,
        converted_at=converted_at,
        at=at,
    )
    held = position(site=site, currency=rail.currency)
    cost_wei = held.cost_of(sold_minor=sold_minor, fee_minor=fee_minor, bought_wei=bought_wei)
    made = TreasuryConversion(
        site=site,
        rail=rail,
        sold_minor=sold_minor,
        fee_minor=fee_minor,
        currency=rail.currency,
        bought_wei=bought_wei,
        cost_wei=cost_wei,
        reference=reference,
        note=note[:200],
        made_by=made_by,
        converted_at=converted_at,
        recorded_at=at,
    )
    entry = ledger.post(
        book_id=book_id,
        kind="conversion",
        key=KEY.format(rail=rail.code, reference=reference),
        legs=_legs(made, position_name=held.name),
        occurred_at=converted_at,
        at=at,
    )
    made.entry_id = entry.entry_id
    made.save(force_insert=True)
    return made


def check(
    *,
    site: Site,
    rail: Rail,
    sold_minor: int,
    fee_minor: int,
    bought_wei: int,
    reference: str,
    converted_at: datetime,
    at: datetime,
) -> None:
    """Raise ConversionRefused where a conversion can't have happened as it is told."""
    if sold_minor <= 0 or bought_wei <= 0:
        raise ConversionRefused("what was sold and what was bought are above zero")
    if not 0 <= fee_minor < sold_minor:
        raise ConversionRefused("the fee is part of what was sold, and less than all of it")
    if not reference.strip():
        raise ConversionRefused("without the payout's reference nobody finds it in the statement")
    if converted_at > at:
        raise ConversionRefused("the money can't have been converted in the future")
    if rail.operator_id != site.operator_id:
        raise ConversionRefused(f"{rail.code} is another operator's rail than {site}'s")
    # A book's float may count on money that another book of the rail has given out already.
    float_minor = min(
        floats.of_book_minor(rail=rail, book_id=site.book.pk), floats.held_minor(rail=rail)
    )
    if sold_minor > float_minor:
        held = floats.money_words(amount_minor=max(float_minor, 0), currency=rail.currency)
        raise ConversionRefused(f"{site} has no more than {held} on {rail.code}")


def position(*, site: Site, currency: str) -> Position:
    """Return a site's position in a currency, behind its locked book or as it is now."""
    accounts = LedgerAccount.objects.filter(
        book_id=site.book.pk, household_id__isnull=True, kind=LedgerAccount.Kind.FX_POSITION
    )
    names = {currency, ""} if currency == site.currency else {currency}
    booked = {each.name: each.amount for each in accounts if each.asset == DAI}
    return Position(
        amount_minor=sum(each.amount for each in accounts if each.asset == currency),
        cost_wei=-sum(amount for name, amount in booked.items() if name in names),
        name="" if currency == site.currency and currency not in booked else currency,
    )


def sale_legs(
    *,
    rail: Rail,
    position_name: str,
    sold_minor: int,
    fee_minor: int,
    cost_wei: int,
    bought_wei: int,
) -> list[Leg]:
    """Return the legs of money that leaves a rail's float for good; in DAI they sum to bought_wei.

    The caller balances them with the opposite of bought_wei where that goes: the treasury buys it,
    a payout is owed it. The fee is part of what was sold.
    """
    currency = rail.currency
    fee_wei = cost_wei * fee_minor // sold_minor
    return [
        Leg(kind="float", name=rail.code, asset=currency, amount=sold_minor),
        Leg(kind="fx_position", asset=currency, amount=-sold_minor),
        Leg(kind="fx_position", name=position_name, amount=cost_wei),
        Leg(kind="rail_fees", name=rail.code, amount=-fee_wei),
        Leg(kind="fx_result", name=currency, amount=bought_wei - (cost_wei - fee_wei)),
    ]


def _legs(made: TreasuryConversion, *, position_name: str) -> list[Leg]:
    left = sale_legs(
        rail=made.rail,
        position_name=position_name,
        sold_minor=made.sold_minor,
        fee_minor=made.fee_minor,
        cost_wei=made.cost_wei,
        bought_wei=made.bought_wei,
    )
    return [*left, Leg(kind="treasury", amount=-made.bought_wei)]


def _replayed(known: TreasuryConversion, *, told: tuple[int, int, int]) -> TreasuryConversion:
    if (known.sold_minor, known.fee_minor, known.bought_wei) != told:
        raise ConversionDiffers(
            f"{known.reference} is booked already for {known.site} over {known.rail.code}, with "
            "other amounts"
        )
    return known
