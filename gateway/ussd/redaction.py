"""Mask PINs in the cumulative text of a session before it is stored or logged.

The aggregator repeats every input in every later post and in its end event, so this must
work on the text alone, without knowing the household: it follows every way the screens could
have taken, and masks an input if any of them was asking for a PIN.
"""

import re
from typing import Final

from gateway.texts.amounts import whole_units
from gateway.ussd.screens import SCREENS

MASK: Final = "****"

# People type their mobile money PIN into the wrong screen; these have 4 to 6 digits.
_PIN_LIKE: Final = re.compile(r"[0-9]{4,6}")
_ALREADY_MASKED: Final = re.compile(r"(^|\*)\*{4}(?=\*|$)")
_PLACEHOLDER: Final = "\0"
_CODE_LIKE: Final = re.compile(r"(?=.*[A-Za-z]).{3,}")


def redact(text: str) -> str:
    """`text` with every input that was, or may have been, a PIN written as `****`.

    Masked are all inputs on PIN screens, at whatever depth, whether or not an account was
    chosen first, and 4 to 6 digits on any screen that does not ask for an amount. Amounts
    stay. Redacting twice changes nothing.
    """
    possible = {"menu", "accounts", "agent_menu"}
    redacted = []
    for part in _ALREADY_MASKED.sub(rf"\1{_PLACEHOLDER}", text).split("*"):
        entered = part.strip().removesuffix("#")
        redacted.append(MASK if _hides(entered, possible) else part)
        possible = {follower for name in possible for follower in _followers(name, entered)}
    return "*".join(redacted)


def _hides(entered: str, possible: set[str]) -> bool:
    if entered == _PLACEHOLDER:
        return True
    screens = [SCREENS[name] for name in possible]
    if any(screen.is_secret for screen in screens):
        return entered not in {"", "0"}
    if any(screen.takes_amount for screen in screens):
        return False
    return _PIN_LIKE.fullmatch(entered) is not None


def _followers(name: str, entered: str) -> set[str]:
    screen = SCREENS[name]
    option = screen.options.get(entered)
    ways = {option.screen} if option else {name, *screen.leads_to}
    if option and option.is_for_some:
        ways.add(name)
    if screen.takes_code and not option and _CODE_LIKE.fullmatch(entered) is None:
        ways = {name}
    if screen.takes_amount and whole_units(entered) is not None:
        # Taken as accepted, though it may be outside the limits: if not, the next amount is
        # masked for nothing; the other way round a PIN typed at the confirmation would stay.
        ways = set(screen.leads_to)
    return ways | {other for way in ways for other in SCREENS[way].diverts_to}
