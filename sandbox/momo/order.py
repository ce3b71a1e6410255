"""What a request to pay and a refund have in common: amount, external id, two notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.momo.access import Access
from sandbox.momo.market import Market

LONGEST_NOTE = 160
LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Order:
    """The checked fields; minor is in minor units of the market's currency."""

    minor: int
    external_id: str
    payer_message: str
    payee_note: str


def read_order(*, access: Access, market: Market, body: Mapping[str, Any]) -> Order:
    """Check the common fields; what is wrong is answered as MoMo answers it."""
    external_id = body.get("externalId")
    if not isinstance(external_id, str) or not 1 <= len(external_id) <= LONGEST_ID:
        access.bad_request("externalId is missing or too long")
    if " " in external_id:
        access.bad_request("externalId has spaces")
    notes = {name: body.get(name, "") for name in ("payerMessage", "payeeNote")}
    for name, note in notes.items():
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            access.bad_request(f"{name} is longer than {LONGEST_NOTE} characters")
        if "'" in note:
            access.bad_request(f"{name} has an unsupported character")
    if body.get("currency") != market.currency:
        access.error("INVALID_CURRENCY", "Currency not supported.")
    minor = market.minor_of(body.get("amount"))
    if minor is None:
        access.bad_request("amount is not an amount of the currency, as text")
    return Order(
        minor=minor,
        external_id=external_id,
        payer_message=notes["payerMessage"],
        payee_note=notes["payeeNote"],
    )
