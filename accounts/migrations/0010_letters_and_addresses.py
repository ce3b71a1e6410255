"""Languages and proven addresses of donors, letters nobody wants, and asked-for log-in links."""

import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_campaigns"),
    ]

    operations = [
        migrations.CreateModel(
            name="LetterOptOut",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "email",
                    models.CharField(
                        help_text="as addresses.plain writes it", max_length=254, unique=True
                    ),
                ),
                ("opted_out_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="LinkRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("email", models.CharField(max_length=254)),
                ("language", models.CharField(default="en", max_length=2)),
                ("asked_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="donorcontact",
            name="language",
            field=models.CharField(default="en", help_text="that letters are in", max_length=2),
        ),
        migrations.AddField(
            model_name="donorcontact",
            name="verified_email",
            field=models.CharField(
                blank=True,
                db_index=True,
                editable=False,
                help_text="the address whose holder logged in, as addresses.plain writes it",
                max_length=254,
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
                    ("mail", "letters do not leave"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="letter",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("sending", "Sending"),
                    ("sent", "Sent"),
                    ("failed", "Failed"),
                    ("dropped", "not wanted any more, or too late"),
                ],
                default="queued",
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            model_name="donorcontact",
            index=models.Index(
                django.db.models.functions.text.Upper("email"), name="donor_contact_by_email"
            ),
        ),
    ]
