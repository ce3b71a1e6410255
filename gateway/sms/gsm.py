"""The GSM-7 alphabet: what a message costs, and how to keep it from falling to UCS-2.

The alphabet is the one of the `gsm0338` codec (3GPP TS 23.038), without its control
characters: the codec also encodes a bare ESC, which a handset reads as half a character.
"""

import unicodedata
from typing import Final

from gsm0338 import Codec

SINGLE_SEPTETS: Final = 160
PART_SEPTETS: Final = 153

_CONTROLS: Final = frozenset("\x1b\x0c\r")


def _alphabet(*, octets: int) -> frozenset[str]:
    codec = Codec()
    found = set()
    for code in (*range(0x80), *range(0x1B00, 0x1B80)):
        raw = bytes((code,)) if code < 0x80 else code.to_bytes(2, "big")
        if len(raw) == octets:
            found.add(codec.decode(raw, "ignore")[0])
    return frozenset(character for character in found - _CONTROLS if len(character) == 1)


BASIC: Final = _alphabet(octets=1)
EXTENSION: Final = _alphabet(octets=2)
_ALL: Final = BASIC | EXTENSION

# What decomposing into letter and accent does not give.
_WRITTEN_AS: Final = {
    "œ": "oe", "Œ": "OE", "ɛ": "e", "Ɛ": "E", "ɔ": "o", "Ɔ": "O", "ɲ": "n", "Ɲ": "N",
    "ŋ": "n", "Ŋ": "N", "ɗ": "d", "Ɗ": "D", "ɓ": "b", "Ɓ": "B", "ƴ": "y", "Ƴ": "Y",
    "‘": "'", "’": "'", "ʼ": "'", "‚": "'", "`": "'", "´": "'", "“": '"', "”": '"',
    "„": '"', "«": '"', "»": '"', "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-",
    "•": "-", "×": "x", "÷": "/", "⁄": "/", "\t": " ", "\r": "\n", "\u2028": "\n", "\u2029": "\n",
    "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ı": "i",
}  # fmt: skip


def not_gsm7(text: str) -> str:
    """The characters of `text` that GSM-7 does not have, each once, in order."""
    return "".join(dict.fromkeys(character for character in text if character not in _ALL))


def septets(text: str) -> int:
    """Length in septets; characters of the extension table (`[ ] { } \\ | ^ ~ EUR`) cost 2.

    Raises ValueError if a character is not in GSM-7: make it sendable with to_gsm7 first.
    """
    if strangers := not_gsm7(text):
        raise ValueError(f"not in GSM-7: {strangers!r}")
    return len(text) + sum(map(text.count, EXTENSION))


def segments(text: str) -> int:
    """SMS parts that `text` is billed as: 160 septets in one, 153 in each of several.

    An escape and its character stay in one part, so a part may hold 152.
    """
    if septets(text) <= SINGLE_SEPTETS:
        return 1
    parts, used = 1, 0
    for character in text:
        cost = 2 if character in EXTENSION else 1
        if used + cost > PART_SEPTETS:
            parts, used = parts + 1, 0
        used += cost
    return parts


def to_gsm7(text: str) -> str:
    """`text` with everything GSM-7 lacks written in what it has.

    Accents it lacks are dropped, quotes and dashes become plain, no-break spaces become
    spaces, other scripts become "?", control and invisible characters vanish.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(
        character if character in _ALL else _nearest(character) for character in composed
    )


def cut(text: str, *, at_most_septets: int) -> str:
    """The longest beginning of a GSM-7 `text` within so many septets."""
    if septets(text) <= at_most_septets:
        return text
    used = 0
    for position, character in enumerate(text):
        used += 2 if character in EXTENSION else 1
        if used > at_most_septets:
            return text[:position]
    return text


def _nearest(character: str) -> str:
    if character in _WRITTEN_AS:
        return _WRITTEN_AS[character]
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category[0] in "CM":
        return ""
    plain = "".join(
        _WRITTEN_AS.get(part, part)
        for part in unicodedata.normalize("NFKD", character)
        if not unicodedata.combining(part)
    )
    kept = "".join(part for part in plain if part in _ALL)
    return kept or "?"
