"""What a site's grant pool holds, and the votes on it: projects, refusals, what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

import settlement.queries
import tokens.voting.queries
from accounts.models import Site
from dashboard import queries
from settlement.queries import GRANT, PoolFlow
from tokens.models import Proposal, Round

ROUNDS_SHOWN = 12
POLL_SECONDS = 60
_PUBLIC = [gzip_page, conditional_page, cache_control(public=True, no_cache=True)]
_ROUND_STATES = {
    Round.State.DRAFT: _("proposals are collected"),
    Round.State.OPEN: _("votes are taken"),
    Round.State.COUNTED: _("counted"),
    Round.State.CANCELLED: _("ended without a count"),
}
_PROJECT_STATES = {
    Proposal.State.ADMITTED: _("on the ballot"),
    Proposal.State.REFUSED: _("not put to the vote"),
    Proposal.State.FUNDED: _("funded"),
    Proposal.State.NOT_FUNDED: _("not funded"),
    Proposal.State.VETOED: _("vetoed after the vote"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectRow:
    """A project that the public sees; who proposed it is nobody's business."""

    project: Proposal
    title: str
    state_words: str | Promise


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundRow:
    """A round with its projects: on the ballot by number, then refused ones."""

    round: Round
    title: str
    state_words: str | Promise
    projects: Sequence[ProjectRow]


@method_decorator(_PUBLIC, name="dispatch")
class GrantsPage(View):
    """`/sites/<slug>/grants/`: the grant pool, its rounds, their projects, how to vote."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = queries.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        now = timezone.now()
        listed = _rounds(site=site)
        words = {
            "at": now,
            "site": site,
            "rate": queries.rates_in_force(sites=[site], at=now).get(site.pk),
            "booked_at": queries.booked_at(site=site),
            "pool": _pool(site=site),
            "rounds": listed,
            "rounds_shown": ROUNDS_SHOWN,
            "open": next((row for row in listed if row.round.state == Round.State.OPEN), None),
            "ussd_code": settings.USSD_CODE,
            "sms_code": settings.SMS_SHORT_CODE,
            "poll_seconds": POLL_SECONDS,
        }
        with timezone.override(ZoneInfo(site.time_zone)):
            return render(request, "dashboard/grants.html", words)


def _pool(*, site: Site) -> PoolFlow:
    pools = settlement.queries.flow(site=site).pools
    empty = PoolFlow(name=GRANT, received_wei=0, held_wei=0)
    return next((pool for pool in pools if pool.name == GRANT), empty)


def _rounds(*, site: Site) -> list[RoundRow]:
    vetted = Proposal.objects.exclude(state=Proposal.State.PROPOSED).order_by("pk")
    rounds = tokens.voting.queries.rounds_of(site=site).prefetch_related(
        Prefetch("proposals", queryset=vetted)
    )
    return [
        RoundRow(
            round=each,
            title=_title(each),
            state_words=_ROUND_STATES[Round.State(each.state)],
            projects=_projects(each),
        )
        for each in rounds[:ROUNDS_SHOWN]
    ]


def _projects(round_: Round) -> list[ProjectRow]:
    shown = sorted(
        round_.proposals.all(),
        key=lambda each: (each.state == Proposal.State.REFUSED, each.number or 0, each.pk),
    )
    return [
        ProjectRow(
            project=each,
            title=_title(each),
            state_words=_PROJECT_STATES[Proposal.State(each.state)],
        )
        for each in shown
    ]


def _title(row: Round | Proposal) -> str:
    is_french = (get_language() or "").startswith("fr")
    return row.title_fr if is_french and row.title_fr else row.title
