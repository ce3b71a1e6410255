"""Which adapter speaks for a rail."""

from __future__ import annotations

from accounts.models import Rail
from gateway.providers.daraja.provider import DarajaProvider, shared_client
from gateway.providers.interface import Provider


def provider(*, rail: Rail) -> Provider:
    """Return the provider of a rail."""
    if rail.provider == Rail.Provider.DARAJA:
        return DarajaProvider(rail=rail, client=shared_client())
    raise LookupError(f"rail {rail.code} names an unknown provider {rail.provider!r}")
