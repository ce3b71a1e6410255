"""Telling people about votes: notices to households' phones, letters to donors.

Nothing here tells what somebody chose.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from accounts import letters, notices
from accounts.models import Donation, Household, HouseholdPhone
from accounts.notices import Message
from tokens.models import Ballot, Proposal, Round
from tokens.voting import voters

NEWS_CHARACTERS = 120


def opened(*, round_: Round, at: datetime) -> None:
    """Tell every household of the site that a round is open, and every donor whose gift counts."""
    _everybody(
        round_,
        kind="round_opened",
        params={
            "round_number": round_.number,
            "title": round_.title,
            "title_fr": round_.title_fr,
            "day": _day(round_),
        },
        at=at,
    )
    _donors(
        round_,
        kind="round_opened",
        params={"round": str(round_.uid), "day": _day(round_)},
        at=at,
    )


def counted(*, round_: Round, funded: list[Proposal], at: datetime) -> None:
    """Tell every household of the site, and every donor whose gift counts, what was funded."""
    _everybody(
        round_,
        kind="round_counted",
        params={
            "round_number": round_.number,
            "titles": [project.title for project in funded],
            "titles_fr": [project.title_fr or project.title for project in funded],
        },
        at=at,
    )
    _donors(
        round_,
        kind="round_counted",
        params={
            "titles": [project.title for project in funded],
            "titles_fr": [project.title_fr or project.title for project in funded],
        },
        at=at,
    )


def cancelled(*, round_: Round, at: datetime) -> None:
    """Tell every household of the site that a round was cancelled, and why."""
    params = {"round_number": round_.number, "news": round_.reason[:NEWS_CHARACTERS]}
    _everybody(round_, kind="round_cancelled", params=params, at=at)


def cast(*, ballot: Ballot, household: Household, except_phone: str, at: datetime) -> None:
    """Tell a household's phones of its vote, but not the one that gets an answer anyway."""
    phones = HouseholdPhone.objects.filter(
        household=household, is_notified=True, closed_at__isnull=True
    )
    for phone in phones.exclude(phone=except_phone):
        notices.tell_phone(
            phone=phone.phone,
            kind="vote_received",
            key=f"ballot:{ballot.uid}:{phone.pk}",
            params={
                "household_code": household.code,
                "round_number": ballot.round.number,
                "receipt_code": ballot.receipt_code,
            },
            at=at,
            language=household.language,
            household=household,
        )


def supporters(*, proposal: Proposal, kind: str, news: str, at: datetime) -> None:
    """Tell the households that voted for a project what became of it."""
    chosen = Household.objects.filter(
        ballots__choices__proposal=proposal, closed_at__isnull=True
    ).distinct()
    params = {
        "round_number": proposal.round.number,
        "title": proposal.title,
        "title_fr": proposal.title_fr or proposal.title,
        "news": news[:NEWS_CHARACTERS],
    }
    notices.tell_households(
        messages=[Message(household=each, params=params) for each in chosen],
        kind=kind,
        key=f"{kind}:{proposal.uid}:{at.isoformat()}",
        at=at,
    )


def _everybody(round_: Round, *, kind: str, params: dict[str, object], at: datetime) -> None:
    homes = voters.households_of(site=round_.site, at=at)
    notices.tell_households(
        messages=[Message(household=household, params=params) for household in homes],
        kind=kind,
        key=f"{kind}:{round_.uid}",
        at=at,
    )


def _donors(round_: Round, *, kind: str, params: dict[str, object], at: datetime) -> None:
    """Write to donors with a vote that weighs something by now; one letter an address."""
    vested = Donation.objects.filter(
        site=round_.site, vests_at__lte=at, withdrawn_at__isnull=True, amount_wei__gt=0
    )
    letters.tell(
        donor_ids=vested.values_list("donor_id", flat=True).distinct(),
        kind=kind,
        key=f"{kind}:{round_.uid}",
        params={
            "site": round_.site.slug,
            "site_name": round_.site.name,
            "number": round_.number,
            "title": round_.title,
            "title_fr": round_.title_fr,
            **params,
        },
        at=at,
    )


def _day(round_: Round) -> str:
    """The last day of voting at the site, as ISO 8601."""
    return round_.closes_at.astimezone(ZoneInfo(round_.site.time_zone)).date().isoformat()
