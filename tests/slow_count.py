"""Equal Shares written down from its definition, slowly: every set of payers is tried.

A project costs each supporter the same part of the endowment, or all that is left to those who have
less. Among all ways to say who pays in full and who pays all that is left, the one with the
smallest part is the offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations


@dataclass(frozen=True, kw_only=True)
class SlowVoter:
    endowment: Fraction
    options: frozenset[int]


def rho(*, cost: int, left: dict[int, Fraction], endowed: dict[int, Fraction]) -> Fraction | None:
    """The smallest part such that sum(min(left, part x endowed)) is the cost, or None."""
    names = list(left)
    found: list[Fraction] = []
    for payers in chain.from_iterable(
        combinations(names, size) for size in range(1, len(names) + 1)
    ):
        rest = cost - sum((left[name] for name in names if name not in payers), Fraction(0))
        part = rest / sum((endowed[name] for name in payers), Fraction(0))
        pays = sum(min(left[name], part * endowed[name]) for name in names)
        if part > 0 and pays == cost:
            found.append(part)
    return min(found, default=None)


def equal_shares(
    *, costs: dict[int, int], voters: Sequence[SlowVoter]
) -> list[tuple[int, dict[int, Fraction]]]:
    """The bought projects and who paid what for them, in order."""
    left = {place: voter.endowment for place, voter in enumerate(voters)}
    bought: list[tuple[int, dict[int, Fraction]]] = []
    while True:
        best: tuple[tuple[Fraction, int, Fraction, int], Fraction] | None = None
        for number, cost in costs.items():
            if number in [taken for taken, _ in bought]:
                continue
            friends = [p for p, v in enumerate(voters) if number in v.options and v.endowment]
            part = rho(
                cost=cost,
                left={p: left[p] for p in friends},
                endowed={p: voters[p].endowment for p in friends},
            )
            if part is None:
                continue
            crowd = sum((voters[p].endowment for p in friends), start=Fraction(0))
            rank = (part / cost, cost, -crowd, number)
            if best is None or rank < best[0]:
                best = (rank, part)
        if best is None:
            return bought
        number, part = best[0][3], best[1]
        paid = {
            p: min(left[p], part * v.endowment)
            for p, v in enumerate(voters)
            if number in v.options and left[p]
        }
        for place, amount in paid.items():
            left[place] -= amount
        bought.append((number, paid))
