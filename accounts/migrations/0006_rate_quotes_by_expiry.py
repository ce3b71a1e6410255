"""An index for the question that every credit asks: which quotes may still be used?"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_ledger_of_every_rail")]

    operations = [
        migrations.AddIndex(
            model_name="ratequote",
            index=models.Index(fields=["expires_at"], name="rate_quote_by_expiry"),
        ),
    ]
