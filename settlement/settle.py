"""Charging a batch of readings, exactly once.

The work is done by the SQL function `settlement_settle` (settlement/sql/settle.sql) in one
transaction a site and batch; this is the one Python function that calls it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from settlement.models import SettlementBatch

BATCH_LIMIT = 50_000


def run(*, site_id: int, at: datetime, limit: int = BATCH_LIMIT) -> SettlementBatch | None:
    """Settle up to `limit` readings of the site's inbox and return the batch, or None if idle.

    Several settlers of one site wait for each other at the book's lock.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT settlement_settle(%s, %s, %s)", [site_id, limit, at])
        (batch_id,) = cursor.fetchone()
    return None if batch_id is None else SettlementBatch.objects.get(pk=batch_id)


def run_all(*, site_id: int, at: datetime, limit: int = BATCH_LIMIT) -> int:
    """Settle until the inbox is empty; return the number of batches."""
    batches = 0
    while run(site_id=site_id, at=at, limit=limit) is not None:
        batches += 1
    return batches
