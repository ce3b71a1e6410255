"""Drawings start at zero, break where nothing is known, and end at round numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from django.utils import translation

from dashboard import charts
from dashboard.templatetags.figures import ago


def test_bars_start_at_zero_and_leave_gaps() -> None:
    drawing = charts.bars([Fraction(1), None, Fraction(2), Fraction(0)])

    assert drawing.path.count("M") == 2
    assert drawing.ticks[0].value == 0
    assert drawing.ticks[-1].value == 2


def test_lines_break_where_nothing_is_known() -> None:
    drawing = charts.line([Fraction(1), Fraction(2), None, Fraction(3)], top=Fraction(4))

    assert drawing.path.count("M") == 2
    assert drawing.path.count("L") == 1


def test_nothing_known_draws_nothing() -> None:
    assert charts.bars([None] * 4).path == ""
    assert charts.steps([]).path == ""


@pytest.mark.parametrize(
    ("highest", "top"),
    [("0.003", "0.005"), ("0.21", "0.25"), ("1", "1"), ("47.8", "50"), ("999", "1000")],
)
def test_an_axis_ends_at_a_round_number_above_all(highest: str, top: str) -> None:
    ticks = charts.bars([Fraction(highest)]).ticks

    assert ticks[-1].value == Fraction(top)
    assert len(ticks) in {5, 6}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (7_200, "2 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_ages_are_told_in_their_largest_unit(seconds: int, words: str) -> None:
    with translation.override("en"):
        assert ago(seconds=seconds) == words


def test_a_course_goes_through_its_points_at_their_share_of_the_span() -> None:
    points = [
        (Fraction(0), Fraction(100)),
        (Fraction(1, 4), Fraction(0)),
        (Fraction(1), Fraction(50)),
    ]
    drawing = charts.course(points, top=Fraction(100))
    assert drawing.path == "M44 10L121 176L352 93"
    assert [tick.value for tick in drawing.ticks] == [0, 25, 50, 75, 100]
