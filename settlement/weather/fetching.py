"""Asking for the weather of sites and keeping it; an alarm where that does not go on."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from accounts import alarms
from accounts.models import Alarm, Site
from settlement.models import WeatherFetch, WeatherHour
from settlement.weather import open_meteo
from settlement.weather.open_meteo import HOUR, Hour, WeatherUnavailable

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=30)
AGAIN = timedelta(minutes=5)
FAILURES_FOR_AN_ALARM = 3
FEWEST_PAST_DAYS, MOST_PAST_DAYS = 1, 14


def due(*, at: datetime) -> list[int]:
    """Return the ids of the open sites whose weather is to be asked for; none without a service."""
    if not settings.OPEN_METEO_URL:
        return []
    waiting = WeatherFetch.objects.filter(next_fetch_at__gt=at).values("site_id")
    return list(
        Site.objects.filter(closed_at__isnull=True, latitude__isnull=False, longitude__isnull=False)
        .exclude(pk__in=waiting)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def fetch(*, site: Site, at: datetime) -> int:
    """Ask for one site's weather and store it; return how many hours came, 0 where it failed.

    Each hour has one row of each kind: what is said of it later takes the place of what was said
    before. A failure is noted; after three in a row there is an alarm.
    """
    if not settings.OPEN_METEO_URL or site.latitude is None or site.longitude is None:
        return 0
    try:
        hours = open_meteo.ask(
            base_url=settings.OPEN_METEO_URL,
            api_key=settings.OPEN_METEO_API_KEY,
            latitude=site.latitude,
            longitude=site.longitude,
            past_days=_past_days(site=site, at=at),
        )
    except WeatherUnavailable as error:
        log.warning("weather unavailable", site=site.slug, error=str(error))
        _note_failure(site=site, failure=str(error), at=at)
        return 0
    with transaction.atomic():
        _store(site=site, hours=hours, at=at)
        WeatherFetch.objects.update_or_create(
            site=site,
            defaults={
                "failures_in_a_row": 0,
                "last_failure": "",
                "last_success_at": at,
                "next_fetch_at": at + EVERY,
            },
        )
        alarms.clear(key=_key(site), at=at)
    return len(hours)


def _past_days(*, site: Site, at: datetime) -> int:
    """As many as are missing, so that a pause leaves no hole up to MOST_PAST_DAYS."""
    last = (
        WeatherHour.objects.filter(site=site, kind=WeatherHour.Kind.RECENT)
        .order_by("-starts_at")
        .first()
    )
    if last is None:
        return MOST_PAST_DAYS
    return max(FEWEST_PAST_DAYS, min((at - last.starts_at).days + 1, MOST_PAST_DAYS))


def _store(*, site: Site, hours: list[Hour], at: datetime) -> None:
    """Hours that are over, and the others, each beside what is known of them."""
    WeatherHour.objects.bulk_create(
        (
            WeatherHour(
                site=site,
                kind=WeatherHour.Kind.RECENT
                if hour.starts_at + HOUR <= at
                else WeatherHour.Kind.FORECAST,
                starts_at=hour.starts_at,
                temperature_tenths_celsius=hour.temperature_tenths_celsius,
                cloud_cover_percent=hour.cloud_cover_percent,
                irradiance_watts_per_square_metre=hour.irradiance_watts_per_square_metre,
                fetched_at=at,
            )
            for hour in hours
        ),
        update_conflicts=True,
        unique_fields=["site", "kind", "starts_at"],
        update_fields=[
            "temperature_tenths_celsius",
            "cloud_cover_percent",
            "irradiance_watts_per_square_metre",
            "fetched_at",
        ],
    )


@transaction.atomic
def _note_failure(*, site: Site, failure: str, at: datetime) -> None:
    WeatherFetch.objects.get_or_create(site=site)
    state = WeatherFetch.objects.select_for_update().get(site=site)
    state.failures_in_a_row += 1
    state.last_failure = failure[:200]
    state.next_fetch_at = at + AGAIN
    state.save()
    if state.failures_in_a_row >= FAILURES_FOR_AN_ALARM:
        alarms.raise_alarm(
            kind=Alarm.Kind.PROVIDER,
            key=_key(site),
            text=f"Weather of {site.name} did not come {state.failures_in_a_row} times in a row:"
            f" {failure}",
            at=at,
            operator=site.operator,
        )


def _key(site: Site) -> str:
    return f"weather:{site.slug}"
