"""One answer to the phone: `CON ` keeps the session open, `END ` closes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.sms.gsm import cut, septets, to_gsm7
from gateway.texts.fit import Line, fit

HARD_LIMIT_SEPTETS: Final = 182
SAFE_LIMIT_SEPTETS: Final = 160
_PREFIX_SEPTETS: Final = 4


@dataclass(frozen=True, slots=True)
class Page:
    """GSM-7 text of at most 178 septets, so that `body` keeps within 182."""

    text: str
    ends: bool

    @property
    def body(self) -> str:
        """What the HTTP answer holds: `CON ...` or `END ...`."""
        return ("END " if self.ends else "CON ") + self.text

    @property
    def septets(self) -> int:
        """Length of the body, prefix included."""
        return septets(self.body)


def compose(lines: Sequence[Line]) -> str:
    """Lines as page text of 156 septets; longer only if what may not be left out is longer."""
    sendable = [
        Line(text=to_gsm7(line.text), rank=line.rank, short=to_gsm7(line.short)) for line in lines
    ]
    return fit(sendable, at_most_septets=SAFE_LIMIT_SEPTETS - _PREFIX_SEPTETS)


def page(lines: Sequence[Line], *, ends: bool) -> Page:
    """A page that any handset takes, whatever the names in it: at the worst it is cut."""
    text = cut(compose(lines), at_most_septets=HARD_LIMIT_SEPTETS - _PREFIX_SEPTETS)
    return Page(text=text, ends=ends)
