"""Daraja's callbacks as they really come, and as nobody should send them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.daraja.callbacks import paybill_notice, printable, stk_notification
from gateway.providers.interface import MalformedCallback

PAYLOADS = Path(__file__).parent.parent / "payloads" / "daraja"
REQUEST = "ws_CO_191220191020363925"


def payload(name: str) -> str:
    return (PAYLOADS / f"{name}.json").read_text(encoding="utf-8")


def stk(**changes: Any) -> str:
    body = json.loads(payload("stk_paid"))
    body["Body"]["stkCallback"].update(changes)
    return json.dumps(body)


def items(**values: Any) -> dict[str, Any]:
    return {"Item": [{"Name": name, "Value": value} for name, value in values.items()]}


def confirmation(**changes: Any) -> str:
    return json.dumps({**json.loads(payload("c2b_confirmation")), **changes})


def test_a_paid_prompt() -> None:
    told = stk_notification(payload("stk_paid"))
    assert (told.provider_request, told.is_success) == (REQUEST, True)
    assert (told.reference, told.amount_minor) == ("NLJ7RT61SV", 50_000)
    assert told.phone == "+254711000001"


def test_string_codes_and_amounts_and_a_masked_phone() -> None:
    told = stk_notification(payload("stk_paid_string_code"))
    assert (told.is_success, told.amount_minor, told.phone) == (True, 50_000, None)


def test_a_failure_has_no_metadata() -> None:
    told = stk_notification(payload("stk_cancelled"))
    assert (told.is_success, told.reference, told.amount_minor) == (False, "", None)


@pytest.mark.parametrize(
    ("code", "is_success"),
    [
        (0, True),
        ("0", True),
        (1, False),
        ("1032", False),
        (None, False),
        (False, False),
        ("", False),
    ],
)
def test_only_zero_is_success(code: Any, is_success: bool) -> None:
    assert stk_notification(stk(ResultCode=code)).is_success == is_success


@pytest.mark.parametrize("metadata", [None, {}, {"Item": []}, items(Balance=None)])
def test_metadata_may_be_missing(metadata: Any) -> None:
    assert stk_notification(stk(CallbackMetadata=metadata)).reference == ""


@pytest.mark.parametrize(
    "body",
    [
        stk(CheckoutRequestID=""),
        stk(CheckoutRequestID=None).replace("null", '"a b"'),
        stk(CheckoutRequestID="x" * 81),
        stk(CheckoutRequestID="\ud800"),
        stk(CallbackMetadata=[]).replace("[]", "[1]"),
        stk(CallbackMetadata={"Item": [{"Value": 1}]}),
        stk(CallbackMetadata=items(MpesaReceiptNumber="\u0000")),
        stk(CallbackMetadata=items(MpesaReceiptNumber="R" * 41)),
        stk(CallbackMetadata=items(MpesaReceiptNumber=["x"])),
        stk(CallbackMetadata=items(Amount="five")),
        stk(CallbackMetadata=items(Amount="1e999999999")),
        stk(CallbackMetadata=items(Amount=1.005)),
        payload("c2b_confirmation"),
        payload("reversal_result"),
        "[" * 5_000,
        '{"Body":' * 5_000,
        "9" * 10_000,
        "",
        "null",
    ],
)
def test_a_prompts_callback_of_another_form_is_malformed(body: str) -> None:
    began = time.monotonic()
    with pytest.raises(MalformedCallback):
        stk_notification(body)
    assert time.monotonic() - began < 1


def test_a_confirmation() -> None:
    told = paybill_notice(payload("c2b_confirmation"))
    assert (told.reference, told.account_text, told.amount_minor) == (
        "RKTQDM7W6S",
        "kis 0001",
        1_000,
    )
    # Daraja's times are of East Africa.
    assert told.paid_at == datetime(2019, 11, 22, 3, 38, 45, tzinfo=UTC)


def test_a_validation_has_the_same_form() -> None:
    assert paybill_notice(payload("c2b_validation")).account_text == "KIS0001"


@pytest.mark.parametrize(
    "changes",
    [
        {"TransID": ""},
        {"TransID": None, "TransTime": ""},
        {"TransID": "AB CD"},
        {"TransID": "\u0000"},
        {"TransID": "\ud800"},
        {"TransID": "X" * 41},
        {"TransTime": "yesterday"},
        {"TransTime": 20191322063845},
        {"TransAmount": ""},
        {"TransAmount": "1e999999999"},
        {"TransAmount": "NaN"},
        {"TransAmount": "1/3"},
        {"TransAmount": "10.001"},
        {"TransAmount": "9" * 500},
        {"TransAmount": None},
    ],
)
def test_a_confirmation_of_another_form_is_malformed(changes: dict[str, Any]) -> None:
    began = time.monotonic()
    with pytest.raises(MalformedCallback):
        paybill_notice(confirmation(**changes))
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("account", [None, "", [], {"a": 1}, 7, "\u0000\ud800", "x" * 5_000])
def test_any_account_is_taken_as_it_was_typed(account: Any) -> None:
    text = paybill_notice(confirmation(BillRefNumber=account)).account_text
    assert len(text) <= 64
    text.encode()
    assert "\x00" not in text


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "backslashreplace")))
def test_no_text_does_anything_but_be_malformed(body: str) -> None:
    for read in (stk_notification, paybill_notice):
        with pytest.raises(MalformedCallback):
            read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.sampled_from(["CheckoutRequestID", "ResultCode", "CallbackMetadata"]), JSON)
def test_any_value_is_read_or_malformed(name: str, value: Any) -> None:
    try:
        told = stk_notification(stk(**{name: value}))
    except MalformedCallback:
        return
    told.provider_request.encode()
    told.reference.encode()


@given(st.text())
def test_what_is_printable_can_be_stored(text: str) -> None:
    kept = printable(text)
    assert "\x00" not in kept
    kept.encode()
