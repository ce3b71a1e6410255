"""DAI in US dollars from a Chainlink price feed, read over JSON-RPC.

A feed answers four views of AggregatorV3Interface: description(), decimals(), latestRoundData()
-> (roundId, answer, startedAt, updatedAt, answeredInRound). It writes a round when the price has
moved by its threshold, and after its heartbeat at the latest: an older round means that it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import requests

from accounts.money import decimal_string
from gateway.rates.sources import TIMEOUT_SECONDS, Quote, SourceUnavailable, believable, reason

USD = "USD"
DESCRIPTION = "DAI / USD"
MOST_DECIMALS = 36

# First four bytes of the Keccak-256 of each signature.
_DECIMALS = "0x313ce567"
_DESCRIPTION = "0x7284e416"
_LATEST_ROUND_DATA = "0xfeaf968c"
_WORD_DIGITS = 64
_ROUND_WORDS = 5
_KEPT_DECIMALS = 8
_RESULT = re.compile(r"0x[0-9a-fA-F]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    round_id: int
    answer: int
    updated_at: int
    answered_in_round: int


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
        description = _string(self._call(_DESCRIPTION))
        if description != DESCRIPTION:
            raise ValueError(f"the feed tells {description[:40]!r}, not {DESCRIPTION!r}")
        (decimals,) = _words(self._call(_DECIMALS), count=1)
        if decimals > MOST_DECIMALS:
            raise ValueError(f"{decimals} decimals")
        told = _round(self._call(_LATEST_ROUND_DATA))
        if told.answer <= 0:
            raise ValueError(f"the answer is {told.answer}")
        if told.answered_in_round < told.round_id:
            raise ValueError(f"round {told.round_id} has no answer of its own")
        quoted_at = datetime.fromtimestamp(told.updated_at, UTC)
        if quoted_at > at:
            raise ValueError(f"updated at {quoted_at}, which is still to come")
        expires_at = quoted_at + self.heartbeat
        if expires_at <= at:
            raise ValueError(f"stale, updated at {quoted_at}")
        return Quote(
            currency=USD,
            local_per_dai=believable(_to_eight_decimals(told.answer, decimals)),
            quoted_at=quoted_at,
            expires_at=expires_at,
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


def _words(text: str, *, count: int) -> list[int]:
    """Split an ABI result of exactly `count` words into unsigned integers."""
    if len(text) != count * _WORD_DIGITS:
        raise ValueError(f"{len(text) // 2} bytes are not {count} words: no feed at the address?")
    return [int(text[at : at + _WORD_DIGITS], 16) for at in range(0, len(text), _WORD_DIGITS)]


def _round(text: str) -> _Round:
    round_id, answer, _started_at, updated_at, answered_in_round = _words(text, count=_ROUND_WORDS)
    return _Round(
        round_id=round_id,
        answer=answer - 2**256 if answer >= 2**255 else answer,
        updated_at=updated_at,
        answered_in_round=answered_in_round,
    )


def _string(text: str) -> str:
    """Decode an ABI result of one string: its offset, its length, its bytes."""
    offset, length = _words(text[: 2 * _WORD_DIGITS], count=2)
    if offset != _WORD_DIGITS // 2:
        raise ValueError("the result is not one string")
    encoded = bytes.fromhex(text[2 * _WORD_DIGITS :])
    if length > len(encoded):
        raise ValueError("the string ends too early")
    return encoded[:length].decode()


def _to_eight_decimals(answer: int, decimals: int) -> str:
    """Scale an answer to the decimals that we keep, rounding half to even."""
    kept = round(Fraction(answer, 10**decimals) * 10**_KEPT_DECIMALS)
    return decimal_string(amount=kept, decimals=_KEPT_DECIMALS)
