"""Paybill payments, their validation and confirmation, and the pulled statement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import requests

from tests.sandbox.conftest import PHONE, DarajaClient, Product

EAST_AFRICA = timezone(timedelta(hours=3))


def pulled(daraja: DarajaClient, *, offset: int = 0, hours: float = 47) -> list[dict[str, Any]]:
    answer = pull(daraja, offset=offset, hours=hours)
    assert answer.json()["ResponseCode"] == "1000", answer.text
    [rows] = answer.json()["Response"]
    listed: list[dict[str, Any]] = rows
    return listed


def pull(daraja: DarajaClient, *, offset: int = 0, hours: float = 47) -> requests.Response:
    end = datetime.now(EAST_AFRICA) + timedelta(minutes=1)
    start = end - timedelta(hours=hours)
    return daraja.post(
        "/pulltransactions/v1/query",
        {
            "ShortCode": "174379",
            "StartDate": start.strftime("%Y-%m-%d %H:%M:%S"),
            "EndDate": end.strftime("%Y-%m-%d %H:%M:%S"),
            "OffSetValue": str(offset),
        },
    )


def test_a_paybill_payment_is_validated_then_confirmed(
    daraja: DarajaClient, product: Product
) -> None:
    assert daraja.register_urls().json()["ResponseCode"] == "0"
    paid = daraja.paybill(account="KIS0001", amount="500")
    assert paid["accepted"] is True
    [validation] = product.bodies("daraja/validation")
    [confirmation] = product.wait_for("daraja/confirmation")
    for body in (validation, confirmation):
        assert body["TransID"] == paid["receipt"]
        assert (body["TransAmount"], body["BillRefNumber"]) == ("500", "KIS0001")
        assert body["BusinessShortCode"] == "174379"
        assert body["MSISDN"] == "2547 ***** 001"
    assert (validation["OrgAccountBalance"], confirmation["OrgAccountBalance"]) == ("", "500.00")


def test_a_rejected_payment_moves_no_money(daraja: DarajaClient, product: Product) -> None:
    daraja.register_urls()
    product.validation_answer = {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}
    refused = daraja.paybill(account="NOBODY", amount="500")
    assert refused == {"accepted": False, "reason": "C2B00012 Invalid Account Number"}
    assert daraja.statement()["transactions"] == []
    assert product.bodies("daraja/confirmation") == []


def test_an_unanswered_validation_follows_the_registered_response_type(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.register_urls()
    product.validation_answer = {}
    assert daraja.paybill(account="KIS0001", amount=50)["accepted"] is True
    daraja.register_urls(response_type="Cancelled")
    assert daraja.paybill(account="KIS0001", amount=50)["accepted"] is False


def test_a_lost_confirmation_is_not_repeated_and_shows_in_the_pulled_statement(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.register_urls()
    daraja.register_pull()
    daraja.fault(kind="never", topic="confirmation")
    paid = daraja.paybill(account="KIS0007", amount="120")
    [row] = pulled(daraja)
    assert row["transactionId"] == paid["receipt"]
    assert (row["billreference"], row["amount"], row["msisdn"]) == ("KIS0007", "120.00", int(PHONE))
    assert datetime.fromisoformat(row["trxDate"]) - datetime.now(UTC) < timedelta(seconds=5)
    assert product.bodies("daraja/confirmation") == []


def test_urls_with_forbidden_words_are_refused(daraja: DarajaClient) -> None:
    for word in ("mpesa", "Safaricom", "cmd", "sql", "query"):
        body = {
            "ShortCode": "174379",
            "ResponseType": "Completed",
            "ConfirmationURL": f"https://example.org/{word}/confirmation",
            "ValidationURL": "https://example.org/validation",
        }
        refused = daraja.post("/mpesa/c2b/v2/registerurl", body)
        assert refused.json()["errorCode"] == "400.002.02"


def test_a_silent_payment_of_the_past_is_seen_only_by_pulling(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.register_urls()
    daraja.register_pull()
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=40)
    paid = daraja.paybill(account="KIS0001", amount="300", at=at.isoformat(), silent=True)
    assert product.hooks == []
    [row] = pulled(daraja)
    assert row["transactionId"] == paid["receipt"]
    assert datetime.fromisoformat(row["trxDate"]) == at
    assert pulled(daraja, hours=39) == []


def test_the_statement_is_pulled_by_hundred_rows_from_a_row_number(
    daraja: DarajaClient,
) -> None:
    daraja.register_pull()
    receipts = [
        daraja.paybill(account="KIS0001", amount="10", silent=True)["receipt"] for _ in range(103)
    ]
    assert len(set(receipts)) == 103
    first, second = pulled(daraja), pulled(daraja, offset=100)
    assert [row["transactionId"] for row in (*first, *second)] == receipts
    assert len(first) == 100
    assert pulled(daraja, offset=103) == []


def test_pulling_needs_registration_and_at_most_48_hours(daraja: DarajaClient) -> None:
    assert pull(daraja).status_code == 400
    assert daraja.register_pull().json()["ResponseStatus"] == "1000"
    assert daraja.register_pull().json()["ResponseStatus"] == "1001"
    assert pull(daraja, hours=48).status_code == 200
    assert pull(daraja, hours=48.1).status_code == 400
    assert pull(daraja, hours=-1).status_code == 400


def test_a_prompts_payment_is_pulled_and_may_be_confirmed_as_a_paybill_one_too(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.register_urls()
    daraja.register_pull()
    daraja.fault(kind="stk_as_c2b")
    checkout_id = daraja.push().json()["CheckoutRequestID"]
    receipt = daraja.answer(checkout_id, {"pin": "4826"}).json()["receipt"]
    [confirmation] = product.wait_for("daraja/confirmation")
    assert confirmation["TransID"] == receipt
    assert [row["transactionId"] for row in pulled(daraja)] == [receipt]
    product.wait_for("daraja/stk/abc")


def test_a_malformed_payment_is_refused(daraja: DarajaClient) -> None:
    for body in (
        {"account": "KIS0001", "amount": "0"},
        {"account": "KIS0001", "amount": "NaN"},
        {"account": "KIS0001", "amount": "1.005"},
        {"account": "KIS0001"},
        {"amount": "10"},
        {"account": "KIS0001", "amount": "10", "at": "yesterday"},
    ):
        assert "error" in daraja.paybill(**body)
    assert daraja.statement()["float"]["amount"] == "0"
