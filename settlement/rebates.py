"""Lifeline rebates of price blocks that have ended.

The work is done by the SQL function `settlement_rebate` (settlement/sql/rebate.sql); this is the
one Python function that calls it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from settlement.models import SettlementBatch

BATCH_LIMIT = 5_000


def run(*, site_id: int, at: datetime, limit: int = BATCH_LIMIT) -> SettlementBatch | None:
    """Give the rebates due of up to `limit` block bills; None where nothing had to be posted."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT settlement_rebate(%s, %s, %s)", [site_id, limit, at])
        (batch_id,) = cursor.fetchone()
    return None if batch_id is None else SettlementBatch.objects.get(pk=batch_id)
