"""What tests of taking money back share: payments with fees, donations, and the books."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts import amounts, audit, pledges, site_rates, topups
from accounts.models import Donor, Household, Payment, Pledge, Rail, Site
from accounts.topups import ConfirmedPayment
from tests.village import Village

DAI = 10**18


def quote(*, at: datetime, currency: str = "KES", local_per_dai: str = "131") -> None:
    """What the market says for the next hours."""
    site_rates.store_quote(
        source="test",
        currency=currency,
        local_per_dai=Decimal(local_per_dai),
        quoted_at=at,
        expires_at=at + timedelta(days=400),
    )


def charging(village: Village) -> Rail:
    """The village's rail, charging its payers for fee and conversion."""
    Rail.objects.filter(pk=village.rail.pk).update(is_fee_charged=True, spread_basis_points=150)
    village.rail.refresh_from_db()
    return village.rail


def card_rail(village: Village, *, currency: str = "USD") -> Rail:
    """A rail of the village's operator that takes cards."""
    return Rail.objects.get_or_create(
        provider=Rail.Provider.STRIPE,
        merchant_account="acct_1",
        currency=currency,
        defaults={
            "operator": village.operator,
            "code": f"card-{currency.lower()}",
            "min_top_up_minor": 1,
            "max_top_up_minor": 10**9,
        },
    )[0]


def confirmed(village: Village, code: str, *, at: datetime, **changes: Any) -> ConfirmedPayment:
    """A payment of 1,000 KES over the village's rail, of which the provider kept 17.35."""
    payment = ConfirmedPayment(
        rail=village.rail,
        reference="RCP0000001",
        amount_minor=100_000,
        fee_minor=1_735,
        currency="KES",
        paid_at=at,
        account_text=code,
        payer_phone="254711000001",
    )
    return replace(payment, **changes)


def pay(village: Village, code: str, *, at: datetime, **changes: Any) -> Payment:
    """Confirm such a payment."""
    return topups.confirm(payment=confirmed(village, code, at=at, **changes), at=at)


def pledged(village: Village, *, amount_minor: int, key: str, at: datetime) -> Pledge:
    """A donor's wish to pay by card."""
    attempt = pledges.request(
        site=village.site,
        rail=card_rail(village),
        amount_minor=amount_minor,
        idempotency_key=key,
        donor=Donor.objects.create(created_at=at),
        at=at,
    )
    assert attempt.pledge is not None
    return attempt.pledge


def donate(
    village: Village, *, at: datetime, amount_minor: int = 7_001, reference: str = "ch_1"
) -> Payment:
    """A donation of 70.01 USD by card, of which the provider kept 2.33."""
    pledge = pledged(village, amount_minor=amount_minor, key=f"pledge:{reference}", at=at)
    Pledge.objects.filter(pk=pledge.pk).update(state=Pledge.State.SUCCEEDED)
    return topups.confirm(
        payment=ConfirmedPayment(
            rail=pledge.rail,
            reference=reference,
            amount_minor=amount_minor,
            fee_minor=min(233, amount_minor),
            currency="USD",
            paid_at=at,
            account_text=pledge.account_text,
            pledge=pledge,
        ),
        at=at,
    )


def standing(site: Site) -> dict[tuple[str, str, str], int]:
    """Every account of a site's own, by kind, name and asset, that does not stand at zero."""
    return {key: amount for key, amount in amounts.of_site(site=site).items() if amount}


def funds(household: Household) -> int:
    return amounts.of_household(household=household).funds_wei


def assert_books_hold() -> None:
    """Nothing is wrong in any book."""
    wrong = [finding for result in audit.run(checks=audit.CHECKS) for finding in result.findings]
    assert not wrong, wrong
