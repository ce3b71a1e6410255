"""What became of the projects that a donor voted for, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from dashboard import wording
from gateway.voting.wording import REASONS
from tokens.donor_grants import Became, Supported, Vote
from tokens.models import Proposal, Round


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectRow:
    """A project: its title, what became of it, and what its operator tells of it."""

    title: str
    became: str
    news: str
    news_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class VoteRow:
    """A ballot of the donor: round, where it is published, and what it supports."""

    title: str
    site_name: str
    url: str
    cast_at: datetime
    projects: Sequence[ProjectRow]


def rows(votes: Sequence[Vote]) -> list[VoteRow]:
    """Return votes as the page shows them."""
    return [
        VoteRow(
            title=_title(vote.round),
            site_name=vote.round.site.name,
            url=reverse("voting:round", args=[vote.round.site.slug, vote.round.number]),
            cast_at=vote.ballot.cast_at,
            projects=[
                ProjectRow(
                    title=_title(each.project),
                    became=_became(each, vote.round),
                    news=each.project.what_became,
                    news_at=each.project.what_became_at,
                )
                for each in vote.supported
            ],
        )
        for vote in votes
    ]


def _title(row: Round | Proposal) -> str:
    is_french = (get_language() or "").startswith("fr")
    return row.title_fr if is_french and row.title_fr else row.title


def _became(each: Supported, round_: Round) -> str:
    if each.became == Became.VOTING:
        return _("votes are taken until %(day)s") % {"day": _day(round_.closes_at)}
    if each.became == Became.PAID:
        return _paid(each)
    reason = {
        Became.CANCELLED: round_.reason,
        Became.NOT_FUNDED: REASONS.get(each.reason, ""),
    }.get(each.became, each.reason)
    return {
        Became.CANCELLED: _("the vote ended without a count: %(reason)s"),
        Became.NOT_FUNDED: _("not funded: %(reason)s"),
        Became.VETOED: _("vetoed by the operator: %(reason)s"),
        Became.FUNDED: _("funded: its money is set aside"),
        Became.AWARDED: _("funded: its payee is to be paid"),
        Became.SENDING: _("funded: the payment is on its way"),
        Became.CAME_BACK: _("funded: a payment came back, it is to be paid again"),
    }[each.became] % {"reason": reason}


def _paid(each: Supported) -> str:
    told = {"amount": wording.dai(each.paid_wei)}
    if each.paid_at is None:
        return _("funded and paid out: %(amount)s DAI") % told
    return _("funded, and paid out on %(day)s: %(amount)s DAI") % {
        **told,
        "day": _day(each.paid_at),
    }


def _day(instant: datetime) -> str:
    return date_format(instant.astimezone(UTC), "j M Y")
