"""VOTE by SMS: from a phone that is listed for the household, never with a PIN."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from accounts import sites
from accounts.models import Household
from tokens.models import Ballot, Proposal, Round
from tokens.voting import ballots
from tokens.voting.refusals import AlreadyVoted, Refused


def reply(
    *,
    household: Household,
    round_number: int | None,
    options: Collection[int],
    phone: str,
    key: str,
    at: datetime,
) -> tuple[str, dict[str, Any]]:
    """Cast the vote and return kind and parameters of the answer; without options, how to vote.

    The same message again (key) gets the same answer.
    """
    site = sites.site_of(household=household, at=at)
    rounds = Round.objects.filter(site=site)
    named = rounds.filter(number=round_number or 0).first()
    mine = None if named is None else ballots.of_voter(round_=named, household=household)
    if named is not None and mine is not None:
        kind = "vote_received" if mine.key == key else "vote_again"
        return kind, _receipt(household, named, mine.receipt_code)
    round_ = rounds.filter(state=Round.State.OPEN, closes_at__gt=at).first()
    if round_ is None:
        return "vote_not_open", {}
    if named != round_:
        return "vote_how", _how(round_)
    try:
        ballot = ballots.cast(
            round_=round_,
            household=household,
            numbers=options,
            channel=Ballot.Channel.SMS,
            key=key,
            at=at,
            answered_phone=phone,
        ).ballot
    except Refused as error:
        return _refusal(error, household=household, round_=round_)
    return "vote_received", _receipt(household, round_, ballot.receipt_code)


def _refusal(error: Refused, *, household: Household, round_: Round) -> tuple[str, dict[str, Any]]:
    if isinstance(error, AlreadyVoted):
        return "vote_again", _receipt(household, round_, error.receipt_code)
    if error.code in ("nothing_chosen", "no_project"):
        return "vote_how", _how(round_)
    return "vote_not_open", {}


def _receipt(household: Household, round_: Round, receipt_code: str) -> dict[str, Any]:
    return {
        "household_code": household.code,
        "round_number": round_.number,
        "receipt_code": receipt_code,
    }


def _how(round_: Round) -> dict[str, Any]:
    projects = round_.proposals.filter(state=Proposal.State.ADMITTED).order_by("number")
    return {
        "round_number": round_.number,
        "projects": [
            {"number": each.number, "title": each.title, "title_fr": each.title_fr}
            for each in projects
        ],
    }
