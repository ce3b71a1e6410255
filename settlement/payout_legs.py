"""What a payout does to the accounts, and whether they can bear it; behind the locked book.

    approved   pool -x (a grant: grant_reserved -x), payout_due +x
    paid       payout_due -x against what left, and the service token burned:
               mobile: float +S, fx_position (currency) -S, fx_position (DAI) +C, rail_fees -f,
               fx_result x - (C - f), as a sale of accounts.treasury that bought x
               bank, chain: treasury +x, since that is where DAI bought for floats stands
    put back   payout_due -x, pool +x

What has left a bank or a wallet is what accounts.treasury and accounts.crypto_treasury brought in.
"""

from __future__ import annotations

from django.db.models import QuerySet, Sum

from accounts import amounts, floats, treasury
from accounts.fields import WeiField
from accounts.ledger import DAI, Leg
from accounts.models import LedgerAccount
from accounts.money import dai_string
from settlement import service_tokens
from settlement.models import Payee, Payout, ServiceToken

Kind = LedgerAccount.Kind
GRANT = "grant"
DUE = "payout_due"


class NotCovered(Exception):
    """The pool, or the place the money would come from, does not hold that much."""


def source(*, payout: Payout) -> tuple[str, str]:
    """Return kind and name of the account that a payout is taken from."""
    is_grant = payout.service_token.reason == ServiceToken.Reason.GRANT
    return (Kind.GRANT_RESERVED, "") if is_grant else (Kind.POOL, payout.pool)


def held_wei(*, payout: Payout) -> int:
    """Return what stands on the account that a payout is taken from; the operator's may be < 0."""
    return amounts.of_site(site=payout.site).get((*source(payout=payout), DAI), 0)


def set_aside(*, payout: Payout) -> list[Leg]:
    """Return the legs that take a payout out of its pool."""
    kind, name = source(payout=payout)
    return [
        Leg(kind=kind, name=name, amount=-payout.amount_wei),
        Leg(kind=DUE, amount=payout.amount_wei),
    ]


def put_back(*, payout: Payout) -> list[Leg]:
    """Return the legs that give it back to its pool."""
    return [_opposite(leg) for leg in set_aside(payout=payout)]


def paid(*, payout: Payout, fee_minor: int) -> list[Leg]:
    """Return the legs of a payout that arrived. fee_minor left the float besides, for the rail."""
    return [
        Leg(kind=DUE, amount=-payout.amount_wei),
        *_left(payout=payout, fee_minor=fee_minor),
        *service_tokens.legs(token=payout.service_token, is_burned=True),
    ]


def check_pool(*, payout: Payout) -> None:
    """Raise NotCovered where the pool does not hold what is to leave it.

    The ledger itself lets the operator's pool stand below zero; a payout never brings it there.
    """
    held = held_wei(payout=payout)
    if payout.amount_wei > held:
        raise NotCovered(
            f"the pool {payout.pool} of {payout.site} holds {dai_string(max(held, 0))} DAI, "
            f"{dai_string(payout.amount_wei)} DAI were to leave it"
        )


def check_source(*, payout: Payout) -> None:
    """Raise NotCovered where float or treasury do not hold it beside what is under way already."""
    aside = Payout.objects.filter(site=payout.site, state__in=Payout.SET_ASIDE).exclude(
        pk=payout.pk
    )
    if payout.way == Payee.Way.MOBILE:
        _check_float(payout=payout, aside=aside)
        return
    held = -amounts.of_site(site=payout.site).get((Kind.TREASURY, "", DAI), 0)
    promised = aside.exclude(way=Payee.Way.MOBILE).aggregate(
        total=Sum("amount_wei", output_field=WeiField())
    )["total"]
    free = held - (promised or 0)
    if payout.amount_wei > free:
        raise NotCovered(
            f"the treasury of {payout.site} has {dai_string(max(free, 0))} DAI that are not "
            "promised to other payouts: convert more of a float first"
        )


def _check_float(*, payout: Payout, aside: QuerySet[Payout]) -> None:
    assert payout.rail is not None and payout.amount_minor is not None  # noqa: S101 - mobile
    rail = payout.rail
    promised = aside.filter(rail=rail).aggregate(total=Sum("amount_minor"))["total"] or 0
    # A book's float may count on money that another book of the rail has given out already.
    held = min(
        floats.of_book_minor(rail=rail, book_id=payout.site.book.pk), floats.held_minor(rail=rail)
    )
    if payout.amount_minor > held - promised:
        free = floats.money_words(amount_minor=max(held - promised, 0), currency=payout.currency)
        raise NotCovered(f"{payout.site} has no more than {free} on {rail.code} to pay it from")


def _left(*, payout: Payout, fee_minor: int) -> list[Leg]:
    if payout.way != Payee.Way.MOBILE:
        return [Leg(kind=Kind.TREASURY, amount=payout.amount_wei)]
    assert payout.rail is not None and payout.amount_minor is not None  # noqa: S101 - mobile
    sold_minor = payout.amount_minor + fee_minor
    held = treasury.position(site=payout.site, currency=payout.currency)
    cost_wei = held.cost_of(
        sold_minor=sold_minor, fee_minor=fee_minor, bought_wei=payout.amount_wei
    )
    return treasury.sale_legs(
        rail=payout.rail,
        position_name=held.name,
        sold_minor=sold_minor,
        fee_minor=fee_minor,
        cost_wei=cost_wei,
        bought_wei=payout.amount_wei,
    )


def _opposite(leg: Leg) -> Leg:
    return Leg(kind=leg.kind, name=leg.name, asset=leg.asset, amount=-leg.amount)
