"""What was raised when a campaign was decided, photos that say what they show, crypto given back."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.fields


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_links_know_their_address")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="decided_wei",
            field=accounts.fields.WeiField(
                blank=True, help_text="what was raised when it was decided", null=True
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="decided_wei",
            field=accounts.fields.WeiField(
                blank=True, help_text="what was raised when it was decided", null=True
            ),
        ),
        migrations.AddField(
            model_name="milestone",
            name="photo_words_fr",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddIndex(
            model_name="milestone",
            index=models.Index(fields=["photo_hash"], name="milestone_by_photo"),
        ),
        migrations.AddConstraint(
            model_name="milestone",
            constraint=models.CheckConstraint(
                condition=models.Q(photo_hash="") | ~models.Q(photo_words=""),
                name="milestone_photo_has_words",
            ),
        ),
        migrations.CreateModel(
            name="CryptoReturn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("asset", models.CharField(max_length=8)),
                ("units", accounts.fields.WeiField(help_text="smallest units of the asset")),
                (
                    "amount_wei",
                    accounts.fields.WeiField(help_text="what they were worth when they came"),
                ),
                (
                    "reference",
                    models.CharField(
                        help_text="hash of the transfer back", max_length=66, unique=True
                    ),
                ),
                ("recorded_at", models.DateTimeField()),
                (
                    "donation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="crypto_return",
                        to="accounts.donation",
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
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-id",)},
        ),
    ]
