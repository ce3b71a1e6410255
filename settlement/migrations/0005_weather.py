"""Weather over a site; telemetry by the order in which it came."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_places"),
        ("settlement", "0004_payouts_kept_safe"),
    ]

    operations = [
        migrations.CreateModel(
            name="WeatherFetch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("failures_in_a_row", models.PositiveIntegerField(default=0)),
                ("last_failure", models.CharField(blank=True, max_length=200)),
                ("last_success_at", models.DateTimeField(blank=True, null=True)),
                ("next_fetch_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="WeatherHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("recent", "of an hour that is over"), ("forecast", "foretold")],
                        max_length=8,
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("temperature_tenths_celsius", models.SmallIntegerField()),
                ("cloud_cover_percent", models.PositiveSmallIntegerField()),
                ("irradiance_watts_per_square_metre", models.PositiveSmallIntegerField()),
                ("fetched_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("-starts_at",),
            },
        ),
        migrations.AddIndex(
            model_name="slottelemetry",
            index=models.Index(fields=["site", "-id"], name="telemetry_by_site"),
        ),
        migrations.AddField(
            model_name="weatherfetch",
            name="site",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="weather_fetch",
                to="accounts.site",
            ),
        ),
        migrations.AddField(
            model_name="weatherhour",
            name="site",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="weather_hours",
                to="accounts.site",
            ),
        ),
        migrations.AddConstraint(
            model_name="weatherhour",
            constraint=models.UniqueConstraint(
                fields=("site", "kind", "starts_at"), name="weather_hour_once_a_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="weatherhour",
            constraint=models.CheckConstraint(
                condition=models.Q(("cloud_cover_percent__lte", 100)),
                name="weather_cloud_at_most_all",
            ),
        ),
    ]
