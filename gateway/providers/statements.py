"""Keeping rows of a rail's statement, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from accounts.models import Rail
from accounts.topups import ConfirmedPayment
from gateway.providers.interface import Movement, StatementEntry, UnreadableRow
from gateway.providers.models import StatementRow

KEPT_AT_ONCE = 1_000


def keep(*, rows: Iterable[StatementEntry], rail: Rail, at: datetime) -> list[str]:
    """Store rows once each, as they were first seen; return what a person has to look at.

    That is rows that can't be read, and rows that now tell another amount than when they were first
    seen. Rows are taken from the provider as they are stored: two statements for every thousand.
    """
    trouble: list[str] = []
    left = iter(rows)
    while chunk := list(islice(left, KEPT_AT_ONCE)):
        trouble += [
            f"{row.reference or 'a row'} unreadable: {row.detail}"
            for row in chunk
            if isinstance(row, UnreadableRow)
        ]
        told = [
            as_stored(row=row, rail=rail, at=at)
            for row in chunk
            if not isinstance(row, UnreadableRow)
        ]
        StatementRow.objects.bulk_create(told, ignore_conflicts=True)
        trouble += _changed(told=told, rail=rail)
    return trouble


def as_stored(*, row: ConfirmedPayment | Movement, rail: Rail, at: datetime) -> StatementRow:
    """Return a row as it is kept."""
    kept = StatementRow(
        rail=rail,
        kind=row.kind if isinstance(row, Movement) else StatementRow.Kind.PAYMENT,
        reference=row.reference,
        amount_minor=row.amount_minor,
        fee_minor=row.fee_minor or 0,
        currency=row.currency,
        first_seen_at=at,
    )
    if isinstance(row, Movement):
        kept.happened_at = row.happened_at
        kept.payment_reference = row.payment_reference
    else:
        kept.happened_at = row.paid_at
        kept.account_text = row.account_text[:64]
        kept.payer_phone = row.payer_phone[:80]
    return kept


def _changed(*, told: list[StatementRow], rail: Rail) -> list[str]:
    references = [row.reference for row in told]
    kept = {
        (row.kind, row.reference): row
        for row in StatementRow.objects.filter(rail=rail, reference__in=references)
    }
    changed = []
    for row in told:
        first = kept[row.kind, row.reference]
        if (row.amount_minor, row.currency) != (first.amount_minor, first.currency):
            changed.append(
                f"{row.reference} was {first.amount_minor} minor units of {first.currency} and is "
                f"now {row.amount_minor} of {row.currency}"
            )
    return changed
