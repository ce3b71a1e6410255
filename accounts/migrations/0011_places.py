"""Where sites' maps and their households lie, in metres from the container."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import accounts.basemaps


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_letters_and_addresses"),
    ]

    operations = [
        migrations.CreateModel(
            name="SiteMap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "shapes",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='a list of shapes, e.g. {"kind": "road", "points": [[-200, 0], [200, 40]]}; kinds: outline, water, river, road, path, container; points: metres east and north of the container. No single homes: the map is public',
                        validators=[accounts.basemaps.wrong_with],
                    ),
                ),
                (
                    "site",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="map",
                        to="accounts.site",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HouseholdPlace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "easting_metres",
                    models.IntegerField(
                        help_text="east of the container; west of it is below zero",
                        validators=[
                            django.core.validators.MinValueValidator(-50000),
                            django.core.validators.MaxValueValidator(50000),
                        ],
                    ),
                ),
                (
                    "northing_metres",
                    models.IntegerField(
                        help_text="north of the container; south of it is below zero",
                        validators=[
                            django.core.validators.MinValueValidator(-50000),
                            django.core.validators.MaxValueValidator(50000),
                        ],
                    ),
                ),
                (
                    "household",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="place",
                        to="accounts.household",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="household_places",
                        to="accounts.site",
                    ),
                ),
            ],
            options={
                "ordering": ("household__code",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("easting_metres__range", (-50000, 50000)),
                            ("northing_metres__range", (-50000, 50000)),
                        ),
                        name="household_place_near_its_site",
                    )
                ],
            },
        ),
    ]
