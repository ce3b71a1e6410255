"""Lay lines out within a limit of septets, giving up the least important first."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.sms.gsm import septets


@dataclass(frozen=True, slots=True)
class Line:
    """One line or sentence of a message.

    rank 0 always stays as it is; of the others the highest rank gives way first, to its
    `short` form if it has one and otherwise altogether.
    """

    text: str
    rank: int = 0
    short: str = ""


def fit(lines: Sequence[Line], *, at_most_septets: int, joiner: str = "\n") -> str:
    """The lines joined, shortened until they fit; longer only if all the rest has rank 0."""
    kept = [line for line in lines if line.text]
    text = joiner.join(line.text for line in kept)
    while septets(text) > at_most_septets:
        rank = max((line.rank for line in kept), default=0)
        if rank == 0:
            break
        # All lines of one rank give way together: a table half with costs reads badly.
        kept = [line if line.rank != rank else Line(text=line.short) for line in kept]
        kept = [line for line in kept if line.text]
        text = joiner.join(line.text for line in kept)
    return text
