"""Monthly donations: when their provider was asked, is asked next, and was told to end them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_legal_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="givingplan",
            name="end_asked_at",
            field=models.DateTimeField(
                blank=True, help_text="when its donor asked for its end", null=True
            ),
        ),
        migrations.AddField(
            model_name="givingplan",
            name="checked_at",
            field=models.DateTimeField(
                blank=True, help_text="when the provider last said how it stands", null=True
            ),
        ),
        migrations.AddField(
            model_name="givingplan",
            name="next_check_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="givingplan",
            index=models.Index(
                condition=models.Q(("next_check_at__isnull", False)),
                fields=["next_check_at"],
                name="giving_plan_to_check",
            ),
        ),
    ]
