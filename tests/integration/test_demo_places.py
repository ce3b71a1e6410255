"""The demo's villages on their maps: everybody on a square of enough, shapes that are a map."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import HouseholdPlace, SiteMap
from dashboard.breakdown import ELSEWHERE, groups_of
from gateway.demo import places, villages
from gateway.demo.kisima import KISIMA
from gateway.demo.lofe import LOFE

pytestmark = pytest.mark.django_db


def test_both_villages_are_laid_out_once_with_everybody_on_a_square() -> None:
    at = timezone.now()
    made = [
        (village, villages.found(village=village, at=at, pepper="p")) for village in (KISIMA, LOFE)
    ]
    places.lay_out(villages=made)
    places.lay_out(villages=made)

    for _village, site in made:
        assert HouseholdPlace.objects.filter(site=site).count() == villages.HOUSEHOLDS
        SiteMap.objects.get(site=site).full_clean()
        groups = groups_of(site=site)
        assert [len(cell.households) for cell in groups.cells] in ([6, 7, 7, 10], [6, 7, 10, 7])
        assert ELSEWHERE not in groups.cell_of.values()
        assert set(groups.tier_of.values()) == {"leisure", "other"}


def test_a_place_that_staff_changed_stays() -> None:
    made = [(KISIMA, villages.found(village=KISIMA, at=timezone.now(), pepper="p"))]
    places.lay_out(villages=made)
    HouseholdPlace.objects.filter(household__code="KIS0001").update(easting_metres=-77)
    SiteMap.objects.update(shapes=[])
    places.lay_out(villages=made)
    assert HouseholdPlace.objects.get(household__code="KIS0001").easting_metres == -77
    assert SiteMap.objects.get().shapes == []
