"""Sources of rates: local money per DAI, each with its age. More sources come behind Source.

A table tells many currencies, US dollars and euros among them; a feed (gateway.rates.chainlink,
gateway.rates.coingecko) tells only what a DAI is worth in US dollars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

import requests

TIMEOUT_SECONDS = (5, 15)
SMALLEST, LARGEST = Decimal("0.00000001"), Decimal(10**9)
CLOCKS_DIFFER = timedelta(minutes=1)
"""A source's clock may be this much ahead of ours; ours also stands still while it is asked."""


class SourceUnavailable(Exception):
    """The source did not answer, or not in its form, or with what cannot be believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """One currency's rate: units of local money for one DAI."""

    currency: str
    local_per_dai: Decimal
    quoted_at: datetime
    expires_at: datetime


class Source(Protocol):
    """Where rates come from."""

    name: str

    def quotes(self, *, currencies: Iterable[str], at: datetime) -> list[Quote]:
        """Return a quote for each currency it knows. Raises SourceUnavailable."""


def believable(told: object) -> Decimal:
    """Read a rate to eight decimals. Raises ValueError, or decimal's InvalidOperation."""
    rate = Decimal(str(told))
    if not rate.is_finite() or not SMALLEST <= rate <= LARGEST:
        raise ValueError(f"{str(told)[:40]!r} is no rate")
    return rate.quantize(SMALLEST)


def reason(error: Exception) -> str:
    """Say what went wrong without the address that was asked: it may hold a key."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return type(error).__name__
    if type(error) is ValueError:
        return str(error)[:200]
    return f"{type(error).__name__}: {error}"[:200]


class FixedTable:
    """Rates that never change: for a site whose operator sets them, and for the demo."""

    name = "fixed"

    def __init__(self, *, table: dict[str, Decimal], life: timedelta = timedelta(days=1)) -> None:
        self.table = table
        self.life = life

    def quotes(self, *, currencies: Iterable[str], at: datetime) -> list[Quote]:
        """Return the table's rates as of now; see Source."""
        return [
            Quote(
                currency=currency,
                local_per_dai=self.table[currency],
                quoted_at=at,
                expires_at=at + self.life,
            )
            for currency in currencies
            if currency in self.table
        ]


class HttpTable:
    """A JSON service: GET url?currencies=KES,XOF -> {"quoted_at": ISO 8601, "rates": {"KES": "…"}}.

    Rates are local money per DAI, as decimal strings or numbers.
    """

    def __init__(self, *, url: str, name: str = "http", life: timedelta = timedelta(hours=2)):
        self.url = url
        self.name = name
        self.life = life

    def quotes(self, *, currencies: Iterable[str], at: datetime) -> list[Quote]:
        """Ask the service; see Source. An answer older than its life is refused."""
        wanted = sorted(currencies)
        try:
            response = requests.get(
                self.url, params={"currencies": ",".join(wanted)}, timeout=TIMEOUT_SECONDS
            )
            response.raise_for_status()
            answer = response.json(parse_float=Decimal)
            quoted_at = datetime.fromisoformat(answer["quoted_at"])
            if quoted_at.tzinfo is None:
                raise ValueError("quoted_at has no time zone")
            told = answer["rates"]
            rates = {code: believable(told[code]) for code in wanted if code in told}
            expires_at = quoted_at + self.life
        except (
            requests.RequestException,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            RecursionError,
        ) as error:
            raise SourceUnavailable(f"{self.name}: {reason(error)}") from error
        if quoted_at > at + CLOCKS_DIFFER:
            raise SourceUnavailable(f"{self.name}: quoted at {quoted_at}, which is still to come")
        if expires_at <= at:
            raise SourceUnavailable(f"{self.name}: stale, quoted at {quoted_at}")
        return [
            Quote(
                currency=currency,
                local_per_dai=rates[currency],
                quoted_at=quoted_at,
                expires_at=expires_at,
            )
            for currency in wanted
            if currency in rates
        ]
