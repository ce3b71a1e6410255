"""What an operator is called on receipts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_campaigns_decided_and_given_back"),
    ]

    operations = [
        migrations.AddField(
            model_name="historicaloperator",
            name="legal_name",
            field=models.CharField(
                blank=True,
                help_text="on receipts: full name, seat and number in the register; empty: the name",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="operator",
            name="legal_name",
            field=models.CharField(
                blank=True,
                help_text="on receipts: full name, seat and number in the register; empty: the name",
                max_length=200,
            ),
        ),
    ]
