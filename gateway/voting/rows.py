"""The rows of the pages of votes, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import get_language

from gateway.voting import wording
from tokens.models import Proposal, Round
from tokens.voting import queries
from tokens.voting.queries import ProjectResult, Result

Words = str | Promise


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectRow:
    """A project as it is shown; result is None before the count and for what was refused."""

    number: int | None
    title: str
    text: str
    cost_wei: int
    state: str
    state_words: Words
    reason: str
    result: ProjectResult | None
    result_words: Words
    what_became: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BallotRow:
    """A counted ballot: receipt code, house, weight and the projects it supports."""

    receipt_code: str
    house: Words
    weight: int
    options: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesRow:
    """The rules of a round in words; shares in basis points."""

    method: Words
    household_weight: Words
    donor_weight: Words
    household_share_basis_points: int
    donor_share_basis_points: int
    support_basis_points: int
    state: Words


def title_of(row: Round | Proposal) -> str:
    """The title that a reader of this language sees."""
    is_french = (get_language() or "").startswith("fr")
    return row.title_fr if is_french and row.title_fr else row.title


def projects(*, round_: Round, result: Result | None) -> list[ProjectRow]:
    """What the public sees of a round's proposals."""
    made = []
    for project in queries.vetted(round_=round_):
        counted = None if result is None else result.of(project.number)
        made.append(
            ProjectRow(
                number=project.number,
                title=title_of(project),
                text=project.text,
                cost_wei=project.cost_wei,
                state=project.state,
                state_words=wording.PROJECT_STATES[project.state],
                reason=project.reason,
                result=counted,
                result_words="" if counted is None else wording.REASONS[counted.reason],
                what_became=project.what_became,
            )
        )
    return made


def ballots(*, result: Result) -> Sequence[BallotRow]:
    """Every ballot of a counted round, by receipt code."""
    return [
        BallotRow(
            receipt_code=ballot.receipt_code,
            house=wording.HOUSES[ballot.house],
            weight=ballot.weight,
            options=", ".join(str(number) for number in sorted(ballot.options)),
        )
        for ballot in result.ballots
    ]


def rules(*, round_: Round) -> RulesRow:
    """The rules of a round in words."""
    own = round_.household_share_basis_points
    return RulesRow(
        method=wording.METHODS[round_.method],
        household_weight=wording.WEIGHTS[round_.household_weight],
        donor_weight=wording.WEIGHTS[round_.donor_weight],
        household_share_basis_points=own,
        donor_share_basis_points=10_000 - own,
        support_basis_points=round_.support_basis_points,
        state=wording.STATES[round_.state],
    )
