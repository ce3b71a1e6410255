"""Asking the sources of rates and keeping what they say."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings

from accounts import site_rates
from accounts.models import Site
from gateway.rates.sources import FixedTable, HttpTable, Source, SourceUnavailable

log = structlog.get_logger(__name__)

DEMO_TABLE = {"KES": Decimal("129.40"), "XOF": Decimal("604.50")}


def sources() -> list[Source]:
    """Return the sources that are set up."""
    found: list[Source] = []
    if settings.RATES_URL:
        found.append(HttpTable(url=settings.RATES_URL))
    elif settings.DEMO:
        found.append(FixedTable(table=DEMO_TABLE))
    return found


def fetch(*, at: datetime, asked: list[Source] | None = None) -> int:
    """Store the quotes of every source that answers; return how many."""
    currencies = set(Site.objects.filter(closed_at__isnull=True).values_list("currency", flat=True))
    stored = 0
    for source in sources() if asked is None else asked:
        try:
            quotes = source.quotes(currencies=currencies, at=at)
        except SourceUnavailable as error:
            log.warning("rates unavailable", source=source.name, error=str(error))
            continue
        for quote in quotes:
            site_rates.store_quote(
                source=source.name,
                currency=quote.currency,
                local_per_dai=quote.local_per_dai,
                quoted_at=quote.quoted_at,
                expires_at=quote.expires_at,
            )
            stored += 1
    return stored
