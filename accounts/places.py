"""Where households of a site lie: taken in from a CSV, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from accounts.basemaps import FARTHEST_METRES
from accounts.models import Household, HouseholdPlace, Site

COLUMNS = ("code", "easting_metres", "northing_metres")
MOST_LINES = 20_000


class BadPlaces(Exception):
    """A file of places cannot be used; the text says which lines and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """One household's code and its metres east and north of the site's container."""

    code: str
    easting_metres: int
    northing_metres: int


def read(lines: Iterable[str]) -> list[Placed]:
    """Return the places of a CSV whose first line is code,easting_metres,northing_metres.

    Raises BadPlaces with every line that cannot be used.
    """
    rows = csv.reader(lines)
    header = next(rows, [])
    if tuple(name.strip() for name in header) != COLUMNS:
        raise BadPlaces(f"The first line has to be {','.join(COLUMNS)}.")
    found: dict[str, Placed] = {}
    wrong = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            placed = _placed(row)
            if placed.code in found:
                raise ValueError(f"{placed.code} was there before")
            found[placed.code] = placed
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
        if number > MOST_LINES:
            raise BadPlaces(f"There are more than {MOST_LINES} lines.")
    if wrong:
        raise BadPlaces("; ".join(wrong))
    return list(found.values())


@transaction.atomic
def take_in(*, site: Site, placed: Iterable[Placed]) -> int:
    """Set the places of households of the site; return how many.

    Raises BadPlaces where a code is of no household of the site; then none is set.
    """
    rows = list(placed)
    homes = dict(
        Household.objects.filter(sites__site=site, sites__validity__upper_inf=True).values_list(
            "code", "pk"
        )
    )
    if unknown := [row.code for row in rows if row.code not in homes]:
        raise BadPlaces(f"No household of {site.name} has the code {', '.join(unknown)}.")
    HouseholdPlace.objects.bulk_create(
        (
            HouseholdPlace(
                household_id=homes[row.code],
                site=site,
                easting_metres=row.easting_metres,
                northing_metres=row.northing_metres,
            )
            for row in rows
        ),
        update_conflicts=True,
        unique_fields=["household"],
        update_fields=["site", "easting_metres", "northing_metres"],
    )
    return len(rows)


def _placed(row: list[str]) -> Placed:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} columns are needed, not {len(row)}")
    code, *told = (text.strip() for text in row)
    try:
        easting, northing = map(int, told)
    except ValueError as error:
        raise ValueError(f"{told[0]!r}, {told[1]!r} are no whole metres") from error
    if max(abs(easting), abs(northing)) > FARTHEST_METRES:
        raise ValueError(f"it lies farther than {FARTHEST_METRES} m from the container")
    return Placed(code=code.upper(), easting_metres=easting, northing_metres=northing)
