"""Who stands behind a site's tokens: donors by rank, households as cohorts, and what was voted.

Donors appear under the name they chose for the public, or without one; households only as the
cohorts of at least five that the epoch's data set publishes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum

from accounts.fields import WeiField
from accounts.models import Donation, Payment, Pledge, Site
from accounts.money import BASIS_POINTS
from dashboard.memory import remember
from tokens import dataset
from tokens.models import Epoch, Round

DONORS_SHOWN = 20
COHORTS_SHOWN = 40
ROUNDS_SHOWN = 12
_EPOCH_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class DonorShare:
    """One donor's part of a site's donations; public_name is empty for one without a name."""

    rank: int
    public_name: str
    amount_wei: int
    share_basis_points: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Donors:
    """The largest donors, and the others together."""

    shown: tuple[DonorShare, ...]
    rest_count: int
    rest_wei: int
    rest_basis_points: int

    @property
    def count(self) -> int:
        return len(self.shown) + self.rest_count


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortSums:
    """Households that are published as one, with their sums since the beginning."""

    number: int
    households: int
    milliwatt_hours: int
    tokens_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What an epoch's data set tells of cohorts, and the hashes that it anchors by round."""

    cohorts: tuple[CohortSums, ...]
    rounds: dict[int, str]

    @property
    def cohorts_shown(self) -> tuple[CohortSums, ...]:
        return self.cohorts[:COHORTS_SHOWN]

    @property
    def households(self) -> int:
        return sum(each.households for each in self.cohorts)


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedRound:
    """A round that was counted: how many projects it had and funded, and whether its hash stands
    in the data set of the active epoch."""

    round: Round
    projects: int
    funded: int
    is_anchored: bool


def donors(*, site: Site) -> Donors:
    """Return the donors of a site by what they gave and did not take back, the largest first."""
    sums = (
        Donation.objects.filter(site=site, withdrawn_at__isnull=True)
        .order_by()
        .values("donor_id")
        .annotate(total=Sum("amount_wei", output_field=WeiField()))
    )
    ranked = sorted(
        ((row["total"], row["donor_id"]) for row in sums if row["total"]),
        key=lambda each: (-each[0], each[1]),
    )
    all_wei = sum(wei for wei, _ in ranked)
    first, rest = ranked[:DONORS_SHOWN], ranked[DONORS_SHOWN:]
    names = _public_names(site=site, donor_ids=[donor_id for _, donor_id in first])
    rest_wei = sum(wei for wei, _ in rest)
    return Donors(
        shown=tuple(
            DonorShare(
                rank=rank,
                public_name=names.get(donor_id, ""),
                amount_wei=wei,
                share_basis_points=wei * BASIS_POINTS // all_wei,
            )
            for rank, (wei, donor_id) in enumerate(first, start=1)
        ),
        rest_count=len(rest),
        rest_wei=rest_wei,
        rest_basis_points=rest_wei * BASIS_POINTS // all_wei if rest else 0,
    )


def published(*, epoch: Epoch) -> Published:
    """Return what an epoch's data set says; it never changes, so it is read once."""
    return remember(
        key=f"published:{epoch.uid}", compute=lambda: _read(epoch), seconds=_EPOCH_SECONDS
    )


def counted_rounds(*, site: Site, anchored: dict[int, str]) -> list[CountedRound]:
    """Return the newest counted rounds; anchored: hashes by round, as a data set has them."""
    rounds = Round.objects.filter(site=site, state=Round.State.COUNTED).defer("result")
    found = rounds.order_by("-number").prefetch_related("proposals")[:ROUNDS_SHOWN]
    return [_counted(each, anchored=anchored) for each in found]


def _counted(round_: Round, *, anchored: dict[int, str]) -> CountedRound:
    voted = [each for each in round_.proposals.all() if each.number is not None]
    return CountedRound(
        round=round_,
        projects=len(voted),
        funded=sum(each.state == "funded" for each in voted),
        is_anchored=bool(round_.result_hash) and anchored.get(round_.number) == round_.result_hash,
    )


def _read(epoch: Epoch) -> Published:
    content = Epoch.objects.values_list("dataset", flat=True).get(pk=epoch.pk)
    told = json.loads(content)
    return Published(
        cohorts=tuple(
            CohortSums(
                number=int(node["number"]),
                households=int(node["households"]),
                milliwatt_hours=int(node["milliwatt_hours"]),
                tokens_wei=int(node["tokens"]),
            )
            for node in told["nodes"]
            if node["kind"] == dataset.COHORT
        ),
        rounds={
            int(each["number"]): each["hash"]
            for each in told.get("anchors", [])
            if each["kind"] == "round"
        },
    )


def _public_names(*, site: Site, donor_ids: Iterable[int]) -> dict[int, str]:
    """The name that each donor chose with their newest pledge that was paid; empty: none."""
    paid = Pledge.objects.filter(
        site=site, donor__in=list(donor_ids), payments__state=Payment.State.CREDITED
    )
    return dict(paid.order_by("pk").values_list("donor_id", "public_name"))
