"""What pawaPay says of a deposit, refund or payout, in a callback or the answer to a status check.

All have one body. Deposits call back when they are final, and where the payer has to be sent to
a page; what a callback says is only a reason to ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.money import CURRENCY_DECIMALS, minor_from_string
from gateway.providers.interface import Event, MalformedCallback, Notification

COMPLETED, FAILED = "COMPLETED", "FAILED"
"""Final. ACCEPTED, PROCESSING, ENQUEUED, IN_RECONCILIATION and what may be added are not."""

MOST_MINOR = 10**12
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DIGITS = re.compile(r"[0-9]{7,15}")
_CODE = re.compile(r"[A-Z0-9_]{1,40}")

KINDS = (
    (Event.PAYMENT, "depositId", "payer"),
    (Event.REFUND, "refundId", "recipient"),
    (Event.PAYOUT, "payoutId", "recipient"),
)
"""Event, the field that names it, and the field of whose phone it is."""

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a body of the wrong shape, size or depth raises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A deposit or refund as pawaPay tells it.

    amount_minor is None where the currency is none that this service counts in; created_at is when
    it was asked for: pawaPay tells no other instant. code and text say why it failed.
    """

    is_done: bool
    is_failed: bool
    amount_minor: int | None
    currency: str
    created_at: datetime | None
    code: str
    text: str


def result_of(fields: Mapping[str, Any]) -> Result:
    """Read the common fields. Raises one of UNREADABLE."""
    status = str(fields["status"])
    currency = _plain(fields["currency"], _CURRENCY)
    code, text = _reason(fields.get("failureReason"))
    return Result(
        is_done=status == COMPLETED,
        is_failed=status == FAILED,
        amount_minor=_minor(fields["amount"], currency=currency),
        currency=currency,
        created_at=_instant(fields.get("created")),
        code=code or (status if status == FAILED else ""),
        text=text,
    )


def notification(body: str) -> Notification:
    """Read a callback. What is no deposit, refund or payout is an event of another kind.

    Raises MalformedCallback.
    """
    try:
        fields = json.loads(body, parse_float=Decimal)
        if not isinstance(fields, dict):
            raise TypeError("the body is no object")
        event, name, party = next(
            (kind for kind in KINDS if kind[1] in fields), (Event.OTHER, "refundId", "")
        )
        if event == Event.OTHER and "status" in fields:
            return Notification(event=Event.OTHER)
        told = result_of(fields)
        named = _plain(str(fields[name]).lower(), _ID)
        return Notification(
            event=event,
            provider_request=named,
            is_success=told.is_done,
            reference=named if told.is_done else "",
            amount_minor=told.amount_minor,
            currency=told.currency,
            phone=_phone(fields.get(party)),
        )
    except UNREADABLE as error:
        raise MalformedCallback(f"pawapay callback: {error!r}"[:200]) from error


def printable(value: object) -> str:
    """Return a text that PostgreSQL takes: JSON can also spell NULs and half characters."""
    return "".join(letter for letter in str(value) if letter.isprintable()).strip()


def _minor(amount: object, *, currency: str) -> int | None:
    """Minor units; a status check of XOF may say `500.0000` for what was asked as `500`."""
    if currency not in CURRENCY_DECIMALS:
        return None
    minor = minor_from_string(text=str(amount), currency=currency)
    if not 0 < minor <= MOST_MINOR:
        raise ValueError(f"{minor} is no amount that was paid")
    return minor


def _instant(text: object) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(str(text))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _phone(party: Any) -> str | None:
    """The number as E.164; None where none is told."""
    if party is None:
        return None
    digits = str(party["accountDetails"]["phoneNumber"]).removeprefix("+")
    return f"+{digits}" if _DIGITS.fullmatch(digits) else None


def _reason(reason: Any) -> tuple[str, str]:
    if reason is None:
        return "", ""
    code = str(reason.get("failureCode"))
    if _CODE.fullmatch(code) is None:
        code = "unreadable"
    text = printable(reason.get("failureMessage") or "")
    return code, text[:200] or code.replace("_", " ").lower()


def _plain(value: object, form: re.Pattern[str]) -> str:
    text = str(value)
    if form.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is not what pawaPay says there")
    return text
