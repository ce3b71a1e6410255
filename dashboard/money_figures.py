"""The money of a site from what households paid in to whom the pools paid, and that it adds up.

What came in is told by whole days and of enough households only (settlement.deposited); what was
collected, and what became of it, as it stands. What is not told of what came in is left out on
both sides: neither it nor what households have left can be reckoned from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import settlement.queries
import tokens.deposited
from accounts.models import DonorsIndex, Site
from dashboard import queries
from dashboard.flow import Link, Node
from dashboard.memory import remember
from dashboard.queries import FEWEST_METERS
from settlement import deposited
from settlement.deposited import Told
from settlement.queries import Flow, PaidOut, PoolFlow

FEWEST_HOUSEHOLDS = FEWEST_METERS
PAYEES_DRAWN = 3
"""Payees of one pool that the picture names; the rest are one node."""
REST = ""
MOST_READS = 3
_TOLD_SECONDS = 3600

ACCOUNTS, REVENUE, LEFT = "accounts", "revenue", "left"
UNTOLD, TAKEN, BORNE = "untold", "taken", "borne"


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """A site's money in wei of DAI. ways: what came in, as far as it may be told.

    donated_wei was given for the site by donors, what was taken back is off. booked_at is when the
    books moved last.
    """

    ways: tuple[Told, ...]
    flow: Flow
    donated_wei: int
    booked_at: datetime | None

    @property
    def told_wei(self) -> int:
        """What came in, as far as it is told."""
        return sum(each.amount_wei for each in self.ways)

    @property
    def left_wei(self) -> int:
        """What is left of that on households' accounts; below zero: that much more came in."""
        return self.told_wei - self.flow.revenue_wei

    @property
    def is_drawn(self) -> bool:
        """A picture takes revenue that was not given back again."""
        return self.flow.revenue_wei > 0


def gather(*, site: Site, at: datetime) -> Money:
    """Return the money of a site that came from `open_site`.

    Read again where the books moved meanwhile, or the parts would be of different instants.
    """
    ways, booked_at = _told(site=site, at=at), queries.booked_at(site=site)
    for _ in range(MOST_READS):
        money = Money(
            ways=ways,
            flow=settlement.queries.flow(site=site),
            donated_wei=DonorsIndex.objects.values_list("donated_wei", flat=True).get(site=site),
            booked_at=booked_at,
        )
        booked_at = queries.booked_at(site=site)
        if booked_at == money.booked_at:
            break
    return money


def _told(*, site: Site, at: datetime) -> tuple[Told, ...]:
    """Days before today do not change any more but for what was being written at midnight."""
    today = at.astimezone(ZoneInfo(site.time_zone)).date()

    def add_up() -> tuple[Told, ...]:
        moved = [
            *deposited.movements(site=site),
            *tokens.deposited.movements(site=site),
        ]
        return tuple(deposited.told(movements=moved, before=today, fewest=FEWEST_HOUSEHOLDS))

    return remember(key=f"told:{site.uid}:{today}", compute=add_up, seconds=_TOLD_SECONDS)


def diagram(money: Money) -> tuple[list[Node], list[Link]]:
    """Return the nodes and links of the picture; what is below zero flows the other way round."""
    nodes = [
        *(Node(key=each.way, column=0, kind="way") for each in money.ways if each.amount_wei > 0),
        Node(key=UNTOLD, column=0, kind="other"),
        Node(key=ACCOUNTS, column=1, kind="way"),
        Node(key=BORNE, column=1, kind="other"),
        Node(key=REVENUE, column=2, kind="revenue"),
        Node(key=LEFT, column=2, kind="way"),
        Node(key=TAKEN, column=2, kind="other"),
    ]
    links = list(_into_revenue(money))
    for pool in money.flow.pools:
        payees = _payees(money.flow, pool=pool.name)
        nodes += [
            Node(key=f"corrected:{pool.name}", column=2, kind="other"),
            Node(key=f"pool:{pool.name}", column=3, kind="pool"),
            *(
                Node(key=f"{end}:{pool.name}", column=4, kind="pool")
                for end in ("held", "reserved", "due", "returned")
            ),
            *(Node(key=f"paid:{pool.name}:{name}", column=4, kind="payee") for name, _ in payees),
        ]
        links += _through(pool, payees=payees)
    return nodes, [link for link in links if link.amount_wei > 0]


def _into_revenue(money: Money) -> Iterator[Link]:
    for each in money.ways:
        yield Link(source=each.way, target=ACCOUNTS, amount_wei=each.amount_wei)
        # More was taken back over this way than came: out of what came over the others.
        yield Link(source=ACCOUNTS, target=TAKEN, amount_wei=-each.amount_wei)
    yield Link(source=UNTOLD, target=ACCOUNTS, amount_wei=-money.left_wei)
    yield Link(source=ACCOUNTS, target=REVENUE, amount_wei=money.flow.revenue_wei)
    yield Link(source=ACCOUNTS, target=LEFT, amount_wei=money.left_wei)
    for pool in money.flow.pools:
        yield Link(source=BORNE, target=REVENUE, amount_wei=-pool.received_wei)


def _through(pool: PoolFlow, *, payees: list[tuple[str, int]]) -> Iterator[Link]:
    key = f"pool:{pool.name}"
    yield Link(source=REVENUE, target=key, amount_wei=pool.received_wei)
    added_wei = max(pool.corrected_wei, 0) + max(-pool.held_wei, 0)
    yield Link(source=f"corrected:{pool.name}", target=key, amount_wei=added_wei)
    returned_wei = max(-pool.corrected_wei, 0) + max(-pool.received_wei, 0)
    yield Link(source=key, target=f"held:{pool.name}", amount_wei=pool.held_wei)
    yield Link(source=key, target=f"reserved:{pool.name}", amount_wei=pool.reserved_wei)
    yield Link(source=key, target=f"due:{pool.name}", amount_wei=pool.due_wei)
    yield Link(source=key, target=f"returned:{pool.name}", amount_wei=returned_wei)
    for name, paid_wei in payees:
        yield Link(source=key, target=f"paid:{pool.name}:{name}", amount_wei=paid_wei)


def _payees(flow: Flow, *, pool: str) -> list[tuple[str, int]]:
    """The payees of a pool with what they got, the largest first; REST stands for the others."""
    paid: list[PaidOut] = [each for each in flow.paid_out if each.pool == pool]
    sums: dict[str, int] = {}
    for number, each in enumerate(paid):
        name = each.public_name if number < PAYEES_DRAWN else REST
        sums[name] = sums.get(name, 0) + each.amount_wei
    return list(sums.items())
