"""Subscriptions: begun by a Checkout Session, billed by the clock, refused, recovered, canceled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from sandbox.stripe.subscription_shapes import months_later
from tests.sandbox.stripe_account import DECLINED, OK, Account, metadata

REFUSING = "4000000000000341"
DAY = 24 * 3600.0
MONTHLY = {
    "currency": "usd",
    "unit_amount": 2500,
    "product_data": {"name": "Monthly gift"},
    "recurring": {"interval": "month"},
}


def session(account: Account, **changes: Any) -> stripe.checkout.Session:
    params: Any = {
        "mode": "subscription",
        "line_items": [{"price_data": MONTHLY, "quantity": 1}],
        "success_url": "https://example.org/thanks",
        "client_reference_id": "token",
        "subscription_data": {"metadata": {"plan": "p1"}},
        **changes,
    }
    return account.client.v1.checkout.sessions.create(params)


def begun(account: Account) -> str:
    """A subscription whose first month was paid."""
    reference = session(account).id
    account.pay(reference)
    return str(account.client.v1.checkout.sessions.retrieve(reference).subscription)


def invoices(account: Account, subscription: str, **more: Any) -> list[stripe.Invoice]:
    params: Any = {"subscription": subscription, **more}
    return account.client.v1.invoices.list(params).data


def status(account: Account, subscription: str) -> str:
    return account.client.v1.subscriptions.retrieve(subscription).status


def test_a_session_begins_a_subscription_whose_first_invoice_is_paid(
    stripe_account: Account,
) -> None:
    opened = session(stripe_account)
    assert (opened.mode, opened.subscription, opened.invoice) == ("subscription", None, None)
    stripe_account.pay(opened.id)
    paid = stripe_account.client.v1.checkout.sessions.retrieve(opened.id)
    assert (paid.status, paid.payment_status, paid.payment_intent) == ("complete", "paid", None)
    subscription = stripe_account.client.v1.subscriptions.retrieve(str(paid.subscription))
    assert (subscription.status, metadata(subscription)) == ("active", {"plan": "p1"})
    [item] = subscription["items"].data
    assert (item.price.type, item.price.recurring.interval) == ("recurring", "month")
    assert item.current_period_end == months_later(item.current_period_start, months=1)
    [invoice] = invoices(stripe_account, subscription.id)
    assert invoice.id == paid.invoice
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_create")
    assert (invoice.amount_paid, invoice.amount_remaining) == (2500, 0)
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id
    stripe_account.hooks.wait_for("invoice.paid")
    stripe_account.hooks.wait_for("customer.subscription.created")
    [event] = stripe_account.hooks.wait_for("checkout.session.completed")
    assert event.data.object["subscription"] == subscription.id


def test_the_charge_of_a_month_is_found_by_the_invoices_payments(stripe_account: Account) -> None:
    subscription = begun(stripe_account)
    [invoice] = invoices(stripe_account, subscription)
    [payment] = stripe_account.client.v1.invoice_payments.list({"invoice": invoice.id}).data
    assert (payment.status, payment.payment.type) == ("paid", "payment_intent")
    intent_id = str(payment.payment.payment_intent)
    intent = stripe_account.client.v1.payment_intents.retrieve(
        intent_id, {"expand": ["latest_charge"]}
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    # Nothing of ours stands on it: neither our metadata nor the invoice.
    assert (intent.latest_charge.amount, metadata(intent.latest_charge)) == (2500, {})
    assert intent.latest_charge.description == "Subscription creation"
    of_intent: Any = {"payment": {"type": "payment_intent", "payment_intent": intent_id}}
    [same] = stripe_account.client.v1.invoice_payments.list(of_intent).data
    assert same.invoice == invoice.id
    expanded = stripe_account.client.v1.invoices.retrieve(invoice.id, {"expand": ["payments"]})
    assert expanded.payments is not None
    assert [each.id for each in expanded.payments.data] == [payment.id]


def test_every_month_is_charged_when_it_begins(stripe_account: Account) -> None:
    subscription = begun(stripe_account)
    stripe_account.clock.move(seconds=25 * DAY)
    assert len(invoices(stripe_account, subscription)) == 1
    stripe_account.clock.move(seconds=40 * DAY)
    listed = invoices(stripe_account, subscription)
    assert [invoice.billing_reason for invoice in listed] == [
        "subscription_cycle",
        "subscription_cycle",
        "subscription_create",
    ]
    assert {invoice.status for invoice in listed} == {"paid"}
    stripe_account.hooks.wait_for("invoice.paid", count=3)


def test_a_month_passes_on_command_without_the_clock(stripe_account: Account) -> None:
    subscription = begun(stripe_account)
    assert stripe_account.simulate(f"subscriptions/{subscription}/month").status_code == 200
    first, second = invoices(stripe_account, subscription)[::-1]
    assert second.lines.data[0].period.start == first.lines.data[0].period.end
    # The month that was charged early is not charged again when it comes.
    stripe_account.clock.move(seconds=32 * DAY)
    assert len(invoices(stripe_account, subscription)) == 2


def test_a_card_that_refuses_is_tried_again_until_the_subscription_ends(
    stripe_account: Account,
) -> None:
    subscription = begun(stripe_account)
    stripe_account.simulate(f"subscriptions/{subscription}/card", card=REFUSING)
    stripe_account.clock.move(seconds=31 * DAY)
    [late] = invoices(stripe_account, subscription, status="open")
    assert (late.attempt_count, late.next_payment_attempt is not None) == (1, True)
    assert status(stripe_account, subscription) == "past_due"
    stripe_account.hooks.wait_for("invoice.payment_failed")
    for _ in range(3):
        stripe_account.clock.move(seconds=3 * DAY)
        assert invoices(stripe_account, subscription)
    [late] = invoices(stripe_account, subscription, status="open")
    assert (late.attempt_count, late.next_payment_attempt, late.auto_advance) == (4, None, False)
    assert status(stripe_account, subscription) == "canceled"
    [event] = stripe_account.hooks.wait_for("customer.subscription.deleted")
    assert event.data.object["cancellation_details"]["reason"] == "payment_failed"


def test_another_card_pays_what_is_open_and_the_subscription_goes_on(
    stripe_account: Account,
) -> None:
    subscription = begun(stripe_account)
    stripe_account.simulate(f"subscriptions/{subscription}/card", card=REFUSING)
    stripe_account.simulate(f"subscriptions/{subscription}/month")
    [late] = invoices(stripe_account, subscription, status="open")
    with pytest.raises(stripe.CardError, match="declined"):
        stripe_account.client.v1.invoices.pay(late.id)
    answer = stripe_account.simulate(f"subscriptions/{subscription}/card", card=OK, pay=True)
    assert answer.json()["status"] == "active"
    assert stripe_account.client.v1.invoices.retrieve(late.id).status == "paid"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        stripe_account.client.v1.invoices.pay(late.id)


def test_a_canceled_subscription_is_not_charged_and_not_canceled_twice(
    stripe_account: Account,
) -> None:
    subscription = begun(stripe_account)
    ended = stripe_account.client.v1.subscriptions.cancel(subscription)
    assert (ended.status, ended.ended_at) == ("canceled", ended.canceled_at)
    stripe_account.clock.move(seconds=62 * DAY)
    assert len(invoices(stripe_account, subscription)) == 1
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_account.client.v1.subscriptions.cancel(subscription)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert status(stripe_account, subscription) == "canceled"


def test_one_that_is_to_end_with_its_month_ends_then(stripe_account: Account) -> None:
    subscription = begun(stripe_account)
    subscriptions = stripe_account.client.v1.subscriptions
    ending = subscriptions.update(subscription, {"cancel_at_period_end": True})
    assert (ending.status, ending.cancel_at_period_end) == ("active", True)
    assert ending.cancel_at is not None
    stripe_account.clock.move(seconds=32 * DAY)
    assert status(stripe_account, subscription) == "canceled"
    assert len(invoices(stripe_account, subscription)) == 1


def test_a_declined_card_begins_nothing(stripe_account: Account) -> None:
    opened = session(stripe_account)
    answer = stripe_account.simulate(f"checkout/{opened.id}", card=DECLINED)
    assert answer.status_code == 402
    assert stripe_account.client.v1.subscriptions.list({"status": "all"}).data == []
    stripe_account.pay(opened.id)
    assert len(stripe_account.client.v1.subscriptions.list().data) == 1
    stripe_account.clock.move(seconds=1.0)
    assert stripe_account.totals()[1] > 0


def test_the_same_key_opens_one_session(stripe_account: Account) -> None:
    params: Any = {
        "mode": "subscription",
        "line_items": [{"price_data": MONTHLY, "quantity": 1}],
        "success_url": "https://example.org/thanks",
    }
    create = stripe_account.client.v1.checkout.sessions.create
    first, again = (create(params, {"idempotency_key": "k"}) for _ in range(2))
    assert first.id == again.id


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mode": "payment", "subscription_data": None}, "passed a recurring price"),
        ({"payment_intent_data": {"metadata": {"a": "b"}}}, "payment_intent_data"),
        (
            {"line_items": [{"price_data": {**MONTHLY, "recurring": {"interval": "year"}}}]},
            "by the month only",
        ),
        (
            {
                "line_items": [
                    {"price_data": {k: v for k, v in MONTHLY.items() if k != "recurring"}}
                ]
            },
            "at least one recurring price",
        ),
    ],
)
def test_what_does_not_fit_the_mode_is_refused(
    stripe_account: Account, changes: dict[str, Any], told: str
) -> None:
    given = {name: value for name, value in changes.items() if value is not None}
    if changes.get("mode") == "payment":
        given["subscription_data"] = {}
    with pytest.raises(stripe.InvalidRequestError, match=told):
        session(stripe_account, **given)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
    ],
)
def test_a_month_ends_on_its_day_or_on_the_last_one(start: str, months: int, end: str) -> None:
    begin, finish = (
        int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in (start, end)
    )
    assert months_later(begin, months=months) == finish
