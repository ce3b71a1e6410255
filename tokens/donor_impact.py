"""What donors did at each site they gave to: share, energy, tokens, households, CO2. Reads only.

The energy that a donation stands for follows from its tokens. Every milliwatt-hour of sun that is
settled gives w/2 to the household that used it and w/2 to the donors, and w of a site never changes
once anything is minted; so what has earned e wei stands for e / (w/2) milliwatt-hours, rounded
down once. Donors' shares of a batch are those of their donations when it was settled, and so is
their energy: it is the share integrated over all energy settled, not today's share of it. All
donors' energy and that of the unallocated tokens are the energy settled, less than one
milliwatt-hour a donor short.

CO2 counts that energy but what was earned in epochs that a certificate claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.conf import settings
from django.db.models import BigIntegerField, Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Donor, DonorsIndex, Site
from accounts.money import MILLIWATT_HOURS_PER_KWH
from tokens import queries
from tokens.diesel import avoided_grams
from tokens.models import Epoch, EpochLeaf, Leaf
from tokens.queries import DonationStanding

FEWEST_HOUSEHOLDS = 5
"""A smaller number could tell of one of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gift:
    """A donation: what it earned by the books and its exact share of the site's donations now."""

    given: DonationStanding
    share: Fraction
    milliwatt_hours: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteImpact:
    """What the donors' gifts to one site did, newest first.

    Energy in milliwatt-hours: what the gifts stand for, and what of it certificates did not claim.
    certificates counts the claimed epochs since the first gift. households used energy since then;
    None before the first epoch.
    """

    site: Site
    gifts: Sequence[Gift]
    share: Fraction
    earned_wei: int
    vested_wei: int
    claimed_wei: int
    milliwatt_hours: int
    unclaimed_milliwatt_hours: int
    certificates: int
    households: int | None
    epoch: Epoch | None

    @property
    def since(self) -> datetime:
        """When the first of the gifts was given."""
        return min(gift.given.donation.donated_at for gift in self.gifts)

    @property
    def avoided_grams(self) -> int:
        """CO2 against diesel, without what certificates claimed."""
        return avoided_grams(milliwatt_hours=self.unclaimed_milliwatt_hours)

    @property
    def are_households_told(self) -> bool:
        return self.households is not None and self.households >= FEWEST_HOUSEHOLDS


@dataclass(frozen=True, kw_only=True, slots=True)
class _Certified:
    """Numbers of a site's claimed epochs, ascending, and how many came since the first gift."""

    numbers: Sequence[int] = ()
    since_gift: int = 0


def impacts(*, donors: Iterable[Donor]) -> list[SiteImpact]:
    """Return what donors did, by the site's name; how many queries it takes does not grow with
    donations, epochs or sites."""
    given = queries.donations(donors=donors)
    if not given:
        return []
    by_site: dict[int, list[DonationStanding]] = {}
    for each in given:
        by_site.setdefault(each.donation.site_id, []).append(each)
    donated = dict(
        DonorsIndex.objects.filter(site__in=by_site).values_list("site_id", "donated_wei")
    )
    since = {pk: min(each.donation.donated_at for each in own) for pk, own in by_site.items()}
    newest = {epoch.site_id: epoch for epoch in _newest(Q(site__in=by_site))}
    households = _households(newest=newest, since=since)
    certified = _certified(since=since)
    claimed = _claimed(given, certified)
    found = [
        _impact(
            given=own,
            donated_wei=donated[pk],
            claimed=claimed,
            certificates=certified[pk].since_gift if pk in certified else 0,
            households=households.get(pk),
            epoch=newest.get(pk),
        )
        for pk, own in by_site.items()
    ]
    return sorted(found, key=lambda impact: (impact.site.name, impact.site.pk))


def milliwatt_hours(*, earned_wei: int, site: Site) -> int:
    """Return the energy that so many of the site's tokens of donors stand for, rounded down."""
    half = site.impact_token_wei_per_kwh // (2 * MILLIWATT_HOURS_PER_KWH)
    return earned_wei // half if half else 0


