"""Counting a round: which projects are funded, by what, and why the others are not. Pure; exact.

With Equal Shares, what the method leaves over is then spent by most votes on what is left of the
projects (completion). The budget is never exceeded: what Equal Shares spends was endowed out of the
budget, and the completion spends no more than the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tokens.voting import equal_shares, houses, most_votes
from tokens.voting.equal_shares import Purchase
from tokens.voting.houses import (
    Project,
    Rules,
    Vote,
    Voter,
    check,
    is_supported,
    support,
)

Method = Literal["equal_shares", "most_votes"]
METHODS: tuple[Method, ...] = ("equal_shares", "most_votes")
Reason = Literal["equal_shares", "completion", "most_votes", "too_few_households", "no_money_left"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of a project, and why: funded by a method or not funded for a reason.

    support is its weighted support, in wei of endowments.
    """

    project: Project
    is_funded: bool
    reason: Reason
    support: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Decisions, the funded ones first and in the order of being chosen; what Equal Shares bought.

    spent_wei is what the funded projects cost, left_wei the rest of the budget.
    """

    decisions: tuple[Decision, ...]
    purchases: tuple[Purchase, ...]
    spent_wei: int
    left_wei: int

    @property
    def funded(self) -> tuple[Project, ...]:
        return tuple(each.project for each in self.decisions if each.is_funded)


def count(
    *, method: Method, projects: Sequence[Project], votes: Sequence[Vote], rules: Rules
) -> Outcome:
    """Return what the votes decide. Raises Malformed where they are no votes on these projects."""
    check(projects=projects, votes=votes, rules=rules)
    voters = houses.voters(votes=votes, rules=rules)
    supported = [p for p in projects if is_supported(number=p.number, votes=votes, rules=rules)]
    reasons: dict[Project, Reason] = {}
    purchases: tuple[Purchase, ...] = ()
    if method == "equal_shares":
        purchases = equal_shares.select(projects=supported, voters=voters)
        reasons = {purchase.project: "equal_shares" for purchase in purchases}
    spent_wei = sum(project.cost_wei for project in reasons)
    rest = most_votes.select(
        projects=[project for project in supported if project not in reasons],
        voters=voters,
        budget_wei=rules.budget_wei - spent_wei,
    )
    by: Reason = "completion" if method == "equal_shares" else "most_votes"
    reasons |= dict.fromkeys(rest, by)
    spent_wei = sum(project.cost_wei for project in reasons)
    return Outcome(
        decisions=_decisions(projects, reasons=reasons, supported=supported, voters=voters),
        purchases=purchases,
        spent_wei=spent_wei,
        left_wei=rules.budget_wei - spent_wei,
    )


def _decisions(
    projects: Sequence[Project],
    *,
    reasons: dict[Project, Reason],
    supported: Sequence[Project],
    voters: Sequence[Voter],
) -> tuple[Decision, ...]:
    def decision(project: Project, *, is_funded: bool, reason: Reason) -> Decision:
        return Decision(
            project=project,
            is_funded=is_funded,
            reason=reason,
            support=support(number=project.number, voters=voters),
        )

    others = sorted((p for p in projects if p not in reasons), key=lambda p: p.number)
    return (
        *(decision(p, is_funded=True, reason=reason) for p, reason in reasons.items()),
        *(
            decision(
                p,
                is_funded=False,
                reason="no_money_left" if p in supported else "too_few_households",
            )
            for p in others
        ),
    )
