"""What became of the projects that donors voted for. For the donors themselves only. Reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from accounts.models import Donor
from settlement.models import Payout, ServiceToken
from tokens.models import Ballot, Proposal, Round
from tokens.voting import proposals, queries

MOST_VOTES = 24
"""Shown; the newest ones."""


class Became(Enum):
    """How far a project came."""

    VOTING = "voting"
    CANCELLED = "cancelled"
    NOT_FUNDED = "not_funded"
    VETOED = "vetoed"
    FUNDED = "funded"
    AWARDED = "awarded"
    SENDING = "sending"
    CAME_BACK = "came_back"
    PAID = "paid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Supported:
    """A project that the ballot supports: what became of it, when it was paid, how much in wei of
    DAI; reason is a code of the count for NOT_FUNDED, the published words for VETOED."""

    project: Proposal
    became: Became
    reason: str
    paid_at: datetime | None
    paid_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One ballot of the donors."""

    ballot: Ballot
    supported: Sequence[Supported]

    @property
    def round(self) -> Round:
        return self.ballot.round


def votes(*, donors: Sequence[Donor]) -> list[Vote]:
    """Return the donors' ballots, newest first, with what became of what they support; how many
    queries it takes does not grow with them."""
    cast = queries.voted_for(donors=donors)[:MOST_VOTES]
    subjects = {proposals.subject(proposal=each): each.pk for _, own in cast for each in own}
    tokens = ServiceToken.objects.filter(
        subject__in=subjects, site__in={ballot.round.site_id for ballot, _ in cast}
    ).prefetch_related("payouts")
    earned = {subjects[token.subject]: token for token in tokens}
    return [_vote(ballot, own, earned) for ballot, own in cast]


def _vote(ballot: Ballot, own: Sequence[Proposal], earned: dict[int, ServiceToken]) -> Vote:
    reasons = _reasons(ballot.round)
    return Vote(
        ballot=ballot,
        supported=[
            _supported(ballot.round, each, token=earned.get(each.pk), reasons=reasons)
            for each in own
        ],
    )


def _supported(
    round_: Round, project: Proposal, *, token: ServiceToken | None, reasons: dict[int, str]
) -> Supported:
    became = _became(round_, project, token=token)
    paid = _paid(token) if became == Became.PAID else None
    reason = project.reason
    if became == Became.NOT_FUNDED:
        reason = reasons.get(project.number or 0, "")
    return Supported(
        project=project,
        became=became,
        reason=reason,
        paid_at=None if paid is None else paid.finished_at,
        paid_wei=0 if paid is None else paid.amount_wei,
    )


def _became(round_: Round, project: Proposal, *, token: ServiceToken | None) -> Became:
    if round_.state == Round.State.CANCELLED:
        return Became.CANCELLED
    if round_.state != Round.State.COUNTED:
        return Became.VOTING
    if project.state == Proposal.State.VETOED:
        return Became.VETOED
    if project.state != Proposal.State.FUNDED:
        return Became.NOT_FUNDED
    return Became.FUNDED if token is None else _payout(token)


def _payout(token: ServiceToken) -> Became:
    """Of several payouts of one token only the last one can be under way or paid."""
    newest = max(token.payouts.all(), key=lambda payout: payout.pk, default=None)
    if newest is None or newest.state in (Payout.State.PROPOSED, Payout.State.REJECTED):
        return Became.AWARDED
    if newest.state == Payout.State.PAID:
        return Became.PAID
    return Became.CAME_BACK if newest.state == Payout.State.FAILED else Became.SENDING


def _paid(token: ServiceToken | None) -> Payout | None:
    if token is None:
        return None
    return next((each for each in token.payouts.all() if each.state == Payout.State.PAID), None)


def _reasons(round_: Round) -> dict[int, str]:
    """Return why a counted round funded each project or not, by its number (a code of
    tokens.voting.explained.REASONS)."""
    if round_.state != Round.State.COUNTED:
        return {}
    told = json.loads(round_.result)["result"]["projects"]
    return {int(each["number"]): each["reason"] for each in told}
