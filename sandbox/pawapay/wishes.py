"""What a merchant asks for, checked field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request

from sandbox.pawapay.access import Rejected, body_of, error, uuid4_of
from sandbox.pawapay.money import BadAmount, TooManyDecimals, minor_of, text_of
from sandbox.pawapay.providers import MMOS, Mmo, country_of

REQUIRED = ("depositId", "amount", "currency", "payer")
OPTIONAL = ("preAuthorisationCode", "clientReferenceId", "customerMessage", "metadata")
MAX_METADATA = 10
MERCHANT = "Sandbox Solar"
_MESSAGE = re.compile(r"[A-Za-z0-9 ]{4,22}")


@dataclass(frozen=True, slots=True)
class Wish:
    """A deposit or payout that may be tried. phone is digits, minor in the MMO's currency."""

    deposit_id: str
    phone: str
    mmo: Mmo
    minor: int
    client_reference: str
    customer_message: str
    metadata: dict[str, str]


def deposit_body(request: Request) -> tuple[str, dict[str, Any]]:
    """The deposit's id and the whole body; answers 400 where that can't be read."""
    body = body_of(request, required=REQUIRED, optional=OPTIONAL)
    return uuid4_of(body, "depositId"), body


def wish_of(body: dict[str, Any]) -> Wish:
    """Check every field. Answers 400 where a field is malformed, raises Rejected."""
    return transfer_of(body, transfer_id=str(body["depositId"]), party=body["payer"])


def transfer_of(body: dict[str, Any], *, transfer_id: str, party: object) -> Wish:
    """Check every field of money from or to a party; answers and raises as wish_of does."""
    details = _account_details(party)
    mmo = MMOS.get(str(details["provider"]))
    if mmo is None:
        raise Rejected("INVALID_PROVIDER", f"{details['provider']} is not available.")
    phone = str(details["phoneNumber"])
    if not phone.isascii() or not phone.isdigit():
        error("INVALID_PARAMETER", "phoneNumber must be digits only.", status=400)
    if country_of(phone) != mmo.country:
        raise Rejected("INVALID_PHONE_NUMBER", f"{phone} is not a number of {mmo.country}.")
    return Wish(
        deposit_id=transfer_id.lower(),
        phone=phone,
        mmo=mmo,
        minor=amount_of(body, mmo=mmo),
        client_reference=str(body.get("clientReferenceId", "")),
        customer_message=message_of(body),
        metadata=metadata_of(body),
    )


def message_of(body: dict[str, Any]) -> str:
    """The message to the customer; the merchant's name where none is given."""
    message = str(body.get("customerMessage", MERCHANT))
    if _MESSAGE.fullmatch(message) is None:
        error("INVALID_PARAMETER", "customerMessage is 4 to 22 letters or digits.", status=400)
    return message


def amount_of(body: dict[str, Any], *, mmo: Mmo) -> int:
    """Minor units of amount and currency. Answers 400 by itself, raises Rejected."""
    if body["currency"] != mmo.currency:
        raise Rejected("INVALID_CURRENCY", f"{mmo.code} does not take {body['currency']}.")
    try:
        minor = minor_of(body["amount"], currency=mmo.currency)
    except TooManyDecimals as bad:
        raise Rejected("INVALID_AMOUNT", str(bad)) from bad
    except BadAmount as bad:
        error("INVALID_PARAMETER", str(bad), status=400)
    if not mmo.min_minor <= minor <= mmo.max_minor:
        lowest, highest = (
            text_of(limit, currency=mmo.currency) for limit in (mmo.min_minor, mmo.max_minor)
        )
        raise Rejected("AMOUNT_OUT_OF_BOUNDS", f"The amount must be from {lowest} to {highest}.")
    return minor


def metadata_of(body: dict[str, Any]) -> dict[str, str]:
    """Fields of `[{"orderId": "1"}, {"customerId": "x", "isPII": true}]` as one object."""
    listed = body.get("metadata", [])
    if not isinstance(listed, list) or len(listed) > MAX_METADATA:
        error("INVALID_PARAMETER", f"metadata has up to {MAX_METADATA} items.", status=400)
    fields: dict[str, str] = {}
    for item in listed:
        if not isinstance(item, dict):
            error("INVALID_PARAMETER", "metadata items are objects.", status=400)
        for name, value in item.items():
            if name in fields:
                error("DUPLICATE_METADATA_FIELD", f"{name} is there twice.", status=400)
            if name != "isPII":
                fields[name] = str(value)
    return fields


def _account_details(party: object) -> dict[str, Any]:
    details = party.get("accountDetails") if isinstance(party, dict) else None
    if not isinstance(party, dict) or party.get("type") != "MMO" or not isinstance(details, dict):
        error("INVALID_PARAMETER", "the party is of type MMO, with accountDetails.", status=400)
    for name in ("phoneNumber", "provider"):
        if not details.get(name):
            error("MISSING_PARAMETER", f"accountDetails.{name} is required.", status=400)
    return details
