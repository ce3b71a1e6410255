"""Donations: what a donor paid, in the ledger and as a position of the donors' index."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

from accounts import crediting, donors_index, gift_letters, ledger, site_rates
from accounts.ledger import Leg
from accounts.models import Donation, Payment, Pledge
from accounts.money import wei_from_minor

VESTING = timedelta(days=120)
"""The window in which a card payment can be disputed."""


class NoMarketRate(LookupError):
    """No source ever quoted the currency, so nobody can say how much DAI a donation is."""


def credit(*, payment: Payment, pledge: Pledge, at: datetime) -> Donation:
    """Post a payment as a donation behind the site's locked book, and open its position.

    Donations are not at a site's rate but at the market's, fees not taken off: what the donor paid
    is what counts. Raises NoMarketRate.
    """
    market = market_rate(currency=payment.currency, at=at)
    amount_wei, fee_wei = (
        wei_from_minor(amount_minor=minor, currency=payment.currency, local_per_dai=market)
        for minor in (payment.amount_minor, payment.fee_minor)
    )
    kept_minor = payment.amount_minor - payment.fee_minor
    # A book's positions are told apart by name; the site's own currency has none.
    position = "" if payment.currency == pledge.site.currency else payment.currency
    entry = ledger.post(
        book_id=pledge.site.book.pk,
        kind="donation",
        key=f"donation:{payment.provider}:{payment.reference}",
        legs=[
            crediting.received_leg(payment=payment, amount_minor=kept_minor),
            Leg(kind="fx_position", asset=payment.currency, amount=kept_minor),
            Leg(kind="fx_position", name=position, amount=fee_wei - amount_wei),
            Leg(kind="rail_fees", name=payment.rail.code, amount=-fee_wei),
            Leg(kind="donations", amount=amount_wei),
        ],
        occurred_at=payment.paid_at,
        at=at,
    )
    payment.pledge = pledge
    crediting.mark_credited(
        payment=payment,
        site=pledge.site,
        entry_id=entry.entry_id,
        credited_wei=amount_wei,
        at=at,
    )
    donation = donors_index.donate(
        donor=pledge.donor,
        site=pledge.site,
        amount_wei=amount_wei,
        donated_at=payment.paid_at,
        vests_at=payment.paid_at + VESTING,
    )
    donation = donors_index.belongs_to(donation=donation, payment=payment)
    gift_letters.received(payment=payment, donation=donation, at=at)
    return donation


def market_rate(*, currency: str, at: datetime) -> Fraction:
    """Return local money per DAI, fresh or, where no source answers, as last known.

    A dollar that nobody quoted is one DAI. Raises NoMarketRate.
    """
    known = site_rates.market(currency=currency, at=at) or site_rates.last_known(
        currency=currency, at=at
    )
    if known is not None:
        return known
    if currency == "USD":
        return Fraction(1)
    raise NoMarketRate(f"no source has quoted {currency} yet")
