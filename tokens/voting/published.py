"""What is published of a count, byte for byte, and counting it again from those bytes. Pure.

Canonical JSON as in tokens.dataset: keys sorted, no blanks, ASCII, integers as strings of decimal
digits, instants as ISO 8601 in UTC. It holds the rules, the projects, and every ballot as receipt
code, house, weight and options; no household, no donor. The result in it follows from the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tokens.dataset import hash_of
from tokens.voting import counting, houses
from tokens.voting.counting import METHODS, Method, Outcome
from tokens.voting.houses import House, Project, Rules, Vote

__all__ = ["Ballot", "Heading", "Listed", "Malformed", "Record", "hash_of", "read", "write"]

FORMAT = "voting-round/1"
_WHOLE = re.compile(r"0|[1-9][0-9]*")


class Malformed(ValueError):
    """The bytes are no published count of this format; says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """Which round it was, and by which rules it was counted. Instants as text, amounts in wei."""

    site: str
    number: int
    title: str
    method: Method
    budget_wei: int
    grant_pool_wei: int
    household_share_basis_points: int
    support_basis_points: int
    household_weight: str
    donor_weight: str
    opens_at: str
    closes_at: str
    counted_at: str

    @property
    def rules(self) -> Rules:
        """The budget is the round's, but no more than the grant pool held when it was counted."""
        return Rules(
            budget_wei=min(self.budget_wei, self.grant_pool_wei),
            household_share_basis_points=self.household_share_basis_points,
            support_basis_points=self.support_basis_points,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A project as it stood on the ballot."""

    number: int
    uid: str
    title: str
    cost_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Ballot:
    """One ballot under the receipt code that its voter was told."""

    receipt_code: str
    house: House
    weight: int
    options: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Everything that a count is computed from."""

    heading: Heading
    projects: tuple[Listed, ...]
    ballots: tuple[Ballot, ...]

    def count(self) -> Outcome:
        """Count the ballots. Raises houses.Malformed."""
        return counting.count(
            method=self.heading.method,
            projects=[Project(number=p.number, cost_wei=p.cost_wei) for p in self.in_order],
            votes=self.votes,
            rules=self.heading.rules,
        )

    @property
    def in_order(self) -> list[Listed]:
        """The projects by number."""
        return sorted(self.projects, key=lambda project: project.number)

    @property
    def votes(self) -> list[Vote]:
        """The ballots by receipt code, as what they count for."""
        return [
            Vote(house=ballot.house, weight=ballot.weight, options=ballot.options)
            for ballot in sorted(self.ballots, key=lambda ballot: ballot.receipt_code)
        ]


def write(record: Record) -> bytes:
    """Count, and return the bytes that are published. Raises houses.Malformed."""
    outcome = record.count()
    heading = record.heading
    return _canonical(
        {
            "format": FORMAT,
            "site": heading.site,
            "round": str(heading.number),
            "title": heading.title,
            "method": heading.method,
            "budget_wei": str(heading.budget_wei),
            "grant_pool_wei": str(heading.grant_pool_wei),
            "household_share_basis_points": str(heading.household_share_basis_points),
            "support_basis_points": str(heading.support_basis_points),
            "household_weight": heading.household_weight,
            "donor_weight": heading.donor_weight,
            "opens_at": heading.opens_at,
            "closes_at": heading.closes_at,
            "counted_at": heading.counted_at,
            "projects": [
                {
                    "number": str(project.number),
                    "uid": project.uid,
                    "title": project.title,
                    "cost_wei": str(project.cost_wei),
                }
                for project in record.in_order
            ],
            "ballots": [
                {
                    "receipt_code": ballot.receipt_code,
                    "house": ballot.house,
                    "weight": str(ballot.weight),
                    "options": [str(number) for number in sorted(ballot.options)],
                }
                for ballot in sorted(record.ballots, key=lambda ballot: ballot.receipt_code)
            ],
            "result": _result(record, outcome),
        }
    )


def read(content: bytes) -> Record:
    """Return what a count was computed from; its result is not looked at. Raises Malformed."""
    try:
        told = json.loads(content)
        if told["format"] != FORMAT:
            raise Malformed(f"this is a {str(told['format'])[:40]}, not a {FORMAT}")
        record = Record(
            heading=_heading(told),
            projects=tuple(
                Listed(
                    number=_whole(each["number"]),
                    uid=each["uid"],
                    title=each["title"],
                    cost_wei=_whole(each["cost_wei"]),
                )
                for each in told["projects"]
            ),
            ballots=tuple(
                Ballot(
                    receipt_code=each["receipt_code"],
                    house=each["house"],
                    weight=_whole(each["weight"]),
                    options=frozenset(_whole(number) for number in each["options"]),
                )
                for each in told["ballots"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(f"the count can't be read: {error}") from error
    codes = [ballot.receipt_code for ballot in record.ballots]
    if len(set(codes)) != len(codes):
        raise Malformed("a receipt code stands there twice")
    return record


def _heading(told: Mapping[str, Any]) -> Heading:
    if told["method"] not in METHODS:
        raise Malformed(f"there is no method {told['method']!r}")
    return Heading(
        site=told["site"],
        number=_whole(told["round"]),
        title=told["title"],
        method=cast("Method", told["method"]),
        budget_wei=_whole(told["budget_wei"]),
        grant_pool_wei=_whole(told["grant_pool_wei"]),
        household_share_basis_points=_whole(told["household_share_basis_points"]),
        support_basis_points=_whole(told["support_basis_points"]),
        household_weight=told["household_weight"],
        donor_weight=told["donor_weight"],
        opens_at=told["opens_at"],
        closes_at=told["closes_at"],
        counted_at=told["counted_at"],
    )


def _result(record: Record, outcome: Outcome) -> dict[str, Any]:
    votes: Sequence[Vote] = record.votes
    return {
        "voting_households": str(houses.voting_households(votes=votes)),
        "spendable_wei": str(record.heading.rules.budget_wei),
        "spent_wei": str(outcome.spent_wei),
        "left_wei": str(outcome.left_wei),
        "projects": [
            {
                "number": str(each.project.number),
                "is_funded": each.is_funded,
                "reason": each.reason,
                "households": str(
                    houses.supporting_households(number=each.project.number, votes=votes)
                ),
                # Of endowments; whole wei, rounded down.
                "support_wei": str(each.support // 1),
            }
            for each in outcome.decisions
        ],
    }


def _whole(digits: object) -> int:
    if not isinstance(digits, str) or not _WHOLE.fullmatch(digits):
        raise Malformed(f"{str(digits)[:80]} is no whole number")
    return int(digits)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
