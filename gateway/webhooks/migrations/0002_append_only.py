"""Events are never changed, only handled."""

from pathlib import Path

from django.db import migrations

from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway_webhooks", "0001_initial")]

    operations = [run_sql(file=SQL / "append_only.sql")]
