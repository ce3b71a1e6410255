"""Which adapter speaks for a rail."""

from __future__ import annotations

from django.conf import settings

from accounts.models import Rail
from gateway.providers.daraja.provider import DarajaProvider, shared_client
from gateway.providers.interface import Provider
from gateway.providers.momo import provider as momo
from gateway.providers.pawapay.client import shared_client as pawapay_client
from gateway.providers.pawapay.provider import PawapayProvider
from gateway.providers.stripe.provider import stripe_provider


def provider(*, rail: Rail) -> Provider:
    """Return the provider of a rail. Raises LookupError for a rail that no provider serves."""
    if rail.provider == Rail.Provider.DARAJA:
        return DarajaProvider(rail=rail, client=shared_client())
    if rail.provider == Rail.Provider.MOMO:
        return momo.MomoProvider(rail=rail, client=momo.shared_client())
    if rail.provider == Rail.Provider.PAWAPAY:
        return PawapayProvider(rail=rail, client=pawapay_client())
    if rail.provider == Rail.Provider.STRIPE:
        return stripe_provider(rail=rail)
    raise LookupError(f"rail {rail.code} has no provider that can be asked: {rail.provider!r}")


def is_served(*, rail: Rail) -> bool:
    """Return whether a provider stands behind the rail; nobody is asked about cash."""
    return rail.provider != Rail.Provider.CASH


def is_set_up(*, provider: str) -> bool:
    """Return whether the service knows where the provider is."""
    return bool(getattr(settings, f"{provider.upper()}_URL", ""))


def by_name(name: str) -> Provider:
    """Return a provider that only verifies and reads callbacks: whose they are is not known yet."""
    return provider(rail=Rail(provider=name, code=name))
