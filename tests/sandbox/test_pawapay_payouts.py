"""pawaPay payouts at the sandbox: once per id, out of the wallet, told by callback and status."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import MovableClock, Product
from tests.sandbox.pawapay_merchant import Merchant, merchant, payer

__all__ = ["merchant"]

RECEIVER = "221770000009"


def request(merchant: Merchant, **changes: Any) -> requests.Response:
    """Ask to send 600 XOF; a change to None leaves the field out."""
    body = {
        "payoutId": str(uuid.uuid4()),
        "amount": "600",
        "currency": "XOF",
        "recipient": payer(RECEIVER, "ORANGE_SEN"),
        "clientReferenceId": "payout-1",
        "customerMessage": "Solar power",
        **changes,
    }
    sent = {name: value for name, value in body.items() if value is not None}
    return merchant.call("POST", "/v2/payouts", sent)


def accepted(merchant: Merchant, **changes: Any) -> str:
    answer = request(merchant, **changes).json()
    assert answer["status"] == "ACCEPTED", answer
    return str(answer["payoutId"])


def settled(merchant: Merchant, payout_id: str, clock: MovableClock) -> dict[str, Any]:
    clock.move(seconds=2)
    return merchant.data("payouts", payout_id)


def seed(merchant: Merchant) -> None:
    merchant.simulate("adjustment", amount="1000", currency="XOF")


def test_money_reaches_a_phone_and_the_callback_tells(
    merchant: Merchant, product: Product, clock: MovableClock
) -> None:
    seed(merchant)
    payout_id = accepted(merchant)
    assert merchant.data("payouts", payout_id)["status"] in ("ACCEPTED", "PROCESSING")
    data = settled(merchant, payout_id, clock)
    assert (data["status"], data["amount"], data["currency"]) == ("COMPLETED", "600", "XOF")
    assert data["recipient"] == payer(RECEIVER, "ORANGE_SEN")
    assert data["clientReferenceId"] == "payout-1"
    assert product.wait_for("pawapay")[-1] == data
    assert merchant.balance() == "400"
    rows = merchant.get("/simulator/statement")["transactions"]
    assert (rows[-1]["type"], rows[-1]["amount"], rows[-1]["id"]) == ("PAYOUT", "-600", payout_id)


def test_the_same_id_pays_once(merchant: Merchant, clock: MovableClock) -> None:
    seed(merchant)
    payout_id = accepted(merchant)
    again = request(merchant, payoutId=payout_id).json()
    assert again["status"] == "DUPLICATE_IGNORED"
    settled(merchant, payout_id, clock)
    assert request(merchant, payoutId=payout_id.upper()).json()["status"] == "DUPLICATE_IGNORED"
    assert merchant.balance() == "400"


def test_more_than_the_wallet_holds_fails(merchant: Merchant, clock: MovableClock) -> None:
    seed(merchant)
    first, second = accepted(merchant), accepted(merchant)
    assert settled(merchant, first, clock)["status"] == "COMPLETED"
    failed = merchant.data("payouts", second)
    assert failed["failureReason"]["failureCode"] == "PAWAPAY_WALLET_OUT_OF_FUNDS"
    assert merchant.balance() == "400"


def test_a_number_of_another_operator_fails(merchant: Merchant, clock: MovableClock) -> None:
    seed(merchant)
    payout_id = accepted(merchant, recipient=payer("221760000009", "ORANGE_SEN"))
    failed = settled(merchant, payout_id, clock)
    assert failed["failureReason"]["failureCode"] == "RECIPIENT_NOT_FOUND"
    assert merchant.balance() == "1000"


def test_it_can_wait_fail_and_be_told_again(
    merchant: Merchant, product: Product, clock: MovableClock
) -> None:
    seed(merchant)
    merchant.fault("payout_waits", seconds=600)
    waiting = accepted(merchant)
    assert settled(merchant, waiting, clock)["status"] == "PROCESSING"
    resend = f"/v2/payouts/resend-callback/{waiting}"
    assert merchant.call("POST", resend).json()["status"] == "REJECTED"
    merchant.fault("payout_fails")
    failing = accepted(merchant)
    assert settled(merchant, failing, clock)["failureReason"]["failureCode"] == "OTHER_ERROR"
    clock.move(seconds=600)
    product.wait_for("pawapay", count=2)
    assert merchant.call("POST", resend).json() == {"payoutId": waiting, "status": "ACCEPTED"}
    product.wait_for("pawapay", count=3)
    unknown = merchant.call("POST", f"/v2/payouts/resend-callback/{uuid.uuid4()}").json()
    assert unknown["failureReason"]["failureCode"] == "NOT_FOUND"


def test_nobody_knows_a_payout_that_was_never_asked_for(merchant: Merchant) -> None:
    assert merchant.get(f"/v2/payouts/{uuid.uuid4()}") == {"status": "NOT_FOUND"}


@pytest.mark.parametrize(
    "changes",
    [
        {"payoutId": "1"},
        {"payoutId": None},
        {"amount": "600.00"},
        {"amount": 600},
        {"recipient": {"type": "BANK"}},
        {"recipient": payer("+221770000009", "ORANGE_SEN")},
        {"payer": payer(RECEIVER, "ORANGE_SEN")},
        {"customerMessage": "no"},
    ],
)
def test_a_malformed_field_is_refused(merchant: Merchant, changes: dict[str, Any]) -> None:
    seed(merchant)
    answer = request(merchant, **changes)
    assert answer.status_code == 400 or answer.json()["status"] == "REJECTED"
    assert merchant.balance() == "1000"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "KES"}, "INVALID_CURRENCY"),
        ({"amount": "2000001"}, "AMOUNT_OUT_OF_BOUNDS"),
        ({"recipient": payer(RECEIVER, "NOBODY")}, "INVALID_PROVIDER"),
        ({"recipient": payer("254711000009", "ORANGE_SEN")}, "INVALID_PHONE_NUMBER"),
    ],
)
def test_what_no_operator_takes_is_rejected(
    merchant: Merchant, changes: dict[str, Any], code: str
) -> None:
    answer = request(merchant, **changes).json()
    assert (answer["status"], answer["failureReason"]["failureCode"]) == ("REJECTED", code)


def test_without_the_token_nothing_is_sent(merchant: Merchant) -> None:
    merchant.token = ""
    assert request(merchant).status_code == 401
