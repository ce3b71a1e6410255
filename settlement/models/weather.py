"""Weather over a site, hour by hour, and how asking for it goes."""

from __future__ import annotations

from django.db import models

from accounts.models import Site


class WeatherHour(models.Model):
    """What the weather service said of one hour of one site.

    What it says of hours that are over is kept apart from what it foretold. Irradiance is the
    hour's mean on a horizontal surface; temperature and clouds are those at its end.
    """

    class Kind(models.TextChoices):
        RECENT = "recent", "of an hour that is over"
        FORECAST = "forecast", "foretold"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="weather_hours")
    kind = models.CharField(max_length=8, choices=Kind)
    starts_at = models.DateTimeField()
    temperature_tenths_celsius = models.SmallIntegerField()
    cloud_cover_percent = models.PositiveSmallIntegerField()
    irradiance_watts_per_square_metre = models.PositiveSmallIntegerField()
    fetched_at = models.DateTimeField()

    class Meta:
        ordering = ("-starts_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("site", "kind", "starts_at"), name="weather_hour_once_a_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(cloud_cover_percent__lte=100), name="weather_cloud_at_most_all"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} {self.starts_at:%Y-%m-%d %H:%M} {self.kind}"


class WeatherFetch(models.Model):
    """When a site's weather was asked for, and how that goes."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT, related_name="weather_fetch")
    failures_in_a_row = models.PositiveIntegerField(default=0)
    last_failure = models.CharField(max_length=200, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    next_fetch_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"weather of {self.site}"
