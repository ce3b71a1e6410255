"""Sun and clouds over a place: the same sky for the plant and for the weather service."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sandbox.noise import seed_of, smooth

HOUR_SECONDS = 3_600
_J2000_SECONDS = 946_728_000
SLOW_CLOUD_SECONDS = 6 * HOUR_SECONDS
WEATHER_SECONDS = 40 * HOUR_SECONDS
FAST_CLOUD_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Irradiance:
    """W/m2 on a horizontal surface."""

    total: float
    direct: float
    diffuse: float


@dataclass(frozen=True, slots=True)
class Sky:
    """The sky of one place. Positions in degrees; seconds are UTC epoch seconds."""

    seed: int
    latitude: float
    longitude: float

    @classmethod
    def over(cls, *, seed: int, latitude: float, longitude: float) -> Sky:
        """The sky over a place: one cloud process for each tenth of a degree."""
        own_seed = seed_of(seed, "sky", f"{latitude:.1f}", f"{longitude:.1f}")
        return cls(seed=own_seed, latitude=latitude, longitude=longitude)

    def sun_sine(self, second: float) -> float:
        """Sine of the sun's elevation (Astronomical Almanac, good to 0.01 degrees)."""
        days = (second - _J2000_SECONDS) / 86_400
        anomaly = math.radians(357.528 + 0.9856003 * days)
        longitude = math.radians(
            280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
        )
        tilt = math.radians(23.439 - 4e-7 * days)
        declination = math.asin(math.sin(tilt) * math.sin(longitude))
        ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
        sidereal_hours = 18.697374558 + 24.06570982441908 * days
        hour_angle = math.radians(sidereal_hours * 15 + self.longitude) - ascension
        latitude = math.radians(self.latitude)
        return math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(
            declination
        ) * math.cos(hour_angle)

    def cloud_cover(self, second: float, *, gusts: bool = True) -> float:
        """Covered part of the sky, 0 to 1. Without gusts: what a forecast can know."""
        slow = smooth(self.seed, second / SLOW_CLOUD_SECONDS)
        weather = smooth(self.seed ^ 1, second / WEATHER_SECONDS)
        cover = (0.55 * slow + 0.45 * weather - 0.35) * 1.8
        if gusts:
            cover += 0.5 * (smooth(self.seed ^ 2, second / FAST_CLOUD_SECONDS) - 0.5)
        return min(1.0, max(0.0, cover))

    def irradiance(self, second: float, *, gusts: bool = True) -> Irradiance:
        """Haurwitz's clear sky dimmed by Kasten and Czeplak's cloud law."""
        sine = self.sun_sine(second)
        if sine <= 0.01:
            return Irradiance(0.0, 0.0, 0.0)
        cover = self.cloud_cover(second, gusts=gusts)
        clear = 1098.0 * sine * math.exp(-0.057 / sine)
        total = clear * (1.0 - 0.75 * cover**3.4)
        diffuse = total * min(1.0, 0.18 + 0.8 * cover)
        return Irradiance(total=total, direct=total - diffuse, diffuse=diffuse)

    def temperature_celsius(self, second: float) -> float:
        """Air temperature: coolest at 04:00 solar time, warmest at 16:00."""
        solar_hour = (second / HOUR_SECONDS + self.longitude / 15) % 24
        warmth = 29.0 - 0.35 * abs(self.latitude)
        swing = 6.0 * math.cos(2 * math.pi * (solar_hour - 16) / 24)
        return warmth + swing - 3.0 * self.cloud_cover(second, gusts=False)
