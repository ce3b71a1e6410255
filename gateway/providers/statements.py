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
    seen. Rows are taken from the provider as they are stored: a look for every thousand, and an
    insert of those that are new.
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
        known = _known(told=told, rail=rail)
        new = [row for row in told if (row.kind, row.reference) not in known]
        StatementRow.objects.bulk_create(new, ignore_conflicts=True)
        trouble += _changed(told=told, known=known)
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


def _known(*, told: list[StatementRow], rail: Rail) -> dict[tuple[str, str], tuple[int, str]]:
    """Amount and currency of rows that were seen before, by kind and reference."""
    seen = StatementRow.objects.filter(
        rail=rail,
        kind__in={row.kind for row in told},
        reference__in=[row.reference for row in told],
    )
    return {
        (kind, reference): (amount_minor, currency)
        for kind, reference, amount_minor, currency in seen.values_list(
            "kind", "reference", "amount_minor", "currency"
        )
    }


def _changed(
    *, told: list[StatementRow], known: dict[tuple[str, str], tuple[int, str]]
) -> list[str]:
    changed = []
    for row in told:
        now = (row.amount_minor, row.currency)
        first = known.get((row.kind, row.reference), now)
        if now != first:
            changed.append(
                f"{row.reference} was {first[0]} minor units of {first[1]} and is now {now[0]} of "
                f"{now[1]}"
            )
    return changed
