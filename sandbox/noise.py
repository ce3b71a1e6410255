"""Randomness by place instead of by order: the same seed and position always give the same."""

from __future__ import annotations

import hashlib
import math

_MASK = (1 << 64) - 1


def seed_of(*parts: object) -> int:
    """A 64-bit seed from anything with a text, the same in every process."""
    text = ":".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def bits(seed: int, position: int) -> int:
    """64 random bits at an integer position (SplitMix64: Steele, Lea, Flood 2014)."""
    z = (seed + position * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) at an integer position."""
    return bits(seed, position) / 2**64


def smooth(seed: int, position: float) -> float:
    """A smooth curve in [0, 1) with independent values at the integers."""
    knot = math.floor(position)
    fraction = position - knot
    weight = fraction * fraction * (3.0 - 2.0 * fraction)
    return uniform(seed, knot) * (1.0 - weight) + uniform(seed, knot + 1) * weight
