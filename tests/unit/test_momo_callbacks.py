"""MoMo's callbacks as they really come, and as nobody should send them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.interface import Event, MalformedCallback
from gateway.providers.momo.callbacks import notification, result_of

PAYLOADS = Path(__file__).parent.parent / "payloads" / "momo"
REFERENCE = "c72025f5-5cd1-4630-99e4-8ba4722fad56"


def payload(name: str) -> str:
    return (PAYLOADS / f"{name}.json").read_text(encoding="utf-8")


def fields(name: str = "paid", **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(payload(name))
    return {**body, **changes}


def paid(**changes: Any) -> str:
    return json.dumps(fields(**changes))


def without(name: str) -> str:
    return json.dumps({key: value for key, value in fields().items() if key != name})


def test_a_paid_request_names_no_request_of_ours() -> None:
    told = notification(payload("paid"))
    assert (told.event, told.is_success, told.provider_request) == (Event.PAYMENT, True, "")
    assert (told.reference, told.amount_minor, told.currency) == ("1432942836", 5_000, "UGX")
    assert told.phone == "+256772000001"


def test_a_reference_id_is_read_where_there_is_one() -> None:
    told = notification(paid(referenceId=REFERENCE.upper()))
    assert told.provider_request == REFERENCE


def test_numbers_may_come_without_quotes() -> None:
    told = notification(payload("paid_numbers"))
    assert (told.reference, told.amount_minor, told.phone) == ("23503452", 100, "+4656473839")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("failed", "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED"),
        ("failed_object", "PAYER_NOT_FOUND"),
    ],
)
def test_a_failure_has_a_reason_and_no_transaction(name: str, code: str) -> None:
    told = notification(payload(name))
    assert (told.is_success, told.reference) == (False, "")
    result = result_of(fields(name))
    assert (result.is_failed, result.is_paid, result.code) == (True, False, code)
    assert result.text


def test_a_refund_is_told_from_a_payment_by_its_payee() -> None:
    told = notification(payload("refunded"))
    assert (told.event, told.is_success, told.amount_minor) == (Event.REFUND, True, 600)
    assert (told.reference, told.phone) == ("554662921", None)


@pytest.mark.parametrize(
    ("status", "is_paid", "is_failed"),
    [
        ("SUCCESSFUL", True, False),
        ("FAILED", False, True),
        ("REJECTED", False, True),
        ("PENDING", False, False),
        ("CREATED", False, False),
        ("TIMEOUT", False, False),
        ("successful", False, False),
        ("", False, False),
        (None, False, False),
        (True, False, False),
    ],
)
def test_only_some_states_are_final(status: Any, is_paid: bool, is_failed: bool) -> None:
    told = result_of(fields(status=status))
    assert (told.is_paid, told.is_failed) == (is_paid, is_failed)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.5", "EUR", 1_250),
        ("12.50", "EUR", 1_250),
        ("5000.0", "UGX", 5_000),
        ("650", "XOF", 650),
        ("650", "GNF", None),
    ],
)
def test_amounts_are_read_exactly(amount: str, currency: str, minor: int | None) -> None:
    assert notification(paid(amount=amount, currency=currency)).amount_minor == minor


@pytest.mark.parametrize("party", ["0772000001x", "25677*****01", "", None, "1", "٢٥٦٧٧٢٠٠٠٠٠١"])
def test_a_masked_number_says_nothing(party: Any) -> None:
    assert notification(paid(payer={"partyIdType": "MSISDN", "partyId": party})).phone is None


@pytest.mark.parametrize("reason", [{}, {"code": None}, {"code": "\u0000"}, "\ud800", ["x"], 7])
def test_any_reason_can_be_stored(reason: Any) -> None:
    told = result_of(fields("failed", reason=reason))
    assert told.code
    (told.code + told.text).encode()
    assert "\x00" not in told.code + told.text


@pytest.mark.parametrize(
    "body",
    [
        without("status"),
        without("amount"),
        without("currency"),
        paid(amount="0"),
        paid(amount="-5"),
        paid(amount="0.5"),
        paid(amount="five"),
        paid(amount="1e999999999"),
        paid(amount="NaN"),
        paid(amount="1" + "0" * 30),
        paid(currency="ugx"),
        paid(currency=None),
        paid(financialTransactionId=""),
        paid(financialTransactionId="R" * 65),
        paid(financialTransactionId="\u0000"),
        paid(financialTransactionId=["x"]),
        paid(referenceId="a b"),
        paid(payer="256772000001"),
        paid(payer={}),
        payload("paid")[:-20],
        "[" * 5_000,
        '{"status":' * 5_000,
        "9" * 10_000,
        "[]",
        "null",
        "",
    ],
)
def test_a_callback_of_another_form_is_malformed(body: str) -> None:
    began = time.monotonic()
    with pytest.raises(MalformedCallback):
        notification(body)
    assert time.monotonic() - began < 1


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "backslashreplace")))
def test_no_text_does_anything_but_be_malformed(body: str) -> None:
    with pytest.raises(MalformedCallback):
        notification(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from([*fields(), "reason", "referenceId"]), JSON)
def test_any_value_is_read_or_malformed(name: str, value: Any) -> None:
    try:
        told = notification(paid(**{name: value}))
    except MalformedCallback:
        return
    (told.reference + told.provider_request + told.currency + (told.phone or "")).encode()
