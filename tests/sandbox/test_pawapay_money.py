"""pawaPay's refunds, wallets and statements."""

from __future__ import annotations

import csv
import gzip
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import MovableClock, Product
from tests.sandbox.pawapay_merchant import PHONE, Merchant, merchant, payer

__all__ = ["merchant"]


def settled(merchant: Merchant, refund_id: str, clock: MovableClock) -> dict[str, Any]:
    clock.move(seconds=2)
    return merchant.data("refunds", refund_id)


def test_a_refund_goes_back_to_the_payer(
    merchant: Merchant, product: Product, clock: MovableClock
) -> None:
    deposit_id = merchant.paid()
    answer = merchant.refund(deposit_id, amount="200", currency="XOF").json()
    assert answer["status"] == "ACCEPTED"
    refund_id = answer["refundId"]
    assert merchant.data("refunds", refund_id)["status"] in ("ACCEPTED", "PROCESSING")
    data = settled(merchant, refund_id, clock)
    assert (data["status"], data["amount"], data["currency"]) == ("COMPLETED", "200", "XOF")
    assert data["recipient"] == payer(PHONE, "ORANGE_SEN")
    assert data["providerTransactionId"]
    assert merchant.balance() == "300"
    *_, body = product.wait_for("pawapay", count=2)
    assert body == data


def test_parts_are_refunded_up_to_the_whole_and_no_further(
    merchant: Merchant, clock: MovableClock
) -> None:
    deposit_id = merchant.paid()
    assert merchant.refund(deposit_id, amount="200", currency="XOF").json()["status"] == "ACCEPTED"
    beyond = merchant.refund(deposit_id, amount="301", currency="XOF").json()
    assert beyond["failureReason"]["failureCode"] == "AMOUNT_OUT_OF_BOUNDS"
    rest = merchant.refund(deposit_id).json()["refundId"]
    assert settled(merchant, rest, clock)["amount"] == "300"
    over = merchant.refund(deposit_id).json()
    assert over["failureReason"]["failureCode"] == "INVALID_STATE"
    assert merchant.balance() == "0"


def test_a_refund_is_made_once_however_often_it_is_asked(
    merchant: Merchant, clock: MovableClock
) -> None:
    deposit_id = merchant.paid()
    refund_id = merchant.refund(deposit_id, amount="200", currency="XOF").json()["refundId"]
    again = merchant.refund(deposit_id, refundId=refund_id, amount="100", currency="XOF").json()
    assert again["status"] == "DUPLICATE_IGNORED"
    settled(merchant, refund_id, clock)
    assert merchant.balance() == "300"


def test_only_a_completed_deposit_is_refunded(merchant: Merchant) -> None:
    waiting = merchant.refund(merchant.accepted()).json()
    assert waiting["failureReason"]["failureCode"] == "INVALID_STATE"
    unknown = merchant.refund("3f0b5c1e-7a0d-4c55-9a0e-0d6f1c0a9b11").json()
    assert unknown["failureReason"]["failureCode"] == "NOT_FOUND"
    assert merchant.refund("3f0b", amount="5", currency="XOF").status_code == 400
    alone = merchant.refund(merchant.paid(), amount="5")
    assert alone.json()["failureReason"]["failureCode"] == "MISSING_PARAMETER"


def test_a_refund_can_fail_and_be_tried_anew(merchant: Merchant, clock: MovableClock) -> None:
    deposit_id = merchant.paid()
    merchant.fault("refund_fails")
    first = merchant.refund(deposit_id).json()["refundId"]
    failed = settled(merchant, first, clock)
    assert failed["failureReason"]["failureCode"] == "RECIPIENT_NOT_FOUND"
    assert merchant.balance() == "500"
    second = merchant.refund(deposit_id).json()["refundId"]
    assert settled(merchant, second, clock)["status"] == "COMPLETED"


def test_an_empty_wallet_refunds_nothing(merchant: Merchant, clock: MovableClock) -> None:
    deposit_id = merchant.paid()
    taken = merchant.simulate("payout", amount="400", currency="XOF")
    assert taken["balance"] == "100"
    refund_id = merchant.refund(deposit_id).json()["refundId"]
    failed = settled(merchant, refund_id, clock)
    assert failed["failureReason"]["failureCode"] == "PAWAPAY_WALLET_OUT_OF_FUNDS"
    assert merchant.balance() == "100"


def test_a_refund_can_wait_and_its_callback_be_sent_again(
    merchant: Merchant, product: Product, clock: MovableClock
) -> None:
    deposit_id = merchant.paid()
    merchant.fault("refund_waits", seconds=600)
    refund_id = merchant.refund(deposit_id).json()["refundId"]
    assert settled(merchant, refund_id, clock)["status"] == "PROCESSING"
    resend = f"/v2/refunds/resend-callback/{refund_id}"
    assert merchant.call("POST", resend).json()["status"] == "REJECTED"
    clock.move(seconds=600)
    product.wait_for("pawapay", count=2)
    assert merchant.call("POST", resend).json() == {"refundId": refund_id, "status": "ACCEPTED"}
    product.wait_for("pawapay", count=3)


