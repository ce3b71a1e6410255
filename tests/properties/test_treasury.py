"""Whatever comes in and is sold, in any order: positions and results agree with plain sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import ledger, treasury
from accounts.ledger import DAI, Leg
from accounts.models import LedgerAccount, Rail, TreasuryConversion, User
from accounts.treasury import ConversionRefused, Position
from tests.village import Village

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CURRENCIES = {"KES": "mpesa", "USD": "cards"}

credits = st.tuples(
    st.just("credit"),
    st.sampled_from(sorted(CURRENCIES)),
    st.integers(1, 10**9),
    st.integers(1, 10**24),
)
sales = st.tuples(
    st.just("sale"),
    st.sampled_from(sorted(CURRENCIES)),
    # Of what the float holds, in parts of 1,000; all of it now and then.
    st.one_of(st.integers(1, 999), st.just(1_000)),
    st.integers(1, 10**24),
)
parts = st.integers(0, 999)


@dataclass(kw_only=True)
class Held:
    """One currency by the rules of the economy, in integers and fractions only."""

    minor: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    bought: int = 0
    booked: int = 0
    sold_cost: int = 0

    def credit(self, minor: int, wei: int) -> None:
        self.minor += minor
        self.cost += wei
        self.booked += wei

    def sell(self, minor: int, fee: int, wei: int) -> None:
        exact = Fraction(self.cost * minor, self.minor)
        cost = exact.numerator // exact.denominator
        fee_cost = cost * fee // minor
        self.minor -= minor
        self.cost -= cost
        self.sold_cost += cost
        self.fees += fee_cost
        self.bought += wei
        self.realised += wei - cost + fee_cost


@settings(max_examples=60)
@given(st.lists(st.tuples(st.one_of(credits, sales), parts), max_size=25))
def test_positions_and_results_are_exact_whatever_the_order(
    events: list[tuple[tuple[str, str, int, int], int]],
) -> None:
    with transaction.atomic():
        _play(events)
        transaction.set_rollback(True)


def _play(events: list[tuple[tuple[str, str, int, int], int]]) -> None:
    village, by, rails = _founded()
    held = {currency: Held() for currency in CURRENCIES}
    for number, ((kind, currency, amount, wei), part) in enumerate(events):
        model, rail = held[currency], rails[currency]
        if kind == "credit":
            _credit(village, currency=currency, minor=amount, wei=wei, key=str(number))
            model.credit(amount, wei)
            continue
        sold = model.minor * amount // 1_000
        if not sold:
            continue
        fee = (sold - 1) * part // 1_000
        treasury.convert(
            site=village.site,
            rail=rail,
            sold_minor=sold,
            fee_minor=fee,
            bought_wei=wei,
            reference=f"OUT{number}",
            converted_at=NOW,
            made_by=by,
            note="",
            at=NOW,
        )
        model.sell(sold, fee, wei)
    for currency, model in held.items():
        _agree(village, currency=currency, model=model, rail_code=CURRENCIES[currency])
        assert model.booked == model.sold_cost + model.cost
        if not model.minor:
            assert model.cost == 0
            with pytest.raises(ConversionRefused):
                treasury.check(
                    site=village.site,
                    rail=rails[currency],
                    sold_minor=1,
                    fee_minor=0,
                    bought_wei=1,
                    reference="x",
                    converted_at=NOW,
                    at=NOW,
                )


def _agree(village: Village, *, currency: str, model: Held, rail_code: str) -> None:
    at_site = LedgerAccount.objects.filter(book_id=village.site.book.pk)
    stands = {(a.kind, a.name, a.asset): a.amount for a in at_site}
    assert -stands.get(("float", rail_code, currency), 0) == model.minor
    position = treasury.position(site=village.site, currency=currency)
    assert (position.amount_minor, position.cost_wei) == (model.minor, model.cost)
    assert stands.get(("fx_result", currency, DAI), 0) == model.realised
    assert -stands.get(("rail_fees", rail_code, DAI), 0) == model.fees
    made = TreasuryConversion.objects.filter(currency=currency)
    assert sum(each.result_wei for each in made) == model.realised
    assert sum(each.bought_wei for each in made) == model.bought
    assert model.bought - model.sold_cost == model.realised - model.fees


def _founded() -> tuple[Village, User, dict[str, Rail]]:
    village = Village.found(at=NOW)
    cards = Rail.objects.create(
        operator=village.operator,
        provider=Rail.Provider.STRIPE,
        code="cards",
        merchant_account="acct_1",
        currency="USD",
        min_top_up_minor=1,
        max_top_up_minor=10**12,
    )
    by = User.objects.create_user("clerk", operator=village.operator)
    return village, by, {"KES": village.rail, "USD": cards}


def _credit(village: Village, *, currency: str, minor: int, wei: int, key: str) -> None:
    """Money that came in, worth so much DAI at the market."""
    ledger.post(
        book_id=village.site.book.pk,
        kind="donation",
        key=f"credit:{key}",
        legs=[
            Leg(kind="float", name=CURRENCIES[currency], asset=currency, amount=-minor),
            Leg(kind="fx_position", asset=currency, amount=minor),
            Leg(kind="fx_position", name=currency, amount=-wei),
            Leg(kind="donations", amount=wei),
        ],
        occurred_at=NOW - timedelta(minutes=1),
        at=NOW,
    )


@given(
    st.integers(1, 10**12),
    st.integers(0, 10**26),
    st.lists(st.integers(1, 10**12), max_size=8),
)
def test_the_parts_of_a_position_cost_the_whole(
    minor: int, cost: int, sales_minor: list[int]
) -> None:
    left, costs = Position(amount_minor=minor, cost_wei=cost, name=""), []
    for sold in [*(sale % (minor + 1) or 1 for sale in sales_minor), minor]:
        sold_minor = min(sold, left.amount_minor)
        if not sold_minor:
            break
        part = left.cost_of(sold_minor=sold_minor, fee_minor=0, bought_wei=1)
        assert 0 <= part * left.amount_minor <= left.cost_wei * sold_minor
        costs.append(part)
        left = Position(
            amount_minor=left.amount_minor - sold_minor, cost_wei=left.cost_wei - part, name=""
        )
    assert left.amount_minor == 0
    assert sum(costs) == cost
