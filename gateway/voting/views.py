"""Public pages of a round: what it is about, its rules, and every ballot once it is counted."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

from accounts.models import Site
from dashboard import queries as sites
from gateway.voting import rows
from tokens.models import Round
from tokens.voting import queries

# Nothing on these pages is secret or reflected, so compressing them gives nothing away.
_PUBLIC = [gzip_page, conditional_page, cache_control(public=True, no_cache=True)]


@method_decorator(_PUBLIC, name="dispatch")
class RoundPage(View):
    """`/sites/<slug>/rounds/<number>/`: projects, costs, rules; the result and its ballots."""

    def get(self, request: HttpRequest, slug: str, number: int) -> HttpResponse:
        site = _site(slug)
        round_ = _round(site, number)
        now = timezone.now()
        result = queries.result(round_=round_)
        with timezone.override(ZoneInfo(site.time_zone)):
            return render(
                request,
                "voting/round.html",
                {
                    "at": now,
                    "site": site,
                    "round": round_,
                    "title": rows.title_of(round_),
                    "rate": sites.rates_in_force(sites=[site], at=now).get(site.pk),
                    "projects": rows.projects(round_=round_, result=result),
                    "result": result,
                    "ballots": [] if result is None else rows.ballots(result=result),
                    "is_open": round_.state == Round.State.OPEN and now < round_.closes_at,
                    "is_draft": round_.state == Round.State.DRAFT,
                    "rules": rows.rules(round_=round_),
                    "ussd_code": settings.USSD_CODE,
                    "sms_code": settings.SMS_SHORT_CODE,
                },
            )


@method_decorator(_PUBLIC, name="dispatch")
class PublishedCount(View):
    """`/sites/<slug>/rounds/<number>/count.json`: the published bytes, whose hash is anchored."""

    def get(self, request: HttpRequest, slug: str, number: int) -> HttpResponse:
        round_ = _round(_site(slug), number)
        if round_.state != Round.State.COUNTED:
            raise Http404(number)
        answer = HttpResponse(round_.result.encode(), content_type="application/json")
        name = f"{slug}-round-{number}.json"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


def _site(slug: str) -> Site:
    site = sites.open_site(slug=slug)
    if site is None:
        raise Http404(slug)
    return site


def _round(site: Site, number: int) -> Round:
    round_ = queries.round_of(site=site, number=number)
    if round_ is None:
        raise Http404(number)
    return round_
