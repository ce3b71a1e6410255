"""PINs: salted, peppered, and told only to whoever knows them."""

from __future__ import annotations

import pytest

from accounts.pins import hash_pin, is_right

PEPPER = "pepper"


def test_the_right_pin_is_right_and_others_are_not() -> None:
    stored = hash_pin(pin="4826", pepper=PEPPER)
    assert is_right(pin="4826", stored=stored, pepper=PEPPER)
    for wrong in ("4827", "482", "48260", "", "٤٨٢٦", "4826 "):
        assert not is_right(pin=wrong, stored=stored, pepper=PEPPER)


def test_another_pepper_makes_the_table_worthless() -> None:
    stored = hash_pin(pin="4826", pepper=PEPPER)
    assert not is_right(pin="4826", stored=stored, pepper="other")


def test_two_households_of_one_pin_have_two_hashes() -> None:
    first, second = (hash_pin(pin="4826", pepper=PEPPER) for _ in range(2))
    assert first != second
    assert "4826" not in first


def test_the_same_salt_gives_the_same_hash() -> None:
    salt = bytes(16)
    assert hash_pin(pin="4826", pepper=PEPPER, salt=salt) == hash_pin(
        pin="4826", pepper=PEPPER, salt=salt
    )
    assert len(hash_pin(pin="4826", pepper=PEPPER)) <= 200


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "scrypt",
        "scrypt$a",
        "a$b$c$d",
        "scrypt$!!!$x",
        "scrypt$AAA$x",
        "scrypt$é$x",
        "$$",
        "x$$",
    ],
)
def test_what_is_no_hash_has_no_right_pin(stored: str) -> None:
    assert not is_right(pin="4826", stored=stored, pepper=PEPPER)
