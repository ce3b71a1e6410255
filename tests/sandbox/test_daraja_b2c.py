"""B2C at the sandbox: each conversation once, from the money that is there, told by results."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import DarajaClient, MovableClock, Product

RECEIVER = "254711000009"
RESULT = "daraja/result/b2c"


def request(daraja: DarajaClient, **changes: Any) -> requests.Response:
    """Ask to send 1,292 shillings."""
    hooks = f"{daraja.product_url}/hooks/demo/daraja/result"
    body = {
        "OriginatorConversationID": str(uuid.uuid4()),
        "InitiatorName": "sandbox-initiator",
        "SecurityCredential": "sandbox-credential",
        "CommandID": "BusinessPayment",
        "Amount": 1292,
        "PartyA": "174379",
        "PartyB": RECEIVER,
        "Remarks": "Kisima contractor",
        "QueueTimeOutURL": f"{hooks}/b2c-late",
        "ResultURL": f"{hooks}/b2c",
        "Occassion": "",
    }
    return daraja.post("/mpesa/b2c/v3/paymentrequest", {**body, **changes})


def simulate(daraja: DarajaClient, what: str, **body: Any) -> Any:
    method = "POST" if body else "GET"
    answer = requests.request(
        method, f"{daraja.url}/simulator/{what}", json=body or None, timeout=5
    )
    assert answer.ok, answer.text
    return answer.json()


def seed(daraja: DarajaClient, amount: str = "5000") -> None:
    """A customer pays the paybill."""
    simulate(daraja, "phones/254711000001/paybill", account="KIS0001", amount=amount, silent=True)


def sent(daraja: DarajaClient) -> list[dict[str, Any]]:
    rows = simulate(daraja, "statement")["transactions"]
    return [row for row in rows if row["origin"] == "b2c"]


def told(product: Product, *, count: int = 1) -> dict[str, Any]:
    result: dict[str, Any] = product.wait_for(RESULT, count=count)[-1]["Result"]
    return result


def parameters(result: dict[str, Any]) -> dict[str, Any]:
    listed = result["ResultParameters"]["ResultParameter"]
    return {item["Key"]: item.get("Value") for item in listed}


def status(daraja: DarajaClient, conversation: str) -> requests.Response:
    hooks = f"{daraja.product_url}/hooks/demo/daraja/result"
    body = {
        "Initiator": "sandbox-initiator",
        "SecurityCredential": "sandbox-credential",
        "CommandID": "TransactionStatusQuery",
        "OriginalConversationID": conversation,
        "PartyA": "174379",
        "IdentifierType": "4",
        "Remarks": "ok",
        "Occasion": "",
        "QueueTimeOutURL": f"{hooks}/status-late",
        "ResultURL": f"{hooks}/status",
    }
    return daraja.post("/mpesa/transactionstatus/v1/query", body)


def test_money_reaches_a_phone_under_the_merchants_own_conversation(
    daraja: DarajaClient, product: Product
) -> None:
    seed(daraja)
    conversation = str(uuid.uuid4())
    answer = request(daraja, OriginatorConversationID=conversation).json()
    assert answer["OriginatorConversationID"] == conversation
    assert (answer["ResponseCode"], answer["ConversationID"][:3]) == ("0", "AG_")
    result = told(product)
    assert (result["ResultCode"], result["OriginatorConversationID"]) == (0, conversation)
    found = parameters(result)
    assert (found["TransactionAmount"], found["B2CRecipientIsRegisteredCustomer"]) == (1292, "Y")
    assert found["TransactionReceipt"] == result["TransactionID"]
    datetime.strptime(found["TransactionCompletedDateTime"], "%d.%m.%Y %H:%M:%S")  # noqa: DTZ007
    [row] = sent(daraja)
    assert (row["phone"], row["amount"], row["account"]) == (f"+{RECEIVER}", "-1292", conversation)
    assert simulate(daraja, "statement")["float"]["amount"] == "3708"


def test_more_than_the_paybill_holds_is_not_sent(daraja: DarajaClient, product: Product) -> None:
    seed(daraja, "1000")
    request(daraja)
    result = told(product)
    assert (result["ResultCode"], sent(daraja)) == (1, [])
    assert result["TransactionID"].endswith("0000000")


def test_a_number_without_a_wallet_is_told_by_the_result(
    daraja: DarajaClient, product: Product
) -> None:
    seed(daraja)
    simulate(daraja, "faults", kind="unregistered", topic="b2c")
    request(daraja)
    assert (told(product)["ResultCode"], sent(daraja)) == (2040, [])
    request(daraja)
    assert told(product, count=2)["ResultCode"] == 0


def test_codes_may_be_texts(daraja: DarajaClient, product: Product) -> None:
    seed(daraja)
    simulate(daraja, "faults", kind="string_codes", topic="b2c")
    request(daraja)
    assert told(product)["ResultCode"] == "0"


def test_a_conversation_is_paid_once(daraja: DarajaClient, product: Product) -> None:
    seed(daraja)
    conversation = str(uuid.uuid4())
    assert request(daraja, OriginatorConversationID=conversation).ok
    again = request(daraja, OriginatorConversationID=conversation)
    assert again.json()["errorCode"] == "500.002.1001"
    assert len(sent(daraja)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("OriginatorConversationID", ""),
        ("InitiatorName", ""),
        ("SecurityCredential", ""),
        ("CommandID", "TransactionReversal"),
        ("PartyA", "600000"),
        ("PartyB", "0711000009"),
        ("PartyB", "+254711000009"),
        ("Amount", 9),
        ("Amount", "1292.50"),
        ("Amount", 250_001),
        ("Remarks", ""),
        ("ResultURL", "nowhere"),
    ],
)
def test_a_malformed_field_is_refused(daraja: DarajaClient, field: str, value: object) -> None:
    seed(daraja)
    answer = request(daraja, **{field: value})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.002.02")
    assert sent(daraja) == []


def test_without_a_token_nothing_is_sent(daraja: DarajaClient) -> None:
    seed(daraja)
    daraja.token = "stolen"
    assert request(daraja).json()["errorCode"] == "404.001.03"
    assert sent(daraja) == []


def test_an_unknown_initiator_sends_nothing(daraja: DarajaClient, product: Product) -> None:
    seed(daraja)
    request(daraja, SecurityCredential="another")
    assert (told(product)["ResultCode"], sent(daraja)) == (2001, [])


def test_a_result_can_come_late_twice_or_never(daraja: DarajaClient, product: Product) -> None:
    seed(daraja)
    for kind in ("never", "twice"):
        simulate(daraja, "faults", kind=kind, topic="b2c")
    request(daraja)
    request(daraja)
    results = product.wait_for(RESULT, count=2)
    assert results[0] == results[1]
    simulate(daraja, "faults", kind="late", topic="b2c", seconds=1.5)
    request(daraja)
    assert len(product.bodies(RESULT)) == 2
    product.wait_for(RESULT, count=3)
    assert len(sent(daraja)) == 3


def test_the_queue_may_have_no_time_for_it(daraja: DarajaClient, product: Product) -> None:
    seed(daraja)
    simulate(daraja, "faults", kind="queue_timeout", topic="b2c")
    request(daraja)
    product.wait_for("daraja/result/b2c-late")
    assert sent(daraja) == []


def test_the_status_of_a_conversation_tells_what_became_of_it(
    daraja: DarajaClient, product: Product
) -> None:
    seed(daraja)
    conversation = str(uuid.uuid4())
    request(daraja, OriginatorConversationID=conversation)
    status(daraja, conversation)
    result = product.wait_for("daraja/result/status")[-1]["Result"]
    found = parameters(result)
    [row] = sent(daraja)
    assert (found["ReceiptNo"], found["TransactionStatus"]) == (row["receipt"], "Completed")
    assert (found["Amount"], found["CreditPartyName"][:10]) == (1292.0, "0711000009")
    status(daraja, str(uuid.uuid4()))
    unknown = product.wait_for("daraja/result/status", count=2)[-1]["Result"]
    assert unknown["ResultCode"] == 2032


def test_the_statement_shows_it_unless_told_otherwise(
    daraja: DarajaClient, clock: MovableClock
) -> None:
    seed(daraja)
    daraja.register_pull()
    conversation = str(uuid.uuid4())
    request(daraja, OriginatorConversationID=conversation)
    now = clock() + timedelta(hours=3)
    span = {
        "ShortCode": "174379",
        "StartDate": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "EndDate": f"{now + timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "OffSetValue": "0",
    }

    def kinds() -> list[tuple[str, str, str]]:
        [rows] = daraja.post("/pulltransactions/v1/query", span).json()["Response"]
        return [(row["transactiontype"], row["amount"], row["billreference"]) for row in rows]

    assert kinds()[1] == ("b2c-business-payment", "-1292.00", conversation)
    simulate(daraja, "settings", payout_rows="hidden")
    assert [kind for kind, _amount, _account in kinds()] == ["c2b-pay-bill-debit"]
