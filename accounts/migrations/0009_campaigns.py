"""Campaigns, letters to donors, and the accounts of grants, payouts and service tokens."""

from pathlib import Path

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import accounts.fields
from accounts.sql_files import run_sql

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_crypto_treasury"),
    ]

    operations = [
        run_sql(file=SQL / "ledger_guard.sql"),
        migrations.AddField(
            model_name="pledge",
            name="public_name",
            field=models.CharField(
                blank=True, help_text="shown among the donors; empty: anonymous", max_length=60
            ),
        ),
        migrations.CreateModel(
            name="Campaign",
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
                ("title", models.CharField(max_length=120)),
                ("title_fr", models.CharField(blank=True, max_length=120)),
                ("story", models.TextField(blank=True, help_text="Markdown")),
                ("story_fr", models.TextField(blank=True, help_text="Markdown")),
                ("goal_wei", accounts.fields.WeiField(help_text="10^-18 of DAI")),
                ("opens_at", models.DateTimeField()),
                (
                    "deadline_at",
                    models.DateTimeField(blank=True, help_text="empty: none", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft: not shown"),
                            ("open", "open"),
                            ("succeeded", "goal reached"),
                            ("failed", "goal missed: donations are given back"),
                            ("closed", "closed by the operator"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="campaigns",
                        to="accounts.site",
                    ),
                ),
            ],
            options={
                "ordering": ("-opens_at",),
            },
        ),
        migrations.AddField(
            model_name="pledge",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pledges",
                to="accounts.campaign",
            ),
        ),
        migrations.CreateModel(
            name="DonorLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token_hash", models.CharField(help_text="SHA-256", max_length=64, unique=True)),
                ("issued_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "donor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="accounts.donor",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GivingPlan",
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
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "waits for its first payment"),
                            ("active", "Active"),
                            ("past_due", "the last payment failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                (
                    "provider_plan",
                    models.CharField(
                        blank=True,
                        help_text="what the provider calls it, e.g. sub_...",
                        max_length=80,
                    ),
                ),
                ("idempotency_key", models.CharField(max_length=120, unique=True)),
                ("failure", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField()),
                ("cancelled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "donor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="accounts.donor",
                    ),
                ),
                (
                    "rail",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="accounts.rail",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="accounts.site",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.AddField(
            model_name="pledge",
            name="plan",
            field=models.ForeignKey(
                blank=True,
                help_text="the monthly donation that it is a month of",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pledges",
                to="accounts.givingplan",
            ),
        ),
        migrations.CreateModel(
            name="HistoricalCampaign",
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
                ("title", models.CharField(max_length=120)),
                ("title_fr", models.CharField(blank=True, max_length=120)),
                ("story", models.TextField(blank=True, help_text="Markdown")),
                ("story_fr", models.TextField(blank=True, help_text="Markdown")),
                ("goal_wei", accounts.fields.WeiField(help_text="10^-18 of DAI")),
                ("opens_at", models.DateTimeField()),
                (
                    "deadline_at",
                    models.DateTimeField(blank=True, help_text="empty: none", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft: not shown"),
                            ("open", "open"),
                            ("succeeded", "goal reached"),
                            ("failed", "goal missed: donations are given back"),
                            ("closed", "closed by the operator"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
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
                    "site",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.site",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical campaign",
                "verbose_name_plural": "historical campaigns",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Letter",
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
                ("kind", models.CharField(max_length=40)),
                ("params", models.JSONField(default=dict)),
                ("language", models.CharField(default="en", max_length=2)),
                ("key", models.CharField(max_length=120, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("failure", models.CharField(blank=True, max_length=200)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "donor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letters",
                        to="accounts.donor",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Milestone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("ordered", "ordered"),
                            ("shipped", "shipped"),
                            ("arrived", "arrived"),
                            ("installed", "installed"),
                            ("commissioned", "commissioned"),
                            ("other", "other"),
                        ],
                        max_length=12,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=400)),
                ("note_fr", models.CharField(blank=True, max_length=400)),
                ("planned_on", models.DateField(blank=True, null=True)),
                ("reached_on", models.DateField(blank=True, null=True)),
                (
                    "photo",
                    models.BinaryField(
                        blank=True, help_text="JPEG, made small when uploaded", null=True
                    ),
                ),
                ("photo_hash", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "photo_words",
                    models.CharField(
                        blank=True,
                        help_text="what is to be seen, for who does not see it",
                        max_length=200,
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="milestones",
                        to="accounts.campaign",
                    ),
                ),
            ],
            options={
                "ordering": ("campaign", "position", "id"),
            },
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("site",),
                name="campaign_one_open_a_site",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("goal_wei__gt", 0),
                    models.Q(
                        ("deadline_at__isnull", True),
                        ("deadline_at__gt", models.F("opens_at")),
                        _connector="OR",
                    ),
                ),
                name="campaign_plausible",
            ),
        ),
        migrations.AddConstraint(
            model_name="givingplan",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="giving_plan_above_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="givingplan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider_plan", ""), _negated=True),
                fields=("rail", "provider_plan"),
                name="giving_plan_once",
            ),
        ),
        migrations.AddIndex(
            model_name="letter",
            index=models.Index(
                condition=models.Q(("state__in", ("queued", "sending"))),
                fields=["next_attempt_at"],
                name="letter_to_send",
            ),
        ),
    ]
