"""How many SMS a text takes: GSM 03.38 septets where they suffice, UCS-2 otherwise."""

from __future__ import annotations

_BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = set("\f^{}\\[~]|€")


def segments(text: str) -> int:
    """Number of SMS the text is charged as: 160/153 septets or 70/67 UTF-16 units each."""
    if all(character in _BASIC or character in _EXTENDED for character in text):
        length, single, multiple = len(text) + sum(c in _EXTENDED for c in text), 160, 153
    else:
        length, single, multiple = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= single else -(-length // multiple)
