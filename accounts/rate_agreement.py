"""Whether sources of rates agree, and on what. Pure: no Django, no float.

A table tells local money, US dollars and euros per DAI. A feed tells US dollars per DAI alone; what
it says of local money is that, times the tables' local money per US dollar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from accounts.money import BASIS_POINTS, decimal_string

USD, EUR = "USD", "EUR"
RATE_DECIMALS = 8

PER_EURO = {"XAF": Fraction("655.957"), "XOF": Fraction("655.957")}
"""Currencies that a treaty pegs to the euro."""
PEG_TOLERANCE_BASIS_POINTS = 50

DAI_LOWEST_USD, DAI_HIGHEST_USD = Fraction("0.98"), Fraction("1.02")
"""Outside of this a DAI is no dollar any more, and people have to decide what to do."""


class State(StrEnum):
    """How far the sources of a currency can be believed."""

    AGREED = "agreed"
    ALONE = "alone"  # one source only: nothing to check it against
    DISAGREEING = "disagreeing"
    NONE = "none"  # every source is stale or silent


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What one source said of one currency: units of it for one DAI."""

    source: str
    currency: str
    local_per_dai: Fraction
    quoted_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What one source makes of a currency; quoted_at is that of the oldest quote behind it."""

    source: str
    local_per_dai: Fraction
    quoted_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """The opinions about one currency, their median, and how far they lie apart."""

    currency: str
    state: State
    opinions: tuple[Opinion, ...]
    median: Fraction | None
    spread_basis_points: int


def agree(*, told: Iterable[Told], currency: str, tolerance_basis_points: int) -> Agreement:
    """Compare the sources that are fresh: at most one quote of a source and currency.

    They agree if the highest is no further above the lowest than the tolerance.
    """
    opinions = tuple(sorted(_opinions(list(told), currency=currency), key=lambda each: each.source))
    rates = sorted(opinion.local_per_dai for opinion in opinions)
    if not rates:
        return Agreement(
            currency=currency, state=State.NONE, opinions=(), median=None, spread_basis_points=0
        )
    spread = (rates[-1] / rates[0] - 1) * BASIS_POINTS
    state = State.AGREED if spread <= tolerance_basis_points else State.DISAGREEING
    return Agreement(
        currency=currency,
        state=state if len(rates) > 1 else State.ALONE,
        opinions=opinions,
        median=median(rates),
        spread_basis_points=-int(-spread // 1),
    )


def _opinions(told: Sequence[Told], *, currency: str) -> Iterable[Opinion]:
    own = {each.source: each for each in told if each.currency == currency}
    for each in own.values():
        yield Opinion(
            source=each.source, local_per_dai=each.local_per_dai, quoted_at=each.quoted_at
        )
    in_usd = {each.source: each for each in told if each.currency == USD}
    tables = [(own[source], in_usd[source]) for source in own.keys() & in_usd.keys()]
    if currency == USD or not tables:
        return
    local_per_usd = median(sorted(local.local_per_dai / usd.local_per_dai for local, usd in tables))
    oldest = min(quote.quoted_at for pair in tables for quote in pair)
    for feed in in_usd.values():
        if feed.source not in own:
            yield Opinion(
                source=feed.source,
                local_per_dai=local_per_usd * feed.local_per_dai,
                quoted_at=min(oldest, feed.quoted_at),
            )


def median(rates: Sequence[Fraction]) -> Fraction:
    """Return the middle of sorted rates, or the mean of the two in the middle."""
    middle = len(rates) // 2
    if len(rates) % 2:
        return rates[middle]
    return (rates[middle - 1] + rates[middle]) / 2


def keeps_peg(*, currency: str, local_per_dai: Fraction, eur_per_dai: Fraction) -> bool:
    """Return whether a source's rates of a currency and of the euro fit the peg, if it has one."""
    if currency not in PER_EURO:
        return True
    off = abs(local_per_dai / eur_per_dai / PER_EURO[currency] - 1)
    return off * BASIS_POINTS <= PEG_TOLERANCE_BASIS_POINTS


def is_dollar(*, usd_per_dai: Fraction) -> bool:
    """Return whether a DAI still stands near one US dollar."""
    return DAI_LOWEST_USD <= usd_per_dai <= DAI_HIGHEST_USD


def basis_points_between(*, before: Fraction, after: Fraction) -> int:
    """Return the change from one rate to another, towards zero: 129 -> 130 is 77."""
    return int((after / before - 1) * BASIS_POINTS)


def rate_text(rate: Fraction) -> str:
    """Write a rate with the eight decimals that are kept (half to even), less trailing zeros."""
    kept = round(rate * 10**RATE_DECIMALS)
    return decimal_string(amount=kept, decimals=RATE_DECIMALS).rstrip("0").rstrip(".")


def percent_text(basis_points: int) -> str:
    """Write basis points as a percentage: 77 -> "0.77 %"."""
    return f"{decimal_string(amount=basis_points, decimals=2)} %"


def describe(found: Agreement) -> str:
    """Say how far the sources agree, for a person."""
    if found.state == State.NONE:
        return "none is fresh"
    told = ", ".join(f"{each.source} {rate_text(each.local_per_dai)}" for each in found.opinions)
    if found.state == State.ALONE:
        return f"only one is fresh ({told})"
    apart = percent_text(found.spread_basis_points)
    if found.state == State.DISAGREEING:
        return f"they contradict each other, {apart} apart ({told})"
    return f"they agree, {apart} apart ({told})"
