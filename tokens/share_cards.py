"""Cards that donors make to share: what their gifts to a site did, without telling who gave what.

Figures are frozen when a card is made and rounded down to 1, 2 or 5 times a power of ten: exact
ones could be looked up among the published leaves, and would give away the gift and its wallet.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Donor, Site
from accounts.money import MILLIWATT_HOURS_PER_KWH
from tokens.donor_impact import SiteImpact
from tokens.models import ShareCard

MOST_CARDS = 5
"""That are not revoked, of a donor and a site."""
GRAMS_PER_KILOGRAM = 1_000
_KEY_BYTES = 16


class CardRefused(ValueError):
    """No card can be made; code says why: nothing, too_many."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All that a card tells. kWh and kilograms of CO2 are "more than"; 0 kilograms: not told;
    households None: not told."""

    site_name: str
    kwh: int
    co2_kilograms: int
    households: int | None
    made_on: date


def figures(*, impact: SiteImpact, made_on: date) -> Figures:
    """Return what a card of one site would tell. Raises CardRefused (nothing) below one kWh."""
    kwh = rounded_down(impact.milliwatt_hours // MILLIWATT_HOURS_PER_KWH)
    if kwh == 0:
        raise CardRefused("nothing", f"less than one kWh of {impact.site}")
    return Figures(
        site_name=impact.site.name,
        kwh=kwh,
        co2_kilograms=rounded_down(impact.avoided_grams // GRAMS_PER_KILOGRAM),
        households=impact.households if impact.are_households_told else None,
        made_on=made_on,
    )


def rounded_down(number: int) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50, ... that is no more than the number; 0 below 1."""
    power = 10 ** (len(str(number)) - 1)
    return next((step * power for step in (5, 2, 1) if step * power <= number), 0)


def make(
    *, donors: Sequence[Donor], site: Site, told: Figures, image_en: bytes, image_fr: bytes
) -> ShareCard:
    """Store a card that the donors may revoke. Raises CardRefused (too_many)."""
    with transaction.atomic():
        # Whoever else makes one for these donors waits here, so that the limit holds.
        held = Donor.objects.select_for_update().filter(pk__in=[donor.pk for donor in donors])
        locked = list(held.order_by("pk"))
        if of_donors(donors=locked).filter(site=site).count() >= MOST_CARDS:
            raise CardRefused("too_many", f"{MOST_CARDS} cards of {site} are there already")
        card = ShareCard.objects.create(
            key=secrets.token_urlsafe(_KEY_BYTES),
            site=site,
            kwh=told.kwh,
            co2_kilograms=told.co2_kilograms,
            households=told.households,
            image_en=image_en,
            image_fr=image_fr,
            made_on=told.made_on,
        )
        card.donors.set(locked)
        return card


def revoke(*, donors: Sequence[Donor], key: str, at: datetime) -> bool:
    """Take a card of the donors back, with its images; False where they have no such card."""
    card = of_donors(donors=donors).filter(key=key).first()
    if card is None:
        return False
    ShareCard.objects.filter(pk=card.pk).update(revoked_at=at, image_en=b"", image_fr=b"")
    return True


def of_donors(*, donors: Sequence[Donor]) -> QuerySet[ShareCard]:
    """Return the cards that one of the donors made and did not revoke, newest first."""
    made = ShareCard.donors.through.objects.filter(donor__in=[donor.pk for donor in donors])
    return (
        ShareCard.objects.filter(pk__in=made.values("sharecard"), revoked_at__isnull=True)
        .select_related("site")
        .defer("image_en", "image_fr")
    )


def shown(*, key: str) -> ShareCard | None:
    """Return what a card's page and images show to everybody; None where it was revoked."""
    return ShareCard.objects.filter(key=key, revoked_at__isnull=True).select_related("site").first()


def figures_of(*, card: ShareCard) -> Figures:
    """Return what a card tells."""
    return Figures(
        site_name=card.site.name,
        kwh=card.kwh,
        co2_kilograms=card.co2_kilograms,
        households=card.households,
        made_on=card.made_on,
    )
