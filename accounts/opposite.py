"""The opposite of part of a credit, exact however many parts it is taken back in. Pure integers.

Of a payment of A minor units, of which c are taken back, each leg L of the credit has to have moved
by -(L * c // A), rounded towards zero. What was moved before is taken off, so that no rounding adds
up and a payment taken back in whole is exactly undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

Account = tuple[str, str]
"""Kind and name of a ledger account in DAI."""

HOUSEHOLD: Account = ("household", "")
RESERVE: Account = ("fx_reserve", "")

_OF_HOUSEHOLD = {"household_funds", "household_repayment", "payer_claim"}


def folded(postings: Iterable[tuple[str, str, int]], *, position: Account) -> dict[Account, int]:
    """Sum postings (kind, name, wei) by what is taken back as one.

    A household's accounts and the claim on its payer are one. The provider keeps its fee, so what
    was booked as rail_fees comes out of the position in the payment's currency.
    """
    sums: Counter[Account] = Counter()
    for kind, name, amount in postings:
        if kind in _OF_HOUSEHOLD:
            sums[HOUSEHOLD] += amount
        else:
            sums[position if kind == "rail_fees" else (kind, name)] += amount
    return {account: amount for account, amount in sums.items() if amount}


def due(
    *,
    credit: Mapping[Account, int],
    moved: Mapping[Account, int],
    taken_minor: int,
    paid_minor: int,
) -> dict[Account, int]:
    """Return the legs that take a payment's credit back up to taken_minor in all.

    credit and moved are folded: the credit, and what take-backs that stand moved already. The FX
    reserve balances what the rounding leaves. No leg ever moves the wrong way: where take-backs
    were put back, an earlier rounding can leave a wei too much, and the next one takes less.
    """
    legs: dict[Account, int] = {}
    for account, leg in credit.items():
        if account == RESERVE:
            continue
        direction = -1 if leg > 0 else 1
        target = abs(leg) * taken_minor // paid_minor
        step = max(target - direction * moved.get(account, 0), 0)
        if step:
            legs[account] = direction * step
    if rest := -sum(legs.values()):
        legs[RESERVE] = rest
    return legs


def most_minor(
    *, credited_wei: int, moved_wei: int, unspent_wei: int, taken_minor: int, paid_minor: int
) -> int:
    """Return how many more minor units can be taken back out of what is unspent.

    credited_wei is what the household got, moved_wei what was taken of that already.
    """
    if credited_wei <= 0:
        return paid_minor - taken_minor
    reach = ((unspent_wei + moved_wei + 1) * paid_minor - 1) // credited_wei
    return max(min(reach, paid_minor) - taken_minor, 0)
