"""What the bank says of our files: a CSV, row by row, each payout settled once.

Columns by their names: EndToEndId, Reference, Amount, Currency, Date (ISO 8601) and, where the bank
has it, Status (`paid`, or `returned` for money that will not arrive). Further ones do no harm.
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from accounts.models import Operator
from accounts.money import minor_from_string
from settlement import payout_sending
from settlement.models import Payee, Payout
from settlement.payouts import WrongState

NEEDED = ("EndToEndId", "Reference", "Amount", "Currency", "Date")
PAID, RETURNED = "paid", "returned"
MOST_ROWS = 10_000


class NotAStatement(ValueError):
    """The file has not the columns that are needed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a file tells: of how many payouts, and rows that a person has to look at."""

    paid: int
    returned: int
    trouble: tuple[str, ...]


def take(*, operator: Operator, text: str, at: datetime) -> Taken:
    """Settle what a bank's file tells of an operator's payouts; the same file again does nothing.

    A row that names none of our payouts, or another amount, moves nothing and is told. Raises
    NotAStatement.
    """
    rows = csv.DictReader(text.splitlines())
    missing = [name for name in NEEDED if name not in (rows.fieldnames or [])]
    if missing:
        raise NotAStatement(f"the file has no column {missing[0]!r}")
    counted = {PAID: 0, RETURNED: 0}
    trouble: list[str] = []
    for number, row in enumerate(rows, start=2):
        if number > MOST_ROWS:
            raise NotAStatement(f"the file has more than {MOST_ROWS} rows")
        try:
            counted[_settle(row, operator=operator, at=at)] += 1
        except (ValueError, KeyError, WrongState) as error:
            trouble.append(f"row {number}: {error}"[:200])
    return Taken(paid=counted[PAID], returned=counted[RETURNED], trouble=tuple(trouble))


def _settle(row: Mapping[str, str], *, operator: Operator, at: datetime) -> str:
    """Settle one row; return which way. Raises ValueError or WrongState where it can't be."""
    payout = _meant(row, operator=operator)
    status = (row.get("Status") or PAID).strip().lower()
    reference = row["Reference"].strip()
    if status == RETURNED:
        payout_sending.failed(
            payout=payout,
            code=RETURNED,
            text="returned by the bank",
            reference=payout.reference,
            at=at,
        )
        return RETURNED
    if status != PAID:
        raise ValueError(f"{status!r} is neither {PAID} nor {RETURNED}")
    if not reference:
        raise ValueError("the bank's reference is missing")
    came_back = payout.state == Payout.State.FAILED and payout.failure_code == RETURNED
    if came_back and payout.reference == reference:
        # An older file again: what it tells was undone since.
        return PAID
    told_at = datetime.fromisoformat(row["Date"].strip())
    paid_at = told_at if told_at.tzinfo else told_at.replace(tzinfo=UTC)
    payout_sending.paid(payout=payout, reference=reference, paid_at=min(paid_at, at), at=at)
    payout_sending.seen(payout=payout, at=at)
    return PAID


def _meant(row: Mapping[str, str], *, operator: Operator) -> Payout:
    named = row["EndToEndId"].strip()
    try:
        request_id = uuid.UUID(named)
    except ValueError:
        raise ValueError(f"{named[:40]!r} names none of our payouts") from None
    payout = Payout.objects.filter(
        request_id=request_id,
        site__operator=operator,
        way=Payee.Way.BANK,
        bank_file__isnull=False,
    ).first()
    if payout is None:
        raise ValueError(f"{named[:40]!r} names none of our payouts")
    told = (
        minor_from_string(text=row["Amount"], currency=payout.currency),
        row["Currency"].strip(),
    )
    if told != (payout.amount_minor, payout.currency):
        raise ValueError(
            f"{named[:40]} is {row['Amount']} {told[1]} there, and another amount here"
        )
    return payout