def _impact(
    *,
    given: Sequence[DonationStanding],
    donated_wei: int,
    claimed: dict[int, int],
    certificates: int,
    households: int | None,
    epoch: Epoch | None,
) -> SiteImpact:
    site = given[0].donation.site
    gifts = [
        Gift(
            given=each,
            share=_share(each.donation.amount_wei, donated_wei),
            milliwatt_hours=milliwatt_hours(earned_wei=each.earned_wei, site=site),
        )
        for each in given
    ]
    leaves = [each.standing for each in given if each.standing is not None]
    left_wei = sum(max(each.earned_wei - claimed.get(each.donation.pk, 0), 0) for each in given)
    earned_wei = sum(each.earned_wei for each in given)
    return SiteImpact(
        site=site,
        gifts=gifts,
        share=sum((gift.share for gift in gifts), start=Fraction(0)),
        earned_wei=earned_wei,
        vested_wei=sum(leaf.tokens_wei for leaf in leaves),
        claimed_wei=sum(leaf.claimed_wei for leaf in leaves),
        milliwatt_hours=milliwatt_hours(earned_wei=earned_wei, site=site),
        unclaimed_milliwatt_hours=milliwatt_hours(earned_wei=left_wei, site=site),
        certificates=certificates,
        households=households,
        epoch=epoch,
    )


def _share(amount_wei: int, donated_wei: int) -> Fraction:
    return Fraction(amount_wei, donated_wei) if donated_wei else Fraction(0)


def _active() -> QuerySet[Epoch]:
    return Epoch.objects.filter(chain_id=settings.CHAIN_ID, state=Epoch.State.ACTIVE)


def _newest(which: Q) -> QuerySet[Epoch]:
    """The newest of each site's active epochs of that kind."""
    return (
        _active()
        .filter(which)
        .order_by("site_id", "-number")
        .distinct("site_id")
        .defer("dataset", "balance")
    )


def _households(*, newest: dict[int, Epoch], since: dict[int, datetime]) -> dict[int, int]:
    """Return how many households of each site have more energy in its newest epoch than in the last
    one that was closed before `since`; none is told of a site without an epoch."""
    if not newest:
        return {}
    before = Q()
    for site_id in newest:
        before |= Q(site_id=site_id, closed_at__lte=since[site_id])
    earlier = EpochLeaf.objects.filter(
        leaf=OuterRef("leaf"), epoch__in=[epoch.pk for epoch in _newest(before)]
    )
    used = (
        EpochLeaf.objects.filter(epoch__in=newest.values(), leaf__kind=Leaf.Kind.HOUSEHOLD)
        .annotate(
            before=Coalesce(
                Subquery(earlier.values("milliwatt_hours")[:1]), 0, output_field=BigIntegerField()
            )
        )
        .filter(milliwatt_hours__gt=F("before"))
        .values("epoch__site_id")
        .annotate(households=Count("pk"))
    )
    counted = {row["epoch__site_id"]: row["households"] for row in used}
    return {site_id: counted.get(site_id, 0) for site_id in newest}


def _certified(*, since: dict[int, datetime]) -> dict[int, _Certified]:
    """Return the epochs that a certificate claimed of each site that has some."""
    claimed = _active().filter(site__in=since).exclude(certificate="").order_by("number")
    found: dict[int, list[tuple[int, datetime]]] = {}
    for site_id, number, closed_at in claimed.values_list("site_id", "number", "closed_at"):
        found.setdefault(site_id, []).append((number, closed_at))
    return {
        site_id: _Certified(
            numbers=[number for number, _ in listed],
            since_gift=sum(closed_at > since[site_id] for _, closed_at in listed),
        )
        for site_id, listed in found.items()
    }


def _claimed(given: Sequence[DonationStanding], certified: dict[int, _Certified]) -> dict[int, int]:
    """Return what donations earned in claimed epochs, in wei by the donation's id.

    Epochs are cumulative, so what was earned from the end of one to that of another is a
    difference of two.
    """
    if not certified:
        return {}
    ends = Q()
    for site_id, own in certified.items():
        edges = {edge for first, last in runs(own.numbers) for edge in (first - 1, last)}
        ends |= Q(epoch__site_id=site_id, epoch__number__in=edges)
    rows = EpochLeaf.objects.filter(
        ends,
        epoch__chain_id=settings.CHAIN_ID,
        epoch__state=Epoch.State.ACTIVE,
        leaf__donation__in=[each.donation.pk for each in given],
    )
    known: dict[int, dict[int, int]] = {}
    for pk, number, earned_wei in rows.values_list(
        "leaf__donation_id", "epoch__number", "earned_wei"
    ):
        known.setdefault(pk, {})[number] = earned_wei or 0
    return {
        each.donation.pk: _gained(
            certified[each.donation.site_id].numbers, known.get(each.donation.pk, {})
        )
        for each in given
        if each.donation.site_id in certified
    }


def _gained(numbers: Sequence[int], earned: dict[int, int]) -> int:
    return sum(
        max(earned.get(last, 0) - earned.get(first - 1, 0), 0) for first, last in runs(numbers)
    )


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return first and last of each run of ascending numbers that follow each other."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
