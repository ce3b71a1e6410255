"""pawaPay's deposits: prompts, answers, callbacks, refusals and the toolkit."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.sandbox.conftest import MovableClock, Product, StartSandbox
from tests.sandbox.pawapay_merchant import PHONE, Merchant, merchant, payer

__all__ = ["merchant"]

NOBODY = "3f0b5c1e-7a0d-4c55-9a0e-0d6f1c0a9b11"


def callback(product: Product) -> dict[str, Any]:
    [body] = product.wait_for("pawapay")
    return body


def test_a_paid_deposit_moves_money_and_calls_back(merchant: Merchant, product: Product) -> None:
    deposit_id = merchant.accepted()
    assert merchant.data("deposits", deposit_id)["status"] in ("ACCEPTED", "PROCESSING")
    assert merchant.prompts() == [{"id": deposit_id, "amount": "500", "currency": "XOF"}]
    receipt = merchant.answer(deposit_id, pin="4826").json()["receipt"]
    data = merchant.data("deposits", deposit_id)
    assert data == callback(product)
    assert (data["status"], data["amount"], data["currency"]) == ("COMPLETED", "500", "XOF")
    assert data["providerTransactionId"] == receipt
    assert data["payer"] == payer(PHONE, "ORANGE_SEN")
    assert (data["country"], data["clientReferenceId"]) == ("SEN", "LOF0001")
    assert data["metadata"] == {"account": "LOF0001"}
    assert merchant.prompts() == []
    assert merchant.balance() == "500"


@pytest.mark.parametrize("answer", [{"pin": "0000"}, {"cancel": True}])
def test_a_wrong_pin_and_a_refusal_fail_without_money(
    merchant: Merchant, product: Product, answer: dict[str, Any]
) -> None:
    deposit_id = merchant.accepted()
    told = merchant.answer(deposit_id, **answer).json()
    assert told["result_code"] == "PAYMENT_NOT_APPROVED"
    data = callback(product)
    assert data["status"] == "FAILED"
    assert data["failureReason"]["failureCode"] == "PAYMENT_NOT_APPROVED"
    assert "providerTransactionId" not in data
    assert merchant.balance() == "0"
    assert merchant.answer(deposit_id, pin="4826").status_code == 409


def test_a_prompt_nobody_answers_fails_after_a_minute(
    merchant: Merchant, product: Product, clock: MovableClock
) -> None:
    deposit_id = merchant.accepted()
    clock.move(seconds=61)
    assert callback(product)["depositId"] == deposit_id
    assert merchant.data("deposits", deposit_id)["status"] == "FAILED"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("insufficient_funds", "INSUFFICIENT_BALANCE"),
        ("limit_reached", "PAYER_LIMIT_REACHED"),
        ("unspecified_failure", "UNSPECIFIED_FAILURE"),
    ],
)
def test_the_right_pin_can_fail_too(merchant: Merchant, kind: str, code: str) -> None:
    merchant.fault(kind)
    deposit_id = merchant.accepted()
    merchant.answer(deposit_id, pin="4826")
    assert merchant.data("deposits", deposit_id)["failureReason"]["failureCode"] == code


def test_reconciliation_hangs_until_pawapay_finds_out(merchant: Merchant, product: Product) -> None:
    merchant.fault("in_reconciliation", count=2)
    paid, lost = merchant.accepted(), merchant.accepted()
    for deposit_id in (paid, lost):
        merchant.answer(deposit_id, pin="4826")
        assert merchant.data("deposits", deposit_id)["status"] == "IN_RECONCILIATION"
    time.sleep(0.2)
    assert product.bodies("pawapay") == []
    merchant.simulate(f"deposits/{paid}/outcome", status="COMPLETED")
    merchant.simulate(f"deposits/{lost}/outcome", status="FAILED")
    bodies = product.wait_for("pawapay", count=2)
    assert {body["depositId"]: body["status"] for body in bodies} == {
        paid: "COMPLETED",
        lost: "FAILED",
    }
    assert merchant.balance() == "500"


def test_the_same_id_again_is_ignored_whatever_it_asks(merchant: Merchant) -> None:
    deposit_id = merchant.accepted()
    again = merchant.deposit(depositId=deposit_id, amount="900").json()
    assert (again["depositId"], again["status"]) == (deposit_id, "DUPLICATE_IGNORED")
    assert again["created"]
    assert [prompt["amount"] for prompt in merchant.prompts()] == ["500"]


def test_an_id_that_was_rejected_may_be_used_again(merchant: Merchant) -> None:
    assert merchant.deposit(depositId=NOBODY, currency="KES").json()["status"] == "REJECTED"
    assert merchant.get(f"/v2/deposits/{NOBODY}") == {"status": "NOT_FOUND"}
    assert merchant.deposit(depositId=NOBODY).json()["status"] == "ACCEPTED"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("amount", "500.5", "INVALID_AMOUNT"),
        ("amount", "2000001", "AMOUNT_OUT_OF_BOUNDS"),
        ("currency", "KES", "INVALID_CURRENCY"),
        ("payer", payer(PHONE, "NOBODY_SEN"), "INVALID_PROVIDER"),
        ("payer", payer("254711000001", "ORANGE_SEN"), "INVALID_PHONE_NUMBER"),
        ("payer", payer("77000001", "ORANGE_SEN"), "INVALID_PHONE_NUMBER"),
    ],
)
def test_what_cannot_be_done_is_rejected_with_200(
    merchant: Merchant, field: str, value: Any, code: str
) -> None:
    answer = merchant.deposit(**{field: value})
    assert answer.status_code == 200
    assert answer.json()["status"] == "REJECTED"
    assert answer.json()["failureReason"]["failureCode"] == code
    assert merchant.prompts() == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("depositId", "12", "INVALID_PARAMETER"),
        ("depositId", "3f0b5c1e-7a0d-1c55-9a0e-0d6f1c0a9b11", "INVALID_PARAMETER"),
        ("depositId", None, "MISSING_PARAMETER"),
        ("amount", 500, "INVALID_PARAMETER"),
        ("amount", "0500", "INVALID_PARAMETER"),
        ("amount", "500.00", "INVALID_PARAMETER"),
        ("amount", "0", "INVALID_PARAMETER"),
        ("payer", {"type": "CARD"}, "INVALID_PARAMETER"),
        ("payer", payer("", "ORANGE_SEN"), "MISSING_PARAMETER"),
        ("payer", payer(f"+{PHONE}", "ORANGE_SEN"), "INVALID_PARAMETER"),
        ("customerMessage", "no", "INVALID_PARAMETER"),
        ("customerMessage", "Énergie solaire", "INVALID_PARAMETER"),
        ("metadata", [{"a": "1"}, {"a": "2"}], "DUPLICATE_METADATA_FIELD"),
        ("callbackUrl", "https://example.org", "UNSUPPORTED_PARAMETER"),
    ],
)
def test_a_malformed_request_is_refused_with_400(
    merchant: Merchant, field: str, value: Any, code: str
) -> None:
    answer = merchant.deposit(**{field: value})
    assert answer.status_code == 400
    assert answer.json()["failureReason"]["failureCode"] == code


def test_the_token_is_asked_for(merchant: Merchant) -> None:
    merchant.token = ""
    missing = merchant.deposit()
    assert missing.status_code == 401
    assert missing.json()["failureReason"]["failureCode"] == "NO_AUTHENTICATION"
    merchant.token = "guess"
    wrong = merchant.deposit()
    assert wrong.status_code == 403
    assert wrong.json()["failureReason"]["failureCode"] == "AUTHENTICATION_ERROR"


def test_a_number_of_another_operator_has_no_wallet(merchant: Merchant, product: Product) -> None:
    merchant.accepted(payer=payer(PHONE, "FREE_SEN"))
    assert callback(product)["failureReason"]["failureCode"] == "PAYER_NOT_FOUND"
    assert merchant.prompts() == []


def test_an_operator_that_redirects_names_the_address_later(merchant: Merchant) -> None:
    answer = merchant.deposit(payer=payer(PHONE, "WAVE_SEN")).json()
    assert (answer["status"], answer["nextStep"]) == ("ACCEPTED", "GET_AUTH_URL")
    data = merchant.data("deposits", answer["depositId"])
    assert data["nextStep"] == "REDIRECT_TO_AUTH_URL"
    assert data["authorizationUrl"].startswith("https://")


def test_an_operator_can_be_closed(merchant: Merchant) -> None:
    merchant.fault("provider_closed")
    refused = merchant.deposit().json()
    assert refused["failureReason"]["failureCode"] == "PROVIDER_TEMPORARILY_UNAVAILABLE"


def test_other_currencies_have_decimals(merchant: Merchant) -> None:
    phone = "260763456789"
    deposit_id = merchant.accepted(
        amount="15.5", currency="ZMW", payer=payer(phone, "MTN_MOMO_ZMB")
    )
    assert merchant.prompts(phone=phone)[0]["amount"] == "15.50"
    merchant.answer(deposit_id, phone=phone, pin="4826")
    wallets = merchant.get("/v2/wallet-balances")["balances"]
    assert {wallet["currency"]: wallet["balance"] for wallet in wallets if wallet["balance"]} == {
        "XOF": "0",
        "ZMW": "15.50",
    }


def test_the_callback_can_come_before_the_answer(merchant: Merchant, product: Product) -> None:
    merchant.fault("before_response", topic="deposit")
    deposit_id = merchant.accepted()
    [body] = product.bodies("pawapay")
    assert (body["depositId"], body["status"]) == (deposit_id, "COMPLETED")


def test_callbacks_repeat_until_they_are_taken(merchant: Merchant, product: Product) -> None:
    merchant.fault("twice", seconds=0.1)
    merchant.fault("long_decimals")
    merchant.paid()
    first, second = product.wait_for("pawapay", count=2)
    assert first == second
    assert first["amount"] == "500.0000"


def test_a_callback_is_sent_again_on_request(merchant: Merchant, product: Product) -> None:
    open_id, paid_id = merchant.accepted(), merchant.paid()
    product.wait_for("pawapay")
    resend = "/v2/deposits/resend-callback"
    early = merchant.call("POST", f"{resend}/{open_id}").json()
    assert early["failureReason"]["failureCode"] == "INVALID_STATE"
    unknown = merchant.call("POST", f"{resend}/{NOBODY}").json()
    assert unknown["failureReason"]["failureCode"] == "NOT_FOUND"
    again = merchant.call("POST", f"{resend}/{paid_id}").json()
    assert again == {"depositId": paid_id, "status": "ACCEPTED"}
    first, second = product.wait_for("pawapay", count=2)
    assert first == second


def test_a_payment_can_be_dated_back(merchant: Merchant) -> None:
    deposit_id = merchant.accepted()
    merchant.answer(deposit_id, pin="4826", at="2026-11-01T06:30:00+00:00")
    assert merchant.data("deposits", deposit_id)["created"] == "2026-11-01T06:30:00Z"
    [movement] = merchant.get("/simulator/statement")["transactions"]
    assert (movement["at"], movement["amount"]) == ("2026-11-01T06:30:00Z", "500")


def test_a_prompt_belongs_to_its_phone(merchant: Merchant) -> None:
    deposit_id = merchant.accepted()
    assert merchant.prompts(phone="221770000002") == []
    assert merchant.answer(deposit_id, phone="221770000002", pin="4826").status_code == 404
    assert merchant.answer(deposit_id).status_code == 400


def test_the_toolkit_knows_countries_operators_and_numbers(merchant: Merchant) -> None:
    [senegal] = merchant.get("/v2/active-conf?country=SEN&operationType=DEPOSIT")["countries"]
    orange = senegal["providers"][0]
    [currency] = orange["currencies"]
    assert (orange["provider"], currency["currency"]) == ("ORANGE_SEN", "XOF")
    assert currency["operationTypes"]["DEPOSIT"]["decimalsInAmount"] == "NONE"
    assert list(currency["operationTypes"]) == ["DEPOSIT"]
    predicted = merchant.call("POST", "/v2/predict-provider", {"phoneNumber": "+221 76-000 00 01"})
    assert predicted.json() == {
        "country": "SEN",
        "provider": "FREE_SEN",
        "phoneNumber": "221760000001",
    }
    assert merchant.call("POST", "/v2/predict-provider", {"phoneNumber": "12"}).status_code == 400
    [availability] = merchant.get("/v2/availability?country=ZMB")
    assert availability["providers"][0]["operationTypes"][0]["status"] == "OPERATIONAL"


def test_a_restart_keeps_deposits_money_and_keys(start_sandbox: StartSandbox) -> None:
    first, url = start_sandbox()
    before = Merchant(url=f"{url}/pawapay")
    paid, still_open = before.paid(), before.accepted()
    keys = before.get("/v2/public-key/http")
    first.stop()
    _, url = start_sandbox()
    after = Merchant(url=f"{url}/pawapay")
    assert after.data("deposits", paid)["status"] == "COMPLETED"
    assert [prompt["id"] for prompt in after.prompts()] == [still_open]
    assert (after.balance(), after.get("/v2/public-key/http")) == ("500", keys)
