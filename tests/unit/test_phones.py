"""Phone numbers as people and networks write them."""

from __future__ import annotations

import pytest

from accounts.phones import E164, LONGEST_CHARACTERS, BadPhone, normalise


@pytest.mark.parametrize(
    "text",
    [
        "+254711000001",
        "254711000001",
        "00254711000001",
        "0711000001",
        "711000001",
        " +254 711 000-001 ",
        "+254 (711) 000.001",
        "+254711000001\n",
    ],
)
def test_one_number_has_one_form(text: str) -> None:
    assert normalise(text=text) == "+254711000001"


@pytest.mark.parametrize(
    ("text", "country", "phone"),
    [
        ("221770000001", "KE", "+221770000001"),
        ("770000001", "SN", "+221770000001"),
        ("+1 415 555 2671", "KE", "+14155552671"),
    ],
)
def test_local_forms_follow_the_country(text: str, country: str, phone: str) -> None:
    assert normalise(text=text, country=country) == phone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "0",
        "nobody",
        "12",
        "+0711000001",
        "0711 CALL ME",
        "0711000001;ext=5",
        "tel:+254711000001",
        "+254711000001,+254711000002",
        "+2547110000011234567",
        "2547****0001",
        "\u0660\u0667\u0661\u0661\u0660\u0660\u0660\u0660\u0660\u0661",
        "+254711000001\x00",
        "\ud800",
        "a" * 64,
        "9" * 100_000,
        "+254711000001" + " " * LONGEST_CHARACTERS + "9",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadPhone):
        normalise(text=text)


@pytest.mark.parametrize("text", ["+1234567", "+999999999999999"])
def test_what_is_accepted_fits_the_column(text: str) -> None:
    assert E164.fullmatch(normalise(text=text))
