"""Site rates (what a site credits at) and market quotes (what sources say)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction

from accounts.models import RateQuote, Site, SiteRate


class NoSiteRate(LookupError):
    """No rate was ever published for the site in its currency."""


def at_site(*, site: Site, at: datetime) -> Fraction:
    """Return the local money per DAI that the site credits at.

    The last published rate holds when no period covers the instant: received money always
    credits. Raises NoSiteRate where there never was one.
    """
    rate = (
        SiteRate.objects.filter(site=site, currency=site.currency, validity__startswith__lte=at)
        .order_by("-validity__startswith")
        .first()
        or SiteRate.objects.filter(site=site, currency=site.currency).order_by("validity").first()
    )
    if rate is None:
        raise NoSiteRate(f"site {site.slug} has no rate in {site.currency}: publish one")
    return Fraction(rate.local_per_dai)


def market(*, currency: str, at: datetime) -> Fraction | None:
    """Return the freshest quote that may still be used at the instant, or None."""
    quote = (
        RateQuote.objects.filter(currency=currency, quoted_at__lte=at, expires_at__gt=at)
        .order_by("-quoted_at", "source")
        .first()
    )
    return None if quote is None else Fraction(quote.local_per_dai)


@transaction.atomic
def publish(
    *,
    site: Site,
    local_per_dai: Decimal,
    starts_at: datetime,
    at: datetime,
    sources: list[dict[str, Any]] | None = None,
) -> SiteRate:
    """Publish the rate from an instant on; the period before it ends there.

    Raises ValueError where that would take back a period that a rate was published for.
    """
    before = SiteRate.objects.filter(site=site, validity__endswith__isnull=True).first()
    if before is not None:
        if starts_at <= before.validity.lower:
            raise ValueError(f"the rate must begin after {before.validity.lower:%Y-%m-%d %H:%M}")
        before.validity = (before.validity.lower, starts_at)
        before.save(update_fields=["validity"])
    return SiteRate.objects.create(
        site=site,
        currency=site.currency,
        local_per_dai=local_per_dai,
        validity=(starts_at, None),
        sources=sources or [],
        published_at=at,
    )


def store_quote(
    *, source: str, currency: str, local_per_dai: Decimal, quoted_at: datetime, expires_at: datetime
) -> None:
    """Keep one source's answer; the same answer again changes nothing."""
    RateQuote.objects.get_or_create(
        source=source,
        currency=currency,
        quoted_at=quoted_at,
        defaults={"local_per_dai": local_per_dai, "expires_at": expires_at},
    )
