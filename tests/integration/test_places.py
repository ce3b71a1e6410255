"""Where households lie: from a file whole or not at all, by staff, and only near their site."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import places
from accounts.basemaps import MOST_POINTS, MOST_SHAPES
from accounts.models import HouseholdPlace, SiteMap, User
from accounts.places import BadPlaces
from tests.living_village import neighbour
from tests.village import Village

pytestmark = pytest.mark.django_db

HEADER = "code,easting_metres,northing_metres\n"


@pytest.fixture
def kisima(db: None) -> Village:
    village = Village.found(at=timezone.now())
    for number in (1, 2):
        village.household(f"KIS000{number}", phone=f"+25471100000{number}")
    return village


def _import(tmp_path: Path, text: str, *, site: str = "kisima") -> str:
    path = tmp_path / "places.csv"
    path.write_text(text, encoding="utf-8")
    out = StringIO()
    call_command("import_places", str(path), site=site, stdout=out)
    return out.getvalue()


def _stored() -> list[tuple[str, int, int]]:
    return list(
        HouseholdPlace.objects.values_list("household__code", "easting_metres", "northing_metres")
    )


def test_a_file_sets_places_and_sets_them_again(kisima: Village, tmp_path: Path) -> None:
    said = _import(tmp_path, f"{HEADER}KIS0001,-120,40\nkis0002, 7 ,-8\n\n")
    assert said == "Kisima: 2 households have their place\n"
    _import(tmp_path, f"{HEADER}KIS0001,-121,41\n")
    assert _stored() == [("KIS0001", -121, 41), ("KIS0002", 7, -8)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The first line has to be code,easting_metres,northing_metres."),
        ("code,east,north\n", "The first line has to be"),
        (f"{HEADER}KIS0001,1\n", "line 2: 3 columns are needed, not 2"),
        (f"{HEADER}KIS0001,1.5,2\n", "line 2: '1.5', '2' are no whole metres"),
        (f"{HEADER}KIS0001,1,50001\n", "line 2: it lies farther than 50000 m"),
        (f"{HEADER}KIS0001,1,1\nKIS0001,2,2\n", "line 3: KIS0001 was there before"),
        (f"{HEADER}KIS0001,1,1\nKIS0009,2,2\n", "No household of Kisima has the code KIS0009."),
    ],
)
def test_a_file_with_a_wrong_line_changes_nothing(
    kisima: Village, tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(CommandError, match=r"places\.csv") as refused:
        _import(tmp_path, text)
    assert reason in str(refused.value)
    assert _stored() == []


def test_a_household_of_another_site_has_no_place_here(kisima: Village, tmp_path: Path) -> None:
    neighbour(at=timezone.now())
    with pytest.raises(CommandError, match="No household of Kisima has the code LOF0001"):
        _import(tmp_path, f"{HEADER}LOF0001,1,1\n")


def test_an_unknown_site_and_a_missing_file_are_refused(kisima: Village, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no site nowhere"):
        _import(tmp_path, HEADER, site="nowhere")
    with pytest.raises(CommandError, match=r"missing\.csv"):
        call_command("import_places", str(tmp_path / "missing.csv"), site="kisima")


def test_too_long_a_file_is_refused() -> None:
    lines = [HEADER, *("K,1,1\n" for _ in range(places.MOST_LINES + 1))]
    with pytest.raises(BadPlaces, match="more than 20000 lines"):
        places.read(lines)


def test_the_database_keeps_places_near_their_site(kisima: Village) -> None:
    home = kisima.household("KIS0003", phone="+254711000003")
    with pytest.raises(IntegrityError), transaction.atomic():
        HouseholdPlace.objects.create(
            household=home, site=kisima.site, easting_metres=50_001, northing_metres=0
        )


def test_staff_place_a_household_where_it_lives_only(kisima: Village, client: Client) -> None:
    _lofe, stranger, _user = neighbour(at=timezone.now())
    client.force_login(User.objects.create_superuser("root", password="a"))
    path = "/admin/accounts/householdplace/add/"
    told = {"site": kisima.site.pk, "easting_metres": 5, "northing_metres": 6}

    refused = client.post(path, {**told, "household": stranger.pk})
    assert "LOF0001 does not belong to Kisima." in refused.content.decode()
    home = kisima.household("KIS0003", phone="+254711000003")
    assert client.post(path, {**told, "household": home.pk}).status_code == 302
    assert _stored() == [("KIS0003", 5, 6)]


ROAD = {"kind": "road", "points": [[0, 0], [10, 10]]}


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"kind": "road"}, "Write a list of shapes"),
        ([ROAD, 5], "Shape 2 has to have a kind and points"),
        ([{**ROAD, "label": "x"}], "Shape 1 has to have a kind and points, and nothing else"),
        ([{**ROAD, "kind": "home"}], "there are the kinds outline, water"),
        ([{**ROAD, "kind": ["road"]}], "there are the kinds"),
        ([{"kind": "road", "points": [[0, 0]]}], "a road takes 2 points or more"),
        ([{"kind": "outline", "points": [[0, 0], [1, 1]]}], "outline takes 3 points"),
        ([{"kind": "road", "points": [[0, 0], [1, 2, 3]]}], "a point is"),
        ([{"kind": "road", "points": [[0, 0], [1.5, 2]]}], "whole numbers"),
        ([{"kind": "road", "points": [[0, 0], [True, 2]]}], "whole numbers"),
        ([{"kind": "road", "points": [[0, 0], [50_001, 2]]}], "within 50000"),
        ([{"kind": "road", "points": "ab"}], "takes 2 points"),
        ([ROAD] * (MOST_SHAPES + 1), "100 shapes at most; these are 101"),
        ([{"kind": "road", "points": [[0, 0]] * (MOST_POINTS + 1)}], "2000 points at most"),
    ],
)
def test_a_map_that_is_none_is_refused(kisima: Village, shapes: Any, reason: str) -> None:
    drawn = SiteMap(site=kisima.site, shapes=shapes)
    with pytest.raises(ValidationError, match=reason):
        drawn.full_clean()


def test_a_map_of_every_kind_of_shape_is_taken(kisima: Village) -> None:
    shapes = [
        {"kind": "outline", "points": [[-100, -100], [100, -100], [0, 100]]},
        {"kind": "water", "points": [[-10, -10], [10, -10], [0, 10]]},
        {"kind": "river", "points": [[-100, 50], [100, 50]]},
        ROAD,
        {"kind": "path", "points": [[0, 0], [-50, 50]]},
        {"kind": "container", "points": [[0, 0]]},
    ]
    SiteMap(site=kisima.site, shapes=shapes).full_clean()
