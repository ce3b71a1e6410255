"""Price feeds in the form of Chainlink's AggregatorV3Interface: what is read, what is refused.

A feed answers three views: description(), decimals(), latestRoundData() -> (roundId, answer,
startedAt, updatedAt, answeredInRound). It writes a round when the price has moved by its threshold,
and after its heartbeat at the latest: an older round means that it stands. Pure: whoever asks
brings the way to the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

MOST_DECIMALS = 36
CLOCKS_DIFFER = timedelta(minutes=1)
"""A block's time may be so much ahead of ours, which stands still while the feed is asked."""

# First four bytes of the Keccak-256 of each signature.
DECIMALS = "0x313ce567"
DESCRIPTION = "0x7284e416"
LATEST_ROUND_DATA = "0xfeaf968c"
_WORD_DIGITS = 64
_ROUND_WORDS = 5

Call = Callable[[str], str]
"""Calls a view of the feed at the newest block: call data in, result out, both hexadecimal; the
call data with 0x, the result without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One answer of a feed, as it may be used: from `updated_at` to `expires_at`."""

    round_id: int
    answer: int
    decimals: int
    updated_at: datetime
    expires_at: datetime

    @property
    def price(self) -> Fraction:
        """US dollars for one."""
        return Fraction(self.answer, 10**self.decimals)


def latest(
    *,
    call: Call,
    description: str,
    heartbeat: timedelta,
    at: datetime,
) -> Round:
    """Read a feed's latest round; `description` is what it has to tell of itself ("ETH / USD").

    Refused with ValueError: another feed, an answer of zero or below, one that was carried over
    from an earlier round, one older than the heartbeat or further to come than clocks may differ.
    """
    told = _string(call(DESCRIPTION))
    if told != description:
        raise ValueError(f"the feed tells {told[:40]!r}, not {description!r}")
    (decimals,) = _words(call(DECIMALS), count=1)
    if decimals > MOST_DECIMALS:
        raise ValueError(f"{decimals} decimals")
    round_id, signed, _started_at, updated, answered_in_round = _words(
        call(LATEST_ROUND_DATA), count=_ROUND_WORDS
    )
    answer = signed - 2**256 if signed >= 2**255 else signed
    if answer <= 0:
        raise ValueError(f"the answer is {answer}")
    if answered_in_round < round_id:
        raise ValueError(f"round {round_id} has no answer of its own")
    updated_at = datetime.fromtimestamp(updated, UTC)
    if updated_at > at + CLOCKS_DIFFER:
        raise ValueError(f"updated at {updated_at}, which is still to come")
    expires_at = updated_at + heartbeat
    if expires_at <= at:
        raise ValueError(f"stale, updated at {updated_at}")
    return Round(
        round_id=round_id,
        answer=answer,
        decimals=decimals,
        updated_at=updated_at,
        expires_at=expires_at,
    )


def _words(text: str, *, count: int) -> list[int]:
    """Split an ABI result of exactly `count` words into unsigned integers."""
    if len(text) != count * _WORD_DIGITS:
        raise ValueError(f"{len(text) // 2} bytes are not {count} words: no feed at the address?")
    return [int(text[at : at + _WORD_DIGITS], 16) for at in range(0, len(text), _WORD_DIGITS)]


def _string(text: str) -> str:
    """Decode an ABI result of one string: its offset, its length, its bytes."""
    offset, length = _words(text[: 2 * _WORD_DIGITS], count=2)
    if offset != _WORD_DIGITS // 2:
        raise ValueError("the result is not one string")
    encoded = bytes.fromhex(text[2 * _WORD_DIGITS :])
    if length > len(encoded):
        raise ValueError("the string ends too early")
    return encoded[:length].decode()
