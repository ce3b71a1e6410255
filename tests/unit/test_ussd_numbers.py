"""Numbers as households read them, from integers and fractions only."""

from fractions import Fraction

import pytest

from gateway.texts import numbers
from gateway.texts.amounts import whole_units
from gateway.texts.languages import Language, language_of


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (123_400, "KES", "en", "KES 1,234"),
        (123_499, "KES", "sw", "KES 1,234"),
        (1_234, "XOF", "fr", "1 234 FCFA"),
        (1_234, "XOF", "en", "FCFA 1,234"),
        (1_250, "KES", "en", "KES 12.50"),
        (1_250, "KES", "fr", "12,50 KES"),
        (1_200, "KES", "en", "KES 12"),
        (9_999, "KES", "en", "KES 99.99"),
        (10_050, "KES", "en", "KES 100"),
        (0, "KES", "en", "KES 0"),
        (5, "KES", "en", "KES 0.05"),
        (-123_456, "KES", "en", "KES -1,234"),
        (10**11, "KES", "fr", "1 000 000 000 KES"),
    ],
)
def test_money_is_written_as_people_write_it(
    minor: int, currency: str, language: Language, text: str
) -> None:
    assert numbers.money(minor, currency, language=language) == text


def test_an_exact_amount_keeps_its_cents() -> None:
    assert numbers.money(50_050, "KES", language="en", exact=True) == "KES 500.50"
    assert numbers.money(50_000, "KES", language="en", exact=True) == "KES 500"


@pytest.mark.parametrize(
    ("energy_milliwatt_hours", "text"),
    [
        (0, "0"),
        (-5, "0"),
        (400, "<0.001"),
        (5_000, "0.005"),
        (350_000, "0.35"),
        (1_200_000, "1.20"),
        (34_512_345, "34.5"),
        (1_234_567_890, "1,235"),
    ],
)
def test_energy_has_sensible_digits(energy_milliwatt_hours: int, text: str) -> None:
    assert numbers.kwh(energy_milliwatt_hours, language="en") == text


@pytest.mark.parametrize(
    ("amount_wei", "text"),
    [
        (0, "0.0000"),
        (10**18 - 1, "0.9999"),
        (3_859_999_999_999_999_999, "3.85"),
        (1_234 * 10**18, "1,234.00"),
    ],
)
def test_dai_is_cut_and_never_rounded_up(amount_wei: int, text: str) -> None:
    assert numbers.dai(amount_wei, language="en") == text


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (Fraction(1813, 200), "KES", "KES 9.07"),
        (Fraction(42), "XOF", "FCFA 42.0"),
        (Fraction(4201, 10), "XOF", "FCFA 420"),
        (Fraction(12_345), "KES", "KES 12,345"),
    ],
)
def test_a_unit_price_keeps_the_digits_that_matter(
    units: Fraction, currency: str, text: str
) -> None:
    assert numbers.unit_price(units, currency, language="en") == text


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("500", 500),
        (" 500 ", 500),
        ("1,000", 1_000),
        ("1 000 000", 1_000_000),
        ("500.00", 500),
        ("500,0", 500),
        ("1,000.00", 1_000),
        ("1.000", None),
        ("500.50", None),
        ("1,00,0", None),
        ("12,34", None),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("9" * 19, None),
    ],
)
def test_an_amount_is_read_only_if_it_is_sure(text: str, units: int | None) -> None:
    assert whole_units(text) == units


def test_a_language_we_do_not_speak_is_english() -> None:
    assert [language_of(code) for code in ("fr", " SW", "de", "")] == ["fr", "sw", "en", "en"]


@pytest.mark.parametrize(
    ("basis_points", "language", "text"),
    [
        (1_600, "en", "16%"),
        (1_600, "fr", "16 %"),
        (1_870, "sw", "18.7%"),
        (1_875, "fr", "18,75 %"),
        (5, "en", "0.05%"),
        (0, "en", "0%"),
    ],
)
def test_a_rate_has_the_decimals_it_needs(basis_points: int, language: Language, text: str) -> None:
    assert numbers.percent(basis_points, language=language) == text
