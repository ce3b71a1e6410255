"""The mean of a price over time counts each for as long as it held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.outlook import mean_over_time

UNTIL = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(hours=24)


def hours_ago(hours: int) -> datetime:
    return UNTIL - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("changes", "mean"),
    [
        ([], None),
        ([(hours_ago(100), 7)], 7),
        ([(hours_ago(6), 7)], 7),  # before that there was none
        ([(hours_ago(30), 100), (hours_ago(6), 200)], 125),
        ([(hours_ago(6), 200), (hours_ago(30), 100)], 125),
        ([(hours_ago(40), 1), (hours_ago(30), 100)], 100),
        ([(hours_ago(24), 1), (hours_ago(12), 2)], 2),  # 1.5, halves up
        ([(UNTIL, 9)], None),
    ],
)
def test_each_value_weighs_as_long_as_it_held(
    changes: list[tuple[datetime, int]], mean: int | None
) -> None:
    assert mean_over_time(changes, since=SINCE, until=UNTIL) == mean
