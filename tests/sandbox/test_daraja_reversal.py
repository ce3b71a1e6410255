"""Reversals: what moves, what the Result says, and what happens behind the merchant's back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import PHONE, DarajaClient, Product

EAST_AFRICA = timezone(timedelta(hours=3))
RESULT, TIMEOUT = "daraja/result/abc", "daraja/result/abc/late"
DESCRIPTION = "The service request is processed successfully."


def command(daraja: DarajaClient, **fields: Any) -> dict[str, Any]:
    """The fields every command of an API operator has."""
    hooks = f"{daraja.product_url}/hooks/demo"
    return {
        "Initiator": "sandbox-initiator",
        "SecurityCredential": "sandbox-credential",
        "ResultURL": f"{hooks}/{RESULT}",
        "QueueTimeOutURL": f"{hooks}/{TIMEOUT}",
        "Remarks": "Paid twice",
        **fields,
    }


def reverse(daraja: DarajaClient, receipt: str, **changes: Any) -> requests.Response:
    body = command(
        daraja,
        CommandID="TransactionReversal",
        TransactionID=receipt,
        Amount="500",
        ReceiverParty="174379",
        RecieverIdentifierType="11",
        Occasion="",
    )
    return daraja.post("/mpesa/reversal/v1/request", {**body, **changes})


def result(product: Product, *, count: int = 1, path: str = RESULT) -> dict[str, Any]:
    """The newest of `count` results."""
    told: dict[str, Any] = product.wait_for(path, count=count)[-1]["Result"]
    return told


def parameters(told: dict[str, Any]) -> dict[str, Any]:
    listed = told["ResultParameters"]["ResultParameter"]
    return {item["Key"]: item.get("Value") for item in listed}


def simulate(daraja: DarajaClient, what: str, **body: Any) -> requests.Response:
    return requests.post(f"{daraja.url}/simulator/{what}", json=body, timeout=5)


def pulled(daraja: DarajaClient) -> list[dict[str, Any]]:
    daraja.register_pull()
    end = datetime.now(EAST_AFRICA) + timedelta(minutes=1)
    dates = {"StartDate": end - timedelta(hours=1), "EndDate": end}
    body = {name: f"{date:%Y-%m-%d %H:%M:%S}" for name, date in dates.items()}
    answer = daraja.post("/pulltransactions/v1/query", {"ShortCode": "174379", **body})
    [rows] = answer.json()["Response"]
    listed: list[dict[str, Any]] = rows
    return listed


@pytest.fixture
def receipt(daraja: DarajaClient) -> str:
    """500 shillings paid to KIS0001."""
    return str(daraja.paybill(account="KIS0001", amount="500")["receipt"])


def test_a_reversal_is_accepted_at_once_and_its_result_comes_later(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.paybill(account="KIS0002", amount="120")
    accepted = reverse(daraja, receipt).json()
    assert accepted["ResponseCode"] == "0"
    told = result(product)
    assert (told["ResultType"], told["ResultCode"], told["ResultDesc"]) == (0, 0, DESCRIPTION)
    for name in ("OriginatorConversationID", "ConversationID"):
        assert told[name] == accepted[name]
    said = parameters(told)
    assert (said["OriginalTransactionID"], said["Amount"]) == (receipt, 500.0)
    assert said["DebitAccountBalance"] == "Utility Account|KES|120.00|120.00|0.00|0.00"
    assert said["CreditPartyPublicName"].startswith(f"{PHONE} - ")
    assert (said["Charge"], said["DebitPartyPublicName"]) == (0.0, "174379 - Sandbox Solar")
    [back] = [row for row in daraja.statement()["transactions"] if row["origin"] == "reversal"]
    assert (back["receipt"], back["original"]) == (told["TransactionID"], receipt)
    assert (back["amount"], daraja.statement()["float"]["amount"]) == ("-500", "120")


def test_a_receipt_is_reversed_once_however_often_it_is_asked(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.paybill(account="KIS0002", amount="900")
    for count, code in ((1, 0), (2, "R000001"), (3, "R000001")):
        reverse(daraja, receipt)
        assert result(product, count=count)["ResultCode"] == code
    assert "ResultParameters" not in result(product, count=3)
    assert result(product, count=3)["TransactionID"].endswith("0000000")
    assert daraja.statement()["float"]["amount"] == "900"


def test_parts_are_reversed_up_to_what_was_paid(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.paybill(account="KIS0002", amount="900")
    for count, (amount, code) in enumerate(
        [(200, 0), ("300.50", 2006), ("299.50", 0), ("0.5", 0), ("0.5", "R000001")], start=1
    ):
        reverse(daraja, receipt, Amount=amount)
        assert result(product, count=count)["ResultCode"] == code
    assert daraja.statement()["float"]["amount"] == "900"


def test_a_short_code_may_not_be_allowed_parts(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    assert simulate(daraja, "settings", partial_reversals="refused").status_code == 200
    reverse(daraja, receipt, Amount=200)
    assert result(product)["ResultCode"] == 2006
    reverse(daraja, receipt)
    assert result(product, count=2)["ResultCode"] == 0


def test_what_cannot_be_reversed(daraja: DarajaClient, product: Product, receipt: str) -> None:
    reverse(daraja, "SKE52PAWR9")
    assert result(product)["ResultCode"] == "R000002"
    payout = simulate(daraja, "payout", amount="1", currency="KES").json()["receipt"]
    reverse(daraja, payout)
    assert result(product, count=2)["ResultCode"] == "R000002"
    reverse(daraja, receipt)
    assert (result(product, count=3)["ResultCode"], daraja.statement()["float"]["amount"]) == (
        1,
        "499",
    )


@pytest.mark.parametrize("field", ["Initiator", "SecurityCredential"])
def test_a_wrong_operator_is_told_so_in_the_result(
    daraja: DarajaClient, product: Product, receipt: str, field: str
) -> None:
    accepted = reverse(daraja, receipt, **{field: "guess"})
    assert (accepted.status_code, accepted.json()["ResponseCode"]) == (200, "0")
    assert result(product)["ResultCode"] == 2001
    assert daraja.statement()["float"]["amount"] == "500"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Initiator", ""),
        ("SecurityCredential", None),
        ("CommandID", "Reverse"),
        ("TransactionID", ""),
        ("TransactionID", "AB CD"),
        ("Amount", 0),
        ("Amount", "1.005"),
        ("ReceiverParty", "600000"),
        ("RecieverIdentifierType", "4"),
        ("ResultURL", "https://example.org/mpesa/result"),
        ("QueueTimeOutURL", None),
        ("Remarks", "x"),
        ("Remarks", "x" * 101),
        ("Occasion", "x" * 101),
    ],
)
def test_a_malformed_reversal_is_refused(
    daraja: DarajaClient, product: Product, receipt: str, field: str, value: object
) -> None:
    refused = reverse(daraja, receipt, **{field: value})
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "400.002.02")
    assert refused.json()["errorMessage"] == f"Bad Request - Invalid {field}"
    assert daraja.statement()["float"]["amount"] == "500"


def test_without_a_token_nothing_is_reversed(daraja: DarajaClient, receipt: str) -> None:
    daraja.token = "guess"
    assert reverse(daraja, receipt).json()["errorCode"] == "404.001.03"
    assert daraja.statement()["float"]["amount"] == "500"


def test_a_success_may_carry_code_21_and_values_may_be_texts(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.fault(kind="success_code_21")
    daraja.fault(kind="string_codes", topic="reversal")
    reverse(daraja, receipt)
    told = result(product)
    assert (told["ResultCode"], told["ResultDesc"]) == ("21", DESCRIPTION)
    assert parameters(told)["Amount"] == "500.0"
    assert daraja.statement()["float"]["amount"] == "0"


def test_a_command_may_time_out_in_the_queue_and_is_not_carried_out(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.fault(kind="queue_timeout", topic="reversal")
    accepted = reverse(daraja, receipt).json()
    told = result(product, path=TIMEOUT)
    assert (told["ResultType"], told["ResultDesc"]) == (1, "The service request timed out.")
    assert told["ConversationID"] == accepted["ConversationID"]
    assert daraja.statement()["float"]["amount"] == "500"
    reverse(daraja, receipt)
    assert result(product)["ResultCode"] == 0


def test_results_come_twice_or_never_when_told_to(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    other = str(daraja.paybill(account="KIS0002", amount="500")["receipt"])
    daraja.fault(kind="twice", topic="reversal", seconds=0.1)
    daraja.fault(kind="never", topic="reversal")
    reverse(daraja, receipt)
    first, second = product.wait_for(RESULT, count=2)
    assert first == second
    reverse(daraja, other)
    assert daraja.statement()["float"]["amount"] == "0"
    assert len(product.bodies(RESULT)) == 2


@pytest.mark.parametrize(
    ("form", "amounts", "kinds"),
    [
        ("negative", ["500.00", "-200.00"], ["c2b-pay-bill-debit", "c2b-pay-bill-reversal"]),
        ("typed", ["500.00", "200.00"], ["c2b-pay-bill-debit", "c2b-pay-bill-reversal"]),
        ("hidden", ["500.00"], ["c2b-pay-bill-debit"]),
    ],
)
def test_the_pulled_statement_shows_reversals_as_it_is_set_to(
    daraja: DarajaClient, receipt: str, form: str, amounts: list[str], kinds: list[str]
) -> None:
    settings = simulate(daraja, "settings", reversal_rows=form).json()
    assert settings["reversal_rows"] == form
    reverse(daraja, receipt, Amount=200)
    simulate(daraja, "payout", amount="50")
    rows = pulled(daraja)
    assert [row["amount"] for row in rows] == amounts
    assert [row["transactiontype"] for row in rows] == kinds
    for back in rows[1:]:
        assert (back["billreference"], back["msisdn"]) == (receipt, int(PHONE))
        assert back["transactionId"] != receipt


def test_the_statement_may_lag_behind(daraja: DarajaClient, receipt: str) -> None:
    simulate(daraja, "settings", statement_delay_seconds=60)
    assert pulled(daraja) == []
    simulate(daraja, "settings", statement_delay_seconds=0)
    assert [row["transactionId"] for row in pulled(daraja)] == [receipt]


def test_safaricom_reverses_behind_the_merchants_back(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    made = simulate(daraja, "reversals", receipt=receipt, amount="100").json()
    assert (made["original"], made["amount"]) == (receipt, "100")
    rest = simulate(daraja, "reversals", receipt=receipt).json()
    assert rest["amount"] == "400"
    again = simulate(daraja, "reversals", receipt=receipt)
    assert (again.status_code, again.json()["error"]) == (
        409,
        "The transaction has already been reversed.",
    )
    assert simulate(daraja, "reversals", receipt="SKE52PAWR9").status_code == 404
    assert simulate(daraja, "reversals", receipt=receipt, amount="0").status_code == 400
    assert [row["amount"] for row in pulled(daraja)] == ["500.00", "-100.00", "-400.00"]
    assert product.bodies(RESULT) == []


def test_a_payout_takes_what_is_there_and_a_charge_may_owe(
    daraja: DarajaClient, receipt: str
) -> None:
    assert simulate(daraja, "payout", amount="500.01").status_code == 409
    assert simulate(daraja, "payout", amount="480", currency="KES").json()["amount"] == "480"
    assert simulate(daraja, "charge", amount="27.50").status_code == 200
    statement = daraja.statement()
    assert [row["amount"] for row in statement["transactions"]] == ["500", "-480", "-27.50"]
    assert statement["float"] == {"amount": "-7.50", "currency": "KES"}
    for amount, currency in (("0", "KES"), ("ten", "KES"), ("10", "UGX")):
        refused = simulate(daraja, "payout", amount=amount, currency=currency)
        assert refused.status_code == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"reversal_rows": "odd"},
        {"payout_rows": "negative"},
        {"partial_reversals": True},
        {"statement_delay_seconds": -1},
        {"mood": "good"},
    ],
)
def test_an_unknown_setting_is_refused(daraja: DarajaClient, settings: dict[str, Any]) -> None:
    assert simulate(daraja, "settings", **settings).status_code == 400
    listed = requests.get(f"{daraja.url}/simulator/settings", timeout=5).json()
    assert listed == {
        "reversal_rows": "negative",
        "payout_rows": "shown",
        "partial_reversals": "allowed",
        "statement_delay_seconds": "0",
    }
