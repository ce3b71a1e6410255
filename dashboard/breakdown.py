"""What a site's households used by tier and by cell of its map, over whole local days.

Whole days only, and only days on which no weighted sum of tiers and cells tells of fewer than
FEWEST_METERS households that used power: then neither does the difference of two spans, nor the
total less what is shown. Who is counted with whom is the same for every span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Household, HouseholdPlace, Site
from dashboard import disclosure, grid
from dashboard.grid import Cell
from dashboard.memory import remember
from dashboard.queries import FEWEST_METERS
from dashboard.series import KEPT_SECONDS, Span, stretches

OTHER_TIERS = "other"
ELSEWHERE = ""
DAYS = {Span.DAY: 1, Span.WEEK: 7, Span.MONTH: 30}


@dataclass(frozen=True, kw_only=True, slots=True)
class TierUse:
    """Energy of one tier in milliwatt-hours; households is the most that used power on a day."""

    tier: str
    energy: int
    households: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CellUse:
    """Energy of one cell of the map in milliwatt-hours; the most households of a day, and the sum
    over days."""

    cell: Cell
    energy: int
    households: int
    household_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """The span's whole days, first to last; how many of them may be told apart; and their sums.

    tiers is empty where there is one only; elsewhere is how many households are on no cell.
    """

    first: date
    last: date
    told_days: int
    tiers: tuple[TierUse, ...]
    cells: tuple[CellUse, ...]
    elsewhere: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """Who is counted with whom: each household's cell (by name) and tier, or the others' name."""

    cells: tuple[Cell, ...]
    cell_of: Mapping[int, str]
    tier_of: Mapping[int, str]


Sums = dict[tuple[str, str], tuple[int, int]]
"""Energy and households that used any, by (cell, tier)."""


@dataclass(kw_only=True, slots=True)
class _Total:
    """Days added up: energy in milliwatt-hours, the most households of a day, their sum."""

    energy: int = 0
    households: int = 0
    household_days: int = 0


def breakdown(*, site: Site, span: Span, at: datetime) -> Breakdown:
    """Return the whole days of the span up to the last midnight; remembered until a batch settles.

    Places and tiers that staff changes count from then on as well.
    """
    zone = ZoneInfo(site.time_zone)
    today = at.astimezone(zone).date()
    batch = site.settlement_batches.order_by("-id").values_list("pk", flat=True).first()
    return remember(
        key=f"breakdown:{site.uid}:{span.value}:{today}:{batch}",
        compute=lambda: _breakdown(site=site, first=_first(span, zone, at), today=today),
        seconds=KEPT_SECONDS,
    )


def _first(span: Span, zone: ZoneInfo, at: datetime) -> date:
    if span is Span.YEAR:
        return stretches(span=span, zone=zone, at=at, grain="day")[0].starts_at.date()
    return at.astimezone(zone).date() - timedelta(days=DAYS[span])


def _breakdown(*, site: Site, first: date, today: date) -> Breakdown:
    groups = groups_of(site=site)
    tiers: dict[str, _Total] = {}
    cells: dict[str, _Total] = {}
    told_days = 0
    for day in _days(site=site, groups=groups, first=first, before=today).values():
        fewest = disclosure.fewest_told({key: count for key, (_energy, count) in day.items()})
        if fewest is not None and fewest >= FEWEST_METERS:
            told_days += 1
            _add(cells, day=day, by=0)
            _add(tiers, day=day, by=1)
    return Breakdown(
        first=first,
        last=today - timedelta(days=1),
        told_days=told_days,
        tiers=tuple(
            TierUse(tier=tier, energy=total.energy, households=total.households)
            # The others come last.
            for tier, total in sorted(
                tiers.items(), key=lambda item: (item[0] == OTHER_TIERS, item[0])
            )
        )
        if len(tiers) > 1
        else (),
        cells=tuple(
            CellUse(
                cell=cell,
                energy=total.energy,
                households=total.households,
                household_days=total.household_days,
            )
            for cell in groups.cells
            if (total := cells.get(cell.name)) is not None and total.household_days
        ),
        elsewhere=cells.get(ELSEWHERE, _Total()).households,
    )


def _add(totals: dict[str, _Total], *, day: Sums, by: int) -> None:
    """Add a day to the totals of cells (0) or tiers (1)."""
    sums: dict[str, tuple[int, int]] = {}
    for key, (energy, count) in day.items():
        known = sums.get(key[by], (0, 0))
        sums[key[by]] = (known[0] + energy, known[1] + count)
    for name, (energy, count) in sums.items():
        total = totals.setdefault(name, _Total())
        total.energy += energy
        total.households = max(total.households, count)
        total.household_days += count


def groups_of(*, site: Site) -> Groups:
    """Return the site's cells and tiers over all its households, now and before.

    Small tiers join until no sum of tiers and cells tells of fewer than FEWEST_METERS.
    """
    tier_of = dict(
        Household.objects.filter(sites__site=site).order_by().values_list("pk", "tier").distinct()
    )
    places = {
        place.household_id: (place.easting_metres, place.northing_metres)
        for place in HouseholdPlace.objects.filter(site=site, household__in=tier_of)
    }
    cells = grid.cells(places=places, fewest=FEWEST_METERS, beside=len(tier_of) - len(places))
    cell_of = dict.fromkeys(tier_of, ELSEWHERE) | {
        household: cell.name for cell in cells for household in cell.households
    }
    return Groups(cells=cells, cell_of=cell_of, tier_of=joined(tier_of=tier_of, cell_of=cell_of))


def joined(*, tier_of: Mapping[int, str], cell_of: Mapping[int, str]) -> dict[int, str]:
    """Return each household's tier with small ones joined: the smallest two, as often as needed."""
    found = dict(tier_of)
    while len(set(found.values())) > 1:
        counts: dict[tuple[str, str], int] = {}
        for household, tier in found.items():
            key = (cell_of[household], tier)
            counts[key] = counts.get(key, 0) + 1
        fewest = disclosure.fewest_told(counts)
        if fewest is None or fewest >= FEWEST_METERS:
            break
        sizes = {tier: list(found.values()).count(tier) for tier in set(found.values())}
        # What is joined already takes the next one in.
        smallest = sorted(sizes, key=lambda tier: (tier != OTHER_TIERS, sizes[tier], tier))[:2]
        found = {
            household: OTHER_TIERS if tier in smallest else tier
            for household, tier in found.items()
        }
    return found


def _days(*, site: Site, groups: Groups, first: date, before: date) -> dict[date, Sums]:
    """Each local day's energy and households that used any, by cell and tier."""
    names = sorted({(groups.cell_of[home], tier) for home, tier in groups.tier_of.items()})
    numbers = {name: number for number, name in enumerate(names)}
    homes = list(groups.tier_of)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT bill.day, member.part, sum(bill.energy_milliwatt_hours)::bigint,
                count(*) FILTER (WHERE bill.energy_milliwatt_hours > 0)
            FROM settlement_householdday AS bill
            JOIN unnest(%s::bigint[], %s::int[]) AS member (household_id, part)
                ON member.household_id = bill.household_id
            WHERE bill.site_id = %s AND bill.day >= %s AND bill.day < %s
            GROUP BY bill.day, member.part ORDER BY bill.day, member.part
            """,
            [
                homes,
                [numbers[groups.cell_of[home], groups.tier_of[home]] for home in homes],
                site.pk,
                first,
                before,
            ],
        )
        days: dict[date, Sums] = {}
        for day, part, energy, count in cursor.fetchall():
            days.setdefault(day, {})[names[part]] = (energy, count)
        return days
