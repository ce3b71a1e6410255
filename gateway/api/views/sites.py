"""Sites: open to everybody, sums only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Site
from dashboard import queries
from dashboard.queries import PriceNow, Rate
from gateway.api import serializers, shapes
from gateway.api.pagination import Pages
from gateway.api.schema import answers
from gateway.api.views.base import PublicView, checked, now

LONGEST_SPAN = timedelta(days=31)
DEFAULT_SPAN = timedelta(hours=24)
MOST_SLOTS = 3000
"""Slots in one answer: 31 days of a quarter of an hour, two days of a minute."""

_SPAN = [serializers.Span]
_PAGE = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
    OpenApiParameter("offset", {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}),
]


@method_decorator(conditional_page, name="dispatch")
class SiteList(PublicView):
    """`/sites/`."""

    @extend_schema(
        operation_id="sites_list",
        parameters=_PAGE,
        responses=answers(ok=serializers.SiteSummary(many=True)),
    )
    def get(self, request: Request) -> Response:
        """List the sites that are open, by name."""
        pages = Pages()
        page = pages.paginate_queryset(queries.open_sites(), request, view=self)
        cards = queries.cards(sites=page or [], at=now())
        return pages.get_paginated_response(
            [_summary(site=card.site, price=card.price, rate=card.rate) for card in cards]
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
        battery = figures.battery
        return Response(
            {
                **_summary(site=site, price=figures.price, rate=figures.rate),
                "battery": None
                if battery is None
                else {
                    "state_of_charge_basis_points": battery.state_of_charge_basis_points,
                    "as_of": shapes.instant(battery.as_of),
                },
                "pools": {name: shapes.dai(wei) for name, wei in figures.pools_wei.items()},
                "kwh_settled": shapes.kilowatt_hours(figures.settled_milliwatt_hours),
                "impact_tokens_minted": shapes.impact_tokens(figures.tokens_minted_wei),
                "donated": shapes.dai(figures.donated_wei),
                "funding_goal": shapes.dai(figures.funding_goal_wei),
                "as_of": shapes.instant_or_none(figures.as_of),
            }
        )


class _SeriesView(PublicView):
    """A span of a site's slots, cut to MOST_SLOTS with the address of the rest."""

    def answer(self, request: Request, slug: str) -> Response:
        site = self.site(slug)
        since, until = _span(request=request, at=now())
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
        return [
            {
                "starts_at": shapes.instant(price.starts_at),
                "price": shapes.price(price.wei_per_kwh),
                "state_of_charge_basis_points": price.state_of_charge_basis_points,
                "published_at": shapes.instant(price.published_at),
            }
            for price in queries.prices_between(site=site, since=since, until=until)
        ]


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
        return [
            {
                "starts_at": shapes.instant(slot.starts_at),
                "ends_at": shapes.instant(slot.ends_at),
                "energy_wh": None
                if slot.energy_milliwatt_hours is None
                else shapes.watt_hours(slot.energy_milliwatt_hours),
                "meters": slot.meters,
            }
            for slot in queries.readings_between(site=site, since=since, until=until)
        ]


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
        return [
            {
                "starts_at": shapes.instant(slot.starts_at),
                "ends_at": shapes.instant(slot.ends_at),
                "state_of_charge_basis_points": slot.state_of_charge_basis_points,
                "production_wh": shapes.watt_hours(slot.production_milliwatt_hours),
                "battery_in_wh": shapes.watt_hours(slot.battery_in_milliwatt_hours),
                "battery_out_wh": shapes.watt_hours(slot.battery_out_milliwatt_hours),
                "feeder_wh": shapes.watt_hours(slot.feeder_milliwatt_hours),
                "solar_share_basis_points": slot.solar_share_basis_points,
            }
            for slot in queries.telemetry_between(site=site, since=since, until=until)
        ]


class SiteRounds(PublicView):
    """`/sites/<slug>/rounds/`."""

    @extend_schema(
        operation_id="sites_rounds",
        responses=answers(ok=serializers.Rounds, problems=(404,)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the site's voting rounds. There are none yet: voting has not begun anywhere."""
        self.site(slug)
        return Response({"count": 0, "next": None, "previous": None, "results": []})


def price_in_force(*, price: PriceNow, wei_per_kwh: int | None = None) -> dict[str, Any]:
    """Return a price in force; wei_per_kwh where somebody pays another."""
    wei = price.wei_per_kwh if wei_per_kwh is None else wei_per_kwh
    return {**shapes.price(wei), "starts_at": shapes.instant(price.starts_at)}


def _summary(*, site: Site, price: PriceNow | None, rate: Rate | None) -> dict[str, Any]:
    return {
        "slug": site.slug,
        "name": site.name,
        "country": site.country,
        "currency": site.currency,
        "time_zone": site.time_zone,
        "slot_seconds": site.slot_seconds,
        "price_now": None if price is None else price_in_force(price=price),
        "site_rate": None
        if rate is None
        else {
            "amount": f"{rate.local_per_dai:f}",
            "currency": rate.currency,
            "per": "DAI",
            "valid_from": shapes.instant(rate.valid_from),
        },
    }


def _span(*, request: Request, at: datetime) -> tuple[datetime, datetime]:
    """Return the span asked for. Raises ValidationError if it is backwards or too long."""
    asked = checked(serializers.Span(data=request.query_params))
    until = asked.get("until") or at
    since = asked.get("since") or until - DEFAULT_SPAN
    if since >= until:
        raise ValidationError({"since": "since must lie before until."})
    if until - since > LONGEST_SPAN:
        raise ValidationError({"since": "Ask for 31 days at most."})
    return since, until
