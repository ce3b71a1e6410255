"""The sandbox's state: one SQLite file in WAL mode, one connection, one lock."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """Rows that survive a restart. Every access happens inside `transaction()`.

    The lock is never held during an outbound request: the product may call the sandbox
    while it handles a callback.
    """

    def __init__(self, *, path: Path | str, schemas: Sequence[str]) -> None:
        """Open or create the file; `:memory:` keeps nothing."""
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript("".join(("BEGIN;", SCHEMA, *schemas, "COMMIT;")))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and one database transaction; nested uses join the outer one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._connection
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def next_number(self, name: str) -> int:
        """Count up: 1, 2, 3 ... per name, across restarts."""
        with self.transaction() as db:
            row = db.execute(
                "INSERT INTO counter (name, value) VALUES (?, 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (name,),
            ).fetchone()
            return int(row["value"])

    def setting(self, name: str) -> str | None:
        """Return a stored setting, None if it was never set."""
        with self.transaction() as db:
            row = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row["value"])

    def set_setting(self, name: str, value: str) -> None:
        """Store a setting, over the earlier one."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO setting (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        with self._lock:
            self._connection.close()


_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RECEIPT_SPACE = 36**7
# Coprime to 36, so that multiplying by it permutes the numbers below 36^7.
_RECEIPT_STEP = 22_801_763_489


class Ids:
    """Ids that look random, never repeat within one state file and follow from the seed."""

    def __init__(self, *, store: Store, seed: int) -> None:
        self._store = store
        self._seed = seed

    def hexadecimal(self, name: str) -> str:
        """32 hexadecimal digits, the next of their name."""
        number = self._store.next_number(name)
        return hashlib.sha256(f"{self._seed}:{name}:{number}".encode()).hexdigest()[:32]

    def receipt(self, *, at: datetime) -> str:
        """A 10-character M-Pesa receipt: year, month and day as one character each, then seven.

        `at` is the payment's instant in the operator's local time.
        """
        number = self._store.next_number("receipt") + self._seed
        scrambled = number * _RECEIPT_STEP % _RECEIPT_SPACE
        tail = ""
        for _ in range(7):
            scrambled, digit = divmod(scrambled, 36)
            tail += _BASE36[digit]
        year = chr(ord("A") + (at.year - 2006) % 26)
        return f"{year}{chr(ord('A') + at.month - 1)}{_BASE36[at.day]}{tail}"
