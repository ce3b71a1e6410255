"""Crediting a payment to a household: at the site's rate, fees and spread as postings of their own.

The provider's fee is an expense (rail_fees, in DAI at the market): what it kept never reaches the
float and never has to be converted. What the payer is charged for fee and conversion is income
(fees_charged, spread_charged) and lowers the credit. Everything else between the site's rate and
the market is a posting on the FX reserve.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts import amounts, fiscal, ledger, notices, site_rates
from accounts.amounts import HouseholdAmounts
from accounts.ledger import Leg
from accounts.models import Household, Payment, Rail, Site
from accounts.money import BASIS_POINTS, wei_from_minor


@dataclass(frozen=True, kw_only=True, slots=True)
class Credit:
    """What a payment comes to, in wei: credited + charges == gross at the site's rate."""

    market_wei: int
    gross_wei: int
    fee_market_wei: int
    fee_charged_wei: int
    spread_charged_wei: int

    @property
    def credited_wei(self) -> int:
        """What the household gets."""
        return self.gross_wei - self.fee_charged_wei - self.spread_charged_wei


def fee_minor(*, rail: Rail, amount_minor: int) -> int:
    """Return what the rail's tariff says its provider keeps of a payment, in minor units."""
    share = amount_minor * rail.fee_basis_points // BASIS_POINTS
    return min(share + rail.fee_fixed_minor, amount_minor)


def reckon(*, payment: Payment, site: Site, at: datetime) -> Credit:
    """Return what a payment in the site's currency comes to; each part floors to the wei.

    The site's rate is that of the instant of payment (site_rates.of_payment); without a fresh
    market quote the market is taken to be the site's rate. Raises NoSiteRate.
    """
    rate = site_rates.of_payment(site=site, paid_at=payment.paid_at, at=at)
    market = site_rates.market(currency=payment.currency, at=at) or rate
    rail, currency = payment.rail, payment.currency
    gross_wei = wei_from_minor(
        amount_minor=payment.amount_minor, currency=currency, local_per_dai=rate
    )
    fee_charged_wei = (
        wei_from_minor(amount_minor=payment.fee_minor, currency=currency, local_per_dai=rate)
        if rail.is_fee_charged
        else 0
    )
    return Credit(
        market_wei=wei_from_minor(
            amount_minor=payment.amount_minor, currency=currency, local_per_dai=market
        ),
        gross_wei=gross_wei,
        fee_market_wei=wei_from_minor(
            amount_minor=payment.fee_minor, currency=currency, local_per_dai=market
        ),
        fee_charged_wei=fee_charged_wei,
        spread_charged_wei=gross_wei * rail.spread_basis_points // BASIS_POINTS,
    )


def received_leg(*, payment: Payment, amount_minor: int) -> Leg:
    """Return the leg of money that came in: on the rail's float, or off an agent's."""
    if payment.agent is not None:
        return Leg(
            kind="agent_float",
            name=payment.agent.code,
            asset=payment.currency,
            amount=-amount_minor,
        )
    return Leg(kind="float", name=payment.rail.code, asset=payment.currency, amount=-amount_minor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """What a credit does to a household, in wei: what goes to funds, what to arrears."""

    household: Household
    before: HouseholdAmounts
    credited_wei: int
    repaid_wei: int

    @property
    def legs(self) -> list[Leg]:
        """The household's legs of the entry."""
        return [
            Leg(
                kind="household_funds",
                household_id=self.household.pk,
                amount=self.credited_wei - self.repaid_wei,
            ),
            Leg(
                kind="household_repayment",
                household_id=self.household.pk,
                amount=self.repaid_wei,
            ),
        ]

    @property
    def told(self) -> dict[str, str]:
        """What the household is told of it: amounts of a notice, in wei."""
        return {
            "credited_wei": str(self.credited_wei),
            "repaid_wei": str(self.repaid_wei),
            "funds_wei": str(self.before.funds_wei + self.credited_wei - self.repaid_wei),
            "arrears_wei": str(self.before.arrears_wei - self.repaid_wei),
        }


def share(*, household: Household, site: Site, credited_wei: int) -> Shares:
    """Divide a credit behind the site's locked book: the site's part at most goes to arrears."""
    before = amounts.of_household(household=household)
    return Shares(
        household=household,
        before=before,
        credited_wei=credited_wei,
        repaid_wei=min(
            max(before.arrears_wei, 0),
            credited_wei * site.arrears_share_basis_points // BASIS_POINTS,
        ),
    )


def to_household(
    *, payment: Payment, household: Household, site: Site, key: str, at: datetime
) -> None:
    """Post a payment to a household behind the site's locked book; receipt, and tell it."""
    credit = reckon(payment=payment, site=site, at=at)
    shares = share(household=household, site=site, credited_wei=credit.credited_wei)
    entry = ledger.post(
        book_id=site.book.pk,
        kind="top_up",
        key=key,
        legs=[
            *_money_legs(payment=payment, credit=credit),
            *shares.legs,
        ],
        occurred_at=payment.paid_at,
        at=at,
    )
    payment.household = household
    mark_credited(
        payment=payment,
        site=site,
        entry_id=entry.entry_id,
        credited_wei=credit.credited_wei,
        at=at,
    )
    fiscal.issue(payment=payment, at=at)
    notices.tell_household(
        household=household,
        kind="top_up_credited",
        key=f"top_up_credited:{payment.pk}",
        params={
            "site": site.slug,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "reference": payment.reference,
            **shares.told,
        },
        at=at,
    )


def mark_credited(
    *, payment: Payment, site: Site, entry_id: int, credited_wei: int, at: datetime
) -> None:
    """Note on the payment that it was credited, where and with what."""
    payment.state = Payment.State.CREDITED
    payment.reason = ""
    payment.site = site
    payment.entry_id = entry_id
    payment.credited_wei = credited_wei
    payment.credited_at = at
    payment.save()


def _money_legs(*, payment: Payment, credit: Credit) -> list[Leg]:
    kept_minor = payment.amount_minor - payment.fee_minor
    rail = payment.rail.code
    return [
        received_leg(payment=payment, amount_minor=kept_minor),
        Leg(kind="fx_position", asset=payment.currency, amount=kept_minor),
        Leg(kind="fx_position", amount=credit.fee_market_wei - credit.market_wei),
        Leg(kind="rail_fees", name=rail, amount=-credit.fee_market_wei),
        Leg(kind="fees_charged", name=rail, amount=credit.fee_charged_wei),
        Leg(kind="spread_charged", name=rail, amount=credit.spread_charged_wei),
        Leg(kind="fx_reserve", amount=credit.market_wei - credit.gross_wei),
    ]
