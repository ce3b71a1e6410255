"""A site's battery, production and consumption over 24 hours to a year."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any
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
from accounts.money import BASIS_POINTS
from dashboard import foresight, queries, span_panels, wording
from dashboard.breakdown import breakdown
from dashboard.consumption import consumption
from dashboard.heat_map import heat_map
from dashboard.memory import remember
from dashboard.series import Plant, PlantSum, Span, plant
from dashboard.span_panels import SpanPanel
from dashboard.weather import irradiance_panel, irradiation, weather
from settlement.models import Tariff
from settlement.outlook import Missing, Outlook
from settlement.prices import NoTariff, tariff_at

POLL_SECONDS = 60
CHARTS_SECONDS = 600
_PUBLIC = [gzip_page, conditional_page, cache_control(public=True, no_cache=True)]


class _SpanPage(View):
    """One page of a site that looks back over `?span=`; 404 for a span there is not."""

    here = ""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = queries.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        span = _span(request)
        at = timezone.now()
        with timezone.override(ZoneInfo(site.time_zone)):
            words = {
                "at": at,
                "site": site,
                "here": self.here,
                "span": span.value,
                "span_name": span_panels.span_name(span),
                "spans": [(each.value, span_panels.span_name(each)) for each in Span],
                "poll_seconds": POLL_SECONDS,
                **self.words(site=site, span=span, at=at),
            }
            return render(request, f"dashboard/{self.here}.html", words)

    def words(self, *, site: Site, span: Span, at: datetime) -> dict[str, Any]:
        """What this page tells beyond what all of them do."""
        raise NotImplementedError


@method_decorator(_PUBLIC, name="dispatch")
class BatteryPage(_SpanPage):
    """`/sites/<slug>/battery/`: state of charge, its limits, what is foretold, efficiency."""

    here = "battery"

    def words(self, *, site: Site, span: Span, at: datetime) -> dict[str, Any]:
        told = plant(site=site, span=span, at=at)
        tariff = _tariff(site=site, at=at)
        target = None if tariff is None else tariff.target_charge_basis_points
        foreseen = _foreseen(site=site, at=at)
        outlook: Outlook | None = foreseen["outlook"]

        def panels() -> list[SpanPanel]:
            past = span_panels.battery_panel(plant=told, target=target)
            if outlook is None:
                return [past]
            return [past, foresight.outlook_panel(told=outlook, target=target)]

        ahead = None if outlook is None else f"{outlook.points[0]}:{outlook.weather_at}"
        return {
            **foreseen,
            "plant": told,
            "total": told.total,
            "tariff": tariff,
            "efficiency": round_trip(
                plant=told, capacity_milliwatt_hours=site.battery_capacity_milliwatt_hours
            ),
            "charts": _charts(version=f"{told.version}:{target}:{ahead}", panels=panels),
        }


@method_decorator(_PUBLIC, name="dispatch")
class ProductionPage(_SpanPage):
    """`/sites/<slug>/production/`: sun over time and in all, best day, feeder, weather."""

    here = "production"

    def words(self, *, site: Site, span: Span, at: datetime) -> dict[str, Any]:
        told = plant(site=site, span=span, at=at)
        sky = weather(site=site, span=span, at=at)
        sun = sky.total
        return {
            **_foreseen(site=site, at=at),
            "plant": told,
            "total": told.total,
            "solar_share": solar_share(total=told.total),
            "weather": sky,
            "celsius": None
            if sky.last is None
            else wording.rounded(Fraction(sky.last.temperature_tenths_celsius, 10), decimals=1),
            "irradiation": None if sun is None else irradiation(sun),
            "per_irradiation": None
            if sky.per_irradiation is None
            else wording.rounded(sky.per_irradiation, decimals=2),
            "charts": _charts(
                version=f"{told.version}:{sky.version}",
                panels=lambda: [span_panels.production_panel(plant=told), irradiance_panel(sky)],
            ),
        }


@method_decorator(_PUBLIC, name="dispatch")
class ConsumptionPage(_SpanPage):
    """`/sites/<slug>/consumption/`: use over time, in all, on a typical day, by tier, on a map."""

    here = "consumption"

    def words(self, *, site: Site, span: Span, at: datetime) -> dict[str, Any]:
        use = consumption(site=site, span=span, at=at)
        total = use.total
        parts = breakdown(site=site, span=span, at=at)
        return {
            "use": use,
            "total": total,
            "mean": None if total is None else span_panels.mean_kwh(total.mean),
            "parts": parts,
            "days": span_panels.days_name(first=parts.first, last=parts.last),
            "tiers": [(span_panels.tier_name(each.tier), each) for each in parts.tiers],
            "map": heat_map(site=site, told=parts),
            "fewest_meters": queries.FEWEST_METERS,
            "charts": _charts(
                version=use.version,
                panels=lambda: [
                    span_panels.consumption_panel(use=use),
                    span_panels.typical_panel(use=use),
                ],
            ),
        }


def round_trip(*, plant: Plant, capacity_milliwatt_hours: int) -> int | None:
    """Return out over in, less what the battery holds more at the end than at first, in basis
    points; None where that says nothing: none went in or out, or more than went in."""
    total = plant.total
    if total is None or plant.charge_first is None or plant.charge_last is None:
        return None
    kept = Fraction(
        (plant.charge_last - plant.charge_first) * capacity_milliwatt_hours, BASIS_POINTS
    )
    came = total.battery_in - kept
    if 0 in (total.battery_in, total.battery_out) or came <= 0 or total.battery_out > came:
        return None
    return round(total.battery_out * BASIS_POINTS / came)


def solar_share(*, total: PlantSum | None) -> int | None:
    """Return the solar part of what left through the feeder in basis points; None: nothing did."""
    if total is None or total.feeder <= 0:
        return None
    return round(Fraction(total.solar_feeder, total.feeder))


def _charts(*, version: str, panels: Callable[[], list[SpanPanel]]) -> str:
    """The charts as HTML in the reader's language, drawn once for each version of their figures."""
    name = hashlib.sha256(version.encode()).hexdigest()
    return remember(
        key=f"spans:{name}:{get_language()}",
        compute=lambda: render_to_string("dashboard/_span_charts.html", {"panels": panels()}),
        seconds=CHARTS_SECONDS,
    )


def _foreseen(*, site: Site, at: datetime) -> dict[str, Any]:
    """What is foretold, or the sentence that says why nothing is."""
    told = foresight.foreseen(site=site, at=at)
    if isinstance(told, Missing):
        return {"outlook": None, "no_outlook": foresight.missing(told)}
    return {
        "outlook": told,
        "foretold_sun": foresight.kwh(told.sun),
        "foretold_draw": foresight.kwh(told.draw),
        "foretold_yield": foresight.per_square_metre(told),
    }


def _span(request: HttpRequest) -> Span:
    try:
        return Span(request.GET.get("span", Span.DAY.value))
    except ValueError as unknown:
        raise Http404("span") from unknown


def _tariff(*, site: Site, at: datetime) -> Tariff | None:
    try:
        return tariff_at(site=site, at=at)
    except NoTariff:
        return None
