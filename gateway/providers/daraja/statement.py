"""Rows of the pulled statement: payments, reversals of them, and payouts.

How the live service shows what left again is not published. A payout is a row whose type says so
(B2C); a reversal one of a type that says so, or with an amount below zero, if its bill reference is
the receipt of the payment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import Rail
from accounts.money import minor_from_string
from accounts.topups import ConfirmedPayment
from gateway.providers.daraja.callbacks import CURRENCY, UNREADABLE, printable
from gateway.providers.daraja.client import PULL_PAGE_ROWS, Daraja
from gateway.providers.interface import (
    Movement,
    ProviderRefused,
    ProviderUnavailable,
    StatementEntry,
    UnreadableRow,
)
from gateway.providers.models import StatementRow

LONGEST_PULL = timedelta(hours=48)
MOST_MINOR = 10**12
_RECEIPT = re.compile(r"[A-Z0-9]{10}")


def rows(
    *, client: Daraja, since: datetime, until: datetime, most_pages: int | None = None
) -> Iterator[Any]:
    """Yield the rows as they come, oldest first; most_pages bounds the requests of each 48 hours.

    Raises ProviderUnavailable.
    """
    begin = since
    while begin < until:
        end = min(begin + LONGEST_PULL, until)
        offset, pages = 0, 0
        while most_pages is None or pages < most_pages:
            listed = page(client=client, since=begin, until=end, offset=offset)
            yield from listed
            if len(listed) < PULL_PAGE_ROWS:
                break
            offset, pages = offset + len(listed), pages + 1
        begin = end


def page(*, client: Daraja, since: datetime, until: datetime, offset: int) -> list[dict[str, Any]]:
    """Return one page of rows. Raises ProviderUnavailable."""
    try:
        return client.pull(since=since, until=until, offset=offset, at=until)
    except ProviderRefused as refusal:
        raise ProviderUnavailable(f"statement refused: {refusal}") from refusal


def entry(*, row: Any, rail: Rail) -> StatementEntry:
    """Read one row."""
    reference = ""
    try:
        reference = printable(row["transactionId"])[:64]
        told_at = datetime.fromisoformat(str(row["trxDate"]))
        happened_at = told_at if told_at.tzinfo else told_at.replace(tzinfo=UTC)
        amount_minor = minor_from_string(text=str(row["amount"]), currency=CURRENCY)
        account = printable(row.get("billreference") or "")
        told = printable(row.get("transactiontype", ""))[:80]
        is_reversal = "revers" in told.lower() or amount_minor < 0
        if not reference or not 0 < abs(amount_minor) <= MOST_MINOR:
            raise ValueError("no receipt, or an amount that is none")
        if told.lower().startswith("b2c"):
            return Movement(
                kind=StatementRow.Kind.PAYOUT,
                reference=reference,
                # Our own name of it, where the row has it.
                payment_reference=account[:64],
                amount_minor=abs(amount_minor),
                currency=CURRENCY,
                happened_at=happened_at,
                detail=told,
            )
        if not is_reversal:
            return ConfirmedPayment(
                rail=rail,
                reference=reference,
                amount_minor=amount_minor,
                currency=CURRENCY,
                paid_at=happened_at,
                account_text=account,
                payer_phone=printable(row.get("msisdn") or ""),
            )
        if _RECEIPT.fullmatch(account) is None:
            raise ValueError(f"money left, and {account!r} is no receipt of a payment")
        return Movement(
            kind=StatementRow.Kind.REVERSAL,
            reference=reference,
            payment_reference=account,
            amount_minor=abs(amount_minor),
            currency=CURRENCY,
            happened_at=happened_at,
            detail=told,
        )
    except UNREADABLE as error:
        return UnreadableRow(reference=reference, detail=repr(error)[:200])
