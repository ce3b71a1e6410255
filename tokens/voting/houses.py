"""Two houses that share a budget, and what each vote of them is worth. Pure; exact fractions.

The households' house has its share of the budget, the donors' house the rest; inside a house the
money is divided by weight. A vote of weight 0 counts for nothing. A house in which nobody's vote
counts leaves its share to the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

ALL_BASIS_POINTS = 10_000

House = Literal["households", "donors"]
HOUSES: tuple[House, ...] = ("households", "donors")


class Malformed(ValueError):
    """What is to be counted is no vote: says what is wrong with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """What can be funded: its number on the ballot, and what it costs in wei."""

    number: int
    cost_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """The projects (numbers) that one voter supports, and the voter's weight inside the house."""

    house: House
    weight: int
    options: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Voter:
    """What a voter may spend, in wei, and on which projects (numbers)."""

    endowment: Fraction
    options: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How the money is divided, and which part of the voting households a project needs."""

    budget_wei: int
    household_share_basis_points: int
    support_basis_points: int


def check(*, projects: Sequence[Project], votes: Iterable[Vote], rules: Rules) -> None:
    """Raise Malformed unless projects, votes and rules go together."""
    numbers = {project.number for project in projects}
    if len(numbers) != len(projects):
        raise Malformed("two projects have the same number")
    if any(project.cost_wei <= 0 for project in projects):
        raise Malformed("a project costs nothing")
    for share in (rules.household_share_basis_points, rules.support_basis_points):
        if not 0 <= share <= ALL_BASIS_POINTS:
            raise Malformed(f"{share} basis points are no share")
    if rules.budget_wei < 0:
        raise Malformed("the budget is below zero")
    for vote in votes:
        if vote.house not in HOUSES:
            raise Malformed(f"there is no house of {vote.house}")
        if vote.weight < 0:
            raise Malformed("a weight is below zero")
        if strangers := vote.options - numbers:
            raise Malformed(f"there is no project {min(strangers)}")


def voters(*, votes: Sequence[Vote], rules: Rules) -> tuple[Voter, ...]:
    """Return the votes with what each has of the budget; in sum all of it, if any vote counts."""
    totals = {house: sum(v.weight for v in votes if v.house == house) for house in HOUSES}
    own = rules.household_share_basis_points
    shares = {
        "households": own if totals["donors"] else ALL_BASIS_POINTS,
        "donors": ALL_BASIS_POINTS - own if totals["households"] else ALL_BASIS_POINTS,
    }

    def endowment(vote: Vote) -> Fraction:
        if not vote.weight:
            return Fraction(0)
        return Fraction(
            rules.budget_wei * shares[vote.house] * vote.weight,
            ALL_BASIS_POINTS * totals[vote.house],
        )

    return tuple(Voter(endowment=endowment(vote), options=vote.options) for vote in votes)


def support(*, number: int, voters: Iterable[Voter]) -> Fraction:
    """Return the weighted support of a project: its supporters' endowments, in wei."""
    endowments = (voter.endowment for voter in voters if number in voter.options)
    return sum(endowments, start=Fraction(0))


def supporting_households(*, number: int, votes: Iterable[Vote]) -> int:
    """Return how many households whose vote counts support a project."""
    return sum(number in vote.options for vote in _households(votes))


def voting_households(*, votes: Iterable[Vote]) -> int:
    """Return how many households' votes count."""
    return sum(1 for _ in _households(votes))


def is_supported(*, number: int, votes: Sequence[Vote], rules: Rules) -> bool:
    """Return whether enough of the voting households support a project; each counts once.

    Where support is asked for at all, one household at least has to give it.
    """
    if rules.support_basis_points == 0:
        return True
    supporting = supporting_households(number=number, votes=votes)
    needed = rules.support_basis_points * voting_households(votes=votes)
    return supporting > 0 and supporting * ALL_BASIS_POINTS >= needed


def _households(votes: Iterable[Vote]) -> Iterable[Vote]:
    return (vote for vote in votes if vote.house == "households" and vote.weight)
