"""Weather of a site over a span, as the weather service told it of hours that are over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.translation import gettext as _

from accounts.models import Site
from accounts.money import MILLIWATT_HOURS_PER_KWH
from dashboard import charts, span_panels, wording
from dashboard.memory import remember
from dashboard.series import KEPT_SECONDS, Span, Stretch, stretches
from dashboard.span_panels import SpanPanel
from settlement.models import WeatherFetch, WeatherHour

WATTS_PER_KILOWATT = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class WeatherSum:
    """The hours of one bucket added up: irradiation in Wh/m2, tenths of degrees Celsius, percent
    of clouds; the means are over hours."""

    hours: int
    irradiation_watt_hours: int
    tenths_celsius: int
    clouds: int

    @property
    def celsius(self) -> Fraction:
        """Mean temperature in degrees Celsius."""
        return Fraction(self.tenths_celsius, 10 * self.hours)

    @property
    def clouds_percent(self) -> Fraction:
        """Mean cover of the sky in percent."""
        return Fraction(self.clouds, self.hours)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weather:
    """A span's buckets with their weather (None: nothing known); the last hour; when the service
    was asked last.

    per_irradiation is kWh that the plant made of each kWh/m2, over the hours that both told of.
    version names everything that went into it.
    """

    version: str
    span: Span
    stretches: tuple[Stretch, ...]
    sums: tuple[WeatherSum | None, ...]
    last: WeatherHour | None
    fetched_at: datetime | None
    per_irradiation: Fraction | None

    @property
    def total(self) -> WeatherSum | None:
        """Everything together."""
        known = [each for each in self.sums if each is not None]
        if not known:
            return None
        return WeatherSum(
            hours=sum(each.hours for each in known),
            irradiation_watt_hours=sum(each.irradiation_watt_hours for each in known),
            tenths_celsius=sum(each.tenths_celsius for each in known),
            clouds=sum(each.clouds for each in known),
        )

    @property
    def last_ends_at(self) -> datetime | None:
        """The end of the last hour that is known."""
        return None if self.last is None else self.last.starts_at + timedelta(hours=1)


def fetched_at(*, site: Site) -> datetime | None:
    """Return when the weather service last answered for the site."""
    return WeatherFetch.objects.filter(site=site).values_list("last_success_at", flat=True).first()


def stamp(asked_at: datetime | None) -> int:
    """Return what stands in a key for when the weather service last answered."""
    return 0 if asked_at is None else int(asked_at.timestamp())


def weather(*, site: Site, span: Span, at: datetime) -> Weather:
    """Return the span up to `at`; remembered until plant or weather tell more."""
    zone = ZoneInfo(site.time_zone)
    marks = stretches(span=span, zone=zone, at=at, grain=span.bucket)
    asked_at = fetched_at(site=site)
    told = site.telemetry.order_by("-id").values_list("pk", flat=True).first()
    begin = int(marks[0].starts_at.timestamp())
    version = f"weather:{site.uid}:{span.value}:{begin}:{told}:{stamp(asked_at)}"
    return remember(
        key=version,
        compute=lambda: _weather(
            site=site, version=version, span=span, marks=marks, asked_at=asked_at, at=at
        ),
        seconds=KEPT_SECONDS,
    )


def _weather(
    *,
    site: Site,
    version: str,
    span: Span,
    marks: tuple[Stretch, ...],
    asked_at: datetime | None,
    at: datetime,
) -> Weather:
    recent = WeatherHour.objects.filter(site=site, kind=WeatherHour.Kind.RECENT)
    rows = _select(
        """
        SELECT date_trunc(%s, starts_at, %s) AS bucket, count(*),
            sum(irradiance_watts_per_square_metre)::bigint,
            sum(temperature_tenths_celsius)::bigint, sum(cloud_cover_percent)::bigint
        FROM settlement_weatherhour
        WHERE site_id = %s AND kind = 'recent' AND starts_at >= %s AND starts_at < %s
        GROUP BY bucket
        """,
        [span.bucket, site.time_zone, site.pk, marks[0].starts_at, at],
    )
    known = {
        bucket: WeatherSum(
            hours=hours, irradiation_watt_hours=irradiation, tenths_celsius=tenths, clouds=clouds
        )
        for bucket, hours, irradiation, tenths, clouds in rows
    }
    return Weather(
        version=version,
        span=span,
        stretches=marks,
        sums=tuple(known.get(each.starts_at) for each in marks),
        last=recent.filter(starts_at__lt=at).order_by("-starts_at").first(),
        fetched_at=asked_at,
        per_irradiation=_per_irradiation(site=site, since=marks[0].starts_at, until=at),
    )


def _per_irradiation(*, site: Site, since: datetime, until: datetime) -> Fraction | None:
    """Production over irradiation of the hours that plant (in full) and weather both told of."""
    ((production, watt_hours),) = _select(
        """
        SELECT sum(made.production)::bigint, sum(sky.irradiance_watts_per_square_metre)::bigint
        FROM (
            SELECT date_trunc('hour', starts_at, 'UTC') AS hour,
                sum(production_milliwatt_hours) AS production
            FROM settlement_slottelemetry
            WHERE site_id = %s AND starts_at >= %s AND ends_at <= %s
            GROUP BY hour HAVING sum(ends_at - starts_at) = interval '1 hour'
        ) AS made JOIN settlement_weatherhour AS sky
            ON sky.site_id = %s AND sky.kind = 'recent' AND sky.starts_at = made.hour
        """,
        [site.pk, since, until, site.pk],
    )
    if not watt_hours:
        return None
    return Fraction(production * WATTS_PER_KILOWATT, watt_hours * MILLIWATT_HOURS_PER_KWH)


def irradiance_panel(told: Weather) -> SpanPanel:
    """What the sun gave to a square metre in each bucket, beside temperature and clouds."""
    values = [
        None if each is None else Fraction(each.irradiation_watt_hours, WATTS_PER_KILOWATT)
        for each in told.sums
    ]
    return span_panels.panel(
        key="irradiance",
        title=_("Sun on a square metre"),
        unit=_("kWh/m² in each %(bucket)s") % {"bucket": span_panels.bucket_name(told.span)},
        shape="bars",
        drawing=charts.bars(values),
        values=values,
        names=span_panels.names_of(span=told.span, stretches=told.stretches),
        columns=[
            (
                _("Sun, kWh/m²"),
                span_panels.cells_of(told.sums, irradiation),
            ),
            (
                _("Temperature, °C"),
                span_panels.cells_of(
                    told.sums, lambda each: wording.rounded(each.celsius, decimals=1)
                ),
            ),
            (
                _("Clouds, %"),
                span_panels.cells_of(
                    told.sums, lambda each: wording.rounded(each.clouds_percent, decimals=0)
                ),
            ),
        ],
        decimals=2,
    )


def irradiation(told: WeatherSum) -> str:
    """Irradiation as kWh/m2 with two decimals."""
    return wording.rounded(Fraction(told.irradiation_watt_hours, WATTS_PER_KILOWATT), decimals=2)


def _select(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
