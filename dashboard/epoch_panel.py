"""The chart of what each epoch added: energy as bars, tokens beside it in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import Site
from accounts.money import MILLIWATT_HOURS_PER_KWH
from dashboard import charts, wording
from dashboard.charts import Drawing
from tokens.models import Epoch

EPOCHS_DRAWN = 30
_MOST_MARKS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What one active epoch added to the sums of the one before."""

    number: int
    closed_at: datetime
    milliwatt_hours: int
    tokens_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochPanel:
    """The chart as templates/dashboard/_span_chart.html draws it."""

    title: str
    unit: str
    summary: str
    drawing: Drawing
    y_labels: list[tuple[str, str]]
    x_labels: list[tuple[str, str]]
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    key: str = "added"
    shape: str = "bars"
    across: str = ""

    @property
    def has_values(self) -> bool:
        return bool(self.drawing.path)


def added(*, site: Site) -> list[Added]:
    """Return what the newest active epochs added, oldest first."""
    newest = list(
        Epoch.objects.filter(site=site, chain_id=settings.CHAIN_ID, state=Epoch.State.ACTIVE)
        .only("number", "closed_at", "milliwatt_hours", "tokens_wei")
        .order_by("-number")[: EPOCHS_DRAWN + 1]
    )
    before: list[Epoch | None] = [*reversed(newest)]
    if len(newest) <= EPOCHS_DRAWN:
        before = [None, *before]
    return [_difference(late, early) for early, late in pairwise(before) if late is not None]


def panel(epochs: Sequence[Added]) -> EpochPanel:
    """Return the chart of what epochs added."""
    values = [Fraction(each.milliwatt_hours, MILLIWATT_HOURS_PER_KWH) for each in epochs]
    drawing = charts.bars(values)
    every = -(-len(epochs) // _MOST_MARKS) or 1
    return EpochPanel(
        title=_("What each epoch added"),
        unit=_("kWh in each epoch"),
        summary=_summary(epochs),
        drawing=drawing,
        y_labels=[(tick.position, _label(tick.value)) for tick in drawing.ticks],
        x_labels=[
            (
                charts.x_of(share=Fraction(2 * place + 1, 2 * len(epochs))),
                str(epochs[place].number),
            )
            for place in range(every // 2, len(epochs), every)
        ],
        columns=[_("Energy, kWh"), _("Tokens, IT")],
        rows=[
            (
                _("epoch %(number)s") % {"number": each.number},
                [wording.kwh(each.milliwatt_hours), wording.dai(each.tokens_wei)],
            )
            for each in epochs
        ],
    )


def _difference(late: Epoch, early: Epoch | None) -> Added:
    return Added(
        number=late.number,
        closed_at=late.closed_at,
        milliwatt_hours=late.milliwatt_hours - (early.milliwatt_hours if early else 0),
        tokens_wei=late.tokens_wei - (early.tokens_wei if early else 0),
    )


def _label(value: Fraction) -> str:
    decimals = next((d for d in range(4) if (value * 10**d).denominator == 1), 4)
    return wording.rounded(value, decimals=decimals)


def _summary(epochs: Sequence[Added]) -> str:
    if not epochs:
        return _("No epoch is active yet.")
    last = epochs[-1]
    return _("Epoch %(number)s added %(energy)s kWh and %(tokens)s IT.") % {
        "number": last.number,
        "energy": wording.kwh(last.milliwatt_hours),
        "tokens": wording.dai(last.tokens_wei),
    }
