"""Reversals: money that a provider took back by itself, e.g. as the payer asked for it there."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import fiscal, take_backs
from accounts.intents import Reason
from accounts.models import Payment, Reversal
from accounts.take_backs import NotTaken


class UnknownPayment(NotTaken):
    """Money of a payment was taken back that is not known here (yet)."""


class NotTheSame(NotTaken):
    """What is known was told again, with another amount, currency or payment."""


def payment_of(*, provider: str, reference: str, currency: str) -> Payment:
    """Return the payment that a provider took money of. Raises UnknownPayment, NotTheSame."""
    payment = Payment.objects.filter(provider=provider, reference=reference).first()
    if payment is None:
        raise UnknownPayment(f"{provider} took back of {reference!r}, which is not known here")
    if payment.currency != currency:
        raise NotTheSame(f"{reference} is in {payment.currency}, taken back was {currency}")
    return payment


def record(
    *,
    provider: str,
    reference: str,
    payment_reference: str,
    amount_minor: int,
    currency: str,
    reversed_at: datetime,
    at: datetime,
    fee_minor: int = 0,
) -> Reversal:
    """Take back what the provider took already; the same (provider, reference) takes once.

    Only what is unspent comes from the household, the rest is a claim on the payer. Raises
    take_backs.NotTaken: somebody has to look, and the caller to try again later.
    """
    payment = payment_of(provider=provider, reference=payment_reference, currency=currency)
    with transaction.atomic():
        stored = take_backs.locked(payment_id=payment.pk)
        known = Reversal.objects.filter(provider=provider, reference=reference).first()
        if known is not None:
            if (known.payment_id, known.amount_minor) != (stored.pk, amount_minor):
                raise NotTheSame(f"reversal {reference} is known with {known.amount_minor}")
            return known
        take_back = take_backs.take(
            payment=stored,
            amount_minor=amount_minor,
            reason=Reason.REVERSAL,
            key=f"{provider}:{reference}",
            occurred_at=reversed_at,
            at=at,
        )
        reversal = Reversal.objects.create(
            payment=stored,
            provider=provider,
            reference=reference,
            amount_minor=amount_minor,
            take_back=take_back,
            reversed_at=reversed_at,
            recorded_at=at,
        )
        paid = take_backs.paid_out(
            take_back=take_back, fee_minor=fee_minor, occurred_at=reversed_at, at=at
        )
        fiscal.credit(take_back=paid, at=at)
        take_backs.tell(take_back=paid, kind="payment_reversed", at=at)
        return reversal
