"""The language that a payee is told of payouts in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0005_weather"),
    ]

    operations = [
        migrations.AddField(
            model_name="historicalpayee",
            name="language",
            field=models.CharField(
                choices=[("en", "English"), ("fr", "Français"), ("sw", "Kiswahili")],
                default="en",
                help_text="of those SMS",
                max_length=2,
            ),
        ),
        migrations.AddField(
            model_name="payee",
            name="language",
            field=models.CharField(
                choices=[("en", "English"), ("fr", "Français"), ("sw", "Kiswahili")],
                default="en",
                help_text="of those SMS",
                max_length=2,
            ),
        ),
        migrations.AlterField(
            model_name="historicalpayee",
            name="phone",
            field=models.CharField(
                blank=True,
                help_text="E.164, for mobile money; told of payouts by SMS",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="payee",
            name="phone",
            field=models.CharField(
                blank=True,
                help_text="E.164, for mobile money; told of payouts by SMS",
                max_length=16,
            ),
        ),
    ]
