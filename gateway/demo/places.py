"""Where the demo's households lie, and the maps of its villages. Invented: no such village exists.

Four groups of houses around the container, each large enough to be a square of the map.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts import places
from accounts.models import HouseholdPlace, Site, SiteMap
from accounts.places import Placed
from gateway.demo.villages import HOUSEHOLDS, DemoVillage

Point = tuple[int, int]

GROUPS = (
    ((-100, 0), range(1, 8)),
    ((100, -100), range(8, 15)),
    ((-200, -100), range(15, 21)),
    # The market: shops, mill, clinic and school among homes.
    ((0, 0), range(21, HOUSEHOLDS + 1)),
)
"""The south-west corner of a hundred metres' square, and the numbers of who lives in it."""

SHAPES: tuple[tuple[str, tuple[Point, ...]], ...] = (
    (
        "outline",
        ((-210, -110), (-90, -120), (90, -115), (215, -90), (205, 20), (110, 110), (-110, 115)),
    ),
    ("river", ((-260, 160), (-140, 125), (0, 140), (120, 125), (260, 150))),
    ("road", ((-260, -10), (-100, -4), (0, -14), (120, -8), (260, -30))),
    ("path", ((-40, 110), (-30, 0), (-60, -60), (-150, -70))),
    ("path", ((60, 0), (80, -60), (160, -70))),
    ("container", ((0, 0),)),
)


def lay_out(*, villages: Sequence[tuple[DemoVillage, Site]]) -> None:
    """Give households their places and sites their maps, where there are none."""
    for number, (village, site) in enumerate(villages):
        is_turned = number % 2 == 1
        if not HouseholdPlace.objects.filter(site=site).exists():
            places.take_in(site=site, placed=_placed(village, is_turned=is_turned))
        SiteMap.objects.get_or_create(
            site=site,
            defaults={
                "shapes": [
                    {"kind": kind, "points": [list(_turned(each, is_turned)) for each in points]}
                    for kind, points in SHAPES
                ]
            },
        )


def _placed(village: DemoVillage, *, is_turned: bool) -> list[Placed]:
    found = []
    for (west, south), numbers in GROUPS:
        for number in numbers:
            easting, northing = _turned(
                (west + 8 + number * 37 % 84, south + 8 + number * 53 % 84), is_turned
            )
            found.append(
                Placed(code=village.code(number), easting_metres=easting, northing_metres=northing)
            )
    return found


def _turned(point: Point, is_turned: bool) -> Point:
    """The second village is the first one, mirrored."""
    return (point[1], point[0]) if is_turned else point
