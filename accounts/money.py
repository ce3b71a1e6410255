"""Exact arithmetic of money: integers of wei and of minor units, rates as fractions.

Pure: no Django, no Decimal context, no float. Rounding rules of the economy: a credit to a
household floors to the wei, an amount we ask for rounds up to what the rail can carry.
"""

from __future__ import annotations

import re
from fractions import Fraction

WEI_PER_DAI = 10**18
"""One DAI, and one impact token, in wei."""

MILLIWATT_HOURS_PER_KWH = 10**6

BASIS_POINTS = 10_000

CURRENCY_DECIMALS = {
    "EUR": 2,
    "GHS": 2,
    "KES": 2,
    "NGN": 2,
    "RWF": 0,
    "TZS": 2,
    "UGX": 0,
    "USD": 2,
    "XOF": 0,
    "ZMW": 2,
}
"""Digits after the point of each currency that a rail may carry (as the rails use them)."""

_AMOUNT = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,20})?")


class UnknownCurrency(ValueError):
    """The currency has no entry in CURRENCY_DECIMALS."""


def minor_per_major(*, currency: str) -> int:
    """Return how many minor units make one major unit: KES 100, XOF 1."""
    try:
        return int(10 ** CURRENCY_DECIMALS[currency])
    except KeyError:
        raise UnknownCurrency(
            f"currency {currency!r} is not known: add its decimals to accounts.money"
        ) from None


def wei_from_minor(*, amount_minor: int, currency: str, local_per_dai: Fraction) -> int:
    """Convert local money to wei of DAI at a rate in major units per DAI, rounding down."""
    major = Fraction(amount_minor, minor_per_major(currency=currency))
    return int(major / local_per_dai * WEI_PER_DAI // 1)


def minor_from_wei(*, amount_wei: int, currency: str, local_per_dai: Fraction) -> int:
    """Convert wei of DAI to local minor units, rounding towards zero (what we show)."""
    sign = -1 if amount_wei < 0 else 1
    exact = Fraction(abs(amount_wei), WEI_PER_DAI) * local_per_dai
    return sign * int(exact * minor_per_major(currency=currency) // 1)


def minor_to_ask(*, amount_wei: int, currency: str, local_per_dai: Fraction) -> int:
    """Convert wei of DAI to local minor units, rounding up (what we ask a payer for)."""
    exact = Fraction(amount_wei, WEI_PER_DAI) * local_per_dai * minor_per_major(currency=currency)
    return -int(-exact // 1)


def decimal_string(*, amount: int, decimals: int) -> str:
    """Write an integer of 10**-decimals as an exact decimal string: (1500, 3) -> "1.500"."""
    if decimals == 0:
        return str(amount)
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}d}"


def dai_string(amount_wei: int) -> str:
    """Write wei as DAI (or impact tokens) with all eighteen decimals."""
    return decimal_string(amount=amount_wei, decimals=18)


def wh_string(energy_milliwatt_hours: int) -> str:
    """Write milliwatt-hours as watt-hours with three decimals."""
    return decimal_string(amount=energy_milliwatt_hours, decimals=3)


def minor_from_string(*, text: str, currency: str) -> int:
    """Read a provider's amount ("10", "10.00", 1.5) exactly into minor units.

    Raises ValueError where it isn't a plain decimal number or has more decimals than the currency.
    """
    # An exponent would let nine characters ("1e99999999") fill the memory.
    if _AMOUNT.fullmatch(text.strip()) is None:
        raise ValueError(f"{text[:40]!r} is not an amount")
    minor = Fraction(text.strip()) * minor_per_major(currency=currency)
    if minor.denominator != 1:
        raise ValueError(f"{text!r} has more decimals than {currency} carries")
    return int(minor)
