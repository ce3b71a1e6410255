"""Counterpart of Open-Meteo's forecast, from the same sky the plants stand under."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.sky import Irradiance, Sky
from sandbox.web import Route, json_response, refuse

SERVICE = "open-meteo"
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
MOST_FORECAST_DAYS = 16
MOST_PAST_DAYS = 92
UNITS = {
    "temperature_2m": "°C",
    "cloud_cover": "%",
    "shortwave_radiation": "W/m²",
    "direct_radiation": "W/m²",
    "diffuse_radiation": "W/m²",
}


def _hour_mean(sky: Sky, second: int, part: Callable[[Irradiance], float]) -> float:
    """Mean of the hour that ends at `second`, as Open-Meteo defines radiation."""
    samples = [
        part(sky.irradiance(second - HOUR_SECONDS + 300 + 600 * sample, gusts=False))
        for sample in range(6)
    ]
    return round(sum(samples) / len(samples), 1)


def hourly_value(sky: Sky, name: str, second: int) -> float | int:
    """One variable of UNITS at a full UTC hour."""
    if name == "temperature_2m":
        return round(sky.temperature_celsius(second), 1)
    if name == "cloud_cover":
        return round(100 * sky.cloud_cover(second, gusts=False))
    parts: dict[str, Callable[[Irradiance], float]] = {
        "shortwave_radiation": lambda irradiance: irradiance.total,
        "direct_radiation": lambda irradiance: irradiance.direct,
        "diffuse_radiation": lambda irradiance: irradiance.diffuse,
    }
    return _hour_mean(sky, second, parts[name])


class OpenMeteo:
    """`GET /v1/forecast`, hourly, in UTC."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """The forecast path."""
        return [Route("GET", "/v1/forecast", self.forecast)]

    def forecast(self, request: Request) -> Response:
        """From midnight UTC of today (less past_days) for forecast_days days, 7 by default."""
        latitude = _number(request, "latitude", limit=90.0)
        longitude = _number(request, "longitude", limit=180.0)
        timezone = request.args.get("timezone", "GMT")
        if timezone not in ("UTC", "GMT"):
            _refuse("The sandbox knows the time zones UTC and GMT only.")
        names = [name for part in request.args.getlist("hourly") for name in part.split(",")]
        for name in names:
            if name not in UNITS:
                _refuse(f"Cannot initialize VariableOrDerived from invalid String value {name}.")
        forecast_days = _days(request, "forecast_days", default=7, most=MOST_FORECAST_DAYS)
        past_days = _days(request, "past_days", default=0, most=MOST_PAST_DAYS)
        sky = Sky.over(seed=self._context.seed, latitude=latitude, longitude=longitude)
        midnight = int(self._context.now()) // DAY_SECONDS * DAY_SECONDS
        start = midnight - past_days * DAY_SECONDS
        seconds = range(start, midnight + forecast_days * DAY_SECONDS, HOUR_SECONDS)
        hourly: dict[str, list[str] | list[float | int]] = {
            "time": [
                datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M") for second in seconds
            ]
        }
        for name in names:
            hourly[name] = [hourly_value(sky, name, second) for second in seconds]
        body: dict[str, object] = {
            "latitude": latitude,
            "longitude": longitude,
            "generationtime_ms": 0.1,
            "utc_offset_seconds": 0,
            "timezone": timezone,
            "timezone_abbreviation": "GMT",
            "elevation": 900.0,
        }
        if names:
            body["hourly_units"] = {"time": "iso8601", **{name: UNITS[name] for name in names}}
            body["hourly"] = hourly
        return json_response(body)


def _refuse(reason: str) -> None:
    refuse({"error": True, "reason": reason}, status=400)


def _number(request: Request, name: str, *, limit: float) -> float:
    number = request.args.get(name, type=float)
    if number is None or not -limit <= number <= limit:
        refuse({"error": True, "reason": f"{name} is missing or out of range."}, status=400)
    return number


def _days(request: Request, name: str, *, default: int, most: int) -> int:
    days = request.args.get(name, default=default, type=int)
    if not 0 <= days <= most:
        refuse({"error": True, "reason": f"{name} must be within 0 and {most}."}, status=400)
    return days
