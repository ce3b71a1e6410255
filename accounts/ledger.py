"""The only writer of postings.

Every entry goes through the SQL function `ledger_post` (accounts/sql/ledger.sql), which runs as the
owner role: it locks the book, gives the replay of a known key, extends the hash chain and updates
the stored amounts in the statement that inserts the postings. The words are Formance's and
TigerBeetle's: few, and balanced by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, connection, transaction

DAI = "DAI"
IMPACT_TOKEN = "IT"  # noqa: S105 - an asset
SERVICE_TOKEN = "SVC"  # noqa: S105 - an asset


class LedgerError(Exception):
    """The ledger refused an entry; nothing was written."""


class Unbalanced(LedgerError):
    """The legs do not sum to zero per asset, or there are none."""


class KeyReused(LedgerError):
    """The key is known with other legs."""


class Overdrawn(LedgerError):
    """An account that somebody owns would fall below zero."""


class NoSuchBook(LedgerError):
    """The book or the kind of account does not exist."""


ERRORS: dict[str, type[LedgerError]] = {
    "LG001": Unbalanced,
    "LG002": KeyReused,
    "LG004": NoSuchBook,
    "23514": Overdrawn,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One signed posting to be: above zero credits the account.

    amount is in wei for DAI and IT, in minor units for a currency.
    """

    kind: str
    amount: int
    asset: str = DAI
    household_id: int | None = None
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostedEntry:
    """The entry a key stands for; is_replay says that it was there before."""

    entry_id: int
    is_replay: bool


def lock(*, book_id: int) -> int:
    """Take the book's lock until the transaction ends and return its height.

    Every writer of money locks the book before it reads or locks anything else of it.
    """
    with connection.cursor() as cursor, _translated():
        cursor.execute("SELECT ledger_lock(%s)", [book_id])
        return int(cursor.fetchone()[0])


def post(
    *,
    book_id: int,
    kind: str,
    key: str,
    legs: Sequence[Leg],
    occurred_at: datetime,
    at: datetime,
) -> PostedEntry:
    """Write one balanced entry, or return the one that the key already stands for.

    Legs of nothing are left out, and open no account. Raises Unbalanced, KeyReused (same key,
    other legs), Overdrawn, NoSuchBook.
    """
    moving = [leg for leg in legs if leg.amount]
    with transaction.atomic(), connection.cursor() as cursor, _translated():
        cursor.execute(
            "SELECT entry_id, is_replay FROM ledger_post(%s, %s, %s, %s, %s, %s::text[],"
            " %s::text[], %s::text[], %s::bigint[], %s::numeric[])",
            [
                book_id,
                kind,
                key,
                occurred_at,
                at,
                [leg.kind for leg in moving],
                [leg.name for leg in moving],
                [leg.asset for leg in moving],
                [leg.household_id for leg in moving],
                [leg.amount for leg in moving],
            ],
        )
        entry_id, is_replay = cursor.fetchone()
    return PostedEntry(entry_id=entry_id, is_replay=is_replay)


class _translated:
    """Turn the SQL functions' error codes into LedgerError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, DatabaseError):
            code = getattr(error.__cause__, "sqlstate", None)
            if code in ERRORS:
                raise ERRORS[code](str(error).split("\n")[0]) from error
