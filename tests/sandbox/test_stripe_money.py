"""The balance, its transactions, payouts, and the currencies' own rules."""

from __future__ import annotations

import pytest
import stripe

from sandbox.stripe import currencies
from tests.sandbox.stripe_account import Account

TWO_DAYS = 2 * 24 * 3600


def test_a_charge_is_booked_with_its_fee_a_moment_after_it_succeeded(
    stripe_account: Account,
) -> None:
    reference = stripe_account.pay(stripe_account.session().id)["charge"]
    charges = stripe_account.client.v1.charges
    assert charges.retrieve(reference).balance_transaction is None
    [succeeded] = stripe_account.hooks.wait_for("charge.succeeded")
    assert succeeded.data.object["balance_transaction"] is None
    assert stripe_account.totals() == (0, 0)
    stripe_account.clock.move(seconds=1)
    charge = charges.retrieve(reference, {"expand": ["balance_transaction"]})
    transaction = charge.balance_transaction
    assert isinstance(transaction, stripe.BalanceTransaction)
    assert (transaction.amount, transaction.fee, transaction.net) == (2500, 103, 2397)
    assert (transaction.currency, transaction.source) == ("usd", reference)
    assert [(detail.amount, detail.type) for detail in transaction.fee_details] == [
        (103, "stripe_fee")
    ]
    [updated] = stripe_account.hooks.wait_for("charge.updated")
    assert updated.data.object["balance_transaction"] == transaction.id
    assert updated.data.previous_attributes is not None
    assert updated.data.previous_attributes.to_dict() == {"balance_transaction": None}


def test_an_intent_captured_at_once_is_booked_at_once(stripe_account: Account) -> None:
    intent = stripe_account.client.v1.payment_intents.create(
        {
            "amount": 2500,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "automatic",
            "expand": ["latest_charge"],
        }
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.balance_transaction is not None


def test_funds_are_pending_for_two_days(stripe_account: Account) -> None:
    stripe_account.paid()
    assert stripe_account.totals() == (0, 2397)
    [pending] = stripe_account.client.v1.balance_transactions.list().data
    assert (pending.status, pending.available_on) == ("pending", pending.created + TWO_DAYS)
    stripe_account.clock.move(seconds=TWO_DAYS)
    assert stripe_account.totals() == (2397, 0)
    assert stripe_account.client.v1.balance_transactions.retrieve(pending.id).status == "available"


def test_one_card_has_its_funds_available_at_once(stripe_account: Account) -> None:
    stripe_account.paid(card="4000000000000077")
    assert stripe_account.totals() == (2397, 0)


def test_a_payout_takes_what_is_available(stripe_account: Account) -> None:
    stripe_account.paid()
    with pytest.raises(stripe.InvalidRequestError) as short:
        stripe_account.client.v1.payouts.create({"amount": 2000, "currency": "usd"})
    assert short.value.code == "balance_insufficient"
    stripe_account.clock.move(seconds=TWO_DAYS)
    payout = stripe_account.client.v1.payouts.create(
        {"amount": 2000, "currency": "usd", "metadata": {"entry": "t1"}}
    )
    assert (payout.status, payout.method) == ("pending", "standard")
    stripe_account.hooks.wait_for("payout.created")
    stripe_account.clock.move(seconds=1)
    [paid] = stripe_account.hooks.wait_for("payout.paid")
    assert paid.data.object["id"] == payout.id
    assert stripe_account.client.v1.payouts.retrieve(payout.id).status == "paid"
    assert stripe_account.movements()[-1] == ("payout", "payout", -2000, 0)
    assert stripe_account.totals() == (397, 0)


def test_the_treasury_takes_pending_money_too(stripe_account: Account) -> None:
    stripe_account.paid(currency="xof", amount=10_000)
    payout = stripe_account.simulate("payout", amount="9000", currency="XOF").json()
    assert (payout["amount"], payout["currency"], payout["method"]) == (9000, "xof", "instant")
    assert sum(stripe_account.totals("xof")) == 10_000 - 470 - 9000
    for body in (
        {"amount": "9000", "currency": "XOF"},
        {"amount": "0", "currency": "XOF"},
        {"amount": "1.5", "currency": "XOF"},
        {"amount": "ten", "currency": "XOF"},
        {"amount_minor": True, "currency": "XOF"},
        {"amount": "1", "currency": "???"},
    ):
        assert stripe_account.simulate("payout", **body).status_code == 400
    assert len(stripe_account.client.v1.payouts.list().data) == 1


def test_balance_transactions_are_listed_by_type_currency_source_and_time(
    stripe_account: Account,
) -> None:
    first = stripe_account.paid()
    stripe_account.clock.move(seconds=60)
    refund = stripe_account.client.v1.refunds.create({"charge": first.id, "amount": 200})
    stripe_account.paid(currency="kes", amount=50_000)
    assert [row[2] for row in stripe_account.movements(type="refund")] == [-200]
    assert [row[2] for row in stripe_account.movements(currency="kes")] == [50_000]
    assert [row[2] for row in stripe_account.movements(source=first.id)] == [2500]
    since = {"gte": refund.created}
    assert [row[2] for row in stripe_account.movements(created=since)] == [-200, 50_000]


@pytest.mark.parametrize(
    ("currency", "amount", "fee"),
    [("usd", 2500, 103), ("eur", 1000, 59), ("xof", 10_000, 470), ("kes", 50_000, 5350)],
)
def test_the_fee_is_a_share_and_a_fixed_part(
    stripe_account: Account, currency: str, amount: int, fee: int
) -> None:
    stripe_account.paid(currency=currency, amount=amount)
    assert stripe_account.movements(currency=currency) == [("charge", "charge", amount, fee)]
    assert stripe_account.totals(currency) == (0, amount - fee)


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("usd", 49, "amount_too_small"),
        ("usd", 100_000_000, "amount_too_large"),
        ("xof", 299, "amount_too_small"),
        ("kes", 6_499, "amount_too_small"),
        ("ugx", 500_050, None),
        ("kwd", 5000, None),
        ("xxx", 5000, None),
    ],
)
def test_an_amount_must_suit_its_currency(
    stripe_account: Account, currency: str, amount: int, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_account.session(currency=currency, amount=amount)
    assert refused.value.code == code
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_account.client.v1.payment_intents.create({"currency": currency, "amount": amount})
    assert refused.value.code == code


def test_shillings_of_uganda_are_counted_in_hundredths_but_paid_whole(
    stripe_account: Account,
) -> None:
    paid = stripe_account.paid(currency="ugx", amount=500_000)
    transaction = stripe_account.client.v1.balance_transactions.retrieve(
        str(paid.balance_transaction)
    )
    assert transaction.fee % 100 == 0
    with pytest.raises(stripe.InvalidRequestError, match="divisible by 100"):
        stripe_account.client.v1.refunds.create({"charge": paid.id, "amount": 150})
    assert stripe_account.client.v1.refunds.create({"charge": paid.id, "amount": 200}).amount == 200
    assert currencies.display(500_000, "ugx") == "UGX 5,000"


def test_amounts_are_shown_as_people_read_them() -> None:
    shown = [(123_456, "usd"), (5, "usd"), (1_234_567, "xof"), (-150, "eur"), (-100, "isk")]
    assert [currencies.display(*money) for money in shown] == [
        "USD 1,234.56",
        "USD 0.05",
        "XOF 1,234,567",
        "EUR -1.50",
        "ISK -1",
    ]
