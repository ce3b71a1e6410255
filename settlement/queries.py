"""What the public sees of a site's money: revenue, the pools it fills, and whom they paid.

Payees appear under their public name; phones, accounts and wallets are in nothing of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, QuerySet, Sum

from accounts import amounts
from accounts.fields import WeiField
from accounts.ledger import DAI
from accounts.models import LedgerAccount, Site
from settlement.models import Payout, SplitProgress

State = Payout.State
Kind = LedgerAccount.Kind
GRANT = "grant"


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolFlow:
    """One split line of a site, in wei of DAI.

    received_wei came from revenue over all time; held_wei stands there now (the operator's may be
    below zero); reserved_wei is held for projects that a vote funded (grant only); due_wei is set
    aside for payouts on their way; paid_wei left for good.
    """

    name: str
    received_wei: int
    held_wei: int
    reserved_wei: int = 0
    due_wei: int = 0
    paid_wei: int = 0

    @property
    def corrected_wei(self) -> int:
        """What came by other entries than revenue: claims on payers that the operator bears."""
        there_wei = self.held_wei + self.reserved_wei + self.due_wei + self.paid_wei
        return there_wei - self.received_wei


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidOut:
    """What one payee was paid out of one pool."""

    pool: str
    role: str
    public_name: str
    amount_wei: int
    payouts: int
    last_paid_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A site's money from what households paid to whom the pools paid."""

    revenue_wei: int
    pools: tuple[PoolFlow, ...]
    paid_out: tuple[PaidOut, ...]


def flow(*, site: Site) -> Flow:
    """Return the flow of a site's money: revenue, pools by name, payees by what they got."""
    progress = _progress(site=site)
    paid_out = _paid_out(site=site)
    return Flow(
        revenue_wei=sum(each.paid_wei for each in progress),
        pools=_pools(site=site, received=_received(progress), paid_out=paid_out),
        paid_out=paid_out,
    )


def paid(*, site: Site) -> QuerySet[Payout]:
    """Return the payouts that arrived, newest first, with their payees and service tokens."""
    return (
        Payout.objects.filter(site=site, state=State.PAID)
        .select_related("payee", "service_token")
        .order_by("-finished_at", "-id")
    )


def _progress(*, site: Site) -> list[SplitProgress]:
    versions = SplitProgress.objects.filter(site=site).select_related("version")
    return list(versions.prefetch_related("version__lines"))


def _pools(
    *, site: Site, received: Mapping[str, int], paid_out: Iterable[PaidOut]
) -> tuple[PoolFlow, ...]:
    stands = amounts.of_site(site=site)
    held = {
        name: wei
        for (kind, name, asset), wei in stands.items()
        if kind == Kind.POOL and asset == DAI
    }
    due = _due(site=site)
    paid_wei: dict[str, int] = {}
    for each in paid_out:
        paid_wei[each.pool] = paid_wei.get(each.pool, 0) + each.amount_wei
    return tuple(
        PoolFlow(
            name=name,
            received_wei=received.get(name, 0),
            held_wei=held.get(name, 0),
            reserved_wei=stands.get((Kind.GRANT_RESERVED, "", DAI), 0) if name == GRANT else 0,
            due_wei=due.get(name, 0),
            paid_wei=paid_wei.get(name, 0),
        )
        for name in sorted({*held, *received})
    )


def _received(progress: Iterable[SplitProgress]) -> dict[str, int]:
    """What every line got over all versions of the split."""
    received: dict[str, int] = {}
    for each in progress:
        lines = sorted(each.version.lines.all(), key=lambda line: line.position)
        for line, wei in zip(lines, each.posted_wei, strict=True):
            received[line.name] = received.get(line.name, 0) + int(wei)
    return received


def _due(*, site: Site) -> dict[str, int]:
    rows = Payout.objects.filter(site=site, state__in=Payout.SET_ASIDE).order_by().values("pool")
    summed = rows.annotate(total=Sum("amount_wei", output_field=WeiField()))
    return {row["pool"]: row["total"] for row in summed}


def _paid_out(*, site: Site) -> tuple[PaidOut, ...]:
    rows = (
        Payout.objects.filter(site=site, state=State.PAID)
        .order_by()
        .values("pool", role=F("payee__role"), public_name=F("payee__public_name"))
        .annotate(
            total=Sum("amount_wei", output_field=WeiField()),
            payouts=Count("pk"),
            last_paid_at=Max("finished_at"),
        )
    )
    found = (
        PaidOut(
            pool=row["pool"],
            role=row["role"],
            public_name=row["public_name"],
            amount_wei=row["total"],
            payouts=row["payouts"],
            last_paid_at=row["last_paid_at"],
        )
        for row in rows
    )
    return tuple(sorted(found, key=lambda each: (each.pool, -each.amount_wei, each.public_name)))
