"""Amounts of money as people type them."""

import re
from typing import Final

# Digits, thousands in groups of three by comma or space, and decimals only if they are zero:
# every rail here takes whole units. "1.000" is 1 or 1,000 according to who writes it: refused.
_WHOLE: Final = re.compile(r"(?P<units>[0-9]{1,18}|[0-9]{1,3}(?:[ ,][0-9]{3}){1,5})(?:[.,]00?)?")


def whole_units(text: str) -> int | None:
    """The amount in whole units of its currency, or None if `text` is not surely one.

    "500", "500.00", "500,00", "1,000" and "1 000" are amounts; "1.000", "500.50", "-5",
    "5e3" and "" are not.
    """
    match = _WHOLE.fullmatch(text.strip())
    if match is None:
        return None
    return int(re.sub(r"[ ,]", "", match["units"]))
