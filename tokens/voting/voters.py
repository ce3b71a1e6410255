"""Who may propose and vote at a site: households that live there, and donors who gave to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Donation, Donor, Household, Site
from tokens.voting.refusals import Refused


def households_of(*, site: Site, at: datetime) -> QuerySet[Household]:
    """Return the open households that live at a site."""
    return Household.objects.filter(
        sites__site=site, sites__validity__contains=at, closed_at__isnull=True
    ).distinct()


def givers(*, site: Site, donors: Iterable[Donor]) -> list[Donor]:
    """Return those of the donors who gave to a site and did not get all of it back."""
    given = Donation.objects.filter(
        site=site, withdrawn_at__isnull=True, donor__in=[donor.pk for donor in donors]
    )
    return list(
        Donor.objects.filter(pk__in=given.values("donor"), closed_at__isnull=True).order_by("pk")
    )


def check(*, site: Site, household: Household | None, donor: Donor | None, at: datetime) -> None:
    """Raise Refused unless exactly one voter is named, who belongs to the site."""
    if (household is None) == (donor is None):
        raise ValueError("a voter is a household or a donor")
    if household is not None:
        if not households_of(site=site, at=at).filter(pk=household.pk).exists():
            raise Refused("not_of_site", f"{household} does not live at {site}")
    elif donor is not None and not givers(site=site, donors=[donor]):
        raise Refused("not_of_site", f"{donor} has no donation at {site}")
