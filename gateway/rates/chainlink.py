"""DAI in US dollars from a Chainlink price feed, read over JSON-RPC; see tokens.price_feeds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import requests

from accounts.money import decimal_string
from gateway.rates.sources import TIMEOUT_SECONDS, Quote, SourceUnavailable, believable, reason
from tokens import price_feeds

USD = "USD"
DESCRIPTION = "DAI / USD"
_KEPT_DECIMALS = 8
_RESULT = re.compile(r"0x[0-9a-fA-F]*")


class ChainlinkFeed:
    """One feed contract on one chain. `heartbeat` is the feed's own, as Chainlink lists it."""

    name = "chainlink"

    def __init__(self, *, url: str, address: str, chain_id: int, heartbeat: timedelta) -> None:
        self.url = url
        self.address = address
        self.chain_id = chain_id
        self.heartbeat = heartbeat

    def quotes(self, *, currencies: Iterable[str], at: datetime) -> list[Quote]:
        """Read US dollars per DAI, where they are wanted; see Source.

        Refused are another chain, another feed than DAI / USD, an answer of zero or below, one
        carried over from an earlier round, and one that is older than the heartbeat or to come.
        """
        if USD not in currencies:
            return []
        try:
            return [self._quote(at)]
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

    def _quote(self, at: datetime) -> Quote:
        chain_id = int(self._ask("eth_chainId", []), 16)
        if chain_id != self.chain_id:
            raise ValueError(f"the node is on chain {chain_id}, not {self.chain_id}")
        told = price_feeds.latest(
            call=self._call, description=DESCRIPTION, heartbeat=self.heartbeat, at=at
        )
        return Quote(
            currency=USD,
            local_per_dai=believable(_to_eight_decimals(told.price)),
            quoted_at=told.updated_at,
            expires_at=told.expires_at,
        )

    def _call(self, data: str) -> str:
        """eth_call of a view at the newest block; hexadecimal without 0x."""
        return self._ask("eth_call", [{"to": self.address, "data": data}, "latest"])[2:]

    def _ask(self, method: str, params: list[Any]) -> str:
        response = requests.post(
            self.url,
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
            timeout=TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        answer = response.json()
        if not isinstance(answer, dict):
            raise TypeError(f"{method} answered no object")
        if answer.get("error") is not None:
            error = answer["error"]
            said = error.get("message") if isinstance(error, dict) else error
            raise ValueError(f"{method} failed: {str(said)[:80]}")
        result = answer["result"]
        if answer.get("id") != 1 or not isinstance(result, str) or not _RESULT.fullmatch(result):
            raise ValueError(f"{method} answered {str(answer)[:80]}")
        return result


def _to_eight_decimals(price: Fraction) -> str:
    """Write a price with the decimals that we keep, rounding half to even."""
    kept = round(price * 10**_KEPT_DECIMALS)
    return decimal_string(amount=kept, decimals=_KEPT_DECIMALS)
