"""What pages and the API show of votes. Reads only.

Nothing tells how a round stands before it is counted, nor who voted at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Donor, Site
from tokens.models import Ballot, Proposal, Round
from tokens.voting import ballots, published, voters
from tokens.voting.published import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectResult:
    """What the count says of a project; support_wei is of endowments, rounded down to the wei."""

    number: int
    is_funded: bool
    reason: str
    households: int
    support_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A counted round as it was published."""

    record: Record
    projects: Sequence[ProjectResult]
    voting_households: int
    spendable_wei: int
    spent_wei: int
    left_wei: int

    @property
    def ballots(self) -> list[published.Ballot]:
        """By receipt code."""
        return sorted(self.record.ballots, key=lambda ballot: ballot.receipt_code)

    def of(self, number: int | None) -> ProjectResult | None:
        """What it says of one project."""
        return next((each for each in self.projects if each.number == number), None)


def rounds_of(*, site: Site) -> QuerySet[Round]:
    """Return a site's rounds, newest first, without their published bytes."""
    return Round.objects.filter(site=site).defer("result").order_by("-number")


def round_of(*, site: Site, number: int) -> Round | None:
    """Return one round of a site."""
    return Round.objects.filter(site=site, number=number).select_related("site__book").first()


def vetted(*, round_: Round) -> list[Proposal]:
    """Return what the public sees of a round's proposals: on the ballot first, then refused ones.

    What waits to be vetted is nobody's business yet.
    """
    shown = round_.proposals.exclude(state=Proposal.State.PROPOSED)
    return sorted(shown, key=lambda p: (p.state == Proposal.State.REFUSED, p.number or 0, p.pk))


def result(*, round_: Round) -> Result | None:
    """Return the published result of a counted round, or None."""
    if round_.state != Round.State.COUNTED:
        return None
    content = round_.result.encode()
    told = json.loads(content)["result"]
    return Result(
        record=published.read(content),
        projects=[
            ProjectResult(
                number=int(each["number"]),
                is_funded=each["is_funded"],
                reason=each["reason"],
                households=int(each["households"]),
                support_wei=int(each["support_wei"]),
            )
            for each in told["projects"]
        ],
        voting_households=int(told["voting_households"]),
        spendable_wei=int(told["spendable_wei"]),
        spent_wei=int(told["spent_wei"]),
        left_wei=int(told["left_wei"]),
    )


def drafts_of(*, site: Site, at: datetime) -> list[Round]:
    """Return the rounds of a site that take proposals."""
    return list(
        Round.objects.filter(site=site, state=Round.State.DRAFT, closes_at__gt=at).order_by(
            "number"
        )
    )


def voter_among(*, round_: Round, donors: Sequence[Donor]) -> Donor | None:
    """Return the donor who votes for somebody with several gifts at the site, or None."""
    found = voters.givers(site=round_.site, donors=donors)
    return found[0] if found else None


def ballot_of(*, round_: Round, donor: Donor) -> Ballot | None:
    """Return the ballot of a donor, or of who is one voter with that donor."""
    return ballots.of_voter(round_=round_, donor=donor)


def voted_for(*, donors: Sequence[Donor]) -> list[tuple[Ballot, list[Proposal]]]:
    """Return the ballots of donors, newest first, with the projects that each supports.

    For the donors themselves only: it tells their receipt codes and choices.
    """
    cast = (
        Ballot.objects.filter(donor__in=[donor.pk for donor in donors])
        .select_related("round__site")
        .prefetch_related("choices__proposal")
        .order_by("-cast_at")
    )
    return [
        (
            ballot,
            sorted((c.proposal for c in ballot.choices.all()), key=lambda p: p.number or 0),
        )
        for ballot in cast
    ]
