"""Whose entitlement a leaf is: every household and donation of a site gets one and keeps it."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.ledger import IMPACT_TOKEN
from accounts.models import Donation, Household, LedgerAccount, Site
from tokens import cohorts
from tokens.cohorts import TooFewHouseholds
from tokens.models import Cohort, Leaf, WalletLink

_KEY_BYTES = 32

Kind = Leaf.Kind


def keep(*, site: Site, at: datetime) -> list[Leaf]:
    """Give everybody at a site a leaf who has none yet, and return all of its leaves.

    A household has a leaf at each site that it ever lived or earned at. Behind the site's locked
    book. Raises TooFewHouseholds.
    """
    _keep_households(site=site, at=at)
    _keep_donations(site=site, at=at)
    for kind in (Kind.RESERVE, Kind.UNALLOCATED):
        if not Leaf.objects.filter(site=site, kind=kind).exists():
            Leaf.objects.create(site=site, kind=kind, key=_new_key(), created_at=at)
    return list(Leaf.objects.filter(site=site).select_related("cohort").order_by("pk"))


def _keep_households(*, site: Site, at: datetime) -> None:
    known = dict(
        Leaf.objects.filter(site=site, kind=Kind.HOUSEHOLD).values_list(
            "household_id", "cohort__number"
        )
    )
    placed = cohorts.place(
        households=_households_of(site=site, at=at) - known.keys(),
        members=Counter(known.values()),
    )
    if not known and not placed:
        raise TooFewHouseholds("the site has no household")
    rows = {cohort.number: cohort for cohort in Cohort.objects.filter(site=site)}
    for number in sorted(set(placed.values()) - rows.keys()):
        rows[number] = Cohort.objects.create(site=site, number=number, created_at=at)
    wallets = dict(
        _links_in_effect().filter(household__in=placed).values_list("household_id", "address")
    )
    Leaf.objects.bulk_create(
        Leaf(
            site=site,
            kind=Kind.HOUSEHOLD,
            key=_new_key(),
            household_id=household_id,
            cohort=rows[number],
            wallet=wallets.get(household_id, ""),
            created_at=at,
        )
        for household_id, number in sorted(placed.items())
    )


def _households_of(*, site: Site, at: datetime) -> set[int]:
    """Those that live at the site and those that have an account in its book."""
    accounts = LedgerAccount.objects.filter(
        book_id=site.book.pk, kind=LedgerAccount.Kind.HOUSEHOLD_TOKENS, asset=IMPACT_TOKEN
    )
    found = Household.objects.filter(
        Q(sites__site=site, sites__validity__contains=at, closed_at__isnull=True)
        | Q(pk__in=accounts.values("household_id"))
    )
    return set(found.values_list("pk", flat=True))


def _keep_donations(*, site: Site, at: datetime) -> None:
    without = Donation.objects.filter(site=site, leaf__isnull=True).order_by("pk")
    donors = {donation.donor_id for donation in without}
    wallets = dict(_links_in_effect().filter(donor__in=donors).values_list("donor_id", "address"))
    Leaf.objects.bulk_create(
        Leaf(
            site=site,
            kind=Kind.DONATION,
            key=_new_key(),
            donation=donation,
            wallet=wallets.get(donation.donor_id, ""),
            created_at=at,
        )
        for donation in without
    )


def _links_in_effect() -> QuerySet[WalletLink]:
    return WalletLink.objects.filter(unlinked_at__isnull=True, took_effect_at__isnull=False)


def _new_key() -> str:
    return "0x" + secrets.token_hex(_KEY_BYTES)
