"""The hash chain of every book, computed again in Python from the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, streamed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_ENTRIES = """
    SELECT e.book_id, e.id, e.sequence, e.kind, e.key, e.occurred_at, e.recorded_at,
        e.previous_hash, e.hash, e.request_hash, p.legs
    FROM journal_entry e
    LEFT JOIN LATERAL (
        SELECT string_agg(account_id || ':' || amount, ';' ORDER BY account_id) AS legs
        FROM posting WHERE book_id = e.book_id AND entry_id = e.id
    ) p ON true
    ORDER BY e.book_id, e.sequence
"""
_HEADS = "SELECT id, height, head_hash FROM accounts_book ORDER BY id"


@check(invariant=10, subject="journal_entry")
def hash_chains_unbroken(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Each entry's hash covers its content and the hash before it; the book holds the last."""
    heads = {row[0]: (row[1], bytes(row[2])) for row in streamed(database, _HEADS)}
    book_id, sequence, before = None, 0, b""
    for row in streamed(database, _ENTRIES):
        if row[0] != book_id:
            yield from _against_head(book_id, sequence, before, heads)
            book_id, sequence, before = row[0], 0, b""
        sequence += 1
        yield from _entry(row, sequence=sequence, before=before)
        before = bytes(row[8])
    yield from _against_head(book_id, sequence, before, heads)
    for empty_id, (height, head) in heads.items():
        if height or head:
            yield f"book {empty_id} has no entries, but says that it has {height}"


def _entry(row: tuple[object, ...], *, sequence: int, before: bytes) -> Iterator[str]:
    book_id, entry_id, stored_sequence, kind, key, occurred_at, recorded_at = row[:7]
    previous_hash, stored_hash, request_hash = (bytes(value) for value in row[7:10])  # type: ignore[call-overload]
    legs = row[10] or ""
    name = f"entry {entry_id} of book {book_id} ({key})"
    if stored_sequence != sequence:
        yield f"{name} is number {stored_sequence} of its book, {sequence} was due"
    if previous_hash != before:
        yield f"{name} does not name the hash of the entry before it"
    text = "|".join(
        str(part)
        for part in (
            book_id,
            stored_sequence,
            kind,
            key,
            _microseconds(occurred_at),
            _microseconds(recorded_at),
            legs,
        )
    )
    if hashlib.sha256(previous_hash + text.encode()).digest() != stored_hash:
        yield f"{name} does not have the hash of its content"
    if hashlib.sha256(f"{kind}|{legs}".encode()).digest() != request_hash:
        yield f"{name} does not have the request hash of its postings"


def _microseconds(at: object) -> int:
    assert isinstance(at, datetime)  # noqa: S101 - timestamptz columns
    return (at - EPOCH) // MICROSECOND


def _against_head(
    book_id: int | None, sequence: int, last: bytes, heads: dict[int, tuple[int, bytes]]
) -> Iterator[str]:
    if book_id is None:
        return
    height, head = heads.pop(book_id, (0, b""))
    if (height, head) != (sequence, last):
        yield f"book {book_id} has {sequence} entries, its head says {height} or another hash"


CHECKS = (hash_chains_unbroken,)
