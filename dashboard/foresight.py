"""The next 24 hours of a site's battery on its page: the chart, its table, or why there is none."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Site
from accounts.money import MILLIWATT_HOURS_PER_KWH
from dashboard import charts, span_panels, wording
from dashboard.memory import remember
from dashboard.span_panels import SpanPanel
from dashboard.weather import WATTS_PER_KILOWATT, fetched_at, stamp
from settlement.outlook import AHEAD, Missing, Outlook, outlook

_KEPT_SECONDS = 300
_HOURS_BETWEEN_MARKS = 6


def foreseen(*, site: Site, at: datetime) -> Outlook | Missing:
    """Return the site's outlook; remembered until plant or weather tell more, 5 min at most."""
    told = site.telemetry.order_by("-id").values_list("pk", flat=True).first()
    return remember(
        key=f"outlook:{site.uid}:{told}:{stamp(fetched_at(site=site))}",
        compute=lambda: outlook(site=site, at=at),
        seconds=_KEPT_SECONDS,
    )


def missing(why: Missing) -> str:
    """Return a sentence that says why there is no forecast."""
    return {
        Missing.WEATHER: _("There is no forecast: no weather forecast of the last day is known."),
        Missing.PLANT: _("There is no forecast: the plant has told nothing for an hour or more."),
        Missing.SUN: _(
            "There is no forecast yet: it takes three sunny hours in which the battery had room."
        ),
        Missing.DRAW: _(
            "There is no forecast yet: it takes a whole day of what the village draws."
        ),
    }[why]


def outlook_panel(*, told: Outlook, target: int | None) -> SpanPanel:
    """The charge from now on, dashed; a line across at the tariff's target (basis points)."""
    top = Fraction(100)
    begin = told.points[0][0]
    values = [charge / 100 for _instant, charge in told.points]
    drawing = charts.course(
        [
            (Fraction(int((instant - begin).total_seconds()), int(AHEAD.total_seconds())), value)
            for (instant, _charge), value in zip(told.points, values, strict=True)
        ],
        top=top,
    )
    return SpanPanel(
        key="outlook",
        title=_("The next 24 hours, as foretold"),
        unit=_("% of what it holds"),
        summary=_(
            "From %(now)s %%: lowest %(lowest)s %% at %(lowest_at)s, highest %(highest)s %% at"
            " %(highest_at)s."
        )
        % {
            "now": _percent(told.points[0][1]),
            "lowest": _percent(told.lowest[1]),
            "lowest_at": _clock(told.lowest[0]),
            "highest": _percent(told.highest[1]),
            "highest_at": _clock(told.highest[0]),
        },
        shape="line foretold",
        drawing=drawing,
        y_labels=[(tick.position, span_panels.label_of(tick.value)) for tick in drawing.ticks],
        x_labels=_marks(begin),
        across="" if target is None else charts.y_of(value=Fraction(target, 100), top=top),
        columns=[_("Charge, %")],
        rows=[(_clock(instant, day=True), [_percent(charge)]) for instant, charge in told.points],
    )


def kwh(energy_milliwatt_hours: Fraction) -> str:
    """Foretold energy as kWh with one decimal: more would promise too much."""
    return wording.rounded(energy_milliwatt_hours / MILLIWATT_HOURS_PER_KWH, decimals=1)


def per_square_metre(told: Outlook) -> str:
    """What the plant made of each kWh/m2, in kWh: milliwatt-hours a W/m2 of an hour gave."""
    return wording.rounded(
        told.yield_per_watt * WATTS_PER_KILOWATT / MILLIWATT_HOURS_PER_KWH, decimals=2
    )


def _marks(begin: datetime) -> list[tuple[str, str]]:
    """Every sixth hour of the local clock."""
    local = timezone.localtime(begin)
    span = int(AHEAD.total_seconds())
    first = local.hour * 3600 + local.minute * 60 + local.second
    return [
        (
            charts.x_of(share=Fraction(second, span)),
            f"{(first + second) // 3600 % 24:02d}:00",
        )
        for second in charts.whole_hours(first=first, span_seconds=span, every=_HOURS_BETWEEN_MARKS)
    ]


def _percent(basis_points: Fraction) -> str:
    return wording.rounded(basis_points / 100, decimals=0)


def _clock(instant: datetime, *, day: bool = False) -> str:
    return str(date_format(timezone.localtime(instant), "j M H:i" if day else "H:i"))
