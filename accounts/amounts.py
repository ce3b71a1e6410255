"""What stands on accounts: read from the ledger's stored amounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum

from accounts.fields import WeiField
from accounts.ledger import DAI, IMPACT_TOKEN
from accounts.models import Household, LedgerAccount, Site
from accounts.models.ledger import LedgerAccount as Account

Kind = Account.Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseholdAmounts:
    """A household at its site: all in wei, arrears as a positive number, net of repayments set
    aside."""

    funds_wei: int = 0
    arrears_wei: int = 0
    impact_tokens_wei: int = 0


def of_households(*, households: Iterable[Household]) -> dict[int, HouseholdAmounts]:
    """Return the amounts of each household by its id, summed over the sites it lived at."""
    ids = [household.pk for household in households]
    rows = (
        LedgerAccount.objects.filter(household_id__in=ids)
        .values_list("household_id", "kind")
        .annotate(total=Sum("amount", output_field=WeiField()))
    )
    by_household: dict[int, dict[str, int]] = {pk: {} for pk in ids}
    for household_id, kind, total in rows:
        by_household[household_id][kind] = total
    return {
        pk: HouseholdAmounts(
            funds_wei=kinds.get(Kind.HOUSEHOLD_FUNDS, 0),
            arrears_wei=-kinds.get(Kind.HOUSEHOLD_ARREARS, 0)
            - kinds.get(Kind.HOUSEHOLD_REPAYMENT, 0),
            impact_tokens_wei=kinds.get(Kind.HOUSEHOLD_TOKENS, 0),
        )
        for pk, kinds in by_household.items()
    }


def of_household(*, household: Household) -> HouseholdAmounts:
    """Return one household's amounts."""
    return of_households(households=[household])[household.pk]


def of_site(*, site: Site) -> dict[tuple[str, str, str], int]:
    """Return the amounts of a site's own accounts by (kind, name, asset)."""
    rows = LedgerAccount.objects.filter(
        book_id=site.book.pk, household_id__isnull=True
    ).values_list("kind", "name", "asset", "amount")
    return {(kind, name, asset): amount for kind, name, asset, amount in rows}


def pools(*, site: Site) -> dict[str, int]:
    """Return the site's pools in wei of DAI by the name of their split line."""
    return {
        name: amount
        for (kind, name, asset), amount in of_site(site=site).items()
        if kind == Kind.POOL and asset == DAI
    }


def tokens_minted(*, site: Site) -> int:
    """Return the impact tokens minted at the site, in wei."""
    return -of_site(site=site).get((Kind.TOKENS_MINTED, "", IMPACT_TOKEN), 0)
