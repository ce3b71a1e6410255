"""Which adapter speaks to a site's head-end."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from accounts.models import Site
from settlement.meters.koios import Koios
from settlement.meters.samples import HeadEnd


def head_end(*, site: Site) -> HeadEnd | None:
    """Return the site's head-end, or None where readings are only imported."""
    if site.head_end == Site.HeadEnd.KOIOS:
        return _koios(
            site.head_end_account,
            site.slot_seconds,
            site.head_end_energy == Site.HeadEndEnergy.REGISTER,
        )
    return None


@lru_cache(maxsize=1024)
def _koios(account: str, slot_seconds: int, is_register: bool) -> Koios:
    """One adapter a site and process, so that its connections are kept."""
    return Koios(
        base_url=settings.KOIOS_URL,
        api_key=settings.KOIOS_API_KEY,
        api_secret=settings.KOIOS_API_SECRET,
        account=account,
        slot_seconds=slot_seconds,
        is_register=is_register,
    )
