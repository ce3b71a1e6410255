"""New kinds of accounts, donations that payments made, and taking them back."""

from pathlib import Path

from django.db import migrations

from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_every_rail")]

    operations = [
        run_sql(file=SQL / "ledger_guard.sql"),
        migrations.RunSQL(
            "UPDATE ledger_account SET guard = ledger_guard(kind, name)"
            " WHERE guard <> ledger_guard(kind, name)",
            migrations.RunSQL.noop,
        ),
        run_sql(file=SQL / "donors_payments.sql"),
    ]
