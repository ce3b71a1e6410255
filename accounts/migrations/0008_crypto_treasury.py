"""Money that had come on chain, converted by the treasury."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.fields


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_crypto"),
    ]

    operations = [
        migrations.CreateModel(
            name="CryptoConversion",
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
                    "asset",
                    models.CharField(help_text="what was sold: XDAI, USDC, ETH, ...", max_length=8),
                ),
                ("is_par", models.BooleanField(help_text="one of it is booked as one DAI")),
                ("decimals", models.PositiveSmallIntegerField(help_text="of the asset")),
                (
                    "sold_units",
                    accounts.fields.WeiField(
                        help_text="smallest units of the asset, gas and fees included"
                    ),
                ),
                ("bought_wei", accounts.fields.WeiField(help_text="what came of it, in DAI")),
                (
                    "cost_wei",
                    accounts.fields.WeiField(
                        help_text="what the sold money was booked at when it was received"
                    ),
                ),
                (
                    "reference",
                    models.CharField(
                        help_text="of the exchange, or the transfer's hash", max_length=80
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200)),
                ("converted_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
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
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="crypto_conversions",
                        to="accounts.site",
                    ),
                ),
            ],
            options={
                "ordering": ("-converted_at",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("site", "asset", "reference"), name="crypto_conversion_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sold_units__gt", 0), ("bought_wei__gt", 0)),
                        name="crypto_conversion_plausible",
                    ),
                ],
            },
        ),
    ]
