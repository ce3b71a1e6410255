"""Mask PINs in messages from phones before they are stored: people send them, unasked."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

from gateway.sms import words as spoken
from gateway.ussd.redaction import MASK

_PIN_LIKE: Final = re.compile(r"(?<![0-9])[0-9]{4,6}(?![0-9])")


def redact_text(text: str) -> str:
    """`text` with every number of 4 to 6 digits masked that its command has no use for.

    An amount and an account's code stay: without them the command would mean something else.
    """
    meaning = spoken.parse(text)
    for found in reversed(list(_PIN_LIKE.finditer(text))):
        masked = text[: found.start()] + MASK + text[found.end() :]
        if spoken.parse(masked) == meaning:
            text = masked
    return text


def redact_message(body: str) -> str:
    """The form-encoded body of an inbound message with its text redacted; otherwise as it came."""
    fields = parse_qsl(body, keep_blank_values=True)
    if not any(name == "text" for name, _ in fields):
        return mask_numbers(body)
    clean = [(name, redact_text(value) if name == "text" else value) for name, value in fields]
    return body if clean == fields else urlencode(clean)


def mask_numbers(body: str) -> str:
    """A body of unknown form with every number of 4 to 6 digits masked."""
    return _PIN_LIKE.sub(MASK, body)
