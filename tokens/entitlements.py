"""What every leaf of an epoch stands for: the ledger's amounts, and never less than before.

Energy stands with households only: half of a milliwatt-hour's tokens are theirs, the other half
the donors'. A negative correction in the ledger leaves the leaf where it was; what the leaf then
stands above the ledger is its carry, which later accruals use up first:

    leaf = max(previous leaf, ledger)        carry = leaf - ledger

The vesting reserve takes the rest of the donors' half of the leaves' energy. Nobody can claim it,
so it alone may fall: by what vests, and by what it lends where a donation kept its leaf although
its tokens went to other donations (its carry is then below zero). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class UnequalHalves(Exception):
    """Households and donors do not own the same amount of tokens, or not whole milliwatt-hours."""


class ReserveTooSmall(Exception):
    """Donations kept more than the donors' half of the energy gives; later energy mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owned:
    """Tokens of one leaf, in wei: by the ledger now, and in the last active epoch (0: none)."""

    key: str
    ledger_wei: int
    previous_wei: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entitled:
    """A leaf of the epoch and its carry; only the reserve's carry may be below zero."""

    key: str
    milliwatt_hours: int
    tokens_wei: int
    carry_milliwatt_hours: int
    carry_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Entitlements:
    """All leaves of a site: tokens are energy times wei_per_milliwatt_hour, exactly."""

    households: tuple[Entitled, ...]
    donations: tuple[Entitled, ...]
    reserve: Entitled
    unallocated: Entitled

    @property
    def leaves(self) -> tuple[Entitled, ...]:
        return (*self.households, *self.donations, self.reserve, self.unallocated)

    @property
    def milliwatt_hours(self) -> int:
        return sum(leaf.milliwatt_hours for leaf in self.leaves)

    @property
    def tokens_wei(self) -> int:
        return sum(leaf.tokens_wei for leaf in self.leaves)

    @property
    def carry_milliwatt_hours(self) -> int:
        return sum(leaf.carry_milliwatt_hours for leaf in self.leaves)

    @property
    def carry_wei(self) -> int:
        return sum(leaf.carry_wei for leaf in self.leaves)


def entitle(
    *,
    households: Iterable[Owned],
    donations: Iterable[Owned],
    reserve_key: str,
    unallocated: Owned,
    donors_pool_wei: int,
    wei_per_milliwatt_hour: int,
) -> Entitlements:
    """Return this epoch's leaves.

    A donation's ledger amount is what has vested of it; donors_pool_wei is everything of the
    donors, vested or not, without the unallocated. Raises UnequalHalves and ReserveTooSmall.
    """
    if wei_per_milliwatt_hour <= 0 or wei_per_milliwatt_hour % 2:
        raise UnequalHalves(f"{wei_per_milliwatt_hour} wei a milliwatt-hour can't be halved")
    half = wei_per_milliwatt_hour // 2
    homes = tuple(_household(owned, half=half) for owned in households)
    given = tuple(_kept(owned) for owned in donations)
    parked = _kept(unallocated)
    in_ledger = sum(home.tokens_wei - home.carry_wei for home in homes)
    if in_ledger != donors_pool_wei + unallocated.ledger_wei:
        raise UnequalHalves(
            f"households own {in_ledger} wei, donors and nobody"
            f" {donors_pool_wei + unallocated.ledger_wei}"
        )
    vested_wei = sum(leaf.tokens_wei - leaf.carry_wei for leaf in given)
    donors_half = sum(home.tokens_wei for home in homes)
    reserve_wei = donors_half - parked.tokens_wei - sum(leaf.tokens_wei for leaf in given)
    if reserve_wei < 0:
        raise ReserveTooSmall(f"leaves of donors stand {-reserve_wei} wei above their half")
    reserve = Entitled(
        key=reserve_key,
        milliwatt_hours=0,
        tokens_wei=reserve_wei,
        carry_milliwatt_hours=0,
        carry_wei=reserve_wei - (donors_pool_wei - vested_wei),
    )
    return Entitlements(households=homes, donations=given, reserve=reserve, unallocated=parked)


def _household(owned: Owned, *, half: int) -> Entitled:
    kept = _kept(owned)
    if kept.tokens_wei % half or kept.carry_wei % half:
        raise UnequalHalves(f"the tokens of {owned.key} are no whole milliwatt-hours")
    return Entitled(
        key=owned.key,
        milliwatt_hours=kept.tokens_wei // half,
        tokens_wei=kept.tokens_wei,
        carry_milliwatt_hours=kept.carry_wei // half,
        carry_wei=kept.carry_wei,
    )


def _kept(owned: Owned) -> Entitled:
    tokens_wei = max(owned.previous_wei, owned.ledger_wei)
    return Entitled(
        key=owned.key,
        milliwatt_hours=0,
        tokens_wei=tokens_wei,
        carry_milliwatt_hours=0,
        carry_wei=tokens_wei - owned.ledger_wei,
    )
