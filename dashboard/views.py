"""The public pages. Each view makes its reads and renders; no page needs a log-in or a script."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

from accounts.models import Site
from dashboard import queries
from dashboard.day import Day, last_day
from dashboard.memory import remember
from dashboard.outlook import outlooks
from dashboard.panels import panels
from dashboard.queries import FEWEST_METERS, Rate

# Nothing on these pages is secret or reflected, so compressing them gives nothing away.
_PUBLIC = [gzip_page, conditional_page, cache_control(public=True, no_cache=True)]


CHARTS_SECONDS = 600
LIST_POLL_SECONDS = 60


@method_decorator(_PUBLIC, name="dispatch")
class SitesPage(View):
    """`/`: every site with its price, battery and energy of the last 24 hours."""

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        sites = list(queries.open_sites())
        found = outlooks(sites=sites, at=now)
        cards = [(card, found[card.site.pk]) for card in queries.cards(sites=sites, at=now)]
        words = {
            "at": now,
            "cards": cards,
            "fewest_meters": FEWEST_METERS,
            "poll_seconds": LIST_POLL_SECONDS,
        }
        return render(request, "dashboard/sites.html", words)


@method_decorator(_PUBLIC, name="dispatch")
class SitePage(View):
    """`/sites/<slug>/`: what is true now, the last 24 hours, money and impact."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        now = timezone.now()
        site = queries.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        figures = queries.figures(site=site, at=now)
        day = last_day(site=site, at=now)
        with timezone.override(ZoneInfo(site.time_zone)):
            return render(
                request,
                "dashboard/site.html",
                {
                    "at": now,
                    "site": site,
                    "figures": figures,
                    "day": day,
                    "charts": _charts(site=site, day=day, rate=figures.rate),
                    "fewest_meters": FEWEST_METERS,
                    "poll_seconds": max(15, min(site.slot_seconds // 2, 60)),
                },
            )


def _charts(*, site: Site, day: Day, rate: Rate | None) -> str:
    """The charts as HTML in the reader's language, drawn once for each state of the day."""
    local_per_dai = None if rate is None else rate.local_per_dai
    return remember(
        key=f"charts:{day.version}:{local_per_dai}:{get_language()}",
        compute=lambda: render_to_string(
            "dashboard/_charts.html", {"panels": panels(site=site, day=day, rate=rate)}
        ),
        seconds=CHARTS_SECONDS,
    )
