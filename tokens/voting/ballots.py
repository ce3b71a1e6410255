"""Casting a ballot: once per voter and round, over whatever channel. It never changes after."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.models import Donor, Household
from tokens.models import Ballot, Choice, Proposal, Round
from tokens.voting import telling, voters, weights
from tokens.voting.refusals import AlreadyVoted, Refused

RECEIPT_CHARACTERS = 10
RECEIPT_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without what is taken for something else when it is read out: 0, 1, I, O."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """A stored ballot; is_replay says that the request had come before."""

    ballot: Ballot
    is_replay: bool


def cast(
    *,
    round_: Round,
    numbers: Collection[int],
    channel: str,
    key: str,
    at: datetime,
    household: Household | None = None,
    donor: Donor | None = None,
    signature: str = "",
    answered_phone: str = "",
) -> Cast:
    """Store the projects (numbers) that a voter supports; the same key casts once.

    Waits for other ballots of the round and for its count, so that none is missed and none comes
    after. A household's phones are told the receipt, save answered_phone. Raises Refused
    (nothing_chosen, closed, not_of_site, no_project) and AlreadyVoted with the first one's receipt.
    """
    with transaction.atomic():
        # Before the round's lock nobody would see what another one is casting right now.
        stored = Round.objects.select_for_update(of=("self",), no_key=True).select_related("site")
        round_ = stored.get(pk=round_.pk)
        known = Ballot.objects.filter(key=key).first()
        if known is not None:
            _check_replay(known, round_=round_, household=household, donor=donor)
            return Cast(ballot=known, is_replay=True)
        earlier = of_voter(round_=round_, household=household, donor=donor)
        if earlier is not None:
            raise AlreadyVoted(receipt_code=earlier.receipt_code)
        if not is_open(round_=round_, at=at):
            raise Refused("closed", f"{round_} takes no votes")
        voters.check(site=round_.site, household=household, donor=donor, at=at)
        projects = check_numbers(round_=round_, numbers=numbers)
        ballot = Ballot.objects.create(
            round=round_,
            household=household,
            donor=donor,
            receipt_code=_receipt_code(),
            channel=channel,
            key=key,
            signature=signature,
            cast_at=at,
        )
        Choice.objects.bulk_create(Choice(ballot=ballot, proposal=each) for each in projects)
        if household is not None:
            telling.cast(ballot=ballot, household=household, except_phone=answered_phone, at=at)
        return Cast(ballot=ballot, is_replay=False)


def is_open(*, round_: Round, at: datetime) -> bool:
    """Return whether a round takes votes at an instant."""
    return round_.state == Round.State.OPEN and at < round_.closes_at


def of_voter(
    *, round_: Round, household: Household | None = None, donor: Donor | None = None
) -> Ballot | None:
    """Return the ballot of a household, or of a donor or who is one voter with that donor."""
    if household is not None:
        mine = Q(household=household)
    elif donor is not None:
        mine = Q(donor__in=weights.one_voter(donor_id=donor.pk))
    else:
        raise ValueError("a voter is a household or a donor")
    return Ballot.objects.filter(mine, round=round_).order_by("pk").first()


def check_numbers(*, round_: Round, numbers: Collection[int]) -> list[Proposal]:
    """Return the projects with these numbers. Raises Refused (nothing_chosen, no_project)."""
    if not numbers:
        raise Refused("nothing_chosen", "choose one project or more")
    on_ballot = {
        project.number: project
        for project in round_.proposals.filter(state=Proposal.State.ADMITTED)
    }
    strangers = set(numbers) - on_ballot.keys()
    if strangers:
        raise Refused("no_project", f"{round_} has no project {min(strangers)}")
    return [on_ballot[number] for number in sorted(set(numbers))]


def _check_replay(
    known: Ballot, *, round_: Round, household: Household | None, donor: Donor | None
) -> None:
    told = (
        round_.pk,
        None if household is None else household.pk,
        None if donor is None else donor.pk,
    )
    if (known.round_id, known.household_id, known.donor_id) != told:
        raise ValueError(f"the key of ballot {known.receipt_code} is another voter's")


def _receipt_code() -> str:
    return "".join(secrets.choice(RECEIPT_ALPHABET) for _ in range(RECEIPT_CHARACTERS))
