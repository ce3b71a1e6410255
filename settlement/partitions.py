"""Monthly partitions of readings and charges; see settlement_keep_partitions."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import connection


def keep(*, first: date, last: date) -> int:
    """Make the partitions that cover the days from first to last; return how many were made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT settlement_keep_partitions(%s, %s)", [first, last])
        return int(cursor.fetchone()[0])


def keep_ahead(*, at: datetime) -> int:
    """Make the partitions of the last two and the next three months."""
    return keep(first=(at - timedelta(days=62)).date(), last=(at + timedelta(days=93)).date())
