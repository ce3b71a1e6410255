"""The meters' head-end over HTTP: access, paging and the faults of the field."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import MovableClock

HEADERS = {"X-API-KEY": "sandbox-key", "X-API-SECRET": "sandbox-secret"}


def fetch(sandbox_url: str, **changes: Any) -> requests.Response:
    return requests.post(
        f"{sandbox_url}/koios/api/v2/organizations/demo/data/historical",
        json=changes,
        headers=HEADERS,
        timeout=30,
    )


def filters(start: datetime, end: datetime, *, site: str = "kisima") -> dict[str, Any]:
    date_range = {"from": start.isoformat(), "to": end.isoformat()}
    return {"sites": [site], "date_range": date_range}


def fetch_all(
    sandbox_url: str, start: datetime, end: datetime, *, per_page: int = 5000
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = fetch(
            sandbox_url, filters=filters(start, end), per_page=per_page, cursor=cursor
        ).json(parse_float=Decimal)
        rows += answer["data"]
        if not answer["pagination"]["has_more"]:
            return rows
        cursor = answer["pagination"]["cursor"]


def set_rates(sandbox_url: str, **rates: int) -> None:
    quiet = dict.fromkeys(("late", "repeated", "missing", "absurd", "reset"), 0)
    url = f"{sandbox_url}/koios/simulator/rates"
    assert requests.post(url, json={**quiet, **rates}, timeout=5).status_code == 200


@pytest.fixture
def day() -> datetime:
    """Midnight of the day before yesterday."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=2)


def slot_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["timestamp"], row["meter"]["serial_number"]


def test_readings_carry_the_meter_the_interval_and_the_register(
    sandbox_url: str, day: datetime
) -> None:
    set_rates(sandbox_url)
    rows = fetch_all(sandbox_url, day, day + timedelta(minutes=2))
    assert len(rows) == 60
    assert slot_of(rows[0]) == (day.strftime("%Y-%m-%dT%H:%M:%SZ"), "SM0001")
    assert rows[0]["meter"]["customer"]["code"] == "KIS0001"
    first, second = rows[26], rows[56]
    assert first["meter"]["serial_number"] == second["meter"]["serial_number"] == "SM0027"
    assert second["energy"] - first["energy"] == second["kilowatt_hours"]


def test_pages_join_to_the_whole(sandbox_url: str, day: datetime) -> None:
    set_rates(sandbox_url, repeated=200_000)
    end = day + timedelta(minutes=10)
    whole = fetch_all(sandbox_url, day, end)
    assert fetch_all(sandbox_url, day, end, per_page=7) == whole
    assert len(whole) > len({slot_of(row) for row in whole}) == 300
    assert [row["timestamp"] for row in whole] == sorted(row["timestamp"] for row in whole)


def test_the_same_interval_comes_up_to_eleven_times_alike(sandbox_url: str, day: datetime) -> None:
    set_rates(sandbox_url, repeated=50_000)
    rows = fetch_all(sandbox_url, day, day + timedelta(hours=3))
    copies = Counter(slot_of(row) for row in rows)
    assert max(copies.values()) == 11
    assert len({(slot_of(row), row["kilowatt_hours"]) for row in rows}) == len(copies) == 5400


def test_some_readings_are_missing_for_good_and_their_energy_stays_in_the_register(
    sandbox_url: str, day: datetime, clock: MovableClock
) -> None:
    set_rates(sandbox_url, missing=100_000)
    clock.move(seconds=86_400)
    rows = fetch_all(sandbox_url, day, day + timedelta(hours=1))
    assert 1500 < len(rows) < 1740
    mill = [row for row in rows if row["meter"]["serial_number"] == "SM0027"]
    assert mill[-1]["energy"] - mill[0]["energy"] > sum(row["kilowatt_hours"] for row in mill[1:])


def test_late_readings_appear_hours_later_in_their_place(
    sandbox_url: str, clock: MovableClock
) -> None:
    set_rates(sandbox_url, late=100_000)
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    start = end - timedelta(minutes=30)
    soon = {slot_of(row) for row in fetch_all(sandbox_url, start, end)}
    assert 700 < len(soon) < 900
    clock.move(seconds=3 * 3600)
    later = {slot_of(row) for row in fetch_all(sandbox_url, start, end)}
    clock.move(seconds=4 * 3600)
    assert soon < later < {slot_of(row) for row in fetch_all(sandbox_url, start, end)}


def test_registers_are_reset_and_readings_absurd_now_and_then(
    sandbox_url: str, day: datetime
) -> None:
    set_rates(sandbox_url, reset=1_000_000, absurd=20_000)
    rows: list[dict[str, Any]] = []
    for days_ago in range(0, 60, 4):
        start = day - timedelta(days=days_ago)
        rows += fetch_all(sandbox_url, start, start + timedelta(minutes=1))
    by_meter: dict[str, list[Decimal]] = {}
    for row in sorted(rows, key=slot_of):
        by_meter.setdefault(row["meter"]["serial_number"], []).append(row["energy"])
    assert all(registers != sorted(registers) for registers in by_meter.values())
    hour = fetch_all(sandbox_url, day, day + timedelta(hours=1))
    assert Decimal("4294.967295") in {row["kilowatt_hours"] for row in hour}


def test_only_slots_that_have_ended_are_served(sandbox_url: str) -> None:
    set_rates(sandbox_url)
    now = datetime.now(UTC)
    rows = fetch_all(sandbox_url, now - timedelta(minutes=5), now + timedelta(minutes=5))
    last = datetime.fromisoformat(rows[-1]["timestamp"])
    assert last + timedelta(seconds=60) <= datetime.now(UTC)
    assert last + timedelta(seconds=121) > now


def test_the_history_is_the_same_after_a_restart_and_in_another_process(
    start_sandbox: Any, tmp_path: Any, day: datetime
) -> None:
    _, first_url = start_sandbox()
    _, second_url = start_sandbox(state_path=tmp_path / "other.sqlite3")
    end = day + timedelta(minutes=30)
    assert fetch_all(first_url, day, end) == fetch_all(second_url, day, end)


def test_wrong_requests_are_refused(sandbox_url: str, day: datetime) -> None:
    good = filters(day, day + timedelta(hours=1))
    url = f"{sandbox_url}/koios/api/v2/organizations/demo/data/historical"
    unsigned = requests.post(url, json={"filters": good}, timeout=5)
    assert unsigned.status_code == 401
    for wrong in (
        {},
        {"filters": {**good, "sites": ["atlantis"]}},
        {"filters": {**good, "date_range": {"from": "x", "to": "y"}}},
        {"filters": good, "per_page": 5001},
        {"filters": good, "cursor": "????"},
    ):
        assert fetch(sandbox_url, **wrong).status_code == 400


def test_two_days_of_minutes_are_served_fast_enough(sandbox_url: str, day: datetime) -> None:
    started = time.monotonic()
    rows = fetch_all(sandbox_url, day, day + timedelta(hours=48))
    assert len(rows) > 80_000
    assert time.monotonic() - started < 10
