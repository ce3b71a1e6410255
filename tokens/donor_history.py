"""What donations had earned, vested and claimed when each epoch was closed. Reads only.

An epoch is noted with what each donation had earned by the books (`EpochLeaf.earned_wei`); epochs
of before that was noted are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db.models import Max, Min, Q, QuerySet, Sum

from accounts.fields import WeiField
from accounts.models import Donation
from tokens.donor_impact import SiteImpact, milliwatt_hours
from tokens.models import Claim, Epoch, EpochLeaf
from tokens.queries import DonationStanding

MOST_POINTS = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Cumulative tokens of some donations at one site, in wei, when an epoch was closed.

    number is None for what stands now.
    """

    number: int | None
    at: datetime
    earned_wei: int
    vested_wei: int
    claimed_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochOfGift:
    """One donation in one epoch: energy gained in it, of what the site gained; sums at its end.

    The last one of each donation has no number: what came since its last epoch, until now.
    """

    donation: Donation
    number: int | None
    certificate: str
    at: datetime
    milliwatt_hours: int
    site_milliwatt_hours: int | None
    earned_wei: int
    vested_wei: int
    claimed_wei: int


def histories(*, impacts: Sequence[SiteImpact], at: datetime) -> dict[int, list[Point]]:
    """Return each site's points by its id, oldest first, the last one now; at most MOST_POINTS
    and now, spread over the epochs since the first gift."""
    told: dict[int, list[Point]] = {each.site.pk: [] for each in impacts}
    claims = {each.site.pk: list(_claims(gift.given for gift in each.gifts)) for each in impacts}
    for row in _sums(impacts):
        site_id, closed_at = row["epoch__site_id"], row["epoch__closed_at"]
        told[site_id].append(
            Point(
                number=row["epoch__number"],
                at=closed_at,
                earned_wei=row["earned"],
                vested_wei=row["vested"],
                claimed_wei=_claimed_by(claims[site_id], closed_at),
            )
        )
    for each in impacts:
        told[each.site.pk].append(
            Point(
                number=None,
                at=at,
                earned_wei=each.earned_wei,
                vested_wei=each.vested_wei,
                claimed_wei=each.claimed_wei,
            )
        )
    return told


def epochs_of_gifts(*, impacts: Sequence[SiteImpact], at: datetime) -> Iterator[EpochOfGift]:
    """Yield each donation's active epochs, oldest first, then what came since."""
    totals = _energy_of_epochs(impacts)
    given = {gift.given.donation.pk: gift.given for each in impacts for gift in each.gifts}
    rows = (
        _noted()
        .filter(leaf__donation__in=given)
        .order_by("leaf__donation_id", "epoch__number")
        .values_list(
            "leaf__donation_id",
            "epoch__number",
            "epoch__closed_at",
            "epoch__certificate",
            "earned_wei",
            "tokens_wei",
        )
    )
    for pk, own in groupby(rows.iterator(), key=itemgetter(0)):
        each = given.pop(pk)
        yield from _epochs_of(each, own, totals[each.donation.site_id], at=at)
    for each in given.values():
        yield from _epochs_of(each, (), {}, at=at)


def _epochs_of(
    given: DonationStanding, rows: Iterable[Any], totals: dict[int, int], *, at: datetime
) -> Iterator[EpochOfGift]:
    donation, claims, before = given.donation, list(_claims([given])), 0
    for _, number, closed_at, certificate, earned_wei, tokens_wei in rows:
        energy = milliwatt_hours(earned_wei=earned_wei, site=donation.site)
        yield EpochOfGift(
            donation=donation,
            number=number,
            certificate=certificate,
            at=closed_at,
            milliwatt_hours=energy - before,
            site_milliwatt_hours=totals[number] - totals.get(number - 1, 0),
            earned_wei=earned_wei,
            vested_wei=tokens_wei,
            claimed_wei=_claimed_by(claims, closed_at),
        )
        before = energy
    standing = given.standing
    yield EpochOfGift(
        donation=donation,
        number=None,
        certificate="",
        at=at,
        milliwatt_hours=milliwatt_hours(earned_wei=given.earned_wei, site=donation.site) - before,
        site_milliwatt_hours=None,
        earned_wei=given.earned_wei,
        vested_wei=0 if standing is None else standing.tokens_wei,
        claimed_wei=0 if standing is None else standing.claimed_wei,
    )


def _noted() -> QuerySet[EpochLeaf]:
    return EpochLeaf.objects.filter(
        epoch__chain_id=settings.CHAIN_ID,
        epoch__state=Epoch.State.ACTIVE,
        earned_wei__isnull=False,
    )


def _sums(impacts: Sequence[SiteImpact]) -> Iterable[Any]:
    """Return the donations' sums at the chosen epochs of each site, oldest first."""
    chosen = Q()
    for site_id, numbers in _chosen(impacts).items():
        chosen |= Q(epoch__site_id=site_id, epoch__number__in=numbers)
    if not chosen:
        return []
    donations = [gift.given.donation.pk for each in impacts for gift in each.gifts]
    return (
        _noted()
        .filter(chosen, leaf__donation__in=donations)
        .values("epoch__site_id", "epoch__number", "epoch__closed_at")
        .annotate(
            earned=Sum("earned_wei", output_field=WeiField()),
            vested=Sum("tokens_wei", output_field=WeiField()),
        )
        .order_by("epoch__site_id", "epoch__number")
    )


def _chosen(impacts: Sequence[SiteImpact]) -> dict[int, list[int]]:
    """Return the numbers of the epochs to show of each site, the last one among them."""
    since = Q()
    for each in impacts:
        since |= Q(site_id=each.site.pk, closed_at__gte=each.since)
    spans = (
        Epoch.objects.filter(since, chain_id=settings.CHAIN_ID, state=Epoch.State.ACTIVE)
        .order_by()
        .values("site_id")
        .annotate(first=Min("number"), last=Max("number"))
    )
    return {row["site_id"]: spread(first=row["first"], last=row["last"]) for row in spans}


def spread(*, first: int, last: int) -> list[int]:
    """Return at most MOST_POINTS evenly spaced numbers from first to last, last included."""
    step = -((first - last - 1) // MOST_POINTS)
    return sorted(range(last, first - 1, -step))


def _energy_of_epochs(impacts: Sequence[SiteImpact]) -> dict[int, dict[int, int]]:
    """Return what each site's book had settled by each active epoch, in milliwatt-hours."""
    found: dict[int, dict[int, int]] = {}
    rows = Epoch.objects.filter(
        site__in=[each.site.pk for each in impacts],
        chain_id=settings.CHAIN_ID,
        state=Epoch.State.ACTIVE,
    )
    for site_id, number, energy, carry in rows.values_list(
        "site_id", "number", "milliwatt_hours", "carry_milliwatt_hours"
    ):
        found.setdefault(site_id, {})[number] = energy - carry
    return found


def _claims(given: Iterable[DonationStanding]) -> Iterator[Claim]:
    for each in given:
        if each.standing is not None:
            yield from each.standing.claims


def _claimed_by(claims: Sequence[Claim], instant: datetime) -> int:
    return sum(claim.tokens_wei for claim in claims if claim.claimed_at <= instant)
