"""Baseline of settlement: one bare set-based statement a site (benches/sql/bare.sql)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg import sql

from benches.ground import as_owner

SQL = Path(__file__).parent / "sql"
INBOX = "bench_bare.inbox"
WEI_PER_MILLIWATT_HOUR = 250_000_000_000

STATEMENT = (SQL / "bare.sql").read_text(encoding="utf-8")


def build() -> None:
    """(Re)make the scratch tables for the countries that exist; nothing else is touched."""
    role = sql.Identifier(settings.DATABASE_APP_ROLE).as_string(None)
    as_owner((SQL / "bare_tables.sql").read_text(encoding="utf-8").replace("{app_role}", role))
    as_owner("VACUUM ANALYZE")


def settle(*, site_id: int, book_id: int, round_number: int, at: datetime) -> None:
    """Do one site's inserts and updates in one transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            STATEMENT,
            {
                "site": site_id,
                "book": book_id,
                "round": round_number,
                "price": WEI_PER_MILLIWATT_HOUR,
                "at": at,
            },
        )
