"""Reading what pawaPay sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.providers.interface import Event, MalformedCallback, ProviderUnavailable
from gateway.providers.pawapay.callbacks import notification, result_of
from gateway.providers.pawapay.statement import BadLine, Line, lines

PAYLOADS = Path(__file__).parent.parent / "payloads" / "pawapay"
DEPOSIT = "8917c345-4791-4285-a416-62f24b6982db"
REFUND = "3f6a1e3c-0e9d-4b57-8a6e-2f1b0c9d7e55"


def payload(name: str) -> str:
    return (PAYLOADS / name).read_text(encoding="utf-8")


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(payload("deposit_completed.json")) | fields)


def test_a_completed_deposit_with_more_decimals_than_the_currency() -> None:
    told = notification(payload("deposit_completed.json"))
    assert (told.event, told.is_success) == (Event.PAYMENT, True)
    assert (told.provider_request, told.reference) == (DEPOSIT, DEPOSIT)
    assert (told.amount_minor, told.currency, told.phone) == (1_500, "XOF", "+221770000001")


def test_a_failed_deposit_names_no_receipt_and_says_why() -> None:
    told = notification(payload("deposit_failed.json"))
    assert (told.is_success, told.reference, told.provider_request) == (False, "", DEPOSIT)
    assert told.amount_minor == 12_300
    result = result_of(json.loads(payload("deposit_failed.json")))
    assert (result.is_failed, result.code) == (True, "INSUFFICIENT_BALANCE")
    assert result.text == "Not enough funds on the wallet."
    assert result.created_at == datetime(2020, 10, 19, 8, 17, 1, tzinfo=UTC)


def test_a_refund_is_told_from_a_deposit() -> None:
    told = notification(payload("refund_completed.json"))
    assert (told.event, told.provider_request, told.is_success) == (Event.REFUND, REFUND, True)
    assert (told.amount_minor, told.phone) == (500, "+221770000001")


def test_a_payout_is_told_from_both() -> None:
    told = notification(payload("payout_completed.json"))
    assert (told.event, told.is_success) == (Event.PAYOUT, True)
    assert told.provider_request == "4b8f9d2e-1c3a-4e5f-9a7b-6d5c4e3f2a10"
    assert (told.amount_minor, told.phone) == (1_500, "+260763456789")


def test_what_is_none_of_them_is_another_event() -> None:
    assert notification('{"statementId": "x", "status": "COMPLETED"}').event == Event.OTHER


@pytest.mark.parametrize(
    "status", ["ACCEPTED", "PROCESSING", "ENQUEUED", "IN_RECONCILIATION", "SOMETHING_NEW"]
)
def test_other_statuses_are_not_final(status: str) -> None:
    result = result_of(json.loads(changed(status=status)))
    assert (result.is_done, result.is_failed) == (False, False)


def test_a_failure_without_a_reason_still_has_a_code() -> None:
    assert result_of(json.loads(changed(status="FAILED"))).code == "FAILED"
    strange = {"failureCode": "x y;", "failureMessage": "\u0000no"}
    result = result_of(json.loads(changed(status="FAILED", failureReason=strange)))
    assert (result.code, result.text) == ("unreadable", "no")


def test_a_currency_nobody_counts_in_tells_no_amount() -> None:
    assert notification(changed(currency="XYZ")).amount_minor is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 5_000,
        '{"depositId": 7}',
        changed(depositId="no-id"),
        changed(depositId=["a"]),
        changed(amount="1e9"),
        changed(amount="NaN"),
        changed(amount="-5"),
        changed(amount="0.5"),
        changed(amount=None),
        changed(currency="xof"),
        changed(created="yesterday"),
        changed(payer={"type": "MMO"}),
        changed(failureReason="text"),
    ],
)
def test_malformed_bodies_are_refused(body: str) -> None:
    with pytest.raises(MalformedCallback):
        notification(body)


def test_a_statements_lines_are_found_by_the_names_of_its_columns() -> None:
    deposit, fee, refund, withdrawal, adjustment, bad = lines(payload("statement.csv"))
    assert deposit == Line(
        kind="DEPOSIT",
        reference=DEPOSIT,
        amount_minor=1_500,
        is_out=False,
        currency="XOF",
        at=datetime(2026, 11, 22, 8, 17, 5, tzinfo=UTC),
        phone="221770000001",
        metadata={"account": "LOF0001"},
    )
    assert isinstance(fee, Line)
    assert (fee.kind, fee.reference, fee.amount_minor, fee.is_out) == (
        "DEPOSIT_FEE",
        DEPOSIT,
        22,
        True,
    )
    assert isinstance(refund, Line)
    assert refund.metadata == {"deposit": DEPOSIT}
    assert refund.at == datetime(2026, 11, 22, 9, 0, 1, tzinfo=UTC)
    assert isinstance(withdrawal, Line)
    assert (withdrawal.kind, withdrawal.amount_minor) == ("WITHDRAWAL", 900)
    assert isinstance(adjustment, Line)
    assert adjustment.metadata == {}
    assert isinstance(bad, BadLine)
    assert bad.reference == "5e1f"


def test_a_file_that_is_no_statement_is_not_an_empty_one() -> None:
    with pytest.raises(ProviderUnavailable, match="Creation Date"):
        lines("<html>Access denied</html>")
    with pytest.raises(ProviderUnavailable):
        lines("")
