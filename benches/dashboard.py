"""A site's public pages with 500 households and 30 days of readings behind them.

Asked for in this process, through the project's middleware, once with an empty cache and then
again; of each page the slowest span counts.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from time import perf_counter

from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import Household, HouseholdPlace, Site
from benches import country, pipeline
from benches.country import SLOT, Country
from benches.ground import as_owner, say
from benches.outcome import Outcome, middle
from benches.pipeline import Load
from settlement import settle
from settlement.models import SlotTelemetry, WeatherFetch, WeatherHour

PAGES = ("now", "battery", "production", "consumption")
SPANS = ("24h", "7d", "30d", "1y")
KWH = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much lies behind the pages, and how often each is asked for."""

    households: int
    days: int
    rounds: int


FULL = Size(households=500, days=30, rounds=5)
SMALL = Size(households=20, days=2, rounds=1)


def run(*, is_small: bool = False) -> Outcome:
    """Live through the days, then ask for every page and span."""
    size = SMALL if is_small else FULL
    site = _live(size)
    figures: dict[str, float] = {}
    cold_ms: list[float] = []
    warm_ms: list[float] = []
    for page in PAGES:
        told = [_ask(path, rounds=size.rounds) for path in _paths(site, page)]
        slowest = [max(each) for each in zip(*told, strict=True)]
        figures[f"{page}_page_cold_ms"], figures[f"{page}_page_warm_ms"] = slowest[0], slowest[1]
        figures[f"{page}_page_gzipped_bytes"] = slowest[2]
        cold_ms.append(slowest[0])
        warm_ms.append(slowest[1])
    return Outcome(
        bench="dashboard", figures=figures, ratios={"vs_empty_cache": max(cold_ms) / max(warm_ms)}
    )


def _paths(site: Site, page: str) -> list[str]:
    if page == "now":
        return [f"/sites/{site.slug}/"]
    return [f"/sites/{site.slug}/{page}/?span={span}" for span in SPANS]


def _ask(path: str, *, rounds: int) -> tuple[float, float, float]:
    """Milliseconds with an empty cache and with a full one (medians), and bytes sent."""
    client = Client(headers={"accept-encoding": "gzip"})
    # What is loaded once in a process is nobody's page.
    client.get(path)
    cold: list[float] = []
    warm: list[float] = []
    size = 0
    for _ in range(rounds):
        cache.clear()
        for times in (cold, warm):
            began = perf_counter()
            answer = client.get(path)
            times.append(1_000 * (perf_counter() - began))
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
            assert gzip.decompress(answer.content)
            size = max(size, len(answer.content))
    return middle(cold), middle(warm), float(size)


def _live(size: Size) -> Site:
    """Found a site and live through its days, as the jobs would have: a day a settlement."""
    until = timezone.now().replace(minute=0, second=0, microsecond=0)
    since = until - timedelta(days=size.days)
    where = country.found(
        prefix="DSH",
        sites_count=1,
        households_per_site=size.households,
        phone_series="96",
        first_slot_at=since,
    )
    (site,) = where.sites
    say(f"{size.households} households, {size.days} days")
    rng = Random(4826)
    for day in range(size.days):
        begin = since + timedelta(days=day)
        rows = list(where.readings(0, starts_at=begin, slots=96, rng=rng))
        pipeline.copy(load=_load(site, rows))
        settle.run_all(site_id=site.pk, at=begin + timedelta(days=1))
    _telemetry(site, since=since, until=until)
    _weather(site, since=since, until=until)
    _people(where, rng=rng)
    as_owner("VACUUM ANALYZE")
    return site


def _load(site: Site, rows: list[country.Row]) -> Load:
    text = "".join("\t".join(_written(row)) + "\n" for row in rows)
    return Load(site_id=site.pk, text=text, count=len(rows))


def _written(row: country.Row) -> Iterator[str]:
    for value in row:
        yield value.isoformat() if isinstance(value, datetime) else str(value)


def _people(where: Country, *, rng: Random) -> None:
    """Every tenth is a business, every fiftieth a clinic or school; all lie within 1.6 km."""
    for number in range(1, where.households_per_site + 1):
        home = Household.objects.get(code=where.code(number))
        if number % 10 == 0:
            home.tier = Household.Tier.PRIORITY if number % 50 == 0 else Household.Tier.BUSINESS
            home.save(update_fields=["tier"])
        HouseholdPlace.objects.create(
            household=home,
            site=where.sites[0],
            easting_metres=rng.randrange(-800, 800),
            northing_metres=rng.randrange(-800, 800),
        )


def _telemetry(site: Site, *, since: datetime, until: datetime) -> None:
    slots = int((until - since) / SLOT)
    SlotTelemetry.objects.bulk_create(
        SlotTelemetry(
            site=site,
            starts_at=since + number * SLOT,
            ends_at=since + (number + 1) * SLOT,
            state_of_charge_basis_points=4_000 + number % 5_000,
            production_milliwatt_hours=number % 60 * KWH,
            battery_in_milliwatt_hours=5 * KWH,
            battery_out_milliwatt_hours=4 * KWH,
            feeder_milliwatt_hours=13 * KWH,
            received_at=since + (number + 1) * SLOT,
        )
        for number in range(slots)
    )


def _weather(site: Site, *, since: datetime, until: datetime) -> None:
    hour = timedelta(hours=1)
    WeatherHour.objects.bulk_create(
        WeatherHour(
            site=site,
            kind=WeatherHour.Kind.RECENT if number < 0 else WeatherHour.Kind.FORECAST,
            starts_at=until + number * hour,
            temperature_tenths_celsius=250,
            cloud_cover_percent=40,
            irradiance_watts_per_square_metre=number % 24 * 40,
            fetched_at=until,
        )
        for number in range(-int((until - since) / hour), 72)
    )
    WeatherFetch.objects.create(site=site, last_success_at=until)
