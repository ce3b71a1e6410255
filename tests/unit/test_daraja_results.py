"""Results of Daraja's commands and rows of its statement, as they come and as they should not."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Rail
from accounts.topups import ConfirmedPayment
from gateway.providers.daraja.provider import told_amount
from gateway.providers.daraja.results import CommandResult, command_result, instant
from gateway.providers.daraja.statement import entry
from gateway.providers.interface import MalformedCallback, Movement, UnreadableRow
from gateway.providers.models import ResultRequest

PAYLOADS = Path(__file__).parent.parent / "payloads" / "daraja"
RAIL = Rail(provider="daraja", code="mpesa")


def payload(name: str) -> str:
    return (PAYLOADS / f"{name}.json").read_text(encoding="utf-8")


def result(**changes: Any) -> str:
    body = json.loads(payload("reversal_done"))
    body["Result"].update(changes)
    return json.dumps(body)


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "transactionId": "RKTQDM7W6S",
        "trxDate": "2026-11-20T10:00:00Z",
        "msisdn": 254711000001,
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": "KIS0001",
        "amount": "168.00",
    }
    return {**usual, **changes}


def read(row: Any) -> Any:
    return entry(row=row, rail=RAIL)


def test_a_reversal_that_was_done() -> None:
    told = command_result(payload("reversal_done"))
    assert (told.code, told.reference) == ("0", "SKE52PAWR9")
    assert told.conversation == "dad6-4c34-8787-c8cb963a496d1268232"
    assert told.parameters["OriginalTransactionID"] == "SKC82PACB8"
    assert (told.parameters["Amount"], told.parameters["Charge"]) == ("1.00", "0.00")


def test_a_reversal_that_was_refused_has_no_parameters() -> None:
    told = command_result(payload("reversal_refused"))
    assert (told.code, told.parameters) == ("R000002", {})


def test_safaricoms_own_example_has_code_21_and_a_success_text() -> None:
    told = command_result(payload("reversal_result"))
    assert (told.code, told.text) == ("21", "The service request is processed successfully.")


def test_a_status_with_parameters_that_lack_a_value_and_keys_with_a_space() -> None:
    told = command_result(payload("transaction_status")).parameters
    assert (told["ReceiptNo"], told["TransactionStatus"]) == ("TAH5J2K991", "Completed")
    assert (told["TransactionReason"], told["Amount"]) == ("", "1.0")
    assert told["ConversationID"] == "AG_20250117_20503343d9b604c7af7e"


def test_accounts_are_added_up_charges_included() -> None:
    told = command_result(payload("account_balance"))
    amount = told_amount(request=answered(told))
    assert amount is not None
    assert (amount.amount_minor, amount.currency) == (92_649_700, "KES")
    # East Africa Time.
    assert amount.told_at == datetime(2020, 1, 9, 9, 57, 10, tzinfo=UTC)


def answered(told: CommandResult) -> ResultRequest:
    return ResultRequest(
        result_code=told.code,
        result=told.parameters,
        answered_at=datetime(2020, 1, 9, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "accounts", ["", "Utility Account", "Utility Account|KES|much|", "a|KES|1.001|", None]
)
def test_accounts_of_another_form_are_malformed(accounts: str | None) -> None:
    told = {} if accounts is None else {"AccountBalance": accounts}
    request = ResultRequest(result_code="0", result=told, answered_at=datetime.now(UTC))
    with pytest.raises(MalformedCallback):
        told_amount(request=request)


def test_an_answer_that_refuses_tells_no_amount() -> None:
    refused = ResultRequest(result_code="2001", result={}, answered_at=datetime.now(UTC))
    assert told_amount(request=refused) is None


def test_one_parameter_may_stand_alone() -> None:
    body = result(ResultParameters={"ResultParameter": {"Key": "Amount", "Value": 1}})
    assert command_result(body).parameters == {"Amount": "1"}


@pytest.mark.parametrize(
    "body",
    [
        result(OriginatorConversationID=""),
        result(OriginatorConversationID="x" * 81),
        result(ResultParameters=[1]),
        result(ResultParameters={"ResultParameter": [1]}),
        result(ResultParameters={"ResultParameter": [{"Value": 1}]}),
        result(ResultParameters="none"),
        '{"Result": []}',
        '{"Result": {"ResultCode": 0}}',
        payload("stk_paid"),
        payload("c2b_confirmation"),
        "[" * 5_000,
        '{"Result":' * 5_000,
        "9" * 10_000,
        "",
        "null",
    ],
)
def test_a_result_of_another_form_is_malformed(body: str) -> None:
    began = time.monotonic()
    with pytest.raises(MalformedCallback):
        command_result(body)
    assert time.monotonic() - began < 1


def test_a_result_is_kept_within_bounds() -> None:
    many = [{"Key": f"k{number}" * 50, "Value": "\x00v" * 5_000} for number in range(500)]
    told = command_result(
        result(
            ResultParameters={"ResultParameter": many},
            ResultCode="9" * 500,
            ResultDesc="x" * 5_000,
            TransactionID="R" * 500,
        )
    )
    assert len(told.parameters) <= 40
    assert max(map(len, told.parameters)) <= 80
    assert all(len(value) <= 500 and "\x00" not in value for value in told.parameters.values())
    assert (len(told.code), len(told.text), len(told.reference)) == (40, 200, 64)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(
        ["OriginatorConversationID", "ResultCode", "TransactionID", "ResultParameters"]
    ),
    JSON,
)
def test_any_value_is_read_or_malformed(name: str, value: Any) -> None:
    try:
        told = command_result(result(**{name: value}))
    except MalformedCallback:
        return
    for text in (told.conversation, told.code, told.text, told.reference, *told.parameters):
        text.encode()
        assert "\x00" not in text


@pytest.mark.parametrize("text", ["", "yesterday", "20201332000000", "2020", "0" * 14])
def test_what_is_no_instant_is_none(text: str) -> None:
    assert instant(text) is None


def test_a_row_is_a_payment_or_a_movement_of_one() -> None:
    paid = read(row())
    assert isinstance(paid, ConfirmedPayment)
    assert (paid.amount_minor, paid.account_text) == (16_800, "KIS0001")
    for form in (
        {"amount": "-20.00"},
        {"amount": "20.00", "transactiontype": "Pay Bill Reversal"},
        {"amount": "-20.00", "transactiontype": "c2b-pay-bill-reversal"},
    ):
        moved = read(row(transactionId="RKT0000001", billreference="RKTQDM7W6S", **form))
        assert isinstance(moved, Movement)
        assert (moved.kind, moved.reference) == ("reversal", "RKT0000001")
        assert (moved.payment_reference, moved.amount_minor) == ("RKTQDM7W6S", 2_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionId": ""},
        {"amount": "0"},
        {"amount": "-0.00"},
        {"amount": "10000000001"},
        {"amount": "-10000000001", "billreference": "RKTQDM7W6S"},
        {"amount": "-20.00"},
        {"amount": "-20.00", "billreference": None},
        {"amount": "20", "transactiontype": "reversal", "billreference": "rktqdm7w6s"},
        {"trxDate": None},
    ],
)
def test_a_row_that_says_too_little_is_for_a_person(changes: dict[str, Any]) -> None:
    assert isinstance(read(row(**changes)), UnreadableRow)


@given(st.sampled_from(["transactionId", "trxDate", "amount", "billreference", "msisdn"]), JSON)
def test_any_row_is_read_or_unreadable(name: str, value: Any) -> None:
    told = read(row(**{name: value}))
    told.reference.encode()
    assert isinstance(told, UnreadableRow) or told.amount_minor > 0
