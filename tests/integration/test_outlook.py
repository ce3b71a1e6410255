"""The next 24 hours of a battery, from stored telemetry and weather; and what a page says of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from django.core.cache import cache
from django.utils import timezone, translation

from accounts.models import Site
from dashboard.series import Span
from dashboard.weather import weather
from settlement.models import SlotTelemetry, WeatherFetch, WeatherHour
from settlement.outlook import Missing, Outlook, outlook
from tests.integration.test_span_pages import _page
from tests.village import Village

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
AT = timezone.now().replace(minute=0, second=0, microsecond=0)
SUN = (0,) * 6 + (100, 200, 400, 600, 800, 900, 900, 800, 600, 400, 200, 100) + (0,) * 6
"""W/m2 by the hour of UTC."""
KWH = 1_000_000
PER_WATT = 4_800


@pytest.fixture(autouse=True)
def just_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read a minute after the hour, whatever the clock says."""
    monkeypatch.setattr(timezone, "now", lambda: AT + timedelta(minutes=1))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    cache.clear()
    with translation.override("en"):
        yield


@pytest.fixture
def kisima(db: None) -> Site:
    """Two days of a plant of 4.8 kWh for each kWh/m2, which feeds 1 kWh an hour and 2 kWh in the
    hour that begins at noon in Nairobi; weather of them and of two days to come."""
    site = Village.found(at=AT).site
    for back in range(48, 0, -1):
        begin = AT - back * HOUR
        _slot(site, begin=begin, charge=6_000)
        _weather(site, begin=begin, kind="recent")
    for ahead in range(48):
        _weather(site, begin=AT + ahead * HOUR, kind="forecast")
    WeatherFetch.objects.create(site=site, last_success_at=AT - timedelta(minutes=20))
    return site


def _slot(site: Site, *, begin: datetime, charge: int, production: int | None = None) -> None:
    SlotTelemetry.objects.create(
        site=site,
        starts_at=begin,
        ends_at=begin + HOUR,
        state_of_charge_basis_points=charge,
        production_milliwatt_hours=SUN[begin.astimezone(UTC).hour] * PER_WATT
        if production is None
        else production,
        feeder_milliwatt_hours=(2 if begin.astimezone(UTC).hour == 9 else 1) * KWH,
        received_at=begin + HOUR,
    )


def _weather(site: Site, *, begin: datetime, kind: str) -> None:
    WeatherHour.objects.create(
        site=site,
        kind=kind,
        starts_at=begin,
        temperature_tenths_celsius=250,
        cloud_cover_percent=40,
        irradiance_watts_per_square_metre=SUN[begin.astimezone(UTC).hour],
        fetched_at=AT,
    )


def told(site: Site, *, at: datetime = AT) -> Outlook:
    found = outlook(site=site, at=at)
    assert isinstance(found, Outlook), found
    return found


def test_the_battery_follows_the_rule_hour_by_hour(kisima: Site) -> None:
    found = told(kisima)

    held = Fraction(25 * KWH * 6_000, 10_000)
    assert found.points[0] == (AT, Fraction(6_000))
    assert len(found.points) == 25
    for number, (instant, charge) in enumerate(found.points[1:]):
        hour = (AT + number * HOUR).astimezone(UTC).hour
        net = SUN[hour] * PER_WATT - (2 if hour == 9 else 1) * KWH
        change = Fraction(net * 95, 100) if net > 0 else Fraction(net * 100, 95)
        held = min(max(held + change, Fraction(0)), Fraction(25 * KWH))
        assert instant == AT + (number + 1) * HOUR
        assert charge == held * 10_000 / (25 * KWH)
    assert found.sun == sum(SUN) * PER_WATT
    assert found.draw == 25 * KWH
    assert found.yield_per_watt == PER_WATT
    assert not found.is_aged


def test_hours_of_a_full_battery_do_not_lower_what_is_foretold(kisima: Site) -> None:
    for back in range(96, 48, -1):
        _slot(kisima, begin=AT - back * HOUR, charge=10_000, production=1)
        _weather(kisima, begin=AT - back * HOUR, kind="recent")
    assert told(kisima).yield_per_watt == PER_WATT


def test_what_is_said_of_an_hour_that_is_over_counts_more_than_what_was_foretold(
    kisima: Site,
) -> None:
    _weather(kisima, begin=AT, kind="recent")
    WeatherHour.objects.filter(kind="recent", starts_at=AT).update(
        irradiance_watts_per_square_metre=1_000
    )
    before = sum(SUN) - SUN[AT.astimezone(UTC).hour]
    assert told(kisima, at=AT + timedelta(minutes=30)).sun == (before + 1_000) * PER_WATT


def test_weather_of_some_hours_ago_is_used_and_said_to_be_aged(kisima: Site) -> None:
    WeatherFetch.objects.update(last_success_at=AT - timedelta(hours=3, seconds=1))
    assert told(kisima).is_aged
    assert "more than 3 hours old" in _page("battery").text


