"""Site rates (what a site credits at) and market quotes (what sources say)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Case, F, When

from accounts import rate_agreement
from accounts.models import RateQuote, Site, SiteRate, User
from accounts.money import BASIS_POINTS
from accounts.rate_agreement import Agreement, State, Told


class NoSiteRate(LookupError):
    """No rate was ever published for the site in its currency."""


class RateTooEarly(ValueError):
    """The rate would begin before, or together with, one that was published."""


def at_site(*, site: Site, at: datetime) -> Fraction:
    """Return the local money per DAI that the site credits at; see in_force.

    Raises NoSiteRate where there never was a rate.
    """
    rate = in_force(sites=[site], at=at).get(site.pk)
    if rate is None:
        raise NoSiteRate(f"site {site.slug} has no rate in {site.currency}: publish one")
    return Fraction(rate.local_per_dai)


def in_force(*, sites: Iterable[Site], at: datetime) -> dict[int, SiteRate]:
    """Return the rate that each site credits at, by the site's id, where there ever was one.

    The last published rate holds when no period covers the instant, and the first one before any
    has begun: received money always credits.
    """
    begun_at = Case(When(validity__startswith__lte=at, then=F("validity__startswith")))
    rates = (
        SiteRate.objects.filter(site__in=list(sites), currency=F("site__currency"))
        .order_by("site_id", begun_at.desc(nulls_last=True), "validity__startswith")
        .distinct("site_id")
    )
    return {rate.site_id: rate for rate in rates}


def of_payment(*, site: Site, paid_at: datetime, at: datetime) -> Fraction:
    """Return the local money per DAI that a payment is credited at, behind the site's locked book.

    It is the rate of the instant of payment. A payment that comes in after later changes of the
    rate gets what these changes gave to the funds of households, so that it is worth as much as
    had it been credited in time. Raises NoSiteRate.
    """
    known = in_force(sites=[site], at=paid_at).get(site.pk)
    if known is None:
        raise NoSiteRate(f"site {site.slug} has no rate in {site.currency}: publish one")
    rate = before = Fraction(known.local_per_dai)
    for change in SiteRate.objects.filter(
        site=site, currency=site.currency, validity__startswith__gt=known.validity.lower
    ).order_by("validity__startswith"):
        # Funds credited before the change took effect are compensated by accounts.rollover,
        # unless it was there first.
        if takes_effect_at(change) > at and change.compensated_at is None:
            break
        after = Fraction(change.local_per_dai)
        rate *= min(Fraction(1), after / before)
        before = after
    return rate


def takes_effect_at(rate: SiteRate) -> datetime:
    """Return when a rate began to count: its begin, or its publication if that was later."""
    began_at: datetime = rate.validity.lower
    return max(began_at, rate.published_at)


def agreement(*, currency: str, at: datetime) -> Agreement:
    """Return what the sources whose quotes may still be used make of a currency.

    Quotes of crypto money and the next site rate need State.AGREED.
    """
    fresh = (
        RateQuote.objects.filter(
            currency__in={currency, rate_agreement.USD}, quoted_at__lte=at, expires_at__gt=at
        )
        .order_by("source", "currency", "-quoted_at")
        .distinct("source", "currency")
    )
    return rate_agreement.agree(
        told=[
            Told(
                source=quote.source,
                currency=quote.currency,
                local_per_dai=Fraction(quote.local_per_dai),
                quoted_at=quote.quoted_at,
            )
            for quote in fresh
        ],
        currency=currency,
        tolerance_basis_points=settings.RATE_TOLERANCE_BASIS_POINTS,
    )


def is_near(rate: Fraction, *, agreed: Agreement) -> bool:
    """Return whether a rate lies no further from what the sources agree on than they may."""
    if agreed.median is None:
        return False
    low, high = sorted((rate, agreed.median))
    return (high / low - 1) * BASIS_POINTS <= settings.RATE_TOLERANCE_BASIS_POINTS


def market(*, currency: str, at: datetime) -> Fraction | None:
    """Return the local money per DAI of the market at an instant, or None.

    The median of the sources that agree, or what the only fresh source says; None where they
    contradict each other, since nobody knows which one is broken.
    """
    found = agreement(currency=currency, at=at)
    return found.median if found.state in (State.AGREED, State.ALONE) else None


def last_quote(*, currency: str, at: datetime) -> RateQuote | None:
    """Return the freshest quote before the instant, however old, or None."""
    return (
        RateQuote.objects.filter(currency=currency, quoted_at__lte=at)
        .order_by("-quoted_at", "source")
        .first()
    )


def last_known(*, currency: str, at: datetime) -> Fraction | None:
    """Return the local money per DAI of the freshest quote before the instant, or None."""
    quote = last_quote(currency=currency, at=at)
    return None if quote is None else Fraction(quote.local_per_dai)


@transaction.atomic
def publish(
    *,
    site: Site,
    local_per_dai: Decimal,
    starts_at: datetime,
    at: datetime,
    sources: list[dict[str, Any]] | None = None,
    by: User | None = None,
) -> SiteRate:
    """Publish the rate from an instant on; the period before it ends there.

    Raises RateTooEarly where that would take back a period that a rate was published for.
    """
    # Two publishers one after the other; payments, which refer to the site, do not wait.
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)
    check_start(site=site, starts_at=starts_at)
    before = SiteRate.objects.filter(site=site, validity__endswith__isnull=True).first()
    if before is not None:
        before.validity = DateTimeTZRange(before.validity.lower, starts_at)
        before.save(update_fields=["validity"])
    return SiteRate.objects.create(
        site=site,
        currency=site.currency,
        local_per_dai=local_per_dai,
        validity=DateTimeTZRange(starts_at, None),
        sources=sources or [],
        published_at=at,
        published_by=by,
    )


def check_start(*, site: Site, starts_at: datetime) -> None:
    """Raise RateTooEarly where a rate from that instant on would take back one before it."""
    last = SiteRate.objects.filter(site=site).order_by("-validity__startswith").first()
    if last is not None and starts_at <= last.validity.lower:
        raise RateTooEarly(
            f"The rate must begin after {last.validity.lower:%Y-%m-%d %H:%M:%S} UTC, when the last "
            "one does: publish from a later instant on."
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
