"""Which rail of a site a payment goes over."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Rail, Site
from accounts.money import minor_per_major

PROMPTING = (Rail.Provider.DARAJA, Rail.Provider.MOMO, Rail.Provider.PAWAPAY)
"""Providers that ask the payer on their phone."""
PAYING = (Rail.Provider.DARAJA, Rail.Provider.PAWAPAY)
"""Providers that pay out to a phone (their adapters are gateway.providers.interface.Paying)."""
MONTHLY = (Rail.Provider.STRIPE,)
"""Providers that charge a card every month (gateway.providers.interface.PlanKeeping)."""


def prompting(*, site: Site) -> Rail | None:
    """Return the rail that asks phones at the site: the first by id, as screens tell its limits."""
    return _open(site=site).filter(provider__in=PROMPTING).first()


def card(*, site: Site) -> Rail | None:
    """Return the rail that takes cards for the site's households, in the site's currency."""
    return _open(site=site).filter(provider=Rail.Provider.STRIPE).first()


def for_donations(*, site: Site) -> QuerySet[Rail]:
    """Return the operator's rails that take cards, in any currency, by code."""
    return Rail.objects.filter(
        operator=site.operator_id, provider=Rail.Provider.STRIPE, closed_at__isnull=True
    ).order_by("code")


def gives_monthly(*, rail: Rail) -> bool:
    """Return whether a donation over the rail can be a monthly one."""
    return rail.provider in MONTHLY


def payout_step_minor(*, rail: Rail) -> int:
    """Return the least amount that a payout over the rail is a multiple of, in minor units."""
    is_whole = rail.provider == Rail.Provider.DARAJA
    return minor_per_major(currency=rail.currency) if is_whole else 1


def _open(*, site: Site) -> QuerySet[Rail]:
    return Rail.objects.filter(sites=site, closed_at__isnull=True, currency=site.currency).order_by(
        "pk"
    )
