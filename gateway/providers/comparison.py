"""A rail's statement against our books, in the database: one pass over the rows of a day.

What is compared of a movement is what it did to the account: of a payment the amount less the fee,
of a refund amount and fee, of the rest the amount. A statement that tells no fee (0) contradicts
none of ours. Movements are matched by the provider's id alone, whatever the day: the clocks of two
houses around midnight make no difference. Reversals and refunds are one kind, since a provider
calls by either name what we asked for and what it did by itself. A movement that left again is
missed in the statement only where that statement has ever shown its kind: what M-Pesa shows of
payouts is not published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection

from accounts.models import Rail
from gateway.providers.models import Difference, StatementRow

MATCHED = "matched"

_COMPARED = (Path(__file__).parent / "sql" / "comparison.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Discrepancy:
    """A movement on which statement and books do not agree, and that nobody resolved yet.

    ours_minor and theirs_minor are what it did to float and balance, above zero whatever the
    direction, 0 where it is missing. is_of_span: of the span asked about, not an older open one.
    """

    kind: str
    movement: str
    reference: str
    row_id: int | None
    payment_id: int | None
    ours_minor: int
    theirs_minor: int
    currency: str
    is_of_span: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same difference when it is found again."""
        return self.kind, self.movement, self.reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What became of the movements of a span: how many agree, and those that do not."""

    matched: int
    discrepancies: tuple[Discrepancy, ...]

    def count(self, kind: Difference.Kind) -> int:
        """How many of the span's own movements differ in this way."""
        return sum(each.kind == kind and each.is_of_span for each in self.discrepancies)


def compare(
    *, rail: Rail, begins_at: datetime, ends_at: datetime, also: Sequence[Difference] = ()
) -> Comparison:
    """Compare the kept rows of a rail with our movements in [begins_at, ends_at).

    also: differences of other days to look at again. One statement
    (gateway/providers/sql/comparison.sql): each of the span's rows and payments is looked up once
    by a unique index, everything else is few. A day of 100,000 rows takes about 2 s, in the
    database; memory here is that of what differs (100,000 differences: 3 s).
    """
    there = Difference.Kind.MISSING_THERE
    parameters: dict[str, Any] = {
        "rail": rail.pk,
        "provider": rail.provider,
        "begin": begins_at,
        "end": ends_at,
        "rows": [each.row_id for each in also if each.row_id is not None],
        "payments": [
            each.payment_id
            for each in also
            if each.kind == there and each.movement == StatementRow.Kind.PAYMENT
        ],
        "references": [each.reference for each in also if each.kind == there],
        "kinds": StatementRow.Kind.values,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COMPARED, parameters)
        rows = cursor.fetchall()
    matched = next(int(row[5]) for row in rows if row[0] == MATCHED)
    found = (
        Discrepancy(
            kind=row[0],
            movement=row[1],
            reference=row[2],
            row_id=row[3],
            payment_id=row[4],
            ours_minor=int(row[5]),
            theirs_minor=int(row[6]),
            currency=row[7],
            is_of_span=row[8],
        )
        for row in rows
        if row[0] != MATCHED
    )
    return Comparison(matched=matched, discrepancies=tuple(found))
