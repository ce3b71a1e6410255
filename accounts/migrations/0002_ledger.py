"""The ledger's tables, guards and writer, and the donors' index."""

from pathlib import Path

from django.db import migrations

from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        run_sql(file=SQL / "ledger_tables.sql"),
        run_sql(file=SQL / "ledger_guard.sql"),
        run_sql(file=SQL / "ledger.sql"),
        run_sql(file=SQL / "donors_index.sql"),
    ]
