"""What tests of the reconciliation share: silent payments, a clerk, and what stands afterwards."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils import timezone

from accounts import amounts, audit
from accounts.models import Household, LedgerAccount, User
from gateway.providers import reconciliation, resolutions
from gateway.providers.models import Difference, Reconciliation, StatementRow
from tests.integration.sandboxed import World
from tests.village import Village

WEI = 10**18


def noon(*, days_ago: int = 2) -> datetime:
    """Noon in Nairobi of a day that is long over."""
    return (timezone.now() - timedelta(days=days_ago)).replace(
        hour=9, minute=0, second=0, microsecond=0
    )


def day_of(at: datetime) -> date:
    return at.date()


def silent(world: World, account: str, amount: str, *, at: datetime | None = None) -> str:
    """Somebody pays the paybill and nobody is told; the receipt."""
    return world.paybill(account, amount, silent=True, at=(at or noon()).isoformat())


def reconcile(village: Village, *, at: datetime | None = None, days_ago: int = 2) -> Reconciliation:
    return reconciliation.run(
        rail=village.rail, day=day_of(noon(days_ago=days_ago)), at=at or timezone.now()
    )


def counts(made: Reconciliation) -> tuple[int, int, int, int]:
    return made.matched, made.missing_here, made.missing_there, made.amount_differs


def clerk(village: Village, name: str = "clerk") -> User:
    return User.objects.create_user(name, is_staff=True, operator=village.operator)


def resolve(village: Village, name: str, *, note: str = "") -> Difference:
    return resolutions.resolve(
        difference=Difference.objects.get(state="open"),
        name=name,
        by=User.objects.filter(username="clerk").first() or clerk(village),
        note=note,
        at=timezone.now(),
    )


def funds(household: Household) -> int:
    return amounts.of_household(household=household).funds_wei


def held(kind: str, asset: str) -> int:
    """What stands on accounts of a kind, over all books."""
    return sum(a.amount for a in LedgerAccount.objects.filter(kind=kind, asset=asset))


def assert_books_hold() -> None:
    wrong = [finding for result in audit.run(checks=audit.CHECKS) for finding in result.findings]
    assert wrong == []


def run_due(village: Village, *, at: datetime) -> int:
    return reconciliation.run_due(rail=village.rail, clock=lambda: at)


def row(
    village: Village,
    reference: str,
    amount_minor: int,
    *,
    kind: str = "payment",
    at: datetime | None = None,
    **fields: object,
) -> StatementRow:
    """A row that the statement showed before."""
    return StatementRow.objects.create(
        rail=village.rail,
        kind=kind,
        reference=reference,
        amount_minor=amount_minor,
        currency="KES",
        happened_at=at or noon(),
        first_seen_at=timezone.now(),
        **fields,
    )
