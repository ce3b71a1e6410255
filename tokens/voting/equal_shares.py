"""The Method of Equal Shares for approval ballots, with costs as utilities. Pure; exact fractions.

Peters, Pierczynski, Skowron: "Proportional Participatory Budgeting with Additive Utilities"
(NeurIPS 2021, arXiv 2008.13276). Each voter has an endowment. A project is paid by its supporters
alone, each paying the same part of their endowment, or all that they have left if that is less.
Chosen next is the project whose supporters pay least for what it is worth: the one with the
greatest *effective support*, its cost divided by the part that is paid.

A voter with twice the endowment counts as two voters, so it makes no difference whether a weight
lies with one voter or is divided among several with the same ballot. With equal endowments this is
the published method: effective support is then the effective vote count times an endowment.

Ties: lower cost, then greater support before anything was paid, then lower number. The method may
leave money over; tokens.voting.counting says what is done with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tokens.voting.houses import Project, Voter, support


@dataclass(frozen=True, kw_only=True, slots=True)
class Purchase:
    """A project that its supporters paid for.

    part is what a supporter with money enough paid of the endowment; payments are by the voters'
    places, in wei, and sum to the cost.
    """

    project: Project
    part: Fraction
    payments: Mapping[int, Fraction]

    @property
    def effective_support(self) -> Fraction:
        """In wei of endowments: those who could only pay less count less."""
        return self.project.cost_wei / self.part


def select(*, projects: Iterable[Project], voters: Sequence[Voter]) -> tuple[Purchase, ...]:
    """Return what the voters bought, in the order of being chosen."""
    waiting = sorted(set(projects), key=lambda p: p.number)
    supports = {project: support(number=project.number, voters=voters) for project in waiting}
    left = [voter.endowment for voter in voters]
    bought: list[Purchase] = []
    while True:
        offers = [
            offer for project in waiting if (offer := _offer(project, voters=voters, left=left))
        ]
        if not offers:
            return tuple(bought)
        best = min(
            offers,
            key=lambda o: (
                -o.effective_support,
                o.project.cost_wei,
                -supports[o.project],
                o.project.number,
            ),
        )
        for place, paid in best.payments.items():
            left[place] -= paid
        bought.append(best)
        # Money only shrinks: what can't be paid for now never can.
        waiting = [offer.project for offer in offers if offer is not best]


def _offer(
    project: Project, *, voters: Sequence[Voter], left: Sequence[Fraction]
) -> Purchase | None:
    """What the supporters would pay now, or None where they have too little."""
    supporters = [
        place
        for place, voter in enumerate(voters)
        if project.number in voter.options and left[place]
    ]
    if sum(left[place] for place in supporters) < project.cost_wei:
        return None
    # Those who have least left, measured by what they began with, run out first.
    supporters.sort(key=lambda place: left[place] / voters[place].endowment)
    due = Fraction(project.cost_wei)
    paying = sum((voters[place].endowment for place in supporters), start=Fraction(0))
    part = Fraction(0)
    for place in supporters:
        part = due / paying
        if part * voters[place].endowment <= left[place]:
            break
        due -= left[place]
        paying -= voters[place].endowment
    payments = {place: min(left[place], part * voters[place].endowment) for place in supporters}
    return Purchase(project=project, part=part, payments=payments)
