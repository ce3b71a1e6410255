"""Reading the text of a PDF whose pages are not compressed and whose fonts are standard ones."""

from __future__ import annotations

import re

_SHOWN = re.compile(rb"\(((?:\\.|[^\\()])*)\) Tj")
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


def texts(pdf: bytes) -> list[str]:
    """Return each string that a page shows, in order."""
    return [_ESCAPED.sub(_plain, raw).decode("cp1252") for raw in _SHOWN.findall(pdf)]


def _plain(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes((int(code, 8),)) if len(code) == 3 else code
