"""The four charts of a site's page: what is drawn, said and listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from accounts.models import Site
from accounts.money import MILLIWATT_HOURS_PER_KWH, WEI_PER_DAI
from dashboard import charts, wording
from dashboard.charts import Drawing
from dashboard.day import Bucket, Day
from dashboard.queries import Rate

_HOURS_BETWEEN_MARKS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A chart with its words: key (for ids), title, unit, summary, drawing, and its table."""

    key: str
    title: str
    unit: str
    summary: str
    shape: str
    drawing: Drawing
    y_labels: list[tuple[str, str]]
    x_labels: list[tuple[str, str]]
    rows: list[tuple[datetime, datetime, str]]
    across: str = ""

    @property
    def has_values(self) -> bool:
        return bool(self.drawing.path)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Series:
    key: str
    title: str
    unit: str
    shape: str
    draw: Callable[[list[Fraction | None]], Drawing]
    value: Callable[[Bucket], Fraction | None]
    decimals: int
    is_averaged: bool = False


def panels(*, site: Site, day: Day, rate: Rate | None) -> list[Panel]:
    """Return price, production, consumption and battery over the day."""
    return [_panel(series=series, site=site, day=day) for series in _series(day=day, rate=rate)]


def _series(*, day: Day, rate: Rate | None) -> Iterable[_Series]:
    minutes = day.bucket_seconds // 60
    energy_unit = _("kWh in each %(minutes)d minutes") % {"minutes": minutes}
    per_dai = Fraction(1) if rate is None else Fraction(rate.local_per_dai)
    yield _Series(
        key="price",
        title=_("Price"),
        unit=_("%(currency)s per kWh") % {"currency": rate.currency if rate else "DAI"},
        shape="line",
        draw=charts.steps,
        value=lambda bucket: _ratio(bucket.price_wei_per_kwh, WEI_PER_DAI, per_dai),
        decimals=2,
        is_averaged=True,
    )
    yield _Series(
        key="production",
        title=_("Production"),
        unit=energy_unit,
        shape="bars",
        draw=charts.bars,
        value=lambda bucket: _ratio(bucket.production_milliwatt_hours, MILLIWATT_HOURS_PER_KWH),
        decimals=3,
    )
    yield _Series(
        key="consumption",
        title=_("Consumption"),
        unit=energy_unit,
        shape="bars",
        draw=charts.bars,
        value=lambda bucket: _ratio(bucket.consumption_milliwatt_hours, MILLIWATT_HOURS_PER_KWH),
        decimals=3,
    )
    yield _Series(
        key="battery",
        title=_("Battery"),
        unit=_("% of what it holds"),
        shape="line",
        draw=lambda values: charts.line(values, top=Fraction(100)),
        value=lambda bucket: _ratio(bucket.state_of_charge_basis_points, 100),
        decimals=0,
    )


def _panel(*, series: _Series, site: Site, day: Day) -> Panel:
    values = [series.value(bucket) for bucket in day.buckets]
    drawing = series.draw(values)
    span = int((day.ends_at - day.starts_at).total_seconds())
    local = day.starts_at.astimezone(ZoneInfo(site.time_zone))
    marks = charts.whole_hours(
        first=local.hour * 3600 + local.minute * 60 + local.second,
        span_seconds=span,
        every=_HOURS_BETWEEN_MARKS,
    )
    return Panel(
        key=series.key,
        title=series.title,
        unit=series.unit,
        summary=_summary(values=values, series=series),
        shape=series.shape,
        drawing=drawing,
        y_labels=[(tick.position, _label(tick.value)) for tick in drawing.ticks],
        x_labels=[
            (
                charts.x_of(share=Fraction(mark, span)),
                f"{(local.hour * 3600 + local.minute * 60 + mark) // 3600 % 24:02d}:00",
            )
            for mark in marks
        ],
        rows=[
            (bucket.starts_at, bucket.ends_at, _cell(value, decimals=series.decimals))
            for bucket, value in zip(day.buckets, values, strict=True)
        ],
        across=_across(values=values, top=drawing.ticks[-1].value) if series.is_averaged else "",
    )


def _summary(*, values: list[Fraction | None], series: _Series) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return _("Nothing is known of the last 24 hours.")
    if series.is_averaged:
        return _(
            "Lowest %(lowest)s, highest %(highest)s, average %(mean)s (dashed line), "
            "last %(last)s %(unit)s."
        ) % {
            "lowest": _cell(min(known), decimals=series.decimals),
            "highest": _cell(max(known), decimals=series.decimals),
            "mean": _cell(sum(known, Fraction(0)) / len(known), decimals=series.decimals),
            "last": _cell(known[-1], decimals=series.decimals),
            "unit": series.unit,
        }
    return _("Lowest %(lowest)s, highest %(highest)s, last %(last)s %(unit)s.") % {
        "lowest": _cell(min(known), decimals=series.decimals),
        "highest": _cell(max(known), decimals=series.decimals),
        "last": _cell(known[-1], decimals=series.decimals),
        "unit": series.unit,
    }


def _across(*, values: list[Fraction | None], top: Fraction) -> str:
    """Where a line through the mean of what is known lies; every bucket is as long as another."""
    known = [value for value in values if value is not None]
    return charts.y_of(value=sum(known, Fraction(0)) / len(known), top=top) if known else ""


def _ratio(amount: int | None, per: int, times: Fraction = Fraction(1)) -> Fraction | None:
    return None if amount is None else Fraction(amount, per) * times


def _cell(value: Fraction | None, *, decimals: int) -> str:
    return "–" if value is None else wording.rounded(value, decimals=decimals)


def _label(value: Fraction) -> str:
    """As few decimals as the mark of an axis needs."""
    decimals = next((d for d in range(4) if (value * 10**d).denominator == 1), 3)
    return wording.rounded(value, decimals=decimals)
