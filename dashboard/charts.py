"""Charts as SVG geometry, made on the server. Pure: numbers in, path strings out.

Drawn for 360 x 200 units, so that text stays readable on a screen of 320 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 24
_STEPS = (Fraction(1), Fraction(2), Fraction(5, 2), Fraction(5), Fraction(10))

Values = Sequence[Fraction | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A mark of an axis: where, and the value or text it stands for."""

    position: str
    value: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """One series ready to draw: the path, and the marks of the y axis."""

    path: str
    ticks: tuple[Tick, ...]


def bars(values: Values) -> Drawing:
    """A bar from zero for each value; none where the value is None."""
    top = _top(values)
    width = Fraction(_inner_width(), max(len(values), 1))
    path = "".join(
        f"M{_number(_x(position, len(values)))} {_number(_y(value, top))}"
        f"h{_number(width * Fraction(4, 5))}V{HEIGHT - BOTTOM}"
        f"h-{_number(width * Fraction(4, 5))}z"
        for position, value in enumerate(values)
        if value
    )
    return Drawing(path=path, ticks=_ticks(top))


def steps(values: Values) -> Drawing:
    """A line that holds each value over its whole bucket, broken where there is none."""
    top = _top(values)
    path = ""
    is_drawing = False
    for position, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        start, end = _x(position, len(values)), _x(position + 1, len(values))
        level = _number(_y(value, top))
        path += f"V{level}" if is_drawing else f"M{_number(start)} {level}"
        path += f"H{_number(end)}"
        is_drawing = True
    return Drawing(path=path, ticks=_ticks(top))


def line(values: Values, *, top: Fraction) -> Drawing:
    """A line through the middle of each bucket, broken where there is none; the axis ends at
    `top`."""
    path = ""
    is_drawing = False
    for position, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        middle = (_x(position, len(values)) + _x(position + 1, len(values))) / 2
        path += f"{'L' if is_drawing else 'M'}{_number(middle)} {_number(_y(value, top))}"
        is_drawing = True
    return Drawing(path=path, ticks=_ticks(top))


def course(points: Sequence[tuple[Fraction, Fraction]], *, top: Fraction) -> Drawing:
    """A line through points at their shares of the span (0 to 1); the axis ends at `top`."""
    path = "".join(
        f"{'L' if number else 'M'}{x_of(share=share)} {y_of(value=value, top=top)}"
        for number, (share, value) in enumerate(points)
    )
    return Drawing(path=path, ticks=_ticks(top))


def y_of(*, value: Fraction, top: Fraction) -> str:
    """Where a value lies on a y axis that ends at `top`."""
    return _number(_y(value, top))


def x_of(*, share: Fraction) -> str:
    """Where a moment lies on the x axis, as a share of the whole span."""
    return _number(LEFT + share * _inner_width())


def _inner_width() -> int:
    return WIDTH - LEFT - RIGHT


def _x(position: int, count: int) -> Fraction:
    return LEFT + Fraction(position, count) * _inner_width()


def _y(value: Fraction, top: Fraction) -> Fraction:
    inner = HEIGHT - TOP - BOTTOM
    return TOP + inner * (1 - min(value / top, Fraction(1)))


def _top(values: Values) -> Fraction:
    """The end of an axis from zero: the first round number at or above every value."""
    highest = max((value for value in values if value is not None), default=Fraction(0))
    if highest <= 0:
        return Fraction(1)
    power = Fraction(1)
    while power * 10 <= highest:
        power *= 10
    while power > highest:
        power /= 10
    return next(power * step for step in _STEPS if power * step >= highest)


def _ticks(top: Fraction) -> tuple[Tick, ...]:
    count = min((4, 5), key=lambda parts: _digits(top / parts))
    return tuple(
        Tick(position=_number(_y(top * part / count, top)), value=top * part / count)
        for part in range(count + 1)
    )


def _digits(value: Fraction) -> int:
    """How many decimals it takes to write a decimal fraction."""
    decimals = 0
    while (value * 10**decimals).denominator != 1:
        decimals += 1
    return decimals


def _number(value: Fraction) -> str:
    """One decimal is a tenth of a pixel."""
    tenths = round(value * 10)
    whole, part = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole}" + (f".{part}" if part else "")


def whole_hours(*, first: int, span_seconds: int, every: int) -> list[int]:
    """Seconds after the start of the span at which every `every`-th local hour begins; `first` is
    the second of the local day at which the span starts."""
    step = every * 3600
    begin = -first % step
    marks = list(range(begin, span_seconds + 1, step))
    assert all(later - earlier == step for earlier, later in pairwise(marks))  # noqa: S101
    return marks
