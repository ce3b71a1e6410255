"""The arithmetic of taxes contained in a payment."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import BASIS_POINTS
from accounts.tax import contained, taken_back

amounts = st.integers(min_value=0, max_value=10**12)
rates = st.lists(st.integers(min_value=0, max_value=10_000), max_size=6)


def test_sixteen_percent_of_a_thousand_shillings_net() -> None:
    assert contained(gross_minor=116_000, rates_basis_points=[1_600]) == [16_000]
    assert contained(gross_minor=50_000, rates_basis_points=[1_600]) == [6_897]
    assert contained(gross_minor=50_000, rates_basis_points=[]) == []


def test_a_levy_beside_the_tax_is_of_the_same_net_amount() -> None:
    assert contained(gross_minor=121_000, rates_basis_points=[1_600, 500]) == [16_000, 5_000]


def test_francs_have_no_smaller_unit() -> None:
    assert contained(gross_minor=1_000, rates_basis_points=[1_800]) == [153]
    assert contained(gross_minor=1, rates_basis_points=[1_800]) == [0]


@pytest.mark.parametrize(("gross", "rate"), [(-1, 1_600), (100, -1)])
def test_nothing_below_zero_is_taxed(gross: int, rate: int) -> None:
    with pytest.raises(ValueError, match="at least zero"):
        contained(gross_minor=gross, rates_basis_points=[rate])


@given(gross=amounts, lines=rates)
def test_parts_and_net_are_whole_and_sum_to_what_was_paid(gross: int, lines: list[int]) -> None:
    parts = contained(gross_minor=gross, rates_basis_points=lines)
    net = gross - sum(parts)
    assert len(parts) == len(lines)
    assert all(part >= 0 for part in parts)
    assert net >= 0


@given(gross=amounts, lines=rates)
def test_each_part_is_half_a_unit_off_at_most_for_each_line_so_far(
    gross: int, lines: list[int]
) -> None:
    parts = contained(gross_minor=gross, rates_basis_points=lines)
    whole = BASIS_POINTS + sum(lines)
    for position, (part, rate) in enumerate(zip(parts, lines, strict=True), start=1):
        assert abs(part - Fraction(gross * rate, whole)) <= Fraction(position, 2)


@given(gross=amounts, more=st.integers(min_value=0, max_value=1_000), lines=rates)
def test_no_part_shrinks_when_more_is_paid(gross: int, more: int, lines: list[int]) -> None:
    before = contained(gross_minor=gross, rates_basis_points=lines)
    after = contained(gross_minor=gross + more, rates_basis_points=lines)
    assert all(new >= old for new, old in zip(after, before, strict=True))
    assert gross + more - sum(after) >= gross - sum(before)


@given(
    steps=st.lists(st.integers(min_value=1, max_value=100_000), min_size=1, max_size=12),
    lines=rates,
)
def test_credit_notes_of_the_whole_sum_to_the_receipt(steps: list[int], lines: list[int]) -> None:
    sums, before = [0] * len(lines), 0
    for step in steps:
        parts = taken_back(before_minor=before, amount_minor=step, rates_basis_points=lines)
        assert all(part >= 0 for part in parts)
        assert sum(parts) <= step
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
        before += step
    assert sums == contained(gross_minor=before, rates_basis_points=lines)
