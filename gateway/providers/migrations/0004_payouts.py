"""Questions about payouts, beside those about reversals and accounts."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway_providers", "0003_difference_movement"),
        ("settlement", "0004_payouts_kept_safe"),
    ]

    operations = [
        migrations.AddField(
            model_name="resultrequest",
            name="payout",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="result_requests",
                to="settlement.payout",
            ),
        ),
        migrations.AlterField(
            model_name="resultrequest",
            name="kind",
            field=models.CharField(
                choices=[
                    ("reversal", "Reversal"),
                    ("status", "transaction status"),
                    ("balance", "account balance"),
                    ("payout", "payout (B2C)"),
                ],
                max_length=10,
            ),
        ),
    ]
