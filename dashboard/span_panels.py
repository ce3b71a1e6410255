"""Charts of longer spans: what is drawn, said and listed, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import TypeVar

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.money import MILLIWATT_HOURS_PER_KWH
from dashboard import charts, wording
from dashboard.breakdown import OTHER_TIERS
from dashboard.charts import Drawing
from dashboard.consumption import HOURS_A_DAY, Consumption, Used
from dashboard.series import Plant, PlantSum, Span, Stretch

T = TypeVar("T")
Column = tuple[str, Sequence[str]]
UNKNOWN = "–"
_MOST_MARKS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanPanel:
    """One chart: key (for ids and colour), words, drawing, the marks of both axes, a line across
    (its y, or empty), and its table: the columns' names, then a row's name and cells."""

    key: str
    title: str
    unit: str
    summary: str
    shape: str
    drawing: Drawing
    y_labels: list[tuple[str, str]]
    x_labels: list[tuple[str, str]]
    across: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]

    @property
    def has_values(self) -> bool:
        return bool(self.drawing.path)


def span_name(span: Span) -> str:
    """Return what a span is called."""
    return {
        Span.DAY: _("24 hours"),
        Span.WEEK: _("7 days"),
        Span.MONTH: _("30 days"),
        Span.YEAR: _("1 year"),
    }[span]


def tier_name(tier: str) -> str:
    """Return what a tier of households is called."""
    return {
        "priority": _("Clinics, schools, pumps"),
        "business": _("Businesses"),
        "leisure": _("Homes"),
        OTHER_TIERS: _("Other tiers together"),
    }[tier]


def days_name(*, first: date, last: date) -> str:
    """Return what whole days from the first to the last are called."""
    if first >= last:
        return str(date_format(last, "j M"))
    return _("%(first)s to %(last)s") % {
        "first": date_format(first, "j M"),
        "last": date_format(last, "j M"),
    }


def battery_panel(*, plant: Plant, target: int | None) -> SpanPanel:
    """Mean state of charge of each bucket; a line across at the tariff's target, if there is one
    (basis points)."""
    values = [None if each is None else each.charge_mean / 100 for each in plant.sums]
    percent: list[tuple[str, Callable[[PlantSum], str]]] = [
        (_("Lowest, %"), lambda told: wording.percent(told.charge_lowest)),
        (_("Mean, %"), lambda told: wording.rounded(told.charge_mean / 100, decimals=0)),
        (_("Highest, %"), lambda told: wording.percent(told.charge_highest)),
        (_("In, kWh"), lambda told: wording.kwh(told.battery_in)),
        (_("Out, kWh"), lambda told: wording.kwh(told.battery_out)),
    ]
    top = Fraction(100)
    return panel(
        key="battery",
        title=_("State of charge"),
        unit=_("%% of what it holds, mean of each %(bucket)s")
        % {"bucket": bucket_name(plant.span)},
        shape="line",
        drawing=charts.line(values, top=top),
        values=values,
        names=names_of(span=plant.span, stretches=plant.stretches),
        across="" if target is None else charts.y_of(value=Fraction(target, 100), top=top),
        columns=[(name, cells_of(plant.sums, tell)) for name, tell in percent],
        decimals=0,
    )


def production_panel(*, plant: Plant) -> SpanPanel:
    """Production of each bucket, beside what left through the feeder."""
    values = [_kwh(None if each is None else each.production) for each in plant.sums]
    return panel(
        key="production",
        title=_("Production"),
        unit=_("kWh in each %(bucket)s") % {"bucket": bucket_name(plant.span)},
        shape="bars",
        drawing=charts.bars(values),
        values=values,
        names=names_of(span=plant.span, stretches=plant.stretches),
        columns=[
            (_("Produced, kWh"), cells_of(plant.sums, lambda told: wording.kwh(told.production))),
            (_("Feeder, kWh"), cells_of(plant.sums, lambda told: wording.kwh(told.feeder))),
        ],
    )


def consumption_panel(*, use: Consumption) -> SpanPanel:
    """Use of each bucket, and a household's mean."""
    values = [_kwh(None if each is None else each.energy) for each in use.used]
    energy: Callable[[Used], str] = lambda used: wording.kwh(used.energy)  # noqa: E731
    return panel(
        key="consumption",
        title=_("Consumption"),
        unit=_("kWh in each %(bucket)s") % {"bucket": bucket_name(use.span)},
        shape="bars",
        drawing=charts.bars(values),
        values=values,
        names=names_of(span=use.span, stretches=use.stretches),
        columns=[
            (_("Used, kWh"), cells_of(use.used, energy)),
            (_("A household, kWh"), cells_of(use.used, lambda used: mean_kwh(used.mean))),
        ],
    )


