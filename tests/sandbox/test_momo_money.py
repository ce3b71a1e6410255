"""Refunds, the balance, what moves behind the merchant's back, and provisioning."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import MovableClock, Product, StartSandbox
from tests.sandbox.momo_merchant import KEYS, PHONE, Merchant


@pytest.fixture
def momo(sandbox_url: str, product: Product) -> Merchant:
    return Merchant(url=f"{sandbox_url}/momo", product_url=product.base_url)


def paid(momo: Merchant, *, amount: str = "5000") -> str:
    reference = momo.asked(amount=amount)
    momo.pay(reference)
    return reference


def ended(momo: Merchant, reference: str) -> dict[str, Any]:
    """The refund once it is final."""
    deadline = time.monotonic() + 5
    while (told := momo.refund_status(reference))["status"] == "PENDING":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return told


def test_a_refund_is_accepted_and_then_gives_the_payer_the_money_back(
    momo: Merchant, product: Product, clock: MovableClock
) -> None:
    payment = paid(momo)
    reference, accepted = momo.refund(payment, amount="2000")
    assert (accepted.status_code, accepted.content) == (202, b"")
    assert momo.refund_status(reference)["status"] == "PENDING"
    clock.move(seconds=2)
    told = momo.refund_status(reference)
    assert (told["status"], told["amount"]) == ("SUCCESSFUL", "2000")
    assert told["payee"] == {"partyIdType": "MSISDN", "partyId": PHONE}
    assert told["financialTransactionId"] != momo.status(payment)["financialTransactionId"]
    [callback] = product.wait_for("momo/refund")
    assert callback == {name: told[name] for name in told if name != "payerMessage"}
    assert momo.balance() == "3000"
    assert momo.status(payment)["status"] == "SUCCESSFUL"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": "5001"}, "NOT_ALLOWED"),
        ({"referenceIdToRefund": str(uuid.uuid4())}, "RESOURCE_NOT_FOUND"),
    ],
)
def test_a_refund_that_makes_no_sense_fails_afterwards(
    momo: Merchant, clock: MovableClock, changes: dict[str, Any], reason: str
) -> None:
    reference, accepted = momo.refund(paid(momo), **changes)
    assert accepted.status_code == 202
    clock.move(seconds=2)
    told = momo.refund_status(reference)
    assert (told["status"], told["reason"]) == ("FAILED", reason)
    assert momo.balance() == "5000"


def test_an_unpaid_request_and_an_empty_wallet_refund_nothing(
    momo: Merchant, clock: MovableClock
) -> None:
    unpaid, _ = momo.refund(momo.asked())
    clock.move(seconds=2)
    assert momo.refund_status(unpaid)["reason"] == "NOT_ALLOWED"
    payment = paid(momo)
    assert momo.simulate("payout", amount="4000", currency="UGX").status_code == 201
    reference, _ = momo.refund(payment)
    assert ended(momo, reference)["reason"] == "NOT_ENOUGH_FUNDS"


def test_partial_refunds_never_exceed_the_payment(momo: Merchant) -> None:
    payment = paid(momo)
    paid(momo)
    references = [momo.refund(payment, amount="3000")[0] for _ in range(2)]
    assert sorted(ended(momo, reference)["status"] for reference in references) == [
        "FAILED",
        "SUCCESSFUL",
    ]
    rest, _ = momo.refund(payment, amount="2000")
    assert ended(momo, rest)["status"] == "SUCCESSFUL"
    assert momo.balance() == "5000"


def test_a_refunds_reference_id_is_used_once(momo: Merchant) -> None:
    payment = paid(momo)
    reference, _ = momo.refund(payment, amount="1000")
    _, again = momo.refund(payment, amount="1000", reference=reference)
    assert (again.status_code, again.json()["code"]) == (409, "RESOURCE_ALREADY_EXIST")
    assert ended(momo, reference)["status"] == "SUCCESSFUL"
    assert momo.balance() == "4000"


def test_refunds_fail_and_hang_when_told_to(momo: Merchant, clock: MovableClock) -> None:
    payment = paid(momo)
    momo.simulate("faults", kind="refund_fails")
    failing, _ = momo.refund(payment)
    assert ended(momo, failing)["reason"] == "COULD_NOT_PERFORM_TRANSACTION"
    momo.simulate("faults", kind="refund_stays")
    hanging, _ = momo.refund(payment)
    clock.move(seconds=3000)
    assert momo.refund_status(hanging)["status"] == "PENDING"


def test_the_collection_key_opens_no_refund(momo: Merchant) -> None:
    refused = momo.call(
        "POST",
        "/disbursement/v1_0/refund",
        body={},
        headers={"Ocp-Apim-Subscription-Key": KEYS["collection"]},
    )
    assert refused.status_code == 401
    momo.sign_in("collection")
    momo.sign_in("disbursement")
    momo.tokens["disbursement"] = momo.tokens["collection"]
    assert momo.call("GET", "/disbursement/v1_0/account/balance").status_code == 401


def test_the_balance_is_payments_less_refunds_payouts_and_fees(momo: Merchant) -> None:
    payment = paid(momo)
    reference, _ = momo.refund(payment, amount="1000")
    ended(momo, reference)
    assert momo.simulate("payout", amount="500", currency="UGX").status_code == 201
    assert momo.simulate("fee", amount="75", currency="UGX").status_code == 201
    assert momo.simulate("deposit", amount="200", currency="UGX").status_code == 201
    assert momo.balance() == "3625"
    rows = requests.get(f"{momo.url}/simulator/statement", timeout=5).json()
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("payment", "5000"),
        ("refund", "-1000"),
        ("payout", "-500"),
        ("fee", "-75"),
        ("deposit", "200"),
    ]
    assert len({row["financialTransactionId"] for row in rows}) == 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"amount": "1", "currency": "UGX"}, 409),
        ({"amount": "0.5", "currency": "UGX"}, 400),
        ({"amount": "1", "currency": "KES"}, 400),
        ({"amount": "1", "currency": "XOF", "environment": "mtnuganda"}, 400),
    ],
)
def test_a_payout_takes_what_there_is(momo: Merchant, body: dict[str, Any], status: int) -> None:
    assert momo.simulate("payout", **body).status_code == status


def test_a_provisioned_user_is_bound_to_its_product_host_and_the_sandbox(momo: Merchant) -> None:
    user, key = str(uuid.uuid4()), {"Ocp-Apim-Subscription-Key": KEYS["collection"]}

    def provision(path: str, **more: Any) -> requests.Response:
        return requests.post(f"{momo.url}/v1_0/apiuser{path}", timeout=5, **more)

    body = {"providerCallbackHost": "127.0.0.1"}
    headers = {**key, "X-Reference-Id": user}
    assert provision("", headers=headers, json={"providerCallbackHost": "a/b"}).status_code == 400
    assert provision("", headers=headers, json=body).status_code == 201
    assert provision("", headers=headers, json=body).status_code == 409
    shown = requests.get(f"{momo.url}/v1_0/apiuser/{user}", headers=key, timeout=5).json()
    assert shown == {"providerCallbackHost": "127.0.0.1", "targetEnvironment": "sandbox"}
    api_key = provision(f"/{user}/apikey", headers=key).json()["apiKey"]
    assert provision(f"/{uuid.uuid4()}/apikey", headers=key).status_code == 404
    assert momo.sign_in("disbursement", user=user, key=api_key).status_code == 401
    assert momo.sign_in("collection", user=user, key=api_key).status_code == 200
    assert momo.ask()[1].json()["code"] == "NOT_ALLOWED_TARGET_ENVIRONMENT"
    momo.environment, momo.currency = "sandbox", "EUR"
    assert momo.ask()[1].status_code == 202
    elsewhere = {"X-Callback-Url": "http://elsewhere.test/hook"}
    _, refused = momo.ask(headers=elsewhere)
    assert (refused.status_code, refused.json()["code"]) == (500, "INVALID_CALLBACK_URL_HOST")
    assert momo.ask(headers={"X-Callback-Url": None})[1].status_code == 202


def test_a_restart_keeps_prompts_tokens_refunds_and_money(
    start_sandbox: StartSandbox, product: Product
) -> None:
    first, url = start_sandbox()
    momo = Merchant(url=f"{url}/momo", product_url=product.base_url)
    payment, still_open = paid(momo), momo.asked()
    refund, _ = momo.refund(payment, amount="1000")
    first.stop()
    _, url = start_sandbox()
    momo.url = f"{url}/momo"
    assert [prompt["id"] for prompt in momo.prompts()] == [still_open]
    assert ended(momo, refund)["status"] == "SUCCESSFUL"
    assert momo.balance() == "4000"
