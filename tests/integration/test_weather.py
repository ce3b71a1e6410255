"""Weather over real HTTP: from the sandbox's sky, and from services that say what cannot be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from accounts.models import Alarm, Site
from sandbox.app import QuietHandler, create_sandbox
from settlement.models import WeatherFetch, WeatherHour
from settlement.tasks import fetch_site_weather
from settlement.weather import fetching, open_meteo
from settlement.weather.open_meteo import WeatherUnavailable
from tests.village import Village

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def kisima(db: None) -> Site:
    site = Village.found(at=timezone.now()).site
    site.latitude, site.longitude = Decimal("-1.7512"), Decimal("37.6499")
    site.save()
    return site


@pytest.fixture
def sky(tmp_path: Path, settings: Settings) -> Iterator[str]:
    """The sandbox's weather service."""
    sandbox = create_sandbox(product_url="http://product.test", state_path=tmp_path / "s.sqlite3")
    settings.OPEN_METEO_URL = f"{sandbox.start()}/open-meteo"
    yield settings.OPEN_METEO_URL
    sandbox.stop()


@dataclass(kw_only=True)
class Service:
    """A service of ours that answers what it is told, and remembers what it was asked."""

    answer: Any = None
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.asked.append(Request(environ).args.to_dict())
        body = self.answer if isinstance(self.answer, str) else json.dumps(self.answer)
        return Response(body, status=self.status)(environ, start_response)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    app = Service()
    server = make_server("127.0.0.1", 0, app, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.OPEN_METEO_URL = f"http://127.0.0.1:{server.server_port}"
    yield app
    server.shutdown()
    thread.join()
    server.server_close()


def hourly(**series: Any) -> dict[str, Any]:
    """Two hours as the service tells them, but for what is given."""
    told: dict[str, Any] = {
        "time": ["2026-11-28T10:00", "2026-11-28T11:00"],
        "temperature_2m": [24.5, -0.04],
        "cloud_cover": [30, 100],
        "shortwave_radiation": [640.5, 0.0],
    }
    return {"hourly_units": {"time": "iso8601", **open_meteo.UNITS}, "hourly": told | series}


def rows(kind: str) -> list[WeatherHour]:
    return list(WeatherHour.objects.filter(kind=kind).order_by("starts_at"))


def test_recent_and_foretold_hours_come_from_the_sky_the_plant_stands_under(
    kisima: Site, sky: str
) -> None:
    at = timezone.now()
    count = fetching.fetch(site=kisima, at=at)

    recent, foretold = rows("recent"), rows("forecast")
    assert len(recent) + len(foretold) == count == (14 + 3) * 24
    assert recent[-1].starts_at + HOUR <= at < foretold[0].starts_at + HOUR
    assert foretold[-1].starts_at - at > timedelta(days=1)
    noon = max(recent, key=lambda row: row.irradiance_watts_per_square_metre)
    assert 300 < noon.irradiance_watts_per_square_metre < 1_200
    assert noon.starts_at.hour in range(7, 12)
    assert {row.fetched_at for row in (*recent, *foretold)} == {at}


def test_asking_again_replaces_what_was_said_and_keeps_what_was_foretold(
    kisima: Site, service: Service
) -> None:
    early = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
    service.answer = hourly()
    fetching.fetch(site=kisima, at=early)
    assert (len(rows("recent")), len(rows("forecast"))) == (0, 2)

    service.answer = hourly(shortwave_radiation=[111, 222])
    fetching.fetch(site=kisima, at=early + HOUR)
    (recent,) = rows("recent")
    first, second = rows("forecast")
    assert recent.starts_at == first.starts_at == datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
    assert recent.irradiance_watts_per_square_metre == 111
    assert first.irradiance_watts_per_square_metre == 640
    assert second.irradiance_watts_per_square_metre == 222
    assert (first.temperature_tenths_celsius, second.temperature_tenths_celsius) == (245, 0)


def test_the_service_is_asked_for_a_tenth_of_a_degree_and_the_days_that_are_missing(
    kisima: Site, service: Service, settings: Settings
) -> None:
    service.answer = hourly()
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    fetching.fetch(site=kisima, at=at)
    settings.OPEN_METEO_API_KEY = "paid"
    fetching.fetch(site=kisima, at=at + timedelta(days=2))
    first, second = service.asked
    assert (first["latitude"], first["longitude"]) == ("-1.8", "37.6")
    assert (first["past_days"], first["forecast_days"]) == ("14", "3")
    assert first["timezone"] == "GMT"
    assert "apikey" not in first
    assert (second["past_days"], second["apikey"]) == ("3", "paid")


def test_a_place_at_zero_has_no_sign() -> None:
    assert open_meteo.public_place(latitude=Decimal("-0.04"), longitude=Decimal("0.04")) == (
        "0.0",
        "0.0",
    )


def test_hours_that_the_service_does_not_know_are_left_out(kisima: Site, service: Service) -> None:
    service.answer = hourly(cloud_cover=[30, None])
    assert fetching.fetch(site=kisima, at=timezone.now()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "not json",
        "[]",
        "{}",
        {"error": True, "reason": "no such variable"},
        {**hourly(), "hourly_units": {**open_meteo.UNITS, "shortwave_radiation": "MJ/m²"}},
        hourly(shortwave_radiation=[1]),
        hourly(shortwave_radiation=[1, 1_501]),
        hourly(shortwave_radiation=[1, -1]),
        hourly(cloud_cover=[30, 101]),
        hourly(temperature_2m=[20, 61]),
        hourly(temperature_2m=[20, "20"]),
        hourly(temperature_2m=[20, True]),
        hourly(time=["2026-11-28T10:00", "2026-11-28T11:15"]),
        hourly(time=["2026-11-28T10:00", "noon"]),
        hourly(time="2026-11-28T10:00"),
        hourly(cloud_cover=[None, None]),
        json.dumps(hourly()).replace("24.5", "NaN"),
        "[" * 100_000,
    ],
)
def test_what_cannot_be_believed_is_refused_and_stores_nothing(
    kisima: Site, service: Service, settings: Settings, answer: Any
) -> None:
    service.answer = answer
    with pytest.raises(WeatherUnavailable):
        open_meteo.ask(
            base_url=settings.OPEN_METEO_URL,
            api_key="",
            latitude=Decimal(1),
            longitude=Decimal(1),
            past_days=1,
        )
    assert fetching.fetch(site=kisima, at=timezone.now()) == 0
    assert not WeatherHour.objects.exists()
    assert WeatherFetch.objects.get().last_failure


