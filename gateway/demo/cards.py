"""Cards in the demo: for households in the money of their village, for donors in EUR and USD."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import Rail, Site

ACCOUNT = "acct_sandbox"
LIMITS_MINOR = {
    "KES": (10_000, 10_000_000),
    "XOF": (500, 1_000_000),
    "EUR": (100, 1_000_000),
    "USD": (100, 1_000_000),
}
"""Smallest and largest payment, in minor units."""
DONORS_PAY_IN = ("EUR", "USD")


def accept(*, sites: Iterable[Site]) -> None:
    """Make the rails that are missing; making them again changes nothing."""
    for site in sites:
        rail = _rail(site=site, currency=site.currency)
        if not site.rails.filter(pk=rail.pk).exists():
            site.rails.add(rail)
        for currency in DONORS_PAY_IN:
            _rail(site=site, currency=currency)


def _rail(*, site: Site, currency: str) -> Rail:
    least, most = LIMITS_MINOR[currency]
    return Rail.objects.get_or_create(
        operator=site.operator,
        provider=Rail.Provider.STRIPE,
        merchant_account=ACCOUNT,
        currency=currency,
        defaults={
            "code": f"cards-{currency.lower()}",
            "min_top_up_minor": least,
            "max_top_up_minor": most,
        },
    )[0]
