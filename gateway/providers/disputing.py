"""Disputes as their provider tells them: asked for, then followed."""

from __future__ import annotations

from datetime import datetime

from accounts import disputes
from accounts.models import Dispute, Rail
from gateway.providers.interface import DisputeAnswer, Disputing
from gateway.providers.registry import provider


def ask(*, rail: Rail, reference: str, at: datetime) -> Dispute | None:
    """Ask what became of a dispute and follow it; None where the provider can't be asked.

    Raises ProviderUnavailable, take_backs.NotTaken.
    """
    adapter = provider(rail=rail)
    if not isinstance(adapter, Disputing):
        return None
    return follow(rail=rail, answer=adapter.query_dispute(reference=reference, at=at), at=at)


def follow(*, rail: Rail, answer: DisputeAnswer, at: datetime) -> Dispute:
    """Bring a dispute to where its provider says it stands. Raises take_backs.NotTaken."""
    return disputes.follow(
        provider=rail.provider,
        reference=answer.reference,
        payment_reference=answer.payment_reference,
        amount_minor=answer.amount_minor,
        fee_minor=answer.fee_minor,
        currency=answer.currency,
        reason=answer.reason,
        state=answer.state,
        opened_at=answer.opened_at,
        evidence_due_at=answer.evidence_due_at,
        at=at,
    )
