"""Asking the sources of rates and keeping what they say."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import structlog
from django.conf import settings

from accounts import fx_alarms, site_rates
from accounts.models import Site
from accounts.rate_agreement import EUR, PER_EURO, USD, keeps_peg
from gateway.rates.chainlink import ChainlinkFeed
from gateway.rates.coingecko import CoinPrice
from gateway.rates.sources import FixedTable, HttpTable, Quote, Source, SourceUnavailable

log = structlog.get_logger(__name__)

DEMO_TABLE = {"KES": Decimal("129.40"), "XOF": Decimal("604.50")}


def sources() -> list[Source]:
    """Return the sources that are set up."""
    return [*tables(), *feeds()]


def tables() -> list[Source]:
    """Return the sources of fiat money."""
    found: list[Source] = []
    if settings.RATES_URL:
        found.append(HttpTable(url=settings.RATES_URL))
    if settings.RATES_URL_2:
        found.append(HttpTable(url=settings.RATES_URL_2, name="http-2"))
    if not found and settings.DEMO:
        found.append(FixedTable(table=DEMO_TABLE))
    return found


def feeds() -> list[Source]:
    """Return the sources of what a DAI is worth in US dollars."""
    found: list[Source] = []
    if settings.DAI_USD_FEED_ADDRESS:
        found.append(
            ChainlinkFeed(
                url=settings.DAI_USD_FEED_RPC_URL,
                address=settings.DAI_USD_FEED_ADDRESS,
                chain_id=settings.DAI_USD_FEED_CHAIN_ID,
                heartbeat=timedelta(seconds=settings.DAI_USD_FEED_HEARTBEAT_SECONDS),
            )
        )
    if settings.DAI_USD_URL:
        found.append(CoinPrice(url=settings.DAI_USD_URL))
    return found


def fetch(*, at: datetime, asked: list[Source] | None = None) -> int:
    """Store the quotes of every source that answers; return how many.

    A quote of a pegged currency that breaks the peg is refused. Raises and clears the alarms of
    sources that fail or contradict each other, and of DAI that is no dollar any more.
    """
    local = set(Site.objects.filter(closed_at__isnull=True).values_list("currency", flat=True))
    stored = 0
    for source in sources() if asked is None else asked:
        try:
            quotes = source.quotes(currencies=local | {USD, EUR}, at=at)
        except SourceUnavailable as error:
            log.warning("rates unavailable", source=source.name, error=str(error))
            fx_alarms.watch_source(source=source.name, failure=str(error), at=at)
            continue
        fx_alarms.watch_source(source=source.name, failure="", at=at)
        believed = _believed(source, quotes, at=at)
        for quote in believed:
            site_rates.store_quote(
                source=source.name,
                currency=quote.currency,
                local_per_dai=quote.local_per_dai,
                quoted_at=quote.quoted_at,
                expires_at=quote.expires_at,
            )
        stored += len(believed)
    fx_alarms.watch_agreement(currencies=local, at=at)
    fx_alarms.watch_dai(at=at)
    return stored


def _believed(source: Source, quotes: list[Quote], *, at: datetime) -> list[Quote]:
    """Leave out what breaks a peg to the euro, where the source tells euros as well."""
    rates = {quote.currency: Fraction(quote.local_per_dai) for quote in quotes}
    believed = []
    for quote in quotes:
        is_kept = True
        if EUR in rates and quote.currency in PER_EURO:
            is_kept = keeps_peg(
                currency=quote.currency,
                local_per_dai=rates[quote.currency],
                eur_per_dai=rates[EUR],
            )
            fx_alarms.watch_peg(
                source=source.name,
                currency=quote.currency,
                per_euro=rates[quote.currency] / rates[EUR],
                is_kept=is_kept,
                at=at,
            )
        if is_kept:
            believed.append(quote)
    return believed
