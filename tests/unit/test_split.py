"""Shares of what is paid: exact, whatever the batches."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.split import BadSplit, Progress, check_shares, divide


@st.composite
def shares(draw: st.DrawFn) -> list[int]:
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), max_size=7)))
    return [high - low for low, high in zip([0, *cuts], [*cuts, 10_000], strict=True)]


amounts = st.lists(st.integers(0, 10**24), min_size=1, max_size=12)


def run(parts: list[int], lines: list[int]) -> tuple[Progress, list[tuple[int, ...]]]:
    progress, posted = Progress(paid_wei=0, posted_wei=(0,) * len(lines)), []
    for paid_wei in parts:
        progress, amounts = divide(progress=progress, paid_wei=paid_wei, shares_basis_points=lines)
        posted.append(amounts)
    return progress, posted


@given(shares(), amounts)
def test_the_lines_are_cumulative_floors_and_the_last_takes_the_rest(
    lines: list[int], paid: list[int]
) -> None:
    progress, _ = run(paid, lines)
    floors = [sum(paid) * share // 10_000 for share in lines[:-1]]
    assert progress.posted_wei == (*floors, sum(paid) - sum(floors))


@given(shares(), amounts, st.data())
def test_how_it_was_batched_does_not_matter(
    lines: list[int], paid: list[int], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(paid)))
    merged = [sum(paid[:cut]), sum(paid[cut:])]
    assert run(paid, lines)[0] == run(merged, lines)[0]


@given(shares(), st.lists(st.integers(-(10**20), 10**20), min_size=1, max_size=15))
def test_every_batch_sums_to_what_was_paid_and_only_the_last_line_ever_gives_back(
    lines: list[int], paid: list[int]
) -> None:
    progress, posted = run(paid, lines)
    assert [sum(batch) for batch in posted] == paid
    assert all(amount >= 0 for batch in posted for amount in batch[:-1])
    assert sum(progress.posted_wei) == progress.paid_wei == sum(paid)


@given(shares(), st.lists(st.integers(-(10**20), 10**20), min_size=1, max_size=15))
def test_a_line_stands_at_its_share_of_the_most_that_was_ever_paid(
    lines: list[int], paid: list[int]
) -> None:
    progress, _ = run(paid, lines)
    most = max(0, *accumulate(paid))
    assert progress.posted_wei[:-1] == tuple(most * share // 10_000 for share in lines[:-1])


def test_a_net_negative_batch_is_made_up_for_by_the_next_ones() -> None:
    _, posted = run([1_000, -600, 500, 200], [3_000, 7_000])
    assert posted == [(300, 700), (0, -600), (0, 500), (30, 170)]


@pytest.mark.parametrize("lines", [[], [9_999], [10_001], [-1, 10_001], [5_000, 5_001]])
def test_shares_that_make_no_whole_are_refused(lines: list[int]) -> None:
    with pytest.raises(BadSplit):
        check_shares(shares_basis_points=lines)


@given(shares())
def test_shares_that_make_a_whole_pass(lines: list[int]) -> None:
    check_shares(shares_basis_points=lines)
