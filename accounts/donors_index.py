"""Donors' shares of impact tokens, in constant time a batch and exact to the wei.

Idea from Batog, Boca, Johnson, "Scalable Reward Distribution on the Ethereum Blockchain" (2018),
with remainders kept so that nothing is lost. The functions below are the arithmetic; the SQL of
accounts/sql/donors_index.sql and donors_payments.sql does the same behind the site's locked book.

Invariant: sum(claimed*SCALE + fraction + d*(acc-paid)) + rem == SCALE * (rewarded - unallocated).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from accounts.fields import uuid7
from accounts.models import Donation, Donor, Payment, Site

SCALE = 10**36


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """D, acc, rem of the economy, and the totals."""

    donated_wei: int = 0
    accumulated: int = 0
    remainder: int = 0
    rewarded_wei: int = 0
    unallocated_wei: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """d, paid, frac, claimed of the economy: one donation."""

    amount_wei: int
    paid_index: int
    fraction: int = 0
    claimed_wei: int = 0


def rewarded(*, index: Index, reward_wei: int) -> Index:
    """Return the index after a reward; with no donation the reward is parked."""
    if index.donated_wei == 0:
        return replace(
            index,
            rewarded_wei=index.rewarded_wei + reward_wei,
            unallocated_wei=index.unallocated_wei + reward_wei,
        )
    step, remainder = divmod(reward_wei * SCALE + index.remainder, index.donated_wei)
    return replace(
        index,
        accumulated=index.accumulated + step,
        remainder=remainder,
        rewarded_wei=index.rewarded_wei + reward_wei,
    )


def touched(*, index: Index, position: Position) -> Position:
    """Return the position brought up to date with the index."""
    value = position.amount_wei * (index.accumulated - position.paid_index) + position.fraction
    whole, fraction = divmod(value, SCALE)
    return replace(
        position,
        claimed_wei=position.claimed_wei + whole,
        fraction=fraction,
        paid_index=index.accumulated,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawn:
    """What taking part of a donation out gave back: to the others, or parked if there is none."""

    returned_wei: int
    is_parked: bool


def withdrawn(
    *, index: Index, position: Position, amount_wei: int, is_vested: bool
) -> tuple[Index, Position, Withdrawn]:
    """Return index and position after amount_wei of it were taken out, and what that gave back.

    Unvested tokens go with what they were given for: all of them, or the same part rounded down to
    the wei; vested ones stay. Raises ValueError where the position holds less.
    """
    if not 0 < amount_wei <= position.amount_wei:
        raise ValueError(f"the donation has {position.amount_wei} wei left, not {amount_wei}")
    brought = touched(index=index, position=position)
    is_whole = amount_wei == position.amount_wei
    returned_wei, fraction = 0, 0
    if not is_vested:
        returned_wei = brought.claimed_wei * amount_wei // brought.amount_wei
        fraction = brought.fraction if is_whole else 0
    left = replace(
        brought,
        amount_wei=brought.amount_wei - amount_wei,
        claimed_wei=brought.claimed_wei - returned_wei,
        fraction=brought.fraction - fraction,
    )
    donated_wei = index.donated_wei - amount_wei
    scaled = index.remainder + fraction
    gave = Withdrawn(returned_wei=returned_wei, is_parked=donated_wei == 0)
    if gave.is_parked:
        parked = index.unallocated_wei + returned_wei
        after = replace(index, donated_wei=0, remainder=scaled, unallocated_wei=parked)
        return after, left, gave
    step, remainder = divmod(scaled + returned_wei * SCALE, donated_wei)
    after = replace(
        index,
        donated_wei=donated_wei,
        accumulated=index.accumulated + step,
        remainder=remainder,
    )
    return after, left, gave


def donate(
    *, donor: Donor, site: Site, amount_wei: int, donated_at: datetime, vests_at: datetime
) -> Donation:
    """Open a position; it counts for every batch posted after it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT donors_index_donate(%s, %s, %s, %s::numeric, %s, %s)",
            [uuid7(), donor.pk, site.pk, amount_wei, donated_at, vests_at],
        )
        return Donation.objects.get(pk=cursor.fetchone()[0])


def belongs_to(*, donation: Donation, payment: Payment) -> Donation:
    """Note which payment a position stands for and return it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT donors_index_paid_by(%s, %s)", [donation.pk, payment.pk])
    donation.payment = payment
    return donation


def withdraw(*, donation: Donation, amount_wei: int, at: datetime) -> Withdrawn:
    """Take amount_wei out of a stored position, behind the site's locked book; see withdrawn.

    Done by donors_index_withdraw of accounts/sql/donors_payments.sql, which refuses more than the
    position holds.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT returned_wei, is_parked FROM donors_index_withdraw(%s, %s::numeric, %s)",
            [donation.pk, amount_wei, at],
        )
        returned_wei, is_parked = cursor.fetchone()
    return Withdrawn(returned_wei=int(returned_wei), is_parked=is_parked)


def touch(*, donation: Donation) -> Donation:
    """Bring a donation's stored position up to date and return it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT donors_index_touch(%s)", [donation.pk])
    return Donation.objects.get(pk=donation.pk)
