"""Contract ABI, as far as a price feed needs it: words of 32 bytes and one string."""

from __future__ import annotations

WORD_BYTES = 32

# First four bytes of the Keccak-256 of each signature.
LATEST_ROUND_DATA = "feaf968c"  # latestRoundData()
GET_ROUND_DATA = "9a6fc8f5"  # getRoundData(uint80)
DECIMALS = "313ce567"  # decimals()
DESCRIPTION = "7284e416"  # description()
VERSION = "54fd4d50"  # version()
REVERT_REASON = "08c379a0"  # Error(string)


def words(*numbers: int) -> str:
    """Encode integers as words, below zero in two's complement; hexadecimal without 0x."""
    return "".join(f"{number % 2 ** (8 * WORD_BYTES):0{2 * WORD_BYTES}x}" for number in numbers)


def string(text: str) -> str:
    """Encode one dynamic string: its offset, its length, its bytes in full words."""
    encoded = text.encode()
    padding = -len(encoded) % WORD_BYTES
    return words(WORD_BYTES, len(encoded)) + encoded.hex() + "00" * padding