def _lacking(kisima: Site, what: str) -> None:
    if what == "never asked":
        WeatherFetch.objects.all().delete()
    elif what == "asked a day ago":
        WeatherFetch.objects.update(last_success_at=AT - timedelta(hours=24, seconds=1))
    elif what == "an hour to come":
        WeatherHour.objects.filter(starts_at=AT + 5 * HOUR).delete()
    elif what == "the plant":
        SlotTelemetry.objects.filter(starts_at__gte=AT - 2 * HOUR).delete()
    elif what == "any telemetry":
        SlotTelemetry.objects.all().delete()
    elif what == "room":
        SlotTelemetry.objects.update(state_of_charge_basis_points=9_801)
    elif what == "past weather":
        WeatherHour.objects.filter(kind="recent").delete()
    elif what == "production":
        SlotTelemetry.objects.update(production_milliwatt_hours=0)
    elif what == "a feeder":
        SlotTelemetry.objects.update(feeder_milliwatt_hours=0)
    elif what == "an hour of the day":
        hours = [AT - 10 * HOUR, AT - 34 * HOUR]
        SlotTelemetry.objects.filter(starts_at__in=hours).delete()
    else:
        Site.objects.update(battery_capacity_milliwatt_hours=0)


@pytest.mark.parametrize(
    ("what", "missing", "sentence"),
    [
        ("never asked", Missing.WEATHER, "no weather forecast of the last day is known"),
        ("asked a day ago", Missing.WEATHER, "no weather forecast of the last day is known"),
        ("an hour to come", Missing.WEATHER, "no weather forecast of the last day is known"),
        ("the plant", Missing.PLANT, "the plant has told nothing for an hour or more"),
        ("any telemetry", Missing.PLANT, "the plant has told nothing for an hour or more"),
        ("capacity", Missing.PLANT, "the plant has told nothing"),
        ("room", Missing.SUN, "it takes three sunny hours in which the battery had room"),
        ("past weather", Missing.SUN, "it takes three sunny hours"),
        ("production", Missing.SUN, "it takes three sunny hours"),
        ("a feeder", Missing.DRAW, "it takes a whole day of what the village draws"),
        ("an hour of the day", Missing.DRAW, "it takes a whole day of what the village draws"),
    ],
)
def test_what_is_missing_leaves_no_forecast_but_a_sentence(
    kisima: Site, what: str, missing: Missing, sentence: str
) -> None:
    _lacking(kisima, what)
    assert outlook(site=Site.objects.get(), at=AT + timedelta(minutes=1)) is missing
    if what != "capacity":
        page = _page("battery")
        assert sentence in page.text
        assert "as foretold" not in page.text


def test_the_battery_page_draws_it_dashed_and_says_how_it_is_made(kisima: Site) -> None:
    page = _page("battery")
    for words in (
        "The next 24 hours, as foretold",
        "times 4.80 kWh for each kWh/m²",
        "Sun in the next 24 hours 28.8 kWh weather of",
        "Draw in the next 24 hours 25.0 kWh plant of",
        "No price is set by it.",
        "Weather data by Open-Meteo.com",
    ):
        assert words in page.text
    assert page.count("svg") == 2


def test_the_weather_of_a_span_is_summed_exactly(kisima: Site) -> None:
    sky = weather(site=kisima, span=Span.DAY, at=AT)
    total = sky.total
    assert total is not None
    # The hour that begins now is not over: the span has the last 23 that are.
    begin = AT - 23 * HOUR
    hours = WeatherHour.objects.filter(kind="recent", starts_at__gte=begin)
    assert total.hours == len(hours) == 23
    assert total.irradiation_watt_hours == sum(
        hour.irradiance_watts_per_square_metre for hour in hours
    )
    assert [total.celsius, total.clouds_percent] == [Fraction(25), Fraction(40)]
    assert sky.per_irradiation == Fraction(48, 10)
    assert sky.last_ends_at == AT


@pytest.mark.parametrize("span", list(Span))
def test_buckets_of_weather_hold_their_hours(kisima: Site, span: Span) -> None:
    sky = weather(site=kisima, span=span, at=AT)
    for stretch, one in zip(sky.stretches, sky.sums, strict=True):
        inside = WeatherHour.objects.filter(
            kind="recent", starts_at__gte=stretch.starts_at, starts_at__lt=stretch.ends_at
        ).values_list("irradiance_watts_per_square_metre", flat=True)
        assert (None if one is None else (one.hours, one.irradiation_watt_hours)) == (
            (len(inside), sum(inside)) if inside else None
        )


def test_the_production_page_tells_weather_with_unit_and_age(kisima: Site) -> None:
    page = _page("production", span="7d")
    for words in ("Sun on a square metre", "kWh/m²", "25.0 °C, clouds 40 %", "the hour until"):
        assert words in page.text
    assert "Made of it 4.80 kWh" in page.text
    assert "Foretold for 24 hours 28.8 kWh" in page.text
    assert page.count("svg") == 2


def test_a_new_answer_of_the_weather_service_changes_what_is_remembered(kisima: Site) -> None:
    before = _page("production", span="7d").text
    WeatherHour.objects.filter(kind="recent").update(temperature_tenths_celsius=-31)
    assert "-3.1 °C" not in _page("production", span="7d").text
    WeatherFetch.objects.update(last_success_at=AT - timedelta(minutes=1))
    after = _page("production", span="7d").text
    assert "-3.1 °C" in after
    assert before != after


def test_french_readers_read_of_weather_and_forecast_in_french(kisima: Site) -> None:
    battery = _page("battery", language="fr").text
    production = _page("production", language="fr").text
    assert "Les 24 prochaines heures, selon la prévision" in battery
    assert "Soleil sur un mètre carré" in production
    for english in ("foretold", "Weather", "Draw", "Sun ", "clouds", "Made of"):
        assert english not in battery + production
