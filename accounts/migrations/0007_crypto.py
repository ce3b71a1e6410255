"""Money on chain: kinds of accounts and alarms, and the licence it is taken under."""

from pathlib import Path

from django.db import migrations, models

from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_rate_quotes_by_expiry"),
    ]

    operations = [
        run_sql(file=SQL / "ledger_guard.sql"),
        migrations.AddField(
            model_name="historicaloperator",
            name="crypto_licence",
            field=models.CharField(
                blank=True,
                help_text="licence under which crypto top-ups are taken; empty: none are",
                max_length=120,
            ),
        ),
        migrations.AddField(
            model_name="operator",
            name="crypto_licence",
            field=models.CharField(
                blank=True,
                help_text="licence under which crypto top-ups are taken; empty: none are",
                max_length=120,
            ),
        ),
        migrations.AlterField(
            model_name="alarm",
            name="kind",
            field=models.CharField(
                choices=[
                    ("float_differs", "float differs from the provider's balance"),
                    ("statement_differs", "statement differs from our payments"),
                    ("fx_reserve", "FX reserve beyond its limit"),
                    ("fx_exposure", "currency exposure beyond its limit"),
                    ("dai_depeg", "DAI is far from one dollar"),
                    ("rate_sources", "rate sources disagree or are stale"),
                    ("fiscal_device", "fiscal device does not sign"),
                    ("provider", "provider does not answer"),
                    ("chain", "chain is down, or lies"),
                    ("deposit", "deposits on chain and our books differ"),
                ],
                max_length=20,
            ),
        ),
    ]
