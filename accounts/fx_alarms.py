"""Alarms of exchange rates: sources, DAI's peg to the dollar, the FX reserve and exposure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from fractions import Fraction

from accounts import alarms, exposure, site_rates
from accounts.exposure import CryptoPosition, Overview, Position
from accounts.models import Alarm, Operator, RateQuote
from accounts.money import WEI_PER_DAI
from accounts.rate_agreement import (
    DAI_HIGHEST_USD,
    DAI_LOWEST_USD,
    USD,
    State,
    describe,
    is_dollar,
    rate_text,
)

Kind = Alarm.Kind

PATIENCE = timedelta(minutes=15)
"""A source is asked again before anybody is called because its last quote has run out."""
DEPEG_KEY = "dai_depeg"


def watch_source(*, source: str, failure: str, at: datetime) -> None:
    """Note how asking a source went; failure is "" where it answered.

    An alarm tells of it once its last quote has run out for longer than PATIENCE.
    """
    key = f"rate_source:{source}"
    if not failure:
        alarms.clear(key=key, at=at)
        return
    last = RateQuote.objects.filter(source=source).order_by("-expires_at").first()
    if last is None or last.expires_at + PATIENCE <= at:
        alarms.raise_alarm(kind=Kind.RATE_SOURCES, key=key, text=failure, at=at)


def watch_peg(
    *, source: str, currency: str, per_euro: Fraction, is_kept: bool, at: datetime
) -> None:
    """Note whether a source keeps a currency's peg; per_euro is what it makes of a euro."""
    key = f"rate_peg:{source}:{currency}"
    if is_kept:
        alarms.clear(key=key, at=at)
        return
    text = f"{source} tells {rate_text(per_euro)} {currency} per EUR: refused, off its peg"
    alarms.raise_alarm(kind=Kind.RATE_SOURCES, key=key, text=text, at=at)


def watch_agreement(*, currencies: Collection[str], at: datetime) -> None:
    """Raise or clear the alarm of each currency whose sources contradict each other."""
    for currency in currencies:
        found = site_rates.agreement(currency=currency, at=at)
        key = f"rate_agreement:{currency}"
        if found.state == State.DISAGREEING:
            text = f"Sources of {currency}: {describe(found)}"
            alarms.raise_alarm(kind=Kind.RATE_SOURCES, key=key, text=text, at=at)
        elif found.state != State.NONE:
            alarms.clear(key=key, at=at)


def watch_dai(*, at: datetime) -> None:
    """Raise or clear the alarm of DAI that is no dollar any more, if any fresh source says so."""
    told = site_rates.agreement(currency=USD, at=at).opinions
    off = [each for each in told if not is_dollar(usd_per_dai=each.local_per_dai)]
    if off:
        bounds = f"{rate_text(DAI_LOWEST_USD)} to {rate_text(DAI_HIGHEST_USD)} USD"
        says = ", ".join(f"{each.source} {rate_text(each.local_per_dai)}" for each in off)
        alarms.raise_alarm(
            kind=Kind.DAI_DEPEG,
            key=DEPEG_KEY,
            text=f"A DAI is outside {bounds}: {says}",
            at=at,
        )
    elif told:
        alarms.clear(key=DEPEG_KEY, at=at)


def watch_exposure(*, at: datetime) -> None:
    """Raise or clear the alarms of every operator's FX reserve and exposure."""
    for operator in Operator.objects.filter(closed_at__isnull=True).order_by("pk"):
        _watch_operator(exposure.of_operator(operator=operator, at=at))


def _watch_operator(seen: Overview) -> None:
    operator, at = seen.operator, seen.at
    key = f"fx_reserve:{operator.pk}"
    if seen.is_reserve_beyond_limit:
        lost, limit = _dai(-seen.reserve_wei), _dai(operator.fx_reserve_limit_wei)
        alarms.raise_alarm(
            kind=Kind.FX_RESERVE,
            key=key,
            text=f"The FX reserve has lost {lost}, its limit is {limit}",
            at=at,
            operator=operator,
        )
    else:
        alarms.clear(key=key, at=at)
    prefix = f"fx_exposure:{operator.pk}:"
    beyond: dict[str, Position | CryptoPosition] = {
        each.currency: each for each in seen.positions if seen.is_beyond_limit(each)
    }
    beyond |= {each.asset: each for each in seen.crypto if seen.is_beyond_limit(each)}
    for currency, position in beyond.items():
        size, limit = _dai(position.size_wei), _dai(operator.fx_exposure_limit_wei)
        alarms.raise_alarm(
            kind=Kind.FX_EXPOSURE,
            key=f"{prefix}{currency}",
            text=f"{size} of {currency} wait to be converted, the limit is {limit}",
            at=at,
            operator=operator,
        )
    for alarm in Alarm.objects.filter(key__startswith=prefix, cleared_at=None):
        if alarm.key.removeprefix(prefix) not in beyond:
            alarms.clear(key=alarm.key, at=at)


def _dai(amount_wei: int) -> str:
    return f"{rate_text(Fraction(amount_wei, WEI_PER_DAI))} DAI"
