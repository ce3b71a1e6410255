"""Payees, service tokens and payouts."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import accounts.fields


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_campaigns"),
        ("settlement", "0002_settle"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalPayee",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "uid",
                    models.UUIDField(db_index=True, default=accounts.fields.uuid7, editable=False),
                ),
                ("code", models.SlugField(help_text="names its accounts, e.g. jua", max_length=24)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("contractor", "contractor"),
                            ("operator", "operator"),
                            ("grantee", "grantee (of a vote)"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "public_name",
                    models.CharField(help_text="shown on the public flow picture", max_length=120),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("mobile", "mobile money (B2C)"),
                            ("bank", "bank file (ISO 20022 pain.001)"),
                            ("chain", "DAI on chain"),
                        ],
                        max_length=6,
                    ),
                ),
                (
                    "phone",
                    models.CharField(
                        blank=True, help_text="E.164, for mobile money", max_length=16
                    ),
                ),
                (
                    "bank_account",
                    models.CharField(blank=True, help_text="IBAN or account number", max_length=34),
                ),
                ("bank_code", models.CharField(blank=True, help_text="BIC", max_length=11)),
                (
                    "wallet",
                    models.CharField(blank=True, help_text="with its checksum", max_length=42),
                ),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.operator",
                    ),
                ),
                (
                    "rail",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.rail",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical payee",
                "verbose_name_plural": "historical payees",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Payee",
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
                    "code",
                    models.SlugField(
                        help_text="names its accounts, e.g. jua", max_length=24, unique=True
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("contractor", "contractor"),
                            ("operator", "operator"),
                            ("grantee", "grantee (of a vote)"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "public_name",
                    models.CharField(help_text="shown on the public flow picture", max_length=120),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("mobile", "mobile money (B2C)"),
                            ("bank", "bank file (ISO 20022 pain.001)"),
                            ("chain", "DAI on chain"),
                        ],
                        max_length=6,
                    ),
                ),
                (
                    "phone",
                    models.CharField(
                        blank=True, help_text="E.164, for mobile money", max_length=16
                    ),
                ),
                (
                    "bank_account",
                    models.CharField(blank=True, help_text="IBAN or account number", max_length=34),
                ),
                ("bank_code", models.CharField(blank=True, help_text="BIC", max_length=11)),
                (
                    "wallet",
                    models.CharField(blank=True, help_text="with its checksum", max_length=42),
                ),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payees",
                        to="accounts.operator",
                    ),
                ),
                (
                    "rail",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payees",
                        to="accounts.rail",
                    ),
                ),
            ],
            options={
                "ordering": ("code",),
            },
        ),
        migrations.CreateModel(
            name="ServiceToken",
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
                    "reason",
                    models.CharField(
                        choices=[
                            ("milestone", "milestone accepted"),
                            ("uptime", "uptime period accepted"),
                            ("grant", "project funded by a vote"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "subject",
                    models.CharField(
                        help_text="what for, once, e.g. uptime:2026-10", max_length=120
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "amount_wei",
                    accounts.fields.WeiField(help_text="what it is good for, in wei of DAI"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("earned", "Earned"), ("burned", "burned: paid out")],
                        default="earned",
                        max_length=8,
                    ),
                ),
                ("accepted_at", models.DateTimeField()),
                (
                    "accepted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.journalentry",
                    ),
                ),
                (
                    "payee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_tokens",
                        to="settlement.payee",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_tokens",
                        to="accounts.site",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Payout",
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
                    "request_id",
                    models.UUIDField(help_text="our id at the provider; version 4", unique=True),
                ),
                (
                    "token",
                    models.CharField(
                        help_text="last part of the result path", max_length=64, unique=True
                    ),
                ),
                ("pool", models.CharField(help_text="split line, e.g. contractor", max_length=24)),
                ("amount_wei", accounts.fields.WeiField(help_text="out of the pool")),
                (
                    "amount_minor",
                    models.BigIntegerField(blank=True, help_text="what the payee gets", null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "waits for a second person"),
                            ("rejected", "Rejected"),
                            ("approved", "approved, not sent yet"),
                            ("sending", "Sending"),
                            ("unknown", "sent, no answer: asked after"),
                            ("sent", "on its way"),
                            ("paid", "Paid"),
                            ("failed", "came back: the money is in the pool again"),
                        ],
                        default="proposed",
                        max_length=8,
                    ),
                ),
                ("provider_request", models.CharField(blank=True, max_length=80)),
                (
                    "reference",
                    models.CharField(blank=True, help_text="the provider's receipt", max_length=80),
                ),
                ("failure_code", models.CharField(blank=True, max_length=40)),
                ("failure_text", models.CharField(blank=True, max_length=200)),
                ("poll_count", models.PositiveIntegerField(default=0)),
                ("next_poll_at", models.DateTimeField(blank=True, null=True)),
                ("proposed_at", models.DateTimeField()),
                ("approved_at", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "reconciled_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="found in the rail's statement, or seen on chain",
                        null=True,
                    ),
                ),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="that set the money aside",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.journalentry",
                    ),
                ),
                (
                    "paid_entry",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.journalentry",
                    ),
                ),
                (
                    "payee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payouts",
                        to="settlement.payee",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payouts",
                        to="accounts.site",
                    ),
                ),
                (
                    "service_token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payouts",
                        to="settlement.servicetoken",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.AddConstraint(
            model_name="payee",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("phone__regex", "^\\+[1-9]\\d+$"),
                        ("rail__isnull", False),
                        ("way", "mobile"),
                    ),
                    models.Q(("way", "bank"), models.Q(("bank_account", ""), _negated=True)),
                    models.Q(("way", "chain"), models.Q(("wallet", ""), _negated=True)),
                    _connector="OR",
                ),
                name="payee_can_be_paid",
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetoken",
            constraint=models.UniqueConstraint(
                fields=("site", "subject"), name="service_token_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="servicetoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_wei__gt", 0)), name="service_token_above_zero"
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("next_poll_at__isnull", False)),
                fields=["next_poll_at"],
                name="payout_to_poll",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_wei__gt", 0)), name="payout_above_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by__isnull", True),
                    models.Q(("approved_by", models.F("proposed_by")), _negated=True),
                    _connector="OR",
                ),
                name="payout_approved_by_a_second_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("rejected", "failed")), _negated=True),
                fields=("service_token",),
                name="payout_one_a_service_token",
            ),
        ),
    ]
