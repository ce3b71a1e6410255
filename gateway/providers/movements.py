"""Rows of a rail's statement: kept as first seen, and money that left again followed up."""

from __future__ import annotations

from datetime import datetime

from accounts.models import Rail
from accounts.topups import ConfirmedPayment
from gateway.providers.interface import Movement, StatementEntry, UnreadableRow
from gateway.providers.models import StatementRow


def keep(*, row: StatementEntry, rail: Rail, at: datetime) -> None:
    """Store a row once; a row that was seen before is not changed."""
    if isinstance(row, UnreadableRow):
        return
    StatementRow.objects.get_or_create(
        rail=rail,
        kind=row.kind if isinstance(row, Movement) else StatementRow.Kind.PAYMENT,
        reference=row.reference,
        defaults={
            "payment_reference": "" if isinstance(row, ConfirmedPayment) else row.payment_reference,
            "amount_minor": row.amount_minor,
            "fee_minor": row.fee_minor or 0,
            "currency": row.currency,
            "happened_at": (row.paid_at if isinstance(row, ConfirmedPayment) else row.happened_at),
            "account_text": row.account_text[:64] if isinstance(row, ConfirmedPayment) else "",
            "payer_phone": row.payer_phone[:80] if isinstance(row, ConfirmedPayment) else "",
            "first_seen_at": at,
        },
    )


def follow(*, movement: Movement, rail: Rail, at: datetime) -> str:
    """Act on money that left again; return what a person has to look at, if anything."""
    return ""
