"""One runner at a time: advisory locks that end with their transaction.

A session lock would stay held when a pooled connection is given back, so only transaction locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def singleton(name: str) -> Iterator[bool]:
    """Open a transaction; yield whether this is the only holder of `name` until it ends."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        yield bool(cursor.fetchone()[0])
