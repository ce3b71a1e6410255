"""Readings and charges, the settlement engine, rebates, splits."""

from pathlib import Path

from django.db import migrations

from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("settlement", "0001_initial"), ("accounts", "0002_ledger")]

    operations = [
        run_sql(file=SQL / "settled_tables.sql"),
        run_sql(file=SQL / "split.sql"),
        run_sql(file=SQL / "settle.sql"),
        run_sql(file=SQL / "rebate.sql"),
    ]
