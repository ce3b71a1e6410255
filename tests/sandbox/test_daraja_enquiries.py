"""Transaction status and account balance, as the API operator asks for them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.conftest import PHONE, DarajaClient, Product
from tests.sandbox.test_daraja_reversal import (
    command,
    parameters,
    receipt,
    result,
    reverse,
    simulate,
)

__all__ = ["receipt"]


def ask_status(daraja: DarajaClient, **changes: Any) -> requests.Response:
    body = command(
        daraja,
        CommandID="TransactionStatusQuery",
        PartyA="174379",
        IdentifierType="4",
        Occasion="check",
    )
    return daraja.post("/mpesa/transactionstatus/v1/query", {**body, **changes})


def ask_balance(daraja: DarajaClient, **changes: Any) -> requests.Response:
    body = command(daraja, CommandID="AccountBalance", PartyA="174379", IdentifierType="4")
    return daraja.post("/mpesa/accountbalance/v1/query", {**body, **changes})


def test_the_status_of_a_payment_names_its_parties_and_amount(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    accepted = ask_status(daraja, TransactionID=receipt).json()
    told = result(product)
    assert (told["ResultCode"], told["ConversationID"]) == (0, accepted["ConversationID"])
    assert told["TransactionID"].endswith("0000000")
    assert told["ReferenceData"] == {"ReferenceItem": {"Key": "Occasion", "Value": "check"}}
    said = parameters(told)
    assert (said["ReceiptNo"], said["TransactionStatus"]) == (receipt, "Completed")
    assert (said["Amount"], said["ReasonType"]) == (500.0, "Pay Bill Online")
    assert said["DebitPartyName"].startswith(f"0{PHONE[3:]} - ")
    assert said["CreditPartyName"] == "174379 - Sandbox Solar"
    assert {"Key": "TransactionReason"} in told["ResultParameters"]["ResultParameter"]


def test_a_prompts_payment_is_told_by_its_request(daraja: DarajaClient, product: Product) -> None:
    pushed = daraja.push().json()
    paid = daraja.answer(pushed["CheckoutRequestID"], {"pin": "4826"}).json()["receipt"]
    ask_status(daraja, TransactionID=paid)
    said = parameters(result(product))
    assert said["OriginatorConversationID"] == pushed["MerchantRequestID"]


def test_a_reversal_is_found_by_its_receipt_and_by_its_request(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    accepted = reverse(daraja, receipt, Amount=200).json()
    made = result(product)["TransactionID"]
    ask_status(daraja, TransactionID=made)
    by_receipt = parameters(result(product, count=2))
    ask_status(daraja, OriginalConversationID=accepted["OriginatorConversationID"])
    by_request = parameters(result(product, count=3))
    assert by_receipt == by_request
    assert (by_request["ReceiptNo"], by_request["Amount"]) == (made, 200.0)
    assert by_request["OriginatorConversationID"] == accepted["OriginatorConversationID"]
    assert by_request["DebitPartyName"] == "174379 - Sandbox Solar"
    ask_status(daraja, TransactionID=receipt)
    assert parameters(result(product, count=4))["TransactionStatus"] == "Completed"


def test_what_nobody_made_does_not_exist(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    refused = reverse(daraja, "SKE52PAWR9").json()
    result(product)
    for count, asked in enumerate(
        (
            {"TransactionID": "SKE52PAWR9"},
            {"OriginalConversationID": "1-2-3"},
            {"OriginalConversationID": refused["OriginatorConversationID"]},
        ),
        start=2,
    ):
        ask_status(daraja, **asked)
        told = result(product, count=count)
        assert (told["ResultCode"], told["ResultDesc"]) == (
            2032,
            "The transaction receipt number does not exist.",
        )
        assert "ResultParameters" not in told


def test_the_balance_is_payments_less_all_that_left(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.paybill(account="KIS0002", amount="1000.50")
    reverse(daraja, receipt)
    result(product)
    simulate(daraja, "payout", amount="300")
    simulate(daraja, "charge", amount="25")
    ask_balance(daraja)
    said = parameters(result(product, count=2))
    accounts = dict(account.split("|", 1) for account in said["AccountBalance"].split("&"))
    assert accounts["Utility Account"] == "KES|700.50|700.50|0.00|0.00"
    assert accounts["Charges Paid Account"] == "KES|-25.00|-25.00|0.00|0.00"
    assert accounts["Working Account"] == "KES|0.00|0.00|0.00|0.00"
    assert daraja.statement()["float"]["amount"] == "675.50"


def test_queries_time_out_too_and_may_not_be_answered(
    daraja: DarajaClient, product: Product, receipt: str
) -> None:
    daraja.fault(kind="queue_timeout", topic="status")
    ask_status(daraja, TransactionID=receipt)
    assert result(product, path="daraja/result/abc/late")["ResultType"] == 1
    daraja.fault(kind="unavailable")
    assert ask_balance(daraja).status_code == 503
    ask_balance(daraja, SecurityCredential="guess")
    assert result(product)["ResultCode"] == 2001


@pytest.mark.parametrize(
    "changes",
    [
        {"TransactionID": ""},
        {"TransactionID": "SKE52PAWR9", "PartyA": "600000"},
        {"TransactionID": "SKE52PAWR9", "IdentifierType": "1"},
        {"TransactionID": "SKE52PAWR9", "CommandID": "Status"},
    ],
)
def test_a_malformed_query_is_refused(daraja: DarajaClient, changes: dict[str, Any]) -> None:
    refused = ask_status(daraja, **changes)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "400.002.02")
