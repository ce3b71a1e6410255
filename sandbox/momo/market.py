"""Where MoMo runs: a target environment is a country with one currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

DECIMALS = {
    "EUR": 2,
    "GHS": 2,
    "GNF": 0,
    "LRD": 2,
    "RWF": 0,
    "SZL": 2,
    "UGX": 0,
    "XAF": 0,
    "XOF": 0,
    "ZAR": 2,
    "ZMW": 2,
}
MAX_DIGITS = 12
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Market:
    """One target environment. Amounts are kept in minor units of its currency."""

    environment: str
    currency: str

    def minor_of(self, amount: object) -> int | None:
        """Minor units of `"12.50"`; None if it is no text, not above 0 or too fine."""
        if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
            return None
        minor = Decimal(amount).scaleb(DECIMALS[self.currency])
        if minor != minor.to_integral_value() or minor <= 0:
            return None
        return int(minor)

    def text_of(self, minor: int) -> str:
        """As MoMo echoes amounts, without trailing zeros: 1250 of EUR is `12.5`."""
        decimals = DECIMALS[self.currency]
        sign = "-" if minor < 0 else ""
        whole, part = divmod(abs(minor), 10**decimals)
        fraction = f"{part:0{decimals}d}".rstrip("0") if decimals else ""
        return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


MARKETS = {
    environment: Market(environment=environment, currency=currency)
    for environment, currency in (
        ("sandbox", "EUR"),
        ("mtnuganda", "UGX"),
        ("mtnghana", "GHS"),
        ("mtnivorycoast", "XOF"),
        ("mtnbenin", "XOF"),
        ("mtncameroon", "XAF"),
        ("mtncongo", "XAF"),
        ("mtnguineaconakry", "GNF"),
        ("mtnliberia", "LRD"),
        ("mtnrwanda", "RWF"),
        ("mtnsouthafrica", "ZAR"),
        ("mtnswaziland", "SZL"),
        ("mtnzambia", "ZMW"),
    )
}


def market_of_currency(currency: str) -> Market | None:
    """The first market that uses a currency."""
    found = (market for market in MARKETS.values() if market.currency == currency)
    return next(found, None)
