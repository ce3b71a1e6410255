"""Shares of what is paid: pure arithmetic, the same as settlement/sql/split.sql.

line = floor(cumulative paid * share / 10,000) - posted before, never below zero; the last line
takes the rest, so the lines always sum to what was paid, however readings were batched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BASIS_POINTS = 10_000


class BadSplit(ValueError):
    """The shares of a split do not make a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What one split version has seen: cumulative paid and posted per line, in wei."""

    paid_wei: int
    posted_wei: tuple[int, ...]


def check_shares(*, shares_basis_points: Sequence[int]) -> None:
    """Raise BadSplit unless the shares are whole, not negative, and sum to 10,000."""
    if not shares_basis_points:
        raise BadSplit("a split needs at least one line")
    if any(share < 0 for share in shares_basis_points):
        raise BadSplit("a share can't be below zero")
    if sum(shares_basis_points) != BASIS_POINTS:
        raise BadSplit(
            f"the shares sum to {sum(shares_basis_points)} basis points; they must sum to 10,000"
        )


def divide(
    *, progress: Progress, paid_wei: int, shares_basis_points: Sequence[int]
) -> tuple[Progress, tuple[int, ...]]:
    """Return the progress after `paid_wei` more (or less) and the amounts to post per line."""
    paid = progress.paid_wei + paid_wei
    lines = [
        max(paid * share // BASIS_POINTS - posted, 0)
        for share, posted in zip(shares_basis_points, progress.posted_wei, strict=True)
    ]
    lines[-1] = paid_wei - sum(lines[:-1])
    posted = tuple(
        before + amount for before, amount in zip(progress.posted_wei, lines, strict=True)
    )
    return Progress(paid_wei=paid, posted_wei=posted), tuple(lines)
