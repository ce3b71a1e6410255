"""References as people read them on a phone."""

from __future__ import annotations

LONGEST = 16


def shown(reference: str) -> str:
    """Return a receipt whole, or the first part of an id too long to copy from a screen.

    M-Pesa's and MTN's receipts are short; aggregators and card companies name payments by ids of
    36 characters, whose first part finds them in the admin.
    """
    return reference if len(reference) <= LONGEST else reference.partition("-")[0][:LONGEST]
