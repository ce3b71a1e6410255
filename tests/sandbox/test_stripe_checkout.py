"""Checkout Sessions: created, paid by card or bank debit, declined, expired."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.stripe_account import OK, Account, metadata

RESET = "requires_payment_method"


def intent_of(account: Account, session_id: str) -> stripe.PaymentIntent:
    session = account.client.v1.checkout.sessions.retrieve(
        session_id, {"expand": ["payment_intent.latest_charge"]}
    )
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    return session.payment_intent


def charge_of(intent: stripe.PaymentIntent) -> stripe.Charge:
    assert isinstance(intent.latest_charge, stripe.Charge)
    return intent.latest_charge


def test_a_session_is_paid_and_says_so(stripe_account: Account) -> None:
    session = stripe_account.session(customer_email="ada@example.org")
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.payment_intent is None
    assert session.url == f"{stripe_account.url}/checkout/{session.id}"
    assert session.expires_at == session.created + 24 * 3600
    paid = stripe_account.pay(session.id, name="Ada")
    assert paid["redirect"] == f"https://example.org/thanks?session={session.id}"
    after = stripe_account.client.v1.checkout.sessions.retrieve(session.id)
    assert (after.status, after.payment_status, after.url) == ("complete", "paid", None)
    assert (after.amount_total, after.currency) == (2500, "usd")
    assert (after.client_reference_id, metadata(after)) == ("KIS0001", {"attempt": "a1"})
    assert after.customer_details is not None
    assert (after.customer_details.email, after.customer_details.name) == ("ada@example.org", "Ada")
    intent = intent_of(stripe_account, session.id)
    assert (intent.status, intent.amount_received) == ("succeeded", 2500)
    assert metadata(intent) == {"attempt": "a1"}
    assert charge_of(intent).paid
    assert metadata(charge_of(intent)) == {"attempt": "a1"}
    assert [
        event.data.object["id"]
        for event in stripe_account.hooks.wait_for("checkout.session.completed")
    ] == [session.id]


def test_line_items_are_listed_and_expanded(stripe_account: Account) -> None:
    price = {"currency": "kes", "unit_amount": 50_000, "product_data": {"name": "Top up"}}
    session = stripe_account.session(line_items=[{"price_data": price, "quantity": 3}])
    assert session.amount_total == 150_000
    sessions = stripe_account.client.v1.checkout.sessions
    [item] = sessions.line_items.list(session.id).data
    assert (item.description, item.quantity, item.amount_total) == ("Top up", 3, 150_000)
    expanded = sessions.retrieve(session.id, {"expand": ["line_items"]}).line_items
    assert expanded is not None
    assert [line.id for line in expanded.data] == [item.id]
    assert "line_items" not in sessions.retrieve(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="same currency"):
        other = {**price, "currency": "usd"}
        rows = [{"price_data": price}, {"price_data": other}]
        stripe_account.session(line_items=rows)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
        ("4000000000009987", "card_declined", "lost_card"),
        ("4000000000000069", "expired_card", "expired_card"),
        ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
        ("4000000000000119", "processing_error", "processing_error"),
        ("4012888888881881", "card_declined", "test_mode_live_card"),
    ],
)
def test_a_declined_card_leaves_the_session_open_for_another(
    stripe_account: Account, card: str, code: str, decline_code: str
) -> None:
    session = stripe_account.session()
    declined = stripe_account.simulate(f"checkout/{session.id}", card=card)
    error = declined.json()["error"]
    assert (declined.status_code, error["type"]) == (402, "card_error")
    assert (error["code"], error["decline_code"]) == (code, decline_code)
    intent = intent_of(stripe_account, session.id)
    assert intent.status == RESET
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    failed = charge_of(intent)
    assert (failed.status, failed.paid, failed.failure_code) == ("failed", False, code)
    stripe_account.hooks.wait_for("payment_intent.payment_failed")
    stripe_account.hooks.wait_for("charge.failed")
    assert stripe_account.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    stripe_account.pay(session.id)
    again = intent_of(stripe_account, session.id)
    assert (again.id, again.status) == (intent.id, "succeeded")
    assert again.last_payment_error is None
    assert stripe_account.movements() == []
    stripe_account.clock.move(seconds=1)
    assert stripe_account.movements() == [("charge", "charge", 2500, 103)]


def test_a_mistyped_number_reaches_no_bank(stripe_account: Account) -> None:
    session = stripe_account.session()
    for card in ("4242424242424241", "42", "not a number"):
        refused = stripe_account.simulate(f"checkout/{session.id}", card=card)
        assert (refused.status_code, refused.json()["error"]["code"]) == (402, "incorrect_number")
    assert stripe_account.client.v1.charges.list().data == []
    stale = stripe_account.simulate(f"checkout/{session.id}", card=OK, expiry="01/20")
    assert stale.status_code == 400


def test_leaving_the_page_cancels_nothing(stripe_account: Account) -> None:
    session = stripe_account.session(cancel_url="https://example.org/b?s={CHECKOUT_SESSION_ID}")
    left = stripe_account.simulate(f"checkout/{session.id}", cancel=True).json()
    assert left["redirect"] == f"https://example.org/b?s={session.id}"
    assert left["status"] == "open"
    assert stripe_account.pay(session.id)["payment_status"] == "paid"


def test_a_session_expires_by_itself(stripe_account: Account) -> None:
    at = int(stripe_account.clock().timestamp()) + 1800
    session = stripe_account.session(expires_at=at)
    stripe_account.clock.move(seconds=1790)
    assert stripe_account.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    stripe_account.clock.move(seconds=11)
    expired = stripe_account.client.v1.checkout.sessions.retrieve(session.id)
    assert (expired.status, expired.payment_status, expired.url) == ("expired", "unpaid", None)
    [event] = stripe_account.hooks.wait_for("checkout.session.expired")
    assert event.request is not None
    assert event.request.id is None
    refused = stripe_account.simulate(f"checkout/{session.id}", card=OK)
    assert refused.status_code == 400
    assert stripe_account.client.v1.charges.list().data == []


def test_a_session_is_expired_on_request_while_it_is_open(stripe_account: Account) -> None:
    sessions = stripe_account.client.v1.checkout.sessions
    session = stripe_account.session()
    stripe_account.simulate(f"checkout/{session.id}", card="4000000000000002")
    assert sessions.expire(session.id).status == "expired"
    assert intent_of(stripe_account, session.id).status == "canceled"
    stripe_account.hooks.wait_for("payment_intent.canceled")
    paid = stripe_account.session()
    stripe_account.pay(paid.id)
    for reference in (session.id, paid.id):
        with pytest.raises(stripe.InvalidRequestError, match='status in \\["open"\\]'):
            sessions.expire(reference)
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        sessions.expire("cs_test_nobody")
    assert (unknown.value.http_status, unknown.value.code) == (404, "resource_missing")


def test_sessions_are_found_by_intent_and_status(stripe_account: Account) -> None:
    sessions = stripe_account.client.v1.checkout.sessions
    paid, waiting = stripe_account.session(), stripe_account.session()
    intent = stripe_account.pay(paid.id)["payment_intent"]
    assert [item.id for item in sessions.list({"payment_intent": intent}).data] == [paid.id]
    assert [item.id for item in sessions.list({"status": "open"}).data] == [waiting.id]
    [shown] = requests.get(f"{stripe_account.url}/simulator/checkout", timeout=5).json()
    assert (shown["id"], shown["amount"], shown["url"]) == (waiting.id, "USD 25.00", waiting.url)
    updated = sessions.update(waiting.id, {"metadata": {"attempt": "", "note": "n"}})
    assert metadata(updated) == {"note": "n"}


def test_a_bank_debit_completes_unpaid_and_succeeds_later(stripe_account: Account) -> None:
    session = stripe_account.session()
    assert session.payment_method_types == ["card", "us_bank_account"]
    answer = stripe_account.pay(session.id, card="", account="000123456789")
    assert (answer["status"], answer["payment_status"]) == ("complete", "unpaid")
    [completed] = stripe_account.hooks.wait_for("checkout.session.completed")
    assert completed.data.object["payment_status"] == "unpaid"
    stripe_account.hooks.wait_for("payment_intent.processing")
    assert intent_of(stripe_account, session.id).status == "processing"
    assert stripe_account.movements() == []
    stripe_account.clock.move(seconds=3)
    [succeeded] = stripe_account.hooks.wait_for("checkout.session.async_payment_succeeded")
    assert succeeded.data.object["payment_status"] == "paid"
    intent = intent_of(stripe_account, session.id)
    assert intent.status == "succeeded"
    assert charge_of(intent).id.startswith("py_")
    stripe_account.clock.move(seconds=1)
    assert stripe_account.movements() == [("payment", "charge", 2500, 103)]


def test_a_bank_debit_may_fail_later(stripe_account: Account) -> None:
    session = stripe_account.session(currency="eur")
    stripe_account.pay(session.id, card="", account="AT86 1904 3002 3547 3202")
    stripe_account.clock.move(seconds=3)
    [failed] = stripe_account.hooks.wait_for("checkout.session.async_payment_failed")
    assert failed.data.object["payment_status"] == "unpaid"
    assert failed.data.object["status"] == "complete"
    stripe_account.hooks.wait_for("payment_intent.payment_failed")
    assert intent_of(stripe_account, session.id).status == RESET
    assert stripe_account.movements() == []


def test_a_bank_debit_that_never_ends_is_ended_by_the_simulator(stripe_account: Account) -> None:
    session = stripe_account.session()
    intent = stripe_account.pay(session.id, card="", account="000000000009")["payment_intent"]
    stripe_account.clock.move(seconds=30 * 24 * 3600)
    assert intent_of(stripe_account, session.id).status == "processing"
    settled = stripe_account.simulate(f"payment_intents/{intent}/settle", succeed=True)
    assert settled.json()["status"] == "succeeded"
    stripe_account.hooks.wait_for("checkout.session.async_payment_succeeded")
    again = stripe_account.simulate(f"payment_intents/{intent}/settle", succeed=False)
    assert again.json()["error"]["code"] == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("currency", "account"),
    [("usd", "AT611904300234573201"), ("kes", "000123456789"), ("usd", "123")],
)
def test_an_account_of_another_currency_is_refused(
    stripe_account: Account, currency: str, account: str
) -> None:
    session = stripe_account.session(amount=50_000, currency=currency)
    refused = stripe_account.simulate(f"checkout/{session.id}", account=account)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "account")


def test_payment_methods_are_chosen_by_the_merchant(stripe_account: Account) -> None:
    session = stripe_account.session(payment_method_types=["card"])
    refused = stripe_account.simulate(f"checkout/{session.id}", account="000123456789")
    assert refused.status_code == 400
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        stripe_account.session(payment_method_types=["sepa_debit"])
    assert unknown.value.param == "payment_method_types"


def test_two_who_pay_at_once_pay_once(stripe_account: Account) -> None:
    session = stripe_account.session()

    def pay(_: int) -> int:
        return stripe_account.simulate(f"checkout/{session.id}", card=OK).status_code

    with ThreadPoolExecutor(max_workers=4) as pool:
        statuses = sorted(pool.map(pay, range(8)))
    assert statuses == [200] + [400] * 7
    assert len(stripe_account.client.v1.charges.list().data) == 1


def test_intents_work_without_checkout_too(stripe_account: Account) -> None:
    intents = stripe_account.client.v1.payment_intents

    def create(**more: Any) -> stripe.PaymentIntent:
        params: Any = {"amount": 900, "currency": "usd", "metadata": {"a": "b"}, **more}
        return intents.create(params)

    intent = create(payment_method="pm_card_visa", confirm=True)
    assert (intent.status, metadata(intent)) == ("succeeded", {"a": "b"})
    with pytest.raises(stripe.CardError) as refused:
        create(payment_method="pm_card_chargeDeclinedExpiredCard", confirm=True)
    assert refused.value.code == "expired_card"
    waiting = create(payment_method="pm_card_mastercard")
    assert waiting.status == "requires_confirmation"
    assert intents.confirm(waiting.id).status == "succeeded"
    left = create()
    assert intents.cancel(left.id).status == "canceled"
    for act in (intents.confirm, intents.cancel):
        with pytest.raises(stripe.InvalidRequestError) as unexpected:
            act(left.id)
        assert unexpected.value.code == "payment_intent_unexpected_state"
    session = stripe_account.session()
    stripe_account.simulate(f"checkout/{session.id}", card="4000000000000002")
    with pytest.raises(stripe.InvalidRequestError, match="Expire the Checkout Session"):
        intents.cancel(intent_of(stripe_account, session.id).id)


def test_somebody_may_pay_without_a_session(stripe_account: Account) -> None:
    paid = stripe_account.simulate("payment", amount="12.50", currency="USD").json()
    assert (paid["amount"], paid["status"]) == (1250, "succeeded")
    assert paid["metadata"] == {}
    listed = stripe_account.client.v1.checkout.sessions.list({"payment_intent": paid["id"]})
    assert listed.data == []
    stripe_account.hooks.wait_for("charge.succeeded")
