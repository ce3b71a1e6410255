"""Where a payout goes is kept with it, bank files, and what a payout may never change."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.fields
from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_campaigns"),
        ("settlement", "0003_payouts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="payout",
            name="destination",
            field=models.CharField(default="", help_text="phone, account or wallet", max_length=42),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="payout",
            name="destination_code",
            field=models.CharField(blank=True, help_text="BIC", max_length=11),
        ),
        migrations.AddField(
            model_name="payout",
            name="rail",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payouts",
                to="accounts.rail",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="way",
            field=models.CharField(
                choices=[
                    ("mobile", "mobile money (B2C)"),
                    ("bank", "bank file (ISO 20022 pain.001)"),
                    ("chain", "DAI on chain"),
                ],
                default="bank",
                max_length=6,
            ),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="BankFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "uid",
                    models.UUIDField(default=accounts.fields.uuid7, editable=False, unique=True),
                ),
                (
                    "message_id",
                    models.CharField(help_text="MsgId in the file", max_length=35, unique=True),
                ),
                ("currency", models.CharField(max_length=3)),
                (
                    "debtor_account",
                    models.CharField(help_text="IBAN or number it is paid from", max_length=34),
                ),
                (
                    "debtor_code",
                    models.CharField(blank=True, help_text="BIC of that bank", max_length=11),
                ),
                ("content", models.TextField(help_text="XML")),
                ("payout_count", models.PositiveIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("made_at", models.DateTimeField()),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_files",
                        to="accounts.operator",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.AddField(
            model_name="payout",
            name="bank_file",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payouts",
                to="settlement.bankfile",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ("proposed", "rejected")),
                    models.Q(("approved_by__isnull", False), ("proposed_by__isnull", False)),
                    _connector="OR",
                ),
                name="payout_takes_two_people",
            ),
        ),
        run_sql(file=SQL / "payouts.sql"),
    ]
