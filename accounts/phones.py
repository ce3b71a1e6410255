"""Phone numbers as the service keeps them: E.164."""

from __future__ import annotations

import re

import phonenumbers

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
DIGITS = re.compile(r"\+?[0-9]{5,15}")
LONGEST_CHARACTERS = 40


class BadPhone(ValueError):
    """The text is no phone number."""


def normalise(*, text: str, country: str = "KE") -> str:
    """Return E.164 of a number as people and networks write it; country is for local forms.

    Raises BadPhone.
    """
    if len(text) > LONGEST_CHARACTERS:
        raise BadPhone(f"{len(text)} characters are no phone number")
    compact = re.sub(r"[\s().-]", "", text)
    if compact.startswith("00"):
        compact = "+" + compact[2:]
    if E164.fullmatch(compact):
        return compact
    if E164.fullmatch("+" + compact) and not compact.startswith("0") and len(compact) > 10:
        return "+" + compact
    # phonenumbers would read letters as keys and drop what follows an extension.
    if DIGITS.fullmatch(compact) is None:
        raise BadPhone(f"{text!r} is not a phone number")
    try:
        number = phonenumbers.parse(compact, country)
    except phonenumbers.NumberParseException as error:
        raise BadPhone(f"{text!r} is not a phone number: {error}") from None
    if not phonenumbers.is_possible_number(number):
        raise BadPhone(f"{text!r} is not a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
