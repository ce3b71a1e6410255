"""Amounts as pawaPay writes them: strings with as many decimals as the currency may carry."""

from __future__ import annotations

import re
from decimal import Decimal

DECIMALS = {"XOF": 0, "ZMW": 2}
# The published schema's own rule: no leading zeros, no zeros behind the last digit.
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{0,3}[1-9])?")


class BadAmount(ValueError):
    """The text is no amount by the schema."""


class TooManyDecimals(ValueError):
    """The currency has fewer decimals than the amount."""


def minor_of(text: object, *, currency: str) -> int:
    """Minor units of `"500"` or `"5.5"`. Raises BadAmount or TooManyDecimals."""
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None:
        raise BadAmount(f"{text!r} is not an amount.")
    minor = Decimal(text).scaleb(DECIMALS[currency])
    if minor != minor.to_integral_value():
        raise TooManyDecimals(f"{currency} takes {DECIMALS[currency]} decimals.")
    if minor <= 0:
        raise BadAmount("The amount must be above zero.")
    return int(minor)


def text_of(minor: int, *, currency: str, decimals: int | None = None) -> str:
    """`500` for XOF, `5.50` for ZMW; with `decimals` that many, whatever the currency."""
    amount = Decimal(minor).scaleb(-DECIMALS[currency])
    return f"{amount:.{DECIMALS[currency] if decimals is None else decimals}f}"
