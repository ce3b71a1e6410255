"""Stripe's minor units, where they are not ours."""

from __future__ import annotations

HUNDREDFOLD = {"UGX"}
"""Currencies without decimals that Stripe carries as if they had two."""


def to_stripe(*, amount_minor: int, currency: str) -> int:
    """Return our minor units as Stripe counts: XOF 500 -> 500, KES 500.00 -> 50000, UGX x 100."""
    return amount_minor * (100 if currency in HUNDREDFOLD else 1)


def from_stripe(*, amount: int, currency: str) -> int:
    """Return Stripe's amount in our minor units. Raises ValueError for a part of a shilling."""
    if currency not in HUNDREDFOLD:
        return amount
    whole, part = divmod(amount, 100)
    if part:
        raise ValueError(f"{amount} is no whole amount of {currency}")
    return whole
