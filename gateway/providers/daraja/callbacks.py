"""What Daraja's callbacks say, told without believing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.money import minor_from_string
from gateway.providers.daraja.client import EAST_AFRICA
from gateway.providers.interface import Notification

CURRENCY = "KES"


class MalformedCallback(ValueError):
    """The body is not what Daraja sends."""


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
        phone = items.get("PhoneNumber")
        return Notification(
            provider_request=str(callback["CheckoutRequestID"])[:80],
            is_success=str(callback["ResultCode"]) == "0",
            reference=str(items.get("MpesaReceiptNumber") or "")[:40],
            amount_minor=(
                None if amount is None else minor_from_string(text=str(amount), currency=CURRENCY)
            ),
            phone=None if phone is None else f"+{phone}",
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedCallback(f"stk callback: {error!r}"[:200]) from error


def paybill_notice(body: str) -> PaybillNotice:
    """Read a C2B validation or confirmation. Raises MalformedCallback."""
    try:
        fields = json.loads(body)
        paid_at = datetime.strptime(str(fields["TransTime"]), "%Y%m%d%H%M%S")  # noqa: DTZ007
        return PaybillNotice(
            reference=str(fields["TransID"])[:64],
            account_text=str(fields.get("BillRefNumber") or "")[:64],
            amount_minor=minor_from_string(text=str(fields["TransAmount"]), currency=CURRENCY),
            paid_at=paid_at.replace(tzinfo=EAST_AFRICA),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedCallback(f"paybill notice: {error!r}"[:200]) from error


def _items(metadata: Any) -> dict[str, Any]:
    """Daraja's list of {"Name", "Value"}; Balance often lacks its Value."""
    items = (metadata or {}).get("Item", [])
    return {item["Name"]: item.get("Value") for item in items}
