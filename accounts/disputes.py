"""Disputes: a payer contests a payment at their bank, which takes the money until it is decided.

What comes is the dispute as it stands now, in any order and any number of times. It only ever goes
forward: inquiry, open, lost, won (a bank that gave the money again took back its word). An inquiry
takes nothing; an open dispute takes amount and fee; a lost one stays so; a won one is put back.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import fiscal, take_backs
from accounts.intents import Reason
from accounts.models import Dispute, Payment
from accounts.reversals import NotTheSame, payment_of

State = Dispute.State

ORDER = (State.INQUIRY, State.OPEN, State.LOST, State.WON)


def follow(
    *,
    provider: str,
    reference: str,
    payment_reference: str,
    amount_minor: int,
    fee_minor: int,
    currency: str,
    reason: str,
    state: str,
    opened_at: datetime,
    at: datetime,
    evidence_due_at: datetime | None = None,
) -> Dispute:
    """Bring a dispute to where its provider says it stands; (provider, reference) is one dispute.

    amount_minor and fee_minor are in minor units of the payment's currency; the fee is what the
    provider keeps of it by now. Raises take_backs.NotTaken: somebody has to look, and the caller
    to try again later.
    """
    payment = payment_of(provider=provider, reference=payment_reference, currency=currency)
    with transaction.atomic():
        stored = take_backs.locked(payment_id=payment.pk)
        dispute = _found(
            payment=stored,
            provider=provider,
            reference=reference,
            amount_minor=amount_minor,
            opened_at=opened_at,
            at=at,
        )
        dispute.reason = reason[:80] or dispute.reason
        dispute.evidence_due_at = evidence_due_at or dispute.evidence_due_at
        if dispute.take_back is None:
            dispute.amount_minor = amount_minor
        _advance(dispute, told=State(state), fee_minor=fee_minor, at=at)
        dispute.save()
        return dispute


def _found(
    *,
    payment: Payment,
    provider: str,
    reference: str,
    amount_minor: int,
    opened_at: datetime,
    at: datetime,
) -> Dispute:
    known = (
        Dispute.objects.filter(provider=provider, reference=reference)
        .select_related("take_back")
        .first()
    )
    if known is None:
        return Dispute(
            payment=payment,
            provider=provider,
            reference=reference,
            amount_minor=amount_minor,
            state=State.INQUIRY,
            opened_at=opened_at,
            recorded_at=at,
        )
    if known.payment_id != payment.pk:
        raise NotTheSame(f"dispute {reference} is of {known.payment.reference}")
    if known.take_back is not None and known.amount_minor != amount_minor:
        raise NotTheSame(
            f"dispute {reference} took {known.amount_minor} minor units, not {amount_minor}"
        )
    return known


def _advance(dispute: Dispute, *, told: State, fee_minor: int, at: datetime) -> None:
    """Go forward to what was told; of the same state the highest fee counts, of an older none."""
    ahead = ORDER.index(told) - ORDER.index(State(dispute.state))
    # Won without a fee and never seen open: it may have been an inquiry all along.
    was_taken = told in (State.OPEN, State.LOST) or (told == State.WON and fee_minor > 0)
    if ahead > 0 and dispute.take_back is None and was_taken:
        _take(dispute, at=at)
    if dispute.take_back is not None and ahead >= 0:
        owed_minor = fee_minor if ahead else max(fee_minor, dispute.fee_minor)
        take_backs.change_fee(
            take_back=dispute.take_back, fee_minor=owed_minor - dispute.fee_minor, at=at
        )
        dispute.fee_minor = owed_minor
    if ahead <= 0:
        return
    if dispute.take_back is not None and told == State.WON:
        take_backs.put_back(take_back=dispute.take_back, occurred_at=at, at=at)
    elif dispute.take_back is not None and told == State.LOST:
        fiscal.credit(take_back=dispute.take_back, at=at)
    dispute.state = told
    dispute.closed_at = at if told in (State.LOST, State.WON) else None


def _take(dispute: Dispute, *, at: datetime) -> None:
    dispute.take_back = take_backs.take(
        payment=dispute.payment,
        amount_minor=dispute.amount_minor,
        reason=Reason.DISPUTE,
        key=f"{dispute.provider}:{dispute.reference}",
        occurred_at=dispute.opened_at,
        at=at,
    )
    take_backs.paid_out(take_back=dispute.take_back, occurred_at=dispute.opened_at, at=at)
    take_backs.tell(take_back=dispute.take_back, kind="payment_reversed", at=at)
