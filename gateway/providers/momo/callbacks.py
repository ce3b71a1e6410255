"""What MoMo says of a request to pay or a refund, in a callback or in the answer to a query.

Both have one body. A callback names no reference id (the token in its path does), comes once, by
POST or PUT, and proves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.money import CURRENCY_DECIMALS, minor_from_string
from gateway.providers.interface import Event, MalformedCallback, Notification

PAID = "SUCCESSFUL"
FAILED = {"FAILED", "REJECTED"}
"""Final. CREATED, PENDING, ONGOING and what MTN may add are not: they are asked after again."""

MOST_MINOR = 10**12
_REFERENCE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DIGITS = re.compile(r"[0-9]{7,15}")
_CODE = re.compile(r"[A-Za-z0-9_ .-]{1,80}")

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a body of the wrong shape, size or depth raises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A request to pay or a refund as MoMo tells it.

    reference is the financial transaction's id, "" while there is none. amount_minor is None where
    the currency is none that this service counts in. code and text say why it failed.
    """

    is_paid: bool
    is_failed: bool
    reference: str
    amount_minor: int | None
    currency: str
    code: str
    text: str


def result_of(fields: Mapping[str, Any]) -> Result:
    """Read the common fields. Raises one of UNREADABLE."""
    status = str(fields["status"])
    currency = _plain(fields["currency"], _CURRENCY)
    reference = fields.get("financialTransactionId")
    code, text = _reason(fields.get("reason"))
    return Result(
        is_paid=status == PAID,
        is_failed=status in FAILED,
        reference="" if reference is None else _plain(reference, _REFERENCE),
        amount_minor=_minor(fields["amount"], currency=currency),
        currency=currency,
        code=code or (status if status in FAILED else ""),
        text=text,
    )


def notification(body: str) -> Notification:
    """Read a callback. Raises MalformedCallback."""
    try:
        fields = json.loads(body, parse_float=Decimal)
        told = result_of(fields)
        named = fields.get("referenceId")
        payer = fields.get("payer")
        return Notification(
            event=Event.REFUND if payer is None else Event.PAYMENT,
            provider_request="" if named is None else _plain(named, _REFERENCE).lower(),
            is_success=told.is_paid,
            reference=told.reference,
            amount_minor=told.amount_minor,
            currency=told.currency,
            phone=None if payer is None else _phone(payer["partyId"]),
        )
    except UNREADABLE as error:
        raise MalformedCallback(f"momo callback: {error!r}"[:200]) from error


def _minor(amount: object, *, currency: str) -> int | None:
    if currency not in CURRENCY_DECIMALS:
        return None
    minor = minor_from_string(text=str(amount), currency=currency)
    if not 0 < minor <= MOST_MINOR:
        raise ValueError(f"{minor} is no amount that was paid")
    return minor


def _phone(party: object) -> str | None:
    """A number as E.164; what is masked or no number says nothing."""
    digits = str(party).removeprefix("+")
    return f"+{digits}" if _DIGITS.fullmatch(digits) else None


def _reason(reason: Any) -> tuple[str, str]:
    """Why it failed: MoMo says it as a code, or as `{"code", "message"}`."""
    if reason is None:
        return "", ""
    is_object = isinstance(reason, dict)
    code = str(reason.get("code") if is_object else reason)
    message = reason.get("message") if is_object else ""
    if _CODE.fullmatch(code) is None:
        code = "unreadable"
    text = "".join(letter for letter in str(message or "") if letter.isprintable())
    return code, text[:200] or code.replace("_", " ").lower()


def _plain(value: object, form: re.Pattern[str]) -> str:
    text = str(value)
    if form.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is not what MoMo says there")
    return text
