"""Claims on payers: what somebody owes who took back credit that a household had spent.

A claim is closed in whole. Paid to the operator by hand, or given up: either way what the site owes
its operator shrinks by it. Once the operator has the money in hand, once it bears the loss.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import ledger, take_back_legs, take_backs
from accounts.ledger import Leg
from accounts.models import PayerClaim, User

State = PayerClaim.State


class ClaimClosed(Exception):
    """The claim was settled or written off already."""


def settle(*, claim: PayerClaim, note: str, by: User, at: datetime) -> PayerClaim:
    """Note that the payer paid a claim to the operator; note says how. Raises ClaimClosed."""
    return _close(claim, state=State.SETTLED, note=note, by=by, at=at)


def write_off(*, claim: PayerClaim, note: str, by: User, at: datetime) -> PayerClaim:
    """Give a claim up: the operator's pool bears it. Raises ClaimClosed."""
    return _close(claim, state=State.WRITTEN_OFF, note=note, by=by, at=at)


def _close(
    claim: PayerClaim, *, state: PayerClaim.State, note: str, by: User, at: datetime
) -> PayerClaim:
    with transaction.atomic():
        payment = take_backs.locked(payment_id=claim.take_back.payment_id)
        stored = PayerClaim.objects.select_for_update(of=("self",)).get(pk=claim.pk)
        if stored.state != State.OPEN:
            raise ClaimClosed(f"the {stored} is {stored.get_state_display()}")
        ledger.post(
            book_id=take_back_legs.book_of(payment=payment),
            kind=f"claim_{state}",
            key=f"claim_{state}:{stored.pk}",
            legs=[
                Leg(kind="payer_claim", amount=stored.amount_wei),
                Leg(kind="pool", name="operator", amount=-stored.amount_wei),
            ],
            occurred_at=at,
            at=at,
        )
        stored.state, stored.note, stored.closed_by, stored.closed_at = state, note[:200], by, at
        stored.save(update_fields=["state", "note", "closed_by", "closed_at"])
        return stored
