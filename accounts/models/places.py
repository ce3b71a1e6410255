"""Where households lie within a site, and what is drawn below them on a map."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.basemaps import FARTHEST_METRES, wrong_with
from accounts.models.households import Household
from accounts.models.sites import Site

_WITHIN = [MinValueValidator(-FARTHEST_METRES), MaxValueValidator(FARTHEST_METRES)]


class HouseholdPlace(models.Model):
    """Where a household lies: personal data, for staff only. Nothing public tells it.

    Metres from the site's origin, which is where its container stands.
    """

    household = models.OneToOneField(Household, on_delete=models.PROTECT, related_name="place")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="household_places")
    easting_metres = models.IntegerField(
        validators=_WITHIN, help_text="east of the container; west of it is below zero"
    )
    northing_metres = models.IntegerField(
        validators=_WITHIN, help_text="north of the container; south of it is below zero"
    )

    class Meta:
        ordering = ("household__code",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(easting_metres__range=(-FARTHEST_METRES, FARTHEST_METRES))
                & models.Q(northing_metres__range=(-FARTHEST_METRES, FARTHEST_METRES)),
                name="household_place_near_its_site",
            )
        ]

    def __str__(self) -> str:
        return f"place of {self.household}"


class SiteMap(models.Model):
    """What is drawn of a site below figures: roads, rivers, the outline of the village. Public."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT, related_name="map")
    shapes = models.JSONField(
        default=list,
        blank=True,
        validators=[wrong_with],
        help_text='a list of shapes, e.g. {"kind": "road", "points": [[-200, 0], [200, 40]]};'
        " kinds: outline, water, river, road, path, container; points: metres east and north of"
        " the container. No single homes: the map is public",
    )

    def __str__(self) -> str:
        return f"map of {self.site}"
