"""What a ballot weighs when its round is counted.

Earned tokens count, never a wallet's balance: a household's are those on its account in the site's
book, a donor's those of donations that have vested and were not given back. A household that was
closed or lives elsewhere by then, and a donor whose donations were all given back, weigh nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from math import isqrt

from django.db.models import Sum

from accounts import addresses
from accounts.fields import WeiField
from accounts.ledger import IMPACT_TOKEN
from accounts.models import Donation, DonorsIndex, Household, LedgerAccount, Site
from tokens.models import Ballot, Round, WalletLink, Weight
from tokens.queries import earned_wei


def of_ballots(*, round_: Round, ballots: Iterable[Ballot], at: datetime) -> dict[int, int]:
    """Return the weights of a round's ballots by their id, behind the site's locked book."""
    listed = list(ballots)
    homes = households(
        site=round_.site,
        rule=round_.household_weight,
        household_ids={b.household_id for b in listed if b.household_id is not None},
        at=at,
    )
    givers: dict[int, int] = {}
    counted: set[int] = set()
    # Donors may have become one voter since they voted: then the first of their ballots counts.
    for donor_id in [b.donor_id for b in sorted(listed, key=_cast_order) if b.donor_id is not None]:
        if donor_id not in counted:
            givers[donor_id] = donor_weight(
                site=round_.site, rule=round_.donor_weight, donor_id=donor_id, at=at
            )
        counted |= one_voter(donor_id=donor_id)
    return {
        ballot.pk: (
            homes.get(ballot.household_id, 0)
            if ballot.household_id is not None
            else givers.get(ballot.donor_id or 0, 0)
        )
        for ballot in listed
    }


def households(
    *, site: Site, rule: str, household_ids: Iterable[int], at: datetime
) -> dict[int, int]:
    """Return the weights of those of the households that are open and live at the site."""
    living = set(
        Household.objects.filter(
            pk__in=list(household_ids),
            closed_at__isnull=True,
            sites__site=site,
            sites__validity__contains=at,
        ).values_list("pk", flat=True)
    )
    if rule == Weight.ONE:
        return dict.fromkeys(living, 1)
    tokens = dict(
        LedgerAccount.objects.filter(
            book_id=site.book.pk,
            household_id__in=living,
            kind=LedgerAccount.Kind.HOUSEHOLD_TOKENS,
            asset=IMPACT_TOKEN,
        )
        .values_list("household_id")
        .annotate(total=Sum("amount", output_field=WeiField()))
    )
    return {pk: weighed(rule=rule, tokens_wei=tokens.get(pk, 0)) for pk in living}


def donor_weight(*, site: Site, rule: str, donor_id: int, at: datetime) -> int:
    """Return the weight of a donor, together with whoever is one voter with them."""
    standing = Donation.objects.filter(
        site=site,
        donor__in=one_voter(donor_id=donor_id),
        vests_at__lte=at,
        withdrawn_at__isnull=True,
    )
    if rule == Weight.ONE:
        return int(standing.exists())
    index = DonorsIndex.objects.get(site=site)
    tokens_wei = sum(earned_wei(donation=donation, index=index) for donation in standing)
    return weighed(rule=rule, tokens_wei=tokens_wei)


def weighed(*, rule: str, tokens_wei: int) -> int:
    """Return what tokens weigh: themselves, or their square root, rounded down to a whole one."""
    held = max(tokens_wei, 0)
    return isqrt(held) if rule == Weight.ROOT else held


def one_voter(*, donor_id: int) -> set[int]:
    """Return the donors who are one voter with this one: those whose wallet in effect is the same;
    without a wallet, those without one whose address was proved to be the same.

    Each donation without a log-in makes a donor of its own, and these bring them together. Whoever
    gives may name anybody's address: that makes nobody speak for its other donors, as without a
    wallet only the address's holder votes.
    """
    links = WalletLink.objects.filter(
        donor__isnull=False, took_effect_at__isnull=False, unlinked_at__isnull=True
    )
    wallets = links.filter(donor_id=donor_id).values("address")
    same = set(links.filter(address__in=wallets).values_list("donor_id", flat=True))
    if not same:
        same = addresses.proven_with(donor=donor_id)
        same -= set(links.filter(donor__in=same).values_list("donor_id", flat=True))
    return {donor_id} | {pk for pk in same if pk is not None}


def _cast_order(ballot: Ballot) -> int:
    return ballot.pk
