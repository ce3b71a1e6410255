"""Opening sites and operators, with the books their money is kept in; who lives where."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import (
    Book,
    DonorsIndex,
    Household,
    HouseholdName,
    HouseholdPhone,
    HouseholdSite,
    Operator,
    Site,
)


@transaction.atomic
def open_operator(*, slug: str, name: str, at: datetime) -> Operator:
    """Create an operator and its book."""
    operator = Operator.objects.create(slug=slug, name=name, created_at=at)
    Book.objects.create(operator=operator)
    return operator


@transaction.atomic
def open_site(*, at: datetime, **fields: Any) -> Site:
    """Create a site, its book and its donors' index. fields are those of Site."""
    site = Site.objects.create(created_at=at, **fields)
    Book.objects.create(site=site)
    DonorsIndex.objects.create(site=site)
    return site


@transaction.atomic
def open_household(
    *,
    site: Site,
    code: str,
    at: datetime,
    phones: tuple[str, ...] = (),
    name: str = "",
    **fields: Any,
) -> Household:
    """Create a household at a site from `at` on, with its phones (E.164) and name."""
    household = Household.objects.create(code=code, created_at=at, **fields)
    HouseholdSite.objects.create(household=household, site=site, validity=(at, None))
    HouseholdPhone.objects.bulk_create(
        HouseholdPhone(household=household, phone=phone, created_at=at) for phone in phones
    )
    if name:
        HouseholdName.objects.create(household=household, name=name)
    return household


def site_of(*, household: Household, at: datetime) -> Site | None:
    """Return the site a household belongs to at an instant, or None."""
    return (
        Site.objects.filter(
            household_sites__household=household, household_sites__validity__contains=at
        )
        .select_related("book", "operator")
        .first()
    )


def households_of(*, phone: str) -> list[Household]:
    """Return the open households a phone (E.164) acts for, by code."""
    return list(
        Household.objects.filter(
            phones__phone=phone, phones__closed_at__isnull=True, closed_at__isnull=True
        ).order_by("code")
    )


def open_sites() -> list[Site]:
    """Return the sites that are not closed, by name."""
    return list(Site.objects.filter(closed_at__isnull=True).order_by("name"))
