"""The change of period: no household loses local value.

Where a new rate gives less local money for a DAI, funds are topped up from the site's FX reserve;
where it gives more, what households owe (in DAI) would grow in local money, and the reserve pays
that difference towards it. Nothing is taken from anybody whom a change favours.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db import connection, transaction

from accounts import ledger, notices, site_rates
from accounts.ledger import DAI, Leg
from accounts.locks import singleton
from accounts.models import Household, Site, SiteRate
from accounts.models.ledger import LedgerAccount
from accounts.notices import Message

ENTRY_KIND = "rate_compensation"
Kind = LedgerAccount.Kind

# What stood on households' accounts at an instant: what stands there now, less what was recorded
# since. A compensation counts from the instant it was for, however late it was recorded.
_STOOD_AT = """
    SELECT a.household_id, a.kind, a.amount - coalesce(later.amount, 0)
    FROM ledger_account a
    LEFT JOIN (
        SELECT p.account_id, sum(p.amount) AS amount
        FROM journal_entry e JOIN posting p ON p.book_id = e.book_id AND p.entry_id = e.id
        WHERE e.book_id = %(book_id)s AND CASE WHEN e.kind = %(kind)s
            THEN e.occurred_at > %(instant)s ELSE e.recorded_at >= %(instant)s END
        GROUP BY p.account_id
    ) later ON later.account_id = a.id
    WHERE a.book_id = %(book_id)s AND a.asset = %(asset)s AND a.household_id IS NOT NULL
    ORDER BY a.household_id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What a change of the rate makes due to one household, in wei.

    funds_wei goes to its funds, repayment_wei towards what it owes.
    """

    household_id: int
    funds_wei: int = 0
    repayment_wei: int = 0


def key(rate: SiteRate) -> str:
    """Return the key of the entry that compensates households for the change to a rate."""
    return f"{ENTRY_KIND}:{rate.pk}"


def run_due(*, at: datetime) -> int:
    """Roll over every site with a rate that has begun; return how many rates were dealt with.

    Each site in a transaction of its own. Running it late, twice, or at once changes nothing.
    """
    begun = SiteRate.objects.filter(
        compensated_at__isnull=True, validity__startswith__lte=at, published_at__lte=at
    )
    waiting = Site.objects.filter(pk__in=begun.values("site")).select_related("book")
    done = 0
    for site in waiting.order_by("pk"):
        with singleton(f"roll_over:{site.pk}") as is_alone:
            if is_alone:
                done += roll_over(site=site, at=at)
    return done


@transaction.atomic
def roll_over(*, site: Site, at: datetime) -> int:
    """Compensate for every rate of a site that has begun, oldest first; return how many.

    Behind the book's lock, so that no funds move meanwhile and a second runner finds it done.
    """
    ledger.lock(book_id=site.book.pk)
    rates = list(
        SiteRate.objects.filter(
            site=site,
            compensated_at__isnull=True,
            validity__startswith__lte=at,
            published_at__lte=at,
        ).order_by("validity__startswith")
    )
    for rate in rates:
        _compensate(site=site, rate=rate, at=at)
    return len(rates)


def dues(*, stood: dict[int, dict[str, int]], before: Fraction, after: Fraction) -> list[Due]:
    """Return what is due to each household from what stood on its accounts, by id and kind.

    Rates are local money per DAI. What a household has is rounded up to the wei and what it owes
    down, so that neither looks worse in local money, to the last minor unit.
    """
    found = []
    for household_id, kinds in stood.items():
        owed_wei = -kinds.get(Kind.HOUSEHOLD_ARREARS, 0) - kinds.get(Kind.HOUSEHOLD_REPAYMENT, 0)
        # More was set aside than is owed any more: that is the household's own.
        funds_wei = kinds.get(Kind.HOUSEHOLD_FUNDS, 0) + max(-owed_wei, 0)
        if after < before and funds_wei > 0:
            lost = funds_wei * (before / after - 1)
            found.append(Due(household_id=household_id, funds_wei=-int(-lost // 1)))
        elif after > before and owed_wei > 0:
            grown = owed_wei * (1 - before / after)
            found.append(Due(household_id=household_id, repayment_wei=-int(-grown // 1)))
    return found


def stood_at(*, book_id: int, instant: datetime) -> dict[int, dict[str, int]]:
    """Return wei of DAI on households' accounts in a book just before an instant, by kind."""
    stood: defaultdict[int, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            _STOOD_AT, {"book_id": book_id, "kind": ENTRY_KIND, "instant": instant, "asset": DAI}
        )
        for household_id, kind, amount in cursor.fetchall():
            stood[household_id][kind] = int(amount)
    return stood


def rate_before(rate: SiteRate) -> SiteRate | None:
    """Return the rate that a rate took over from, in the same currency, or None."""
    return (
        SiteRate.objects.filter(
            site_id=rate.site_id,
            currency=rate.currency,
            validity__startswith__lt=rate.validity.lower,
        )
        .order_by("-validity__startswith")
        .first()
    )


def _compensate(*, site: Site, rate: SiteRate, at: datetime) -> None:
    before = rate_before(rate)
    effect_at = site_rates.takes_effect_at(rate)
    due = (
        []
        if before is None or before.local_per_dai == rate.local_per_dai
        else dues(
            stood=stood_at(book_id=site.book.pk, instant=effect_at),
            before=Fraction(before.local_per_dai),
            after=Fraction(rate.local_per_dai),
        )
    )
    rate.compensated_at = at
    rate.compensation_wei = sum(each.funds_wei + each.repayment_wei for each in due)
    rate.save(update_fields=["compensated_at", "compensation_wei"])
    if due:
        ledger.post(
            book_id=site.book.pk,
            kind=ENTRY_KIND,
            key=key(rate),
            legs=[Leg(kind="fx_reserve", amount=-rate.compensation_wei), *_legs(due)],
            occurred_at=effect_at,
            at=at,
        )
        _tell(site=site, rate=rate, due=due, at=at)


def _legs(due: list[Due]) -> list[Leg]:
    legs = []
    for each in due:
        owner = each.household_id
        legs.append(Leg(kind="household_funds", household_id=owner, amount=each.funds_wei))
        legs.append(Leg(kind="household_repayment", household_id=owner, amount=each.repayment_wei))
    return [leg for leg in legs if leg.amount]


def _tell(*, site: Site, rate: SiteRate, due: list[Due], at: datetime) -> None:
    told = {each.household_id: each for each in due}
    households = Household.objects.filter(pk__in=told, closed_at__isnull=True)
    notices.tell_households(
        messages=[
            Message(
                household=household,
                params={
                    "site": site.slug,
                    "funds_wei": str(told[household.pk].funds_wei),
                    "repayment_wei": str(told[household.pk].repayment_wei),
                },
            )
            for household in households
        ],
        kind=ENTRY_KIND,
        key=key(rate),
        at=at,
    )
