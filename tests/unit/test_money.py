"""Exact money: floors for credits, ceilings for what is asked, nothing lost on the way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import (
    CURRENCY_DECIMALS,
    UnknownCurrency,
    dai_string,
    decimal_string,
    minor_from_string,
    minor_from_wei,
    minor_per_major,
    minor_to_ask,
    wei_from_minor,
    wh_string,
)

currencies = st.sampled_from(sorted(CURRENCY_DECIMALS))
rates = st.fractions(min_value=Fraction(1, 100), max_value=5_000, max_denominator=10**8)
minors = st.integers(0, 10**15)
weis = st.integers(0, 10**40)


def test_shillings_become_wei_rounded_down() -> None:
    rate = Fraction("129.25")
    credited = wei_from_minor(amount_minor=50_000, currency="KES", local_per_dai=rate)
    assert credited == 3_868_471_953_578_336_557


def test_a_currency_without_decimals_has_its_units_for_minor_ones() -> None:
    assert minor_per_major(currency="XOF") == 1
    assert wei_from_minor(amount_minor=600, currency="XOF", local_per_dai=Fraction(600)) == 10**18


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(UnknownCurrency, match=r"accounts\.money"):
        minor_per_major(currency="XAU")


@given(minors, currencies, rates)
def test_a_credit_is_the_exact_amount_less_a_part_of_a_wei(
    amount: int, currency: str, rate: Fraction
) -> None:
    wei = wei_from_minor(amount_minor=amount, currency=currency, local_per_dai=rate)
    exact = Fraction(amount, minor_per_major(currency=currency)) / rate * 10**18
    assert 0 <= exact - wei < 1


@given(weis, currencies, rates)
def test_paying_what_was_asked_covers_what_was_wanted(
    wanted: int, currency: str, rate: Fraction
) -> None:
    asked = minor_to_ask(amount_wei=wanted, currency=currency, local_per_dai=rate)
    assert wei_from_minor(amount_minor=asked, currency=currency, local_per_dai=rate) >= wanted
    if asked:
        less = wei_from_minor(amount_minor=asked - 1, currency=currency, local_per_dai=rate)
        assert less < wanted


@given(minors, currencies, rates)
def test_what_is_shown_is_never_more_than_was_paid_and_at_most_one_unit_less(
    amount: int, currency: str, rate: Fraction
) -> None:
    wei = wei_from_minor(amount_minor=amount, currency=currency, local_per_dai=rate)
    shown = minor_from_wei(amount_wei=wei, currency=currency, local_per_dai=rate)
    assert amount - 1 <= shown <= amount


@given(weis, currencies, rates)
def test_a_debt_is_shown_like_the_same_credit(amount: int, currency: str, rate: Fraction) -> None:
    shown = minor_from_wei(amount_wei=amount, currency=currency, local_per_dai=rate)
    owed = minor_from_wei(amount_wei=-amount, currency=currency, local_per_dai=rate)
    assert owed == -shown


@given(st.integers(-(10**60), 10**60), st.integers(0, 30))
def test_decimal_strings_are_exact(amount: int, decimals: int) -> None:
    text = decimal_string(amount=amount, decimals=decimals)
    assert Fraction(text) * 10**decimals == amount


def test_strings_of_dai_and_watt_hours() -> None:
    assert dai_string(1) == "0.000000000000000001"
    assert dai_string(-1_500_000_000_000_000_000) == "-1.500000000000000000"
    assert wh_string(1_234_567) == "1234.567"


@given(st.integers(0, 10**15), currencies)
def test_a_providers_amount_is_read_back_exactly(amount: int, currency: str) -> None:
    text = decimal_string(amount=amount, decimals=CURRENCY_DECIMALS[currency])
    assert minor_from_string(text=text, currency=currency) == amount


@pytest.mark.parametrize(("text", "minor"), [("10", 1_000), ("10.5", 1_050), ("10.50", 1_050)])
def test_amounts_as_providers_write_them(text: str, minor: int) -> None:
    assert minor_from_string(text=text, currency="KES") == minor


@pytest.mark.parametrize("text", ["", "ten", "nan", "inf", "-inf", "1/2", "1/0", "10.005", "1,000"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an amount|more decimals"):
        minor_from_string(text=text, currency="KES")


def test_a_cent_of_a_currency_without_cents_is_refused() -> None:
    with pytest.raises(ValueError, match="more decimals than XOF"):
        minor_from_string(text="10.5", currency="XOF")