def test_the_wallet_is_payments_less_fees_refunds_and_payouts(
    merchant: Merchant, clock: MovableClock
) -> None:
    merchant.simulate("fee", basis_points=150)
    first = merchant.paid(amount="1001")
    merchant.paid(amount="500")
    refund_id = merchant.refund(first, amount="300", currency="XOF").json()["refundId"]
    settled(merchant, refund_id, clock)
    merchant.simulate("payout", amount="600", currency="XOF")
    merchant.simulate("adjustment", amount="7", currency="XOF", out=True)
    movements = merchant.get("/simulator/statement")["transactions"]
    assert [(row["type"], row["amount"]) for row in movements] == [
        ("DEPOSIT", "1001"),
        ("DEPOSIT_FEE", "-16"),
        ("DEPOSIT", "500"),
        ("DEPOSIT_FEE", "-8"),
        ("REFUND", "-300"),
        ("WITHDRAWAL", "-600"),
        ("ADJUSTMENT", "-7"),
    ]
    assert merchant.balance() == str(1001 - 16 + 500 - 8 - 300 - 600 - 7)
    beyond = merchant.call("POST", "/simulator/payout", {"amount": "571", "currency": "XOF"})
    assert beyond.status_code == 409


def statement(
    merchant: Merchant, *, since: datetime, until: datetime, **more: Any
) -> dict[str, Any]:
    body = {
        "wallet": {"country": "SEN", "currency": "XOF"},
        "startDate": since.isoformat(timespec="seconds"),
        "endDate": until.isoformat(timespec="seconds"),
        **more,
    }
    told: dict[str, Any] = merchant.call("POST", "/v2/statements", body).json()
    return told


def made(merchant: Merchant, statement_id: str) -> str:
    """The address of the file, once there is one."""
    deadline = time.monotonic() + 5
    while True:
        data = merchant.data("statements", statement_id)
        if data["status"] == "COMPLETED":
            return str(data["downloadUrl"])
        assert time.monotonic() < deadline, data
        time.sleep(0.05)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_statement_is_made_and_fetched_without_the_token(
    merchant: Merchant, product: Product, compressed: bool
) -> None:
    deposit_id = merchant.paid()
    now = datetime.now(UTC)
    told = statement(
        merchant,
        since=now - timedelta(hours=1),
        until=now + timedelta(minutes=1),
        compressed=compressed,
        callbackUrl=f"{product.base_url}/hooks/demo/elsewhere",
    )
    assert told["status"] == "ACCEPTED"
    assert merchant.data("statements", told["statementId"])["status"] == "PROCESSING"
    content = requests.get(made(merchant, told["statementId"]), timeout=5).content
    text = (gzip.decompress(content) if compressed else content).decode()
    [row] = csv.DictReader(text.splitlines())
    assert row["Transaction ID"] == deposit_id
    assert (row["Amount"], row["Currency"], row["Type"]) == ("500", "XOF", "DEPOSIT")
    assert (row["MSISDN"], row["MNO"], row["Country"]) == (PHONE, "ORANGE_SEN", "SEN")
    assert datetime.fromisoformat(row["Creation Date"]).utcoffset() == timedelta()
    [body] = product.wait_for("elsewhere")
    assert (body["statementId"], body["status"]) == (told["statementId"], "COMPLETED")


def test_a_statement_covers_its_range_and_can_lag(merchant: Merchant) -> None:
    old = merchant.accepted()
    merchant.answer(old, pin="4826", at="2026-01-05T12:00:00+00:00")
    merchant.paid()
    january = datetime(2026, 1, 5, tzinfo=UTC)
    told = statement(merchant, since=january, until=january + timedelta(days=1))
    text = requests.get(made(merchant, told["statementId"]), timeout=5).text
    assert [row["Transaction ID"] for row in csv.DictReader(text.splitlines())] == [old]
    merchant.fault("statement_lags")
    now = datetime.now(UTC)
    told = statement(merchant, since=now - timedelta(hours=1), until=now + timedelta(minutes=1))
    text = requests.get(made(merchant, told["statementId"]), timeout=5).text
    assert list(csv.DictReader(text.splitlines())) == []


def test_a_download_ends_after_a_day_and_needs_its_own_address(
    merchant: Merchant, clock: MovableClock
) -> None:
    now = datetime.now(UTC)
    told = statement(merchant, since=now - timedelta(days=31), until=now)
    address = made(merchant, told["statementId"])
    assert requests.get(address, timeout=5).status_code == 200
    assert requests.get(address.partition("?")[0], timeout=5).status_code == 404
    clock.move(seconds=86_500)
    assert requests.get(address, timeout=5).status_code == 403


def test_a_statement_that_cannot_be_made_is_rejected(merchant: Merchant) -> None:
    now = datetime.now(UTC)
    long = statement(merchant, since=now - timedelta(days=31, seconds=1), until=now)
    assert long["failureReason"]["failureCode"] == "INVALID_PARAMETER"
    other = statement(merchant, since=now, until=now, wallet={"country": "SEN", "currency": "KES"})
    assert other["status"] == "REJECTED"
    assert merchant.call("POST", "/v2/statements", {"wallet": {}}).status_code == 400
    unknown = merchant.get("/v2/statements/3f0b5c1e-7a0d-4c55-9a0e-0d6f1c0a9b11")
    assert unknown == {"status": "NOT_FOUND"}
