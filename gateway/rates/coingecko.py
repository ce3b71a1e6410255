"""DAI in US dollars from an HTTP service in the form of CoinGecko's simple/price.

GET url?ids=dai&vs_currencies=usd&include_last_updated_at=true&precision=full ->
{"dai": {"usd": 0.99987, "last_updated_at": 1772323200}}
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import requests

from gateway.rates.sources import (
    CLOCKS_DIFFER,
    TIMEOUT_SECONDS,
    Quote,
    SourceUnavailable,
    believable,
    reason,
)

USD = "USD"
_QUERY = {
    "ids": "dai",
    "vs_currencies": "usd",
    "include_last_updated_at": "true",
    "precision": "full",
}


class CoinPrice:
    """The service's price of one DAI, believed for `life` after its last change."""

    name = "dai-usd"

    def __init__(self, *, url: str, life: timedelta = timedelta(hours=1)) -> None:
        self.url = url
        self.life = life

    def quotes(self, *, currencies: Iterable[str], at: datetime) -> list[Quote]:
        """Ask for US dollars per DAI, where they are wanted; see Source."""
        if USD not in currencies:
            return []
        try:
            response = requests.get(self.url, params=_QUERY, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
            told = response.json(parse_float=Decimal)["dai"]
            usd_per_dai = believable(told["usd"])
            quoted_at = datetime.fromtimestamp(int(told["last_updated_at"]), UTC)
            expires_at = quoted_at + self.life
        except (
            requests.RequestException,
            ArithmeticError,
            LookupError,
            OSError,
            TypeError,
            ValueError,
            RecursionError,
        ) as error:
            raise SourceUnavailable(f"{self.name}: {reason(error)}") from error
        if quoted_at > at + CLOCKS_DIFFER:
            raise SourceUnavailable(f"{self.name}: changed at {quoted_at}, which is still to come")
        if expires_at <= at:
            raise SourceUnavailable(f"{self.name}: stale, changed at {quoted_at}")
        return [
            Quote(
                currency=USD, local_per_dai=usd_per_dai, quoted_at=quoted_at, expires_at=expires_at
            )
        ]
