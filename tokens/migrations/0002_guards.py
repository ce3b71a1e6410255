"""Guards of epochs, of the outbox, of deposits and of votes."""

from pathlib import Path

from django.db import migrations

from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("tokens", "0001_initial"), ("accounts", "0007_crypto")]

    operations = [
        run_sql(file=SQL / "outbox.sql"),
        run_sql(file=SQL / "epochs.sql"),
        run_sql(file=SQL / "deposits.sql"),
        run_sql(file=SQL / "voting.sql"),
    ]
