"""What households paid in, by the way it came and the day, and how much of that may be told.

A sum over fewer than a handful of households would tell of single ones, and so would the step from
one published sum to the next. So sums grow by whole days only, and only by so many days together
that enough households moved in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from accounts import rollover
from accounts.fields import WeiField
from accounts.models import PayerClaim, Payment, Posting, Rail, Site, SiteRate, TakeBack


class Way(StrEnum):
    """How money of households comes in."""

    MOBILE = "mobile"
    CARD = "card"
    CASH = "cash"
    CRYPTO = "crypto"
    COMPENSATION = "compensation"
    """Given by the operator where a new rate would have cost households local value."""


WAY_OF: Mapping[str, Way] = {
    Rail.Provider.DARAJA: Way.MOBILE,
    Rail.Provider.MOMO: Way.MOBILE,
    Rail.Provider.PAWAPAY: Way.MOBILE,
    Rail.Provider.STRIPE: Way.CARD,
    Rail.Provider.CASH: Way.CASH,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """Wei that came to the funds of households (below zero: was taken back) on a day at the site.

    Of one household, or of as many as `households` says.
    """

    way: Way
    day: date
    amount_wei: int
    household_id: int | None = None
    households: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What came over one way up to the end of a day; more is not told (yet)."""

    way: Way
    amount_wei: int
    until: date


def movements(*, site: Site) -> list[Movement]:
    """Return what rails brought to a site's households and took back, and what changes of the rate
    gave them; crypto money is the business of a higher app."""
    return [*_credited(site=site), *_taken_back(site=site), *_compensated(site=site)]


def told(*, movements: Iterable[Movement], before: date, fewest: int) -> list[Told]:
    """Return what may be told of movements of days before a day, by way, in the order of the ways.

    Days are added together until at least `fewest` households moved in them. A way that so few
    ever used is left out.
    """
    by_way: dict[Way, dict[date, list[Movement]]] = {}
    for each in movements:
        if each.day < before:
            by_way.setdefault(each.way, {}).setdefault(each.day, []).append(each)
    found = (_told_of(way, by_way[way], fewest=fewest) for way in Way if way in by_way)
    return [each for each in found if each is not None]


def _told_of(way: Way, days: Mapping[date, list[Movement]], *, fewest: int) -> Told | None:
    told_wei, until = 0, None
    waiting_wei, unnamed, households = 0, 0, set[int]()
    for day, moved in sorted(days.items()):
        waiting_wei += sum(each.amount_wei for each in moved)
        households |= {each.household_id for each in moved if each.household_id is not None}
        # Of those who are not named the same ones may move every day.
        unnamed = max(unnamed, sum(each.households for each in moved if each.household_id is None))
        if len(households) + unnamed >= fewest:
            told_wei, until = told_wei + waiting_wei, day
            waiting_wei, unnamed, households = 0, 0, set[int]()
    return None if until is None else Told(way=way, amount_wei=told_wei, until=until)


def _credited(*, site: Site) -> list[Movement]:
    rows = (
        Payment.objects.filter(site=site, state=Payment.State.CREDITED, household__isnull=False)
        .order_by()
        .annotate(day=TruncDate("credited_at", tzinfo=ZoneInfo(site.time_zone)))
        .values("provider", "day", "household_id")
        .annotate(total=Sum("credited_wei", output_field=WeiField()))
    )
    return [
        Movement(
            way=WAY_OF[row["provider"]],
            day=row["day"],
            amount_wei=row["total"],
            household_id=row["household_id"],
        )
        for row in rows
    ]


def _taken_back(*, site: Site) -> list[Movement]:
    """What was taken of credits, and what of that was put back.

    What a payer made good to the operator first is the household's once it is put back.
    """
    zone = ZoneInfo(site.time_zone)
    moved = []
    rows = TakeBack.objects.filter(
        payment__site=site,
        payment__state=Payment.State.CREDITED,
        payment__household__isnull=False,
    ).select_related("payment", "claim")
    for each in rows:
        payment = each.payment
        steps = [(each.taken_at, -each.taken_wei)]
        if each.put_back_at is not None:
            steps.append((each.put_back_at, each.taken_wei + _made_good_wei(each)))
        moved += [
            Movement(
                way=WAY_OF[payment.provider],
                day=instant.astimezone(zone).date(),
                amount_wei=wei,
                household_id=payment.household_id,
            )
            for instant, wei in steps
        ]
    return moved


def _made_good_wei(take_back: TakeBack) -> int:
    """What a person took from the payer for a claim; one that putting back closed has no person."""
    claim: PayerClaim | None = getattr(take_back, "claim", None)
    is_paid = claim is not None and claim.state == PayerClaim.State.SETTLED and claim.closed_by_id
    return claim.amount_wei if claim is not None and is_paid else 0


def _compensated(*, site: Site) -> list[Movement]:
    rates = SiteRate.objects.filter(site=site, compensated_at__isnull=False, compensation_wei__gt=0)
    rows = (
        Posting.objects.filter(
            book_id=site.book.pk,
            entry__book_id=site.book.pk,
            entry__key__in=[rollover.key(rate) for rate in rates],
            account__household__isnull=False,
        )
        .order_by()
        .values(day=TruncDate("entry__recorded_at", tzinfo=ZoneInfo(site.time_zone)))
        .annotate(
            total=Sum("amount", output_field=WeiField()),
            households=Count("account__household", distinct=True),
        )
    )
    return [
        Movement(
            way=Way.COMPENSATION,
            day=row["day"],
            amount_wei=row["total"],
            households=row["households"],
        )
        for row in rows
    ]
