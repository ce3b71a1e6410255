"""What Daraja's callbacks say, told without believing it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.money import minor_from_string
from gateway.providers.daraja.client import EAST_AFRICA
from gateway.providers.interface import MalformedCallback, Notification

CURRENCY = "KES"

_RECEIPT = re.compile(r"[A-Za-z0-9]{4,40}")
_REQUEST = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_DIGITS = re.compile(r"[0-9]{7,15}")


UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a body of the wrong shape, size or depth raises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaybillNotice:
    """A C2B validation or confirmation."""

    reference: str
    account_text: str
    amount_minor: int
    paid_at: datetime


def stk_notification(body: str) -> Notification:
    """Read an STK callback. Raises MalformedCallback."""
    try:
        callback = json.loads(body, parse_float=Decimal)["Body"]["stkCallback"]
        items = _items(callback.get("CallbackMetadata"))
        amount = items.get("Amount")
        receipt = items.get("MpesaReceiptNumber")
        phone = str(items.get("PhoneNumber") or "")
        return Notification(
            provider_request=_plain(callback["CheckoutRequestID"], _REQUEST),
            is_success=str(callback["ResultCode"]) == "0",
            reference=_plain(receipt, _RECEIPT) if receipt else "",
            amount_minor=(
                None if amount is None else minor_from_string(text=str(amount), currency=CURRENCY)
            ),
            # Masked numbers say nothing.
            phone=f"+{phone}" if _DIGITS.fullmatch(phone) else None,
        )
    except UNREADABLE as error:
        raise MalformedCallback(f"stk callback: {error!r}"[:200]) from error


def paybill_notice(body: str) -> PaybillNotice:
    """Read a C2B validation or confirmation. Raises MalformedCallback."""
    try:
        fields = json.loads(body)
        paid_at = datetime.strptime(str(fields["TransTime"]), "%Y%m%d%H%M%S")  # noqa: DTZ007
        return PaybillNotice(
            reference=_plain(fields["TransID"], _RECEIPT),
            account_text=printable(fields.get("BillRefNumber") or "")[:64],
            amount_minor=minor_from_string(text=str(fields["TransAmount"]), currency=CURRENCY),
            paid_at=paid_at.replace(tzinfo=EAST_AFRICA),
        )
    except UNREADABLE as error:
        raise MalformedCallback(f"paybill notice: {error!r}"[:200]) from error


def printable(value: object) -> str:
    """Return a text that PostgreSQL takes: JSON can also spell NULs and half characters."""
    return "".join(character for character in str(value) if character.isprintable()).strip()


def _plain(value: object, form: re.Pattern[str]) -> str:
    text = str(value)
    if form.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is no id")
    return text


def _items(metadata: Any) -> dict[str, Any]:
    """Daraja's list of {"Name", "Value"}; Balance often lacks its Value."""
    items = (metadata or {}).get("Item", [])
    return {item["Name"]: item.get("Value") for item in items}
