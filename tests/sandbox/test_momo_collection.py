"""Requests to pay: opening, answering, the callback, the status and their traps."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import MovableClock, Product
from tests.sandbox.momo_merchant import PHONE, Merchant

SUCCESSFUL, FAILED, PENDING = "SUCCESSFUL", "FAILED", "PENDING"


@pytest.fixture
def momo(sandbox_url: str, product: Product) -> Merchant:
    return Merchant(url=f"{sandbox_url}/momo", product_url=product.base_url)


@pytest.fixture
def vendor_sandbox(momo: Merchant) -> Merchant:
    """The target environment `sandbox`, which takes euros only."""
    momo.environment, momo.currency = "sandbox", "EUR"
    return momo


def test_a_paid_prompt_moves_money_and_calls_back_without_our_id(
    momo: Merchant, product: Product
) -> None:
    reference = momo.asked()
    assert momo.prompts() == [{"id": reference, "amount": "5000", "currency": "UGX"}]
    assert momo.status(reference)["status"] == PENDING
    assert "financialTransactionId" not in momo.status(reference)
    receipt = momo.pay(reference)
    told = momo.status(reference)
    assert told == {
        "financialTransactionId": receipt,
        "externalId": "KIS0001",
        "amount": "5000",
        "currency": "UGX",
        "payer": {"partyIdType": "MSISDN", "partyId": PHONE},
        "payerMessage": "Solar power",
        "payeeNote": "Top up",
        "status": SUCCESSFUL,
    }
    [callback] = product.wait_for("momo/abc")
    assert callback == {name: told[name] for name in told if name != "payerMessage"}
    assert reference not in str(callback)
    assert product.methods == ["POST"]
    assert momo.prompts() == []
    assert (momo.balance(), momo.balance("disbursement")) == ("5000", "5000")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"pin": "0000"}, "INTERNAL_PROCESSING_ERROR"), ({"cancel": True}, "APPROVAL_REJECTED")],
)
def test_a_failed_request_is_http_200_and_names_no_transaction(
    momo: Merchant, product: Product, answer: dict[str, Any], reason: str
) -> None:
    reference = momo.asked()
    assert momo.answer(reference, **answer).json()["result_code"] == reason
    told = momo.status(reference)
    assert (told["status"], told["reason"]) == (FAILED, reason)
    assert "financialTransactionId" not in told
    [callback] = product.wait_for("momo/abc")
    assert (callback["status"], callback["reason"]) == (FAILED, reason)
    assert momo.balance() == "0"
    assert momo.answer(reference, pin="4826").status_code == 409


def test_a_reason_can_be_an_object(momo: Merchant, product: Product) -> None:
    momo.simulate("faults", kind="reason_object")
    reference = momo.asked()
    momo.answer(reference, cancel=True)
    assert momo.status(reference)["reason"]["code"] == "APPROVAL_REJECTED"
    assert momo.status(reference)["reason"]["message"]
    [callback] = product.wait_for("momo/abc")
    assert callback["reason"] == momo.status(reference)["reason"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("insufficient_funds", "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED"),
        ("expired", "EXPIRED"),
    ],
)
def test_the_right_pin_can_fail_too(momo: Merchant, kind: str, reason: str) -> None:
    momo.simulate("faults", kind=kind)
    reference = momo.asked()
    assert momo.answer(reference, pin="4826").json()["result_code"] == reason
    assert momo.status(reference)["reason"] == reason


def test_nobody_answering_within_five_minutes_is_expired(
    momo: Merchant, product: Product, clock: MovableClock
) -> None:
    reference = momo.asked()
    clock.move(seconds=299)
    assert len(momo.prompts()) == 1
    clock.move(seconds=2)
    [callback] = product.wait_for("momo/abc")
    assert (callback["status"], callback["reason"]) == (FAILED, "EXPIRED")
    assert momo.prompts() == []
    assert momo.status(reference)["status"] == FAILED


def test_a_reference_id_is_used_once(momo: Merchant) -> None:
    reference = momo.asked()
    _, again = momo.ask(reference=reference.upper(), amount="1")
    assert (again.status_code, again.json()["code"]) == (409, "RESOURCE_ALREADY_EXIST")
    assert momo.status(reference)["amount"] == "5000"
    assert len(momo.prompts()) == 1


def test_an_unknown_reference_is_404(momo: Merchant) -> None:
    missing = momo.call("GET", f"/collection/v1_0/requesttopay/{uuid.uuid4()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": 5000}, 400, None),
        ({"amount": "0"}, 400, None),
        ({"amount": "12.50"}, 400, None),
        ({"amount": "-1"}, 400, None),
        ({"amount": "1e3"}, 400, None),
        ({"currency": "EUR"}, 500, "INVALID_CURRENCY"),
        ({"externalId": "two words"}, 400, None),
        ({"externalId": ""}, 400, None),
        ({"payerMessage": "the household's power"}, 400, None),
        ({"payeeNote": "x" * 161}, 400, None),
        ({"payer": {"partyIdType": "EMAIL", "partyId": "a@example.org"}}, 400, None),
        ({"phone": "077-2000-001"}, 400, None),
        ({"headers": {"X-Reference-Id": "1"}}, 400, None),
        ({"headers": {"X-Reference-Id": None}}, 400, None),
        ({"headers": {"X-Reference-Id": "018f4c2e-0000-7000-8000-000000000000"}}, 400, None),
        ({"headers": {"X-Callback-Url": "ftp://example.org"}}, 400, None),
        ({"headers": {"X-Target-Environment": None}}, 500, "NOT_ALLOWED_TARGET_ENVIRONMENT"),
        ({"headers": {"X-Target-Environment": "mtnmars"}}, 500, "NOT_ALLOWED_TARGET_ENVIRONMENT"),
        ({"headers": {"Ocp-Apim-Subscription-Key": None}}, 401, None),
        ({"headers": {"Ocp-Apim-Subscription-Key": "sandbox-disbursement-key"}}, 401, None),
        ({"headers": {"Authorization": "Bearer forged"}}, 401, None),
    ],
)
def test_a_malformed_request_is_refused(
    momo: Merchant, changes: dict[str, Any], status: int, code: str | None
) -> None:
    _, refused = momo.ask(**changes)
    assert (refused.status_code, refused.json().get("code")) == (status, code)
    assert momo.prompts() == []


def test_a_refused_request_leaves_its_reference_id_unused(momo: Merchant) -> None:
    reference, _ = momo.ask(currency="EUR")
    assert momo.asked(reference=reference) == reference


@pytest.mark.parametrize("typed", ["+256772000001", "0772000001"])
def test_a_number_without_its_country_code_is_accepted_and_not_found(
    momo: Merchant, typed: str
) -> None:
    told = momo.status(momo.asked(phone=typed))
    assert (told["status"], told["reason"]) == (FAILED, "PAYER_NOT_FOUND")
    assert momo.prompts() == []


def test_a_token_ends_after_an_hour(momo: Merchant, clock: MovableClock) -> None:
    token = momo.sign_in("collection").json()
    assert (token["token_type"], token["expires_in"]) == ("access_token", 3600)
    clock.move(seconds=3601)
    _, refused = momo.ask()
    assert refused.status_code == 401
    momo.sign_in("collection")
    assert momo.ask()[1].status_code == 202


def test_the_user_agent_of_requests_is_forbidden(momo: Merchant) -> None:
    _, refused = momo.ask(headers={"User-Agent": requests.utils.default_user_agent()})
    assert refused.status_code == 403
    assert "Forbidden" in refused.text


def test_signing_in_with_a_wrong_key_is_refused(momo: Merchant) -> None:
    refused = momo.sign_in("collection", key="guess")
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})


def test_each_market_has_its_currency_and_its_wallet(momo: Merchant) -> None:
    for environment, currency, amount in (
        ("sandbox", "EUR", "12.50"),
        ("mtnivorycoast", "XOF", "650"),
        ("mtnghana", "GHS", "7.05"),
    ):
        momo.environment, momo.currency = environment, currency
        momo.pay(momo.asked(amount=amount))
    assert momo.balance() == "7.05"
    momo.environment, momo.currency = "sandbox", "EUR"
    assert momo.balance() == "12.5"
    momo.environment, momo.currency = "mtnuganda", "UGX"
    assert momo.balance() == "0"


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("46733123450", "INTERNAL_PROCESSING_ERROR"),
        ("46733123451", "APPROVAL_REJECTED"),
        ("46733123452", "EXPIRED"),
        ("46733123455", "PAYER_NOT_FOUND"),
        ("46733123463", "COULD_NOT_PERFORM_TRANSACTION"),
    ],
)
def test_the_vendors_test_numbers_fail_as_they_do_there(
    vendor_sandbox: Merchant, product: Product, phone: str, reason: str
) -> None:
    told = vendor_sandbox.status(vendor_sandbox.asked(phone=phone))
    assert (told["status"], told["reason"]) == (FAILED, reason)
    [callback] = product.wait_for("momo/abc")
    assert callback["reason"] == reason


@pytest.mark.parametrize(
    ("phone", "status", "code"),
    [
        ("46733123457", 500, "NOT_ALLOWED"),
        ("46733123461", 500, "INTERNAL_PROCESSING_ERROR"),
        ("46733123462", 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_some_test_numbers_are_refused_at_once(
    vendor_sandbox: Merchant, phone: str, status: int, code: str
) -> None:
    reference, refused = vendor_sandbox.ask(phone=phone)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    missing = vendor_sandbox.call("GET", f"/collection/v1_0/requesttopay/{reference}")
    assert missing.status_code == 404


def test_one_test_number_stays_pending_and_one_pays_itself(
    vendor_sandbox: Merchant, clock: MovableClock
) -> None:
    ongoing = vendor_sandbox.asked(phone="46733123453")
    delayed = vendor_sandbox.asked(phone="46733123454", amount="9.90")
    assert vendor_sandbox.status(delayed)["status"] == "CREATED"
    clock.move(seconds=26)
    assert vendor_sandbox.status(delayed)["status"] == SUCCESSFUL
    clock.move(seconds=3500)
    assert vendor_sandbox.status(ongoing)["status"] == PENDING
    assert vendor_sandbox.balance() == "9.9"


def test_test_numbers_are_ordinary_ones_elsewhere(momo: Merchant) -> None:
    assert momo.status(momo.asked(phone="46733123450"))["status"] == PENDING


def test_callbacks_go_by_put_and_name_the_reference_when_told_to(
    momo: Merchant, product: Product
) -> None:
    assert requests.get(f"{momo.url}/simulator/callback-form", timeout=5).json() == {
        "method": "POST",
        "reference_id": False,
    }
    assert momo.simulate("callback-form", method="PATCH").status_code == 400
    assert momo.simulate("callback-form", method="PUT", reference_id=True).ok
    reference = momo.asked()
    momo.answer(reference, pin="4826")
    [callback] = product.wait_for("momo/abc")
    assert callback["referenceId"] == reference
    assert product.methods == ["PUT"]


def test_a_callback_is_sent_once_even_if_it_fails(momo: Merchant, product: Product) -> None:
    product.status = 500
    momo.pay(momo.asked())
    product.wait_for("momo/abc")
    listed = requests.get(f"{momo.url}/simulator/callbacks", timeout=5).json()
    while listed[0]["state"] == "sending":
        listed = requests.get(f"{momo.url}/simulator/callbacks", timeout=5).json()
    assert [(row["state"], row["attempts"]) for row in listed] == [("failed", 1)]


def test_without_a_callback_url_nobody_is_told(momo: Merchant) -> None:
    momo.pay(momo.asked(headers={"X-Callback-Url": None}))
    assert requests.get(f"{momo.url}/simulator/callbacks", timeout=5).json() == []


def test_the_result_can_come_before_the_requests_answer(momo: Merchant, product: Product) -> None:
    momo.simulate("faults", kind="before_response", topic="requesttopay")
    reference = momo.asked()
    assert len(product.bodies("momo/abc")) == 1
    assert momo.status(reference)["status"] == SUCCESSFUL


def test_a_request_can_be_carried_out_and_answered_too_late_or_not_at_all(momo: Merchant) -> None:
    momo.sign_in("collection")
    momo.simulate("faults", kind="unavailable")
    assert momo.ask()[1].status_code == 503
    assert momo.prompts() == []
    momo.simulate("faults", kind="slow_response", seconds=0.5)
    _, late = momo.ask()
    assert late.elapsed.total_seconds() >= 0.5
    assert len(momo.prompts()) == 1


def test_a_prompt_belongs_to_its_phone(momo: Merchant) -> None:
    reference = momo.asked()
    assert momo.prompts(phone="256772000002") == []
    assert momo.answer(reference, phone="256772000002", pin="4826").status_code == 404
    assert momo.answer(reference).status_code == 400


def test_the_account_holder_check_knows_active_numbers(momo: Merchant) -> None:
    for product in ("collection", "disbursement"):
        for party, is_active in ((PHONE, True), ("46733123450", False), ("0772000001", False)):
            path = f"/{product}/v1_0/accountholder/msisdn/{party}/active"
            assert momo.call("GET", path).json() == {"result": is_active}
