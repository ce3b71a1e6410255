"""The plant's telemetry and the weather over it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.plant import FLOWS, Plant
from sandbox.sites import SITES
from sandbox.sky import Sky

START = datetime(2026, 3, 3, tzinfo=UTC)
HEADERS = {"X-API-KEY": "sandbox-key"}


class Memory:
    """Checkpoints in a dictionary."""

    def __init__(self) -> None:
        self.stored: dict[int, int] = {}

    def load(self, *, site: str, hour: int) -> int | None:
        del site
        return self.stored.get(hour)

    def save(self, *, site: str, stored_by_hour: dict[int, int]) -> None:
        del site
        self.stored.update(stored_by_hour)


def telemetry(sandbox_url: str, **query: str) -> requests.Response:
    url = f"{sandbox_url}/plant/api/v1/sites/kisima/telemetry"
    return requests.get(url, params=query, headers=HEADERS, timeout=30)


def fetch_all(sandbox_url: str, *, start: datetime, end: datetime) -> list[dict[str, Any]]:
    query = {"start": start.isoformat(), "end": end.isoformat()}
    rows: list[dict[str, Any]] = []
    while True:
        answer = telemetry(sandbox_url, **query).json()
        assert len(answer["data"]) <= 1440
        rows += answer["data"]
        if not answer["pagination"]["has_more"]:
            return rows
        query["cursor"] = answer["pagination"]["cursor"]


def test_two_days_come_in_pages_and_balance(sandbox_url: str) -> None:
    rows = fetch_all(sandbox_url, start=START, end=START + timedelta(days=2))
    assert [row["slot_starts_at"] for row in rows[:2]] == [
        "2026-03-03T00:00:00Z",
        "2026-03-03T00:01:00Z",
    ]
    assert len(rows) == 2880
    for row in rows:
        supplied = row["pv_wh"] + row["battery_discharge_wh"] + row["generator_wh"]
        assert supplied == pytest.approx(row["feeder_wh"] + row["battery_charge_wh"], abs=1e-6)
        assert row["feeder_wh"] >= row["households_wh"]
        assert 10 <= row["soc_percent"] <= 100
        assert row["slot_seconds"] == 60
    socs = [row["soc_percent"] for row in rows]
    assert max(abs(b - a) for a, b in itertools.pairwise(socs)) < 1


def test_the_households_energy_is_what_the_meters_counted(sandbox_url: str) -> None:
    quiet = dict.fromkeys(("late", "repeated", "missing", "absurd", "reset"), 0)
    requests.post(f"{sandbox_url}/koios/simulator/rates", json=quiet, timeout=5)
    end = START + timedelta(minutes=1)
    date_range = {"from": START.isoformat(), "to": end.isoformat()}
    readings = requests.post(
        f"{sandbox_url}/koios/api/v2/organizations/demo/data/historical",
        json={"filters": {"sites": ["kisima"], "date_range": date_range}},
        headers={**HEADERS, "X-API-SECRET": "sandbox-secret"},
        timeout=5,
    ).json()["data"]
    [row] = fetch_all(sandbox_url, start=START, end=end)
    metered_wh = 1000 * sum(reading["kilowatt_hours"] for reading in readings)
    assert row["households_wh"] == pytest.approx(metered_wh, abs=1e-6)


def test_slots_of_other_lengths_agree(start_sandbox: Any, tmp_path: Any) -> None:
    _, minutes_url = start_sandbox()
    _, quarters_url = start_sandbox(state_path=tmp_path / "q.sqlite3", slot_seconds=900)
    end = START + timedelta(hours=2)
    minutes = fetch_all(minutes_url, start=START, end=end)
    quarters = fetch_all(quarters_url, start=START, end=end)
    assert (len(minutes), len(quarters)) == (120, 8)
    for name in ("pv_wh", "feeder_wh", "battery_discharge_wh", "households_wh"):
        total = sum(row[name] for row in minutes)
        assert total == pytest.approx(sum(row[name] for row in quarters), abs=1e-6)
    assert minutes[-1]["soc_percent"] == quarters[-1]["soc_percent"]


def test_what_the_plant_does_does_not_depend_on_what_was_asked_before() -> None:
    site, late = SITES["kisima"], int(START.timestamp()) + 5 * 86_400
    asked_in_order = Plant(seed=1, site=site, checkpoints=Memory())
    for second in range(late - 3 * 86_400, late, 3600):
        asked_in_order.slot(starts_at=second, seconds=3600)
    asked_at_once = Plant(seed=1, site=site, checkpoints=Memory())
    first = asked_at_once.slot(starts_at=late, seconds=900)
    assert first == asked_in_order.slot(starts_at=late, seconds=900)
    assert tuple(first.flows) == FLOWS


def test_ten_second_slots_balance_exactly() -> None:
    plant = Plant(seed=1, site=SITES["lofe"], checkpoints=Memory())
    noon = int(START.timestamp()) + 13 * 3600
    for second in range(noon, noon + 300, 10):
        flows = plant.slot(starts_at=second, seconds=10).flows
        supplied = flows["pv"] + flows["discharge"] + flows["generator"]
        assert supplied == flows["feeder"] + flows["charge"]


def test_wrong_requests_are_refused(sandbox_url: str) -> None:
    url = f"{sandbox_url}/plant/api/v1/sites"
    query = {"start": START.isoformat()}
    assert requests.get(f"{url}/kisima/telemetry", params=query, timeout=5).status_code == 401
    nowhere = requests.get(f"{url}/atlantis/telemetry", params=query, headers=HEADERS, timeout=5)
    assert nowhere.status_code == 404
    assert telemetry(sandbox_url).status_code == 400
    assert telemetry(sandbox_url, start="yesterday").status_code == 400


def test_only_slots_that_have_ended_are_reported(sandbox_url: str) -> None:
    now = datetime.now(UTC)
    rows = fetch_all(sandbox_url, start=now - timedelta(minutes=3), end=now + timedelta(hours=1))
    last = datetime.fromisoformat(rows[-1]["slot_starts_at"])
    assert last + timedelta(seconds=60) <= datetime.now(UTC)


def test_the_sun_stands_where_almanacs_say() -> None:
    # Equinox of March 2026: overhead at the equator at local solar noon, on the horizon at six.
    sky = Sky(seed=1, latitude=0.0, longitude=0.0)
    noon = datetime(2026, 3, 20, 12, 7, 30, tzinfo=UTC).timestamp()
    assert sky.sun_sine(noon) == pytest.approx(1.0, abs=1e-4)
    assert sky.sun_sine(noon - 6 * 3600) == pytest.approx(0.0, abs=0.01)
    midnight = sky.irradiance(noon - 12 * 3600)
    assert (midnight.total, midnight.direct, midnight.diffuse) == (0.0, 0.0, 0.0)


def test_the_forecast_has_open_meteos_shape(sandbox_url: str) -> None:
    names = "temperature_2m,cloud_cover,shortwave_radiation,direct_radiation,diffuse_radiation"
    query: dict[str, str | float] = {
        "latitude": -1.75,
        "longitude": 37.6,
        "hourly": names,
        "forecast_days": 3,
        "timezone": "UTC",
    }
    url = f"{sandbox_url}/open-meteo/v1/forecast"
    body = requests.get(url, params=query, timeout=10).json()
    assert body["hourly_units"]["shortwave_radiation"] == "W/m²"
    hourly = body["hourly"]
    assert set(hourly) == {"time", *names.split(",")}
    assert {len(values) for values in hourly.values()} == {72}
    assert hourly["time"][0] == datetime.now(UTC).strftime("%Y-%m-%dT00:00")
    for total, direct, diffuse in zip(
        hourly["shortwave_radiation"],
        hourly["direct_radiation"],
        hourly["diffuse_radiation"],
        strict=True,
    ):
        assert total == pytest.approx(direct + diffuse, abs=0.2)
    # 21:00 UTC is midnight in Kenya, 09:00 UTC noon.
    assert hourly["shortwave_radiation"][21] == 0
    assert hourly["shortwave_radiation"][9] > 100
    refused = requests.get(url, params={**query, "hourly": "moonlight"}, timeout=5)
    assert (refused.status_code, refused.json()["error"]) == (400, True)
