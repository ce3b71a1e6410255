"""A log-in link knows which address it was sent to: a donor may have another one by now."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_places"),
    ]

    operations = [
        migrations.AddField(
            model_name="donorlink",
            name="email",
            field=models.CharField(
                default="",
                help_text="whereto it was sent, as addresses.plain writes it",
                max_length=254,
            ),
        ),
    ]
