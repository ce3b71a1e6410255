"""The languages households can choose."""

from typing import Final, Literal

Language = Literal["en", "fr", "sw"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr", "sw")
FALLBACK: Final[Language] = "en"


def language_of(code: str) -> Language:
    """The language for a stored code such as "fr" or "FR"; English for one we do not speak.

    A household whose row holds an odd code must still be served.
    """
    lowered = code.strip().lower()
    for language in LANGUAGES:
        if language == lowered:
            return language
    return FALLBACK
