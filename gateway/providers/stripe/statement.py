"""Stripe's balance transactions, read as rows of a statement.

What they mean: a `charge` or `payment` came in; a refund, dispute, payout or fee went out again;
each with what Stripe kept of it. Amounts are those of the balance, signed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from accounts.models import Rail
from accounts.topups import ConfirmedPayment
from gateway.providers.interface import Movement, StatementEntry, UnreadableRow
from gateway.providers.models import StatementRow
from gateway.providers.stripe.amounts import from_stripe
from gateway.providers.stripe.callbacks import UNREADABLE

Kind = StatementRow.Kind

PAYMENTS = {"charge", "payment"}
REFUNDS = {"refund", "payment_refund"}
RETURNED_REFUNDS = {"refund_failure", "payment_failure_refund"}


def entry(*, row: dict[str, Any], rail: Rail) -> StatementEntry | None:
    """Return a balance transaction (its source expanded) as an entry; None for one of no interest.

    A refund that failed brings its money back: the refund itself tells, so its row is left out.
    """
    try:
        return _entry(row=row, rail=rail)
    except UNREADABLE as error:
        return UnreadableRow(reference=str(row.get("id", ""))[:64], detail=repr(error)[:200])


def instant(epoch_seconds: int) -> datetime:
    """Return Stripe's time as an instant."""
    return datetime.fromtimestamp(epoch_seconds, UTC)


def is_named(charge: dict[str, Any]) -> bool:
    """Return whether a charge carries what we put into it."""
    return bool((charge.get("metadata") or {}).get("account"))


def account_of(charge: dict[str, Any]) -> str:
    """Return the account a charge names: what we put into it, or its description."""
    named = (charge.get("metadata") or {}).get("account") or charge.get("description") or ""
    return "".join(character for character in str(named) if character.isprintable())[:64]


def _entry(*, row: dict[str, Any], rail: Rail) -> StatementEntry | None:
    kind, source = row["type"], row["source"]
    if kind in PAYMENTS:
        return _payment(row=row, charge=source, rail=rail)
    if kind in REFUNDS:
        return _movement(row, Kind.REFUND, reference=source["id"], charge=source["charge"])
    if kind == "payout":
        return _movement(row, Kind.PAYOUT, reference=source["id"])
    if kind == "adjustment" and isinstance(source, dict) and source.get("object") == "dispute":
        is_taken = row["amount"] < 0
        return _movement(
            row,
            Kind.DISPUTE if is_taken else Kind.DISPUTE_WON,
            reference=source["id"],
            charge=source["charge"],
        )
    is_nothing = kind in RETURNED_REFUNDS or (row["amount"] == 0 and not row["fee"])
    return None if is_nothing else _movement(row, Kind.FEE, reference=row["id"])


def _payment(*, row: dict[str, Any], charge: dict[str, Any], rail: Rail) -> ConfirmedPayment:
    currency = str(charge["currency"]).upper()
    return ConfirmedPayment(
        rail=rail,
        reference=charge["id"],
        amount_minor=from_stripe(amount=charge["amount"], currency=currency),
        currency=currency,
        paid_at=instant(charge["created"]),
        account_text=account_of(charge),
        fee_minor=from_stripe(amount=row["fee"], currency=currency),
        provider_request=str(charge.get("payment_intent") or ""),
    )


def _movement(row: dict[str, Any], kind: str, *, reference: str, charge: str = "") -> Movement:
    currency = str(row["currency"]).upper()
    return Movement(
        kind=kind,
        reference=reference,
        payment_reference=charge or "",
        amount_minor=abs(from_stripe(amount=row["amount"], currency=currency)),
        fee_minor=from_stripe(amount=row["fee"], currency=currency),
        currency=currency,
        happened_at=instant(row["created"]),
        detail=str(row.get("description") or "")[:200],
    )