def typical_panel(*, use: Consumption) -> SpanPanel:
    """The mean of each hour of the day over the last week."""
    values = [None if hour is None else hour / MILLIWATT_HOURS_PER_KWH for hour in use.typical_day]
    names = [f"{hour:02d}:00" for hour in range(HOURS_A_DAY)]
    return panel(
        key="typical",
        title=_("A typical day"),
        unit=_("kWh in each hour, mean of the last 7 days"),
        shape="bars",
        drawing=charts.bars(values),
        values=values,
        names=[(name, name) for name in names],
        columns=[
            (
                _("Used, kWh"),
                [UNKNOWN if hour is None else mean_kwh(hour) for hour in use.typical_day],
            )
        ],
    )


def mean_kwh(energy_milliwatt_hours: Fraction) -> str:
    """A mean in milliwatt-hours as kWh with three decimals."""
    return wording.rounded(energy_milliwatt_hours / MILLIWATT_HOURS_PER_KWH, decimals=3)


def panel(
    *,
    key: str,
    title: str,
    unit: str,
    shape: str,
    drawing: Drawing,
    values: list[Fraction | None],
    names: list[tuple[str, str]],
    columns: list[Column],
    across: str = "",
    decimals: int = 3,
) -> SpanPanel:
    """Return the panel of buckets. names are theirs: in the table, and on the axis."""
    known = [value for value in values if value is not None]
    every = -(-len(names) // _MOST_MARKS)
    return SpanPanel(
        key=key,
        title=title,
        unit=unit,
        summary=_("Nothing is known of this span.")
        if not known
        else _("Lowest %(lowest)s, highest %(highest)s, last %(last)s %(unit)s.")
        % {
            "lowest": wording.rounded(min(known), decimals=decimals),
            "highest": wording.rounded(max(known), decimals=decimals),
            "last": wording.rounded(known[-1], decimals=decimals),
            "unit": unit,
        },
        shape=shape,
        drawing=drawing,
        y_labels=[(tick.position, label_of(tick.value)) for tick in drawing.ticks],
        x_labels=[
            (charts.x_of(share=Fraction(2 * number + 1, 2 * len(names))), names[number][1])
            for number in range(every // 2, len(names), every)
        ],
        across=across,
        columns=[name for name, _told in columns],
        rows=[
            (name, [cells[number] for _name, cells in columns])
            for number, (name, _short) in enumerate(names)
        ],
    )


def bucket_name(span: Span) -> str:
    return {"hour": _("hour"), "day": _("day"), "month": _("month")}[span.bucket]


def names_of(*, span: Span, stretches: Sequence[Stretch]) -> list[tuple[str, str]]:
    """What buckets are called in a table and, shorter, on an axis, in the active time zone."""
    long, short = {
        Span.DAY: ("j M H:i", "H:i"),
        Span.WEEK: ("j M H:i", "j M"),
        Span.MONTH: ("j M", "j M"),
        Span.YEAR: ("M Y", "M"),
    }[span]
    return [(_date(each.starts_at, long), _date(each.starts_at, short)) for each in stretches]


def _date(instant: datetime, form: str) -> str:
    return str(date_format(timezone.localtime(instant), form))


def cells_of(told: Sequence[T | None], tell: Callable[[T], str]) -> list[str]:
    return [UNKNOWN if each is None else tell(each) for each in told]


def _kwh(energy: int | None) -> Fraction | None:
    return None if energy is None else Fraction(energy, MILLIWATT_HOURS_PER_KWH)


def label_of(value: Fraction) -> str:
    """As few decimals as the mark of an axis needs."""
    decimals = next((d for d in range(4) if (value * 10**d).denominator == 1), 3)
    return wording.rounded(value, decimals=decimals)
