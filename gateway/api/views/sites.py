"""Sites: open to everybody, sums only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Site
from dashboard import queries
from gateway.api import bodies, serializers, shapes
from gateway.api.pagination import Pages
from gateway.api.schema import answers
from gateway.api.views.base import PublicView, now, span
from settlement import queries as money

LONGEST_SPAN = timedelta(days=31)
DEFAULT_SPAN = timedelta(hours=24)
MOST_SLOTS = 3000
"""Slots in one answer: 31 days of a quarter of an hour, two days of a minute."""

_SPAN = [serializers.Span]


@method_decorator(conditional_page, name="dispatch")
class SiteList(PublicView):
    """`/sites/`."""

    @extend_schema(
        operation_id="sites_list",
        parameters=[serializers.Paging],
        responses=answers(ok=serializers.Sites, problems=(400,)),
    )
    def get(self, request: Request) -> Response:
        """List the sites that are open, by name."""
        pages = Pages()
        page = pages.paginate_queryset(queries.open_sites(), request, view=self)
        cards = queries.cards(sites=page or [], at=now())
        return pages.get_paginated_response(
            [
                bodies.site_summary(site=card.site, price=card.price, rate=card.rate)
                for card in cards
            ]
        )


@method_decorator(conditional_page, name="dispatch")
class SiteView(PublicView):
    """`/sites/<slug>/`."""

    @extend_schema(
        operation_id="sites_retrieve",
        responses=answers(ok=serializers.SiteDetail, problems=(404,)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return a site's price, rate, pools, energy, impact tokens and donations."""
        site = self.site(slug)
        figures = queries.figures(site=site, at=now())
        return Response(bodies.site_detail(site=site, figures=figures))


class _SeriesView(PublicView):
    """A span of a site's slots, cut to MOST_SLOTS with the address of the rest."""

    def answer(self, request: Request, slug: str) -> Response:
        site = self.site(slug)
        since, until = span(request=request, at=now(), default=DEFAULT_SPAN, longest=LONGEST_SPAN)
        end = min(until, since + timedelta(seconds=site.slot_seconds) * MOST_SLOTS)
        following = None
        if end < until:
            query = urlencode({"since": shapes.instant(end), "until": shapes.instant(until)})
            following = request.build_absolute_uri(f"{request.path}?{query}")
        return Response(
            {
                "since": shapes.instant(since),
                "until": shapes.instant(end),
                "next": following,
                "results": self.results(site=site, since=since, until=end),
            }
        )

    def results(self, *, site: Site, since: datetime, until: datetime) -> list[dict[str, Any]]:
        raise NotImplementedError


@method_decorator(conditional_page, name="dispatch")
class SitePrices(_SeriesView):
    """`/sites/<slug>/prices/`."""

    @extend_schema(
        operation_id="sites_prices",
        parameters=_SPAN,
        responses=answers(ok=serializers.PriceSeries, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return the prices published for a span of at most 31 days, oldest first."""
        return self.answer(request, slug)

    def results(self, *, site: Site, since: datetime, until: datetime) -> list[dict[str, Any]]:
        listed = queries.prices_between(site=site, since=since, until=until)
        return [bodies.slot_price(price) for price in listed]


@method_decorator(conditional_page, name="dispatch")
class SiteReadings(_SeriesView):
    """`/sites/<slug>/readings/`."""

    @extend_schema(
        operation_id="sites_readings",
        parameters=_SPAN,
        responses=answers(ok=serializers.ReadingsSeries, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return what all households used in each slot of at most 31 days, oldest first.

        Where fewer than five meters reported, the sum is withheld.
        """
        return self.answer(request, slug)

    def results(self, *, site: Site, since: datetime, until: datetime) -> list[dict[str, Any]]:
        listed = queries.readings_between(site=site, since=since, until=until)
        return [bodies.slot_readings(slot) for slot in listed]


@method_decorator(conditional_page, name="dispatch")
class SitePlant(_SeriesView):
    """`/sites/<slug>/plant/`."""

    @extend_schema(
        operation_id="sites_plant",
        parameters=_SPAN,
        responses=answers(ok=serializers.PlantSeries, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return battery, production and flows of each slot of at most 31 days, oldest first."""
        return self.answer(request, slug)

    def results(self, *, site: Site, since: datetime, until: datetime) -> list[dict[str, Any]]:
        listed = queries.telemetry_between(site=site, since=since, until=until)
        return [bodies.slot_plant(slot) for slot in listed]


@method_decorator(conditional_page, name="dispatch")
class SitePayouts(PublicView):
    """`/sites/<slug>/payouts/`."""

    @extend_schema(
        operation_id="sites_payouts",
        parameters=[serializers.Paging],
        responses=answers(ok=serializers.Payouts, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return the flow of a site's money: revenue, pools, payees, and every payout made."""
        site, pages = self.site(slug), Pages()
        page = pages.paginate_queryset(money.paid(site=site), request, view=self)
        answer = pages.get_paginated_response([bodies.payout(payout) for payout in page or []])
        return Response({**bodies.flow(money.flow(site=site)), **(answer.data or {})})
