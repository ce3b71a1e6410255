"""Open-Meteo's forecast service: hourly temperature, clouds and irradiance of a place.

GET <base>/v1/forecast?latitude&longitude&hourly=...&past_days&forecast_days&timezone=GMT ->
{"hourly_units": {...}, "hourly": {"time": ["2026-11-28T00:00", ...], "cloud_cover": [...], ...}}.
Times are UTC and name the end of the hour that radiation is the mean of. Data are CC BY 4.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import requests

TIMEOUT_SECONDS = (5, 20)
HOUR = timedelta(hours=1)
MOST_HOURS = 120 * 24
FORECAST_DAYS = 3
TEMPERATURE, CLOUDS, IRRADIANCE = "temperature_2m", "cloud_cover", "shortwave_radiation"
UNITS = {TEMPERATURE: "°C", CLOUDS: "%", IRRADIANCE: "W/m²"}
# Beyond what was ever measured on earth: what lies outside is no weather.
BOUNDS = {TEMPERATURE: (-90, 60), CLOUDS: (0, 100), IRRADIANCE: (0, 1_500)}


class WeatherUnavailable(Exception):
    """The service did not answer, or not in its form, or with what cannot be believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """One hour of weather: mean irradiance on a horizontal surface, the rest at its end."""

    starts_at: datetime
    temperature_tenths_celsius: int
    cloud_cover_percent: int
    irradiance_watts_per_square_metre: int


def public_place(*, latitude: Decimal, longitude: Decimal) -> tuple[str, str]:
    """Return the degrees that are asked for, to a tenth (11 km): no village is told of, and
    neighbours share an answer."""
    tenth = Decimal("0.1")
    rounded = (degrees.quantize(tenth, ROUND_HALF_EVEN) for degrees in (latitude, longitude))
    # -0.0 and 0.0 are one place.
    south, west = (str(degrees if degrees else abs(degrees)) for degrees in rounded)
    return south, west


def ask(
    *, base_url: str, api_key: str, latitude: Decimal, longitude: Decimal, past_days: int
) -> list[Hour]:
    """Return the hours of the last `past_days` and the next FORECAST_DAYS days (UTC), by start.

    Hours that the service does not know are left out. Raises WeatherUnavailable.
    """
    north, east = public_place(latitude=latitude, longitude=longitude)
    query = {
        "latitude": north,
        "longitude": east,
        "hourly": ",".join(UNITS),
        "past_days": str(past_days),
        "forecast_days": str(FORECAST_DAYS),
        "timezone": "GMT",
    }
    if api_key:
        query["apikey"] = api_key
    try:
        response = requests.get(f"{base_url}/v1/forecast", params=query, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        return _hours(response.json(parse_float=Decimal))
    except (
        requests.RequestException,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise WeatherUnavailable(_reason(error)) from error


def _hours(answer: dict[str, Any]) -> list[Hour]:
    for name, unit in UNITS.items():
        told = answer["hourly_units"][name]
        if told != unit:
            raise ValueError(f"{name} came in {str(told)[:20]!r}, not in {unit}")
    hourly = answer["hourly"]
    times: list[str] = hourly["time"]
    series: list[Sequence[Any]] = [hourly[name] for name in UNITS]
    if any(not isinstance(values, list) for values in (times, *series)):
        raise TypeError("a series is no list")
    if len(times) > MOST_HOURS or any(len(values) != len(times) for values in series):
        raise ValueError("the series are too long, or not equally long")
    hours: dict[datetime, Hour] = {}
    for row in zip(times, *series, strict=True):
        ends_at = datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
        if ends_at.minute or ends_at.second or ends_at.microsecond:
            raise ValueError(f"{row[0]} is no full hour")
        # The end of what a service knows, or a hole in it.
        if any(value is None for value in row[1:]):
            continue
        temperature, clouds, irradiance = (
            _believable(name, value) for name, value in zip(UNITS, row[1:], strict=True)
        )
        hours[ends_at] = Hour(
            starts_at=ends_at - HOUR,
            temperature_tenths_celsius=round(temperature * 10),
            cloud_cover_percent=round(clouds),
            irradiance_watts_per_square_metre=round(irradiance),
        )
    if not hours:
        raise ValueError("no hour is known")
    return [hours[ends_at] for ends_at in sorted(hours)]


def _believable(name: str, told: Any) -> Decimal:
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        raise TypeError(f"{name} is {str(told)[:20]!r}")
    value = Decimal(told)
    lowest, highest = BOUNDS[name]
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {str(told)[:20]}, outside {lowest} to {highest}")
    return value


def _reason(error: Exception) -> str:
    """Say what went wrong without the address that was asked: it may hold a key."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"[:200]
