"""How few households published sums tell of, taken together. Pure.

Sums by tier and sums by cell of a map are two ways to cut the same households. Each may be of many,
and their differences still of few: a cell of eight homes and one clinic, less what all homes use
elsewhere, is the clinic. What anybody can compute is a weighted sum of the published ones; it tells
of the households whose weights do not cancel out. Tiers and cells are the two sides of a graph,
households its edges: the fewest households that any such sum tells of are its smallest cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

Counts = Mapping[tuple[str, str], int]
"""Households by (cell, tier)."""


def fewest_told(counts: Counts) -> int | None:
    """Return the fewest households that the sums of all tiers and cells tell of; None: of nobody.

    All ways to part the tiers are tried, and each cell goes where it cuts less.
    """
    tiers = sorted({tier for (_cell, tier), count in counts.items() if count})
    cells: dict[str, dict[str, int]] = {}
    for (cell, tier), count in counts.items():
        if count:
            cells.setdefault(cell, {})[tier] = count
    if not cells:
        return None
    # One tier stays on its side: the other side's way round is the same.
    return min(_cut(cells.values(), part) for part in _parts(tiers[1:]))


def _parts(tiers: list[str]) -> Iterable[frozenset[str]]:
    for size in range(len(tiers) + 1):
        for part in combinations(tiers, size):
            yield frozenset(part)


def _cut(cells: Iterable[Mapping[str, int]], part: frozenset[str]) -> int:
    """The fewest households between the two sides, where there are any."""
    sides = []
    for cell in cells:
        inside = sum(count for tier, count in cell.items() if tier in part)
        sides.append((inside, sum(cell.values()) - inside))
    cut = sum(min(side) for side in sides)
    # Nothing in between: the sides have nothing to do with each other, or one is empty. The
    # cheapest sum that tells of anybody then moves one cell to the other side.
    return cut or min(max(side) for side in sides)