def test_three_failures_in_a_row_raise_an_alarm_and_an_answer_clears_it(
    kisima: Site, service: Service
) -> None:
    at = timezone.now()
    service.status = 503
    for number in range(3):
        assert not Alarm.objects.exists()
        fetching.fetch(site=kisima, at=at + number * fetching.AGAIN)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.key, alarm.operator) == (
        "provider",
        "weather:kisima",
        kisima.operator,
    )
    assert "did not come 3 times in a row: answered 503" in alarm.text

    service.status, service.answer = 200, hourly()
    fetching.fetch(site=kisima, at=at + HOUR)
    alarm.refresh_from_db()
    assert alarm.cleared_at == at + HOUR
    assert WeatherFetch.objects.get().failures_in_a_row == 0


def test_a_failure_keeps_what_is_known(kisima: Site, service: Service) -> None:
    at = timezone.now()
    service.answer = hourly()
    fetching.fetch(site=kisima, at=at)
    service.answer = "{}"
    fetching.fetch(site=kisima, at=at + HOUR)
    assert WeatherHour.objects.count() == 2
    assert WeatherFetch.objects.get().last_success_at == at


def test_a_site_is_asked_for_when_its_turn_has_come(kisima: Site, service: Service) -> None:
    at = timezone.now()
    service.answer = hourly()
    assert fetching.due(at=at) == [kisima.pk]
    fetching.fetch(site=kisima, at=at)
    assert fetching.due(at=at + fetching.EVERY - timedelta(seconds=1)) == []
    assert fetching.due(at=at + fetching.EVERY) == [kisima.pk]


def test_a_closed_site_one_without_a_place_and_no_service_are_left_in_peace(
    kisima: Site, service: Service, settings: Settings
) -> None:
    at = timezone.now()
    Site.objects.update(longitude=None)
    assert fetching.due(at=at) == []
    assert fetching.fetch(site=Site.objects.get(), at=at) == 0
    Site.objects.update(longitude=1, closed_at=at)
    assert fetching.due(at=at) == []
    Site.objects.update(closed_at=None)
    settings.OPEN_METEO_URL = ""
    assert fetching.due(at=at) == []
    assert fetching.fetch(site=Site.objects.get(), at=at) == 0
    assert service.asked == []


def test_the_scheduled_job_asks_once(kisima: Site, service: Service) -> None:
    service.answer = hourly()
    fetch_site_weather(kisima.pk)
    assert len(service.asked) == 1
    assert WeatherFetch.objects.get().last_success_at is not None
