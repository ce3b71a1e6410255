"""Telling Daraja where to announce paybill payments, and that we pull its statement."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from gateway.providers.daraja.provider import shared_client


def register(*, phone: str, at: datetime) -> str:
    """Register the paybill's URLs and the pull of transactions; return the base of the URLs.

    phone is the nominated number of the short code (2547...). Doing it again does no harm. Raises
    ProviderRefused or ProviderUnavailable.
    """
    hooks = f"{settings.PUBLIC_URL}/hooks/{settings.HOOK_SECRETS[0]}/daraja"
    client = shared_client()
    client.register_urls(
        confirmation_url=f"{hooks}/confirmation", validation_url=f"{hooks}/validation", at=at
    )
    client.register_pull(phone=phone, callback_url=f"{hooks}/result/pull", at=at)
    return settings.PUBLIC_URL
