"""Taxes and levies contained in what was paid: exact integers, every part at least zero.

Pure: no Django, no float. Amounts are minor units and include every line; each rate is in basis
points of the net amount, so gross = net x (1 + sum of rates).
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts.money import BASIS_POINTS


def contained(*, gross_minor: int, rates_basis_points: Sequence[int]) -> list[int]:
    """Return the part of each line in an amount; what they leave is the net amount.

    The first line is gross x rate / (1 + sum of rates), rounded half up; each further one is its
    share of what those before it left. So the parts and the net amount sum to gross, none is
    below zero, and none shrinks when the amount grows: a partial credit note never takes back
    more than the rest can bear. Raises ValueError for an amount or a rate below zero.
    """
    if gross_minor < 0 or any(rate < 0 for rate in rates_basis_points):
        raise ValueError("amounts and rates are at least zero")
    parts, rest = [], gross_minor
    for position, rate in enumerate(rates_basis_points):
        whole = BASIS_POINTS + sum(rates_basis_points[position:])
        part = (2 * rest * rate + whole) // (2 * whole)
        parts.append(part)
        rest -= part
    return parts


def taken_back(
    *, before_minor: int, amount_minor: int, rates_basis_points: Sequence[int]
) -> list[int]:
    """Return the part of each line in a further amount taken back, after before_minor of it was.

    Counted on the running total, so that the credit notes of a payment taken back in whole sum
    to its receipt, line by line, whatever the steps.
    """
    until = contained(
        gross_minor=before_minor + amount_minor, rates_basis_points=rates_basis_points
    )
    since = contained(gross_minor=before_minor, rates_basis_points=rates_basis_points)
    return [after - before for after, before in zip(until, since, strict=True)]
