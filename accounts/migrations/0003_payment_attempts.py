"""Attempts are of payments, not of top-ups alone; each has an id of its own for the provider."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_ledger")]

    operations = [
        migrations.RenameModel("TopUpAttempt", "PaymentAttempt"),
        migrations.AddField(
            model_name="paymentattempt",
            name="request_id",
            field=models.UUIDField(null=True),
        ),
        migrations.RunSQL(
            "UPDATE accounts_paymentattempt SET request_id = gen_random_uuid()",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name="paymentattempt",
            name="request_id",
            field=models.UUIDField(
                default=uuid.uuid4,
                editable=False,
                help_text="our id at providers that let us choose it; version 4, as they demand",
                unique=True,
            ),
        ),
    ]
