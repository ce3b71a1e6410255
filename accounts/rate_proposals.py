"""The site rate of the next period: proposed from sources that agree, published by a person.

A period is a month in the site's local time. Nothing is published by itself: without a person the
last rate rolls on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts import notices, site_rates
from accounts.locks import singleton
from accounts.models import Household, RateProposal, Site, SiteRate, User
from accounts.notices import Message
from accounts.rate_agreement import Agreement, State, describe, rate_text

PROPOSED_AHEAD = timedelta(days=14)
"""Before the last day on which a rate can be published with notice."""
PROPOSED_ANEW = timedelta(days=1)
"""A proposal older than this is replaced, so that nobody publishes last week's market."""

Proposal = RateProposal.State


class SourcesDisagree(Exception):
    """No rate can be proposed or published: sources are stale, alone or contradict each other."""


class NoticeTooShort(ValueError):
    """The period begins before its notice would be over."""


class NotOpen(ValueError):
    """The proposal was published, rejected or superseded before."""


def notice() -> timedelta:
    """Return how long before a period its rate has to be published."""
    return timedelta(days=settings.RATE_NOTICE_DAYS)


def next_period(*, site: Site, after: datetime) -> datetime:
    """Return the first instant of the next month in the site's local time, in UTC."""
    local = after.astimezone(ZoneInfo(site.time_zone))
    year, month = divmod(local.year * 12 + local.month, 12)
    return datetime(year, month + 1, 1, tzinfo=local.tzinfo).astimezone(UTC)


def propose_due(*, at: datetime) -> int:
    """Propose the next period's rate of every open site where it is time; return how many.

    From PROPOSED_AHEAD before its notice has to begin until then, anew every day. Proposals whose
    period came without anybody publishing them are over.
    """
    RateProposal.objects.filter(state=Proposal.PROPOSED, starts_at__lte=at).update(
        state=Proposal.SUPERSEDED, decided_at=at
    )
    proposed = 0
    for site in Site.objects.filter(closed_at__isnull=True).order_by("pk"):
        starts_at = next_period(site=site, after=at + notice())
        if at < starts_at - notice() - PROPOSED_AHEAD:
            continue
        with singleton(f"propose_rate:{site.pk}") as is_alone:
            if is_alone and _is_wanted(site=site, starts_at=starts_at, at=at):
                proposed += _try_to_propose(site=site, at=at)
    return proposed


@transaction.atomic
def propose(*, site: Site, at: datetime) -> RateProposal:
    """Propose what the sources agree on for the next period that can still be given notice of.

    Takes the place of the open proposal for that period. Raises SourcesDisagree.
    """
    found = _agreed(site=site, at=at)
    assert found.median is not None  # noqa: S101 - an agreement has one
    # Two proposers one after the other; payments, which refer to the site, do not wait.
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    starts_at = next_period(site=site, after=at + notice())
    RateProposal.objects.filter(site=site, starts_at=starts_at, state=Proposal.PROPOSED).update(
        state=Proposal.SUPERSEDED, decided_at=at
    )
    return RateProposal.objects.create(
        site=site,
        currency=site.currency,
        local_per_dai=Decimal(rate_text(found.median)),
        starts_at=starts_at,
        sources=_told(found),
        proposed_at=at,
    )


@transaction.atomic
def publish(*, proposal: RateProposal, by: User, at: datetime) -> SiteRate:
    """Publish a proposal as the site's next rate, and give households notice of it.

    Raises NotOpen, NoticeTooShort, SourcesDisagree (they have to agree now as well),
    site_rates.RateTooEarly.
    """
    stored = _open(proposal)
    if stored.starts_at - at < notice():
        raise NoticeTooShort(
            f"households get {settings.RATE_NOTICE_DAYS} days of notice: it is too late for "
            f"{stored.starts_at:%Y-%m-%d}, the rate in force rolls on"
        )
    found = _agreed(site=stored.site, at=at)
    if not site_rates.is_near(Fraction(stored.local_per_dai), agreed=found):
        raise SourcesDisagree(f"the market has moved, propose anew: {describe(found)}")
    rate = site_rates.publish(
        site=stored.site,
        local_per_dai=stored.local_per_dai,
        starts_at=stored.starts_at,
        at=at,
        sources=stored.sources,
        by=by,
    )
    _decide(stored, state=Proposal.PUBLISHED, by=by, at=at, site_rate=rate)
    announce(rate=rate, at=at)
    return rate


@transaction.atomic
def reject(*, proposal: RateProposal, by: User, at: datetime) -> None:
    """Set a proposal aside: the rate in force rolls on. Raises NotOpen."""
    _decide(_open(proposal), state=Proposal.REJECTED, by=by, at=at)


def announce(*, rate: SiteRate, at: datetime) -> int:
    """Tell every household of the site of a rate that is to come; return how many phones."""
    params = {
        "site": rate.site.slug,
        "currency": rate.currency,
        "local_per_dai": str(rate.local_per_dai),
        "day": rate.validity.lower.astimezone(ZoneInfo(rate.site.time_zone)).date().isoformat(),
    }
    households = Household.objects.filter(
        sites__site=rate.site, sites__validity__contains=at, closed_at__isnull=True
    )
    return notices.tell_households(
        messages=[Message(household=household, params=params) for household in households],
        kind="rate_published",
        key=f"rate_published:{rate.pk}",
        at=at,
    )


def _try_to_propose(*, site: Site, at: datetime) -> bool:
    try:
        propose(site=site, at=at)
    except SourcesDisagree:
        return False  # fx_alarms tells of it
    return True


def _is_wanted(*, site: Site, starts_at: datetime, at: datetime) -> bool:
    """Whether nothing was published or rejected for the period, nor proposed of late."""
    if site.rates.filter(validity__startswith__gte=starts_at).exists():
        return False
    made = site.rate_proposals.filter(starts_at=starts_at)
    if made.filter(state__in=(Proposal.PUBLISHED, Proposal.REJECTED)).exists():
        return False
    fresh = made.filter(state=Proposal.PROPOSED, proposed_at__gt=at - PROPOSED_ANEW)
    return not fresh.exists()


def _agreed(*, site: Site, at: datetime) -> Agreement:
    found = site_rates.agreement(currency=site.currency, at=at)
    if found.state != State.AGREED:
        raise SourcesDisagree(f"sources of {site.currency}: {describe(found)}")
    return found


def _told(found: Agreement) -> list[dict[str, Any]]:
    return [
        {
            "source": each.source,
            "local_per_dai": rate_text(each.local_per_dai),
            "quoted_at": each.quoted_at.isoformat(),
        }
        for each in found.opinions
    ]


def _open(proposal: RateProposal) -> RateProposal:
    stored = (
        RateProposal.objects.select_for_update(of=("self",))
        .select_related("site")
        .get(pk=proposal.pk)
    )
    if stored.state != Proposal.PROPOSED:
        raise NotOpen(f"the proposal is {stored.state} already")
    return stored


def _decide(
    proposal: RateProposal,
    *,
    state: RateProposal.State,
    by: User,
    at: datetime,
    site_rate: SiteRate | None = None,
) -> None:
    proposal.state = state
    proposal.decided_at = at
    proposal.decided_by = by
    proposal.site_rate = site_rate
    proposal.save(update_fields=["state", "decided_at", "decided_by", "site_rate"])
