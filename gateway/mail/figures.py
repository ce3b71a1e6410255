"""Amounts and days of letters, as the active language writes them, with their unit."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django.utils.formats import date_format, number_format

from accounts.money import CURRENCY_DECIMALS, decimal_string
from dashboard import wording


def amount(text: str, *, currency: str) -> str:
    """A decimal with a point, as the language writes it: ("1250.50", EUR) -> "1,250.50 EUR"."""
    exact = Decimal(text)
    decimals = max(-int(exact.as_tuple().exponent), 0)
    return f"{number_format(exact, decimal_pos=decimals, force_grouping=True)} {currency}"


def minor(amount_minor: int, *, currency: str) -> str:
    """Minor units of a currency."""
    decimals = CURRENCY_DECIMALS.get(currency, 2)
    return amount(decimal_string(amount=amount_minor, decimals=decimals), currency=currency)


def dai(amount_wei: str) -> str:
    """Wei, which params hold as text."""
    return f"{wording.dai(int(amount_wei))} DAI"


def day(text: str) -> str:
    """A day, ISO 8601."""
    return str(date_format(date.fromisoformat(text), "j F Y"))


def instant(text: str) -> str:
    """An instant, ISO 8601 with its offset, in UTC."""
    return f"{date_format(datetime.fromisoformat(text), 'j F Y, H:i')} UTC"
