"""The chart of what gifts earned, vested and claimed over the epochs of a site, and its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from fractions import Fraction

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Site
from accounts.money import WEI_PER_DAI
from dashboard import charts, wording
from tokens.donor_history import Point
from tokens.donor_impact import milliwatt_hours

_MOST_DECIMALS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line: its key (a class of wallet/donor.css, for its colour), dashes, name and path."""

    key: str
    dashes: str
    name: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One point as text: tokens in IT, energy in kWh, all since the first gift."""

    name: str
    date: str
    earned: str
    vested: str
    claimed: str
    energy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenChart:
    """Lines over the epochs of one site until now, the marks of both axes, and the table."""

    lines: Sequence[Line]
    y_labels: Sequence[tuple[str, str]]
    x_labels: Sequence[tuple[str, str]]
    rows: Sequence[Row]

    @property
    def has_values(self) -> bool:
        return len(self.rows) > 1


def chart(*, points: Sequence[Point], site: Site) -> TokenChart:
    """Return the chart of a site's points, the last of which is now."""
    ticks = charts.steps(_values(points, lambda point: point.earned_wei)).ticks
    top = ticks[-1].value
    told: list[tuple[str, str, str, Callable[[Point], int]]] = [
        ("earned", "", _("Earned"), lambda point: point.earned_wei),
        ("vested", "8 4", _("Vested, on chain"), lambda point: point.vested_wei),
        ("claimed", "2 4", _("Claimed"), lambda point: point.claimed_wei),
    ]
    return TokenChart(
        lines=[
            Line(
                key=key,
                dashes=dashes,
                name=name,
                path=charts.line(_values(points, of), top=top).path,
            )
            for key, dashes, name, of in told
        ],
        y_labels=[(tick.position, _mark(tick.value)) for tick in ticks],
        x_labels=_x_labels(points),
        rows=[_row(point, site) for point in reversed(points)],
    )


def _values(points: Sequence[Point], of: Callable[[Point], int]) -> list[Fraction | None]:
    return [Fraction(of(point), WEI_PER_DAI) for point in points]


def _x_labels(points: Sequence[Point]) -> list[tuple[str, str]]:
    """Where the first, the middle and the last point lie, and their days, or times of one day."""
    count = len(points)
    is_one_day = points[0].at.astimezone(UTC).date() == points[-1].at.astimezone(UTC).date()
    form = "H:i" if is_one_day else "j M"
    marked = sorted({0, (count - 1) // 2, count - 1})
    return [
        (charts.x_of(share=Fraction(2 * place + 1, 2 * count)), _day(points[place], form))
        for place in marked
    ]


def _day(point: Point, form: str) -> str:
    return _("now") if point.number is None else date_format(point.at.astimezone(UTC), form)


def _row(point: Point, site: Site) -> Row:
    energy = milliwatt_hours(earned_wei=point.earned_wei, site=site)
    return Row(
        name=_("now") if point.number is None else _("epoch %(number)d") % {"number": point.number},
        date=date_format(point.at.astimezone(UTC), "j M Y H:i"),
        earned=wording.dai(point.earned_wei),
        vested=wording.dai(point.vested_wei),
        claimed=wording.dai(point.claimed_wei),
        energy=wording.kwh(energy),
    )


def _mark(value: Fraction) -> str:
    decimals = next(
        (d for d in range(_MOST_DECIMALS) if (value * 10**d).denominator == 1), _MOST_DECIMALS
    )
    return wording.rounded(value, decimals=decimals)
