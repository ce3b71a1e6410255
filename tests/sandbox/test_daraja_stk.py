"""Payment prompts: opening, answering, the callback, the query and their traps."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import PHONE, DarajaClient, MovableClock, Product


def open_prompt(daraja: DarajaClient) -> str:
    answer = daraja.push().json()
    assert answer["ResponseCode"] == "0"
    return str(answer["CheckoutRequestID"])


def result(product: Product) -> dict[str, Any]:
    [body] = product.wait_for("daraja/stk/abc")
    callback: dict[str, Any] = body["Body"]["stkCallback"]
    return callback


def test_a_paid_prompt_moves_money_and_calls_back(daraja: DarajaClient, product: Product) -> None:
    checkout_id = open_prompt(daraja)
    assert daraja.prompts() == [{"id": checkout_id, "amount": "500", "currency": "KES"}]
    pending = daraja.query(checkout_id)
    assert (pending.status_code, pending.json()["errorCode"]) == (500, "500.001.1001")
    receipt = daraja.answer(checkout_id, {"pin": "4826"}).json()["receipt"]
    assert len(receipt) == 10
    callback = result(product)
    assert callback["ResultCode"] == 0
    items = {item["Name"]: item.get("Value") for item in callback["CallbackMetadata"]["Item"]}
    assert items["MpesaReceiptNumber"] == receipt
    assert (items["Amount"], items["PhoneNumber"]) == (500.0, int(PHONE))
    assert {"Name": "Balance"} in callback["CallbackMetadata"]["Item"]
    assert daraja.query(checkout_id).json()["ResultCode"] == "0"
    assert daraja.prompts() == []
    assert daraja.statement()["float"] == {"amount": "500", "currency": "KES"}
    [payment] = daraja.statement()["transactions"]
    assert (payment["receipt"], payment["account"], payment["origin"]) == (
        receipt,
        "KIS0001",
        "stk",
    )


@pytest.mark.parametrize(("answer", "code"), [({"pin": "0000"}, 2001), ({"cancel": True}, 1032)])
def test_a_wrong_pin_and_a_cancelled_prompt_move_no_money(
    daraja: DarajaClient, product: Product, answer: dict[str, Any], code: int
) -> None:
    checkout_id = open_prompt(daraja)
    daraja.answer(checkout_id, answer)
    callback = result(product)
    assert callback["ResultCode"] == code
    assert "CallbackMetadata" not in callback
    assert daraja.query(checkout_id).json()["ResultCode"] == str(code)
    assert daraja.statement()["transactions"] == []
    assert daraja.answer(checkout_id, {"pin": "4826"}).status_code == 409


def test_nobody_answering_within_a_minute_is_1037(
    daraja: DarajaClient, product: Product, clock: MovableClock
) -> None:
    open_prompt(daraja)
    clock.move(seconds=61)
    assert result(product)["ResultCode"] == 1037
    assert daraja.prompts() == []


@pytest.mark.parametrize(("kind", "code"), [("insufficient_funds", 1), ("expired", 1019)])
def test_the_right_pin_can_fail_too(daraja: DarajaClient, kind: str, code: int) -> None:
    daraja.fault(kind=kind)
    answer = daraja.answer(open_prompt(daraja), {"pin": "4826"}).json()
    assert answer["result_code"] == code
    assert "receipt" not in answer


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Amount", 0),
        ("Amount", "10.5"),
        ("Amount", 10.0),
        ("Amount", 250_001),
        ("PhoneNumber", "0711000001"),
        ("PhoneNumber", "+254711000001"),
        ("PartyB", "600000"),
        ("BusinessShortCode", "600000"),
        ("TransactionType", "Gift"),
        ("CallBackURL", "ftp://example.org"),
        ("CallBackURL", "https://example.org/mpesa/stk"),
        ("AccountReference", "KIS0001-TOO-LONG"),
        ("TransactionDesc", ""),
        ("Timestamp", "yesterday"),
    ],
)
def test_a_malformed_push_is_refused(daraja: DarajaClient, field: str, value: object) -> None:
    refused = daraja.push(**{field: value})
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "400.002.02")
    assert daraja.prompts() == []


def test_a_wrong_password_shares_its_code_with_still_processing(daraja: DarajaClient) -> None:
    refused = daraja.push(Password="bm9uc2Vuc2U=")
    assert refused.status_code == 500
    assert refused.json()["errorCode"] == "500.001.1001"
    assert "Wrong credentials" in refused.json()["errorMessage"]


def test_a_token_ends_after_an_hour(daraja: DarajaClient, clock: MovableClock) -> None:
    clock.move(seconds=3601)
    refused = daraja.push()
    assert (refused.status_code, refused.json()["errorCode"]) == (404, "404.001.03")
    daraja.sign_in()
    assert daraja.push().status_code == 200
    unsigned = requests.post(f"{daraja.url}/mpesa/stkpush/v1/processrequest", json={}, timeout=5)
    assert unsigned.json()["errorCode"] == "404.001.04"


def test_signing_in_with_a_wrong_secret_is_refused(daraja: DarajaClient) -> None:
    url = f"{daraja.url}/oauth/v1/generate?grant_type=client_credentials"
    refused = requests.get(url, auth=("sandbox-key", "guess"), timeout=5)
    assert refused.json()["errorCode"] == "400.008.01"


def test_the_result_can_come_before_the_pushs_answer(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.fault(kind="before_response", topic="stk")
    checkout_id = open_prompt(daraja)
    [body] = product.bodies("daraja/stk/abc")
    assert body["Body"]["stkCallback"]["CheckoutRequestID"] == checkout_id
    assert daraja.query(checkout_id).json()["ResultCode"] == "0"


def test_callbacks_come_twice_late_never_and_as_text_when_told_to(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.fault(kind="twice", seconds=0.1)
    daraja.fault(kind="string_codes")
    daraja.answer(open_prompt(daraja), {"pin": "4826"})
    first, second = product.wait_for("daraja/stk/abc", count=2)
    assert first == second
    assert first["Body"]["stkCallback"]["ResultCode"] == "0"
    daraja.fault(kind="never")
    daraja.fault(kind="late", seconds=0.6)
    daraja.answer(open_prompt(daraja), {"pin": "4826"})
    daraja.answer(open_prompt(daraja), {"cancel": True})
    time.sleep(0.3)
    assert len(product.bodies("daraja/stk/abc")) == 2
    *_, late = product.wait_for("daraja/stk/abc", count=3)
    assert late["Body"]["stkCallback"]["ResultCode"] == 1032


def test_callbacks_overtake_one_another_when_told_to(
    daraja: DarajaClient, product: Product
) -> None:
    daraja.fault(kind="out_of_order")
    daraja.answer(open_prompt(daraja), {"cancel": True})
    daraja.answer(open_prompt(daraja), {"pin": "4826"})
    bodies = product.wait_for("daraja/stk/abc", count=2)
    assert [body["Body"]["stkCallback"]["ResultCode"] for body in bodies] == [0, 1032]


def test_an_answer_can_be_too_slow_while_the_push_succeeds(daraja: DarajaClient) -> None:
    daraja.fault(kind="slow_response", seconds=1.0)
    started = time.monotonic()
    assert daraja.push().status_code == 200
    assert time.monotonic() - started >= 1.0
    daraja.fault(kind="unavailable")
    assert daraja.push().status_code == 503
    assert len(daraja.prompts()) == 1


def test_a_prompt_belongs_to_its_phone(daraja: DarajaClient) -> None:
    checkout_id = open_prompt(daraja)
    url = f"{daraja.url}/simulator/phones/254711000002/prompts"
    assert requests.get(url, timeout=5).json() == []
    assert requests.post(f"{url}/{checkout_id}", json={"pin": "4826"}, timeout=5).status_code == 404
    assert daraja.answer(checkout_id, {}).status_code == 400


def test_newer_prompts_come_first(daraja: DarajaClient) -> None:
    first, second = open_prompt(daraja), open_prompt(daraja)
    assert [prompt["id"] for prompt in daraja.prompts()] == [second, first]


def test_an_unknown_fault_is_refused(daraja: DarajaClient) -> None:
    url = f"{daraja.url}/simulator/faults"
    assert requests.post(url, json={"kind": "sulk"}, timeout=5).status_code == 400
    daraja.fault(kind="never", count=2)
    [listed] = requests.get(url, timeout=5).json()
    assert (listed["kind"], listed["count"]) == ("never", 2)
    requests.delete(url, timeout=5)
    assert requests.get(url, timeout=5).json() == []
