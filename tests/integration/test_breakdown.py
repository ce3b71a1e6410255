"""Tiers and cells of a site's households: exact sums, the same groups for every span, and nothing
that anybody can take apart by subtracting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.utils import timezone, translation

from accounts.models import Household, HouseholdPlace, SiteMap
from dashboard.breakdown import Breakdown, breakdown, groups_of, joined
from dashboard.heat_map import HeatMap, class_step, heat_map, level_of
from dashboard.series import Span
from settlement import settle
from settlement.models import HouseholdDay
from tests.integration.test_span_pages import _page
from tests.living_village import LivingVillage, live
from tests.unit.test_disclosure import attacked

pytestmark = pytest.mark.django_db
NAIROBI = ZoneInfo("Africa/Nairobi")
CORNERS = ((10, 10), (-90, 10), (-90, -90))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    cache.clear()
    with translation.override("en"):
        yield


@pytest.fixture
def weeks() -> LivingVillage:
    """Nine days of hours, 18 households in three squares of six: homes, but for five businesses
    and a clinic among them."""
    life = live(now=timezone.now(), slot_seconds=3600, slots=216, households=18)
    _settle_in(life)
    return life


def _settle_in(life: LivingVillage) -> None:
    tiers = (["leisure"] * 4 + ["business"] * 2) * 2 + ["leisure"] * 4 + ["business", "priority"]
    for number, (household, tier) in enumerate(zip(life.households, tiers, strict=True)):
        Household.objects.filter(pk=household.pk).update(tier=tier)
        place(life, number, *CORNERS[number // 6])


def place(life: LivingVillage, number: int, easting: int, northing: int) -> None:
    """Put the household with that index somewhere."""
    HouseholdPlace.objects.update_or_create(
        household=life.households[number],
        defaults={
            "site": life.site,
            "easting_metres": easting + number,
            "northing_metres": northing,
        },
    )


def told(life: LivingVillage, span: Span = Span.WEEK) -> Breakdown:
    return breakdown(site=life.site, span=span, at=timezone.now())


def drawn(life: LivingVillage, span: Span = Span.WEEK) -> HeatMap:
    found = heat_map(site=life.site, told=told(life, span))
    assert found is not None
    return found


def bills(life: LivingVillage, span: Span) -> list[HouseholdDay]:
    """The bills of the span's whole days."""
    today = timezone.now().astimezone(NAIROBI).date()
    days = {Span.DAY: 1, Span.WEEK: 7, Span.MONTH: 30, Span.YEAR: 400}[span]
    return list(
        HouseholdDay.objects.filter(
            site=life.site, day__lt=today, day__gte=today - timedelta(days=days)
        ).select_related("household")
    )


@pytest.mark.parametrize("span", list(Span))
def test_tiers_and_cells_sum_what_the_bills_of_whole_days_sum(
    weeks: LivingVillage, span: Span
) -> None:
    parts, stored = told(weeks, span), bills(weeks, span)

    assert parts.told_days == len({bill.day for bill in stored}) > 0
    energy = sum(bill.energy_milliwatt_hours for bill in stored)
    assert sum(each.energy for each in parts.tiers) == energy
    assert sum(each.energy for each in parts.cells) == energy
    assert [(each.tier, each.households) for each in parts.tiers] == [("leisure", 12), ("other", 6)]
    homes = [bill for bill in stored if bill.household.tier == "leisure"]
    assert parts.tiers[0].energy == sum(bill.energy_milliwatt_hours for bill in homes)
    for use in parts.cells:
        inside = [bill for bill in stored if bill.household_id in use.cell.households]
        assert use.energy == sum(bill.energy_milliwatt_hours for bill in inside)
        assert (use.households, use.household_days) == (6, len(inside))


def test_the_running_day_is_left_out(weeks: LivingVillage) -> None:
    today = timezone.now().astimezone(NAIROBI).date()
    parts = told(weeks, Span.DAY)
    assert (parts.first, parts.last) == (today - timedelta(days=1), today - timedelta(days=1))


def test_a_small_tier_is_not_what_is_left_of_the_total(weeks: LivingVillage) -> None:
    # Five businesses are enough by themselves; but then the total less all others is one clinic.
    assert {each.tier for each in told(weeks).tiers} == {"leisure", "other"}


@pytest.mark.parametrize(
    ("tiers", "groups"),
    [
        ("hhhhhhhhhh", {"h"}),
        ("hhhhhbbbbb", {"h", "b"}),
        ("hhhhhhbbbb", {"other"}),
        ("hhhhhbbbbp", {"h", "other"}),
        ("hhhhhbbbbbppppp", {"h", "b", "p"}),
        ("hhhhhbbbbbpppp", {"h", "other"}),
    ],
)
def test_small_tiers_join_until_nothing_is_told_of_few(tiers: str, groups: set[str]) -> None:
    tier_of = dict(enumerate(tiers))
    found = joined(tier_of=tier_of, cell_of=dict.fromkeys(tier_of, ""))
    assert set(found.values()) == groups


SILENT: tuple[tuple[tuple[int, ...], bool], ...] = (
    ((), True),
    # Five are left in the first square, and twelve and six of the tiers.
    ((0,), True),
    # Four are left in it.
    ((0, 1), False),
    # Four of the small tiers.
    ((4, 5), False),
    ((0, 1, 2, 3), False),
    (tuple(range(6)), False),
    (tuple(range(14)), False),
)


def test_a_day_on_which_a_sum_tells_of_fewer_than_five_is_in_no_sum(db: None) -> None:
    """The reference attack on each day: what somebody can compute who sees every day alone."""
    life = live(now=timezone.now(), slot_seconds=3600, slots=1, households=18)
    _settle_in(life)
    today = timezone.now().astimezone(NAIROBI).replace(hour=12, minute=0, second=0, microsecond=0)
    for back, (silent, _is_shown) in enumerate(SILENT, start=1):
        for number in range(18):
            if number not in silent or number % 2:
                life.village.read(
                    f"SM{number + 1:04d}",
                    starts_at=today - timedelta(days=back),
                    energy_milliwatt_hours=0 if number in silent else 1_000 + number,
                    at=life.at,
                )
    settle.run_all(site_id=life.site.pk, at=life.at)

    groups = groups_of(site=life.site)
    shown_energy = 0
    for back, (silent, is_shown) in enumerate(SILENT, start=1):
        users = [number for number in range(18) if number not in silent]
        homes = [life.households[number].pk for number in users]
        cut = [(groups.cell_of[home], groups.tier_of[home]) for home in homes]
        assert (attacked(cut, most=4) is None) == is_shown
        at = timezone.now() - timedelta(days=back - 1)
        alone = breakdown(site=life.site, span=Span.DAY, at=at)
        assert alone.told_days == int(is_shown)
        energy = sum(1_000 + number for number in users) if is_shown else 0
        assert sum(each.energy for each in alone.cells) == energy
        shown_energy += energy
    week = told(life, Span.MONTH)
    assert week.told_days == 2
    assert sum(each.energy for each in week.cells) == shown_energy
    assert sum(each.energy for each in week.tiers) == shown_energy


def test_whoever_lives_apart_is_on_no_square_and_among_enough(weeks: LivingVillage) -> None:
    place(weeks, 0, 20_000, 20_000)
    found = drawn(weeks)
    # The one is hidden among the five of a square that is not drawn either.
    assert len(found.squares) == 2
    assert found.elsewhere == 6
    assert "6 households are on no square." in _page("consumption", span="7d").text


def test_a_site_without_places_has_tiers_and_no_map(weeks: LivingVillage) -> None:
    HouseholdPlace.objects.all().delete()
    text = _page("consumption", span="7d").text
    assert "Homes 12" in text
    assert "Shown when the places of enough households are known" in text
    assert heat_map(site=weeks.site, told=told(weeks)) is None


def test_squares_are_drawn_with_class_table_scale_and_credit(weeks: LivingVillage) -> None:
    SiteMap.objects.create(
        site=weeks.site,
        shapes=[
            {"kind": "container", "points": [[0, 0]]},
            {"kind": "road", "points": [[-100, 0], [100, 0]]},
        ],
    )
    found = drawn(weeks)
    assert [line.kind for line in found.lines] == ["road", "container"]
    assert (found.bar_metres, found.bar_width) == (100, "120")
    assert [(each.x, each.y, each.width) for each in found.squares] == [
        ("60", "60", "120"),
        ("180", "60", "120"),
        ("60", "180", "120"),
    ]
    page = _page("consumption", span="7d")
    for words in (
        "Every square has 5 households or more; none is shown by itself.",
        "Squares of the map, in metres from the container",
        "-100 to 0 m east, 0 to 100 m north",
        "The map is our own.",
    ):
        assert words in page.text
    assert {level for level, _words in found.classes} >= {each.level for each in found.squares}


def test_nothing_of_the_map_tells_where_a_household_is(weeks: LivingVillage) -> None:
    before = _page("consumption", span="7d").text
    # Everybody moves within their square.
    for number, (easting, northing) in enumerate(corner for corner in CORNERS for _ in range(6)):
        place(weeks, number, easting + 40, northing + 70)
    cache.clear()
    assert _page("consumption", span="7d").text == before


def test_the_map_is_told_in_french(weeks: LivingVillage) -> None:
    page = _page("consumption", span="7d", language="fr")
    assert "Chaque carré compte 5 foyers ou plus" in page.text
    for english in ("square", "household", "Where power", "whole days", " to "):
        assert english not in page.text


@pytest.mark.parametrize(
    ("highest", "step"),
    [
        (Fraction(0), Fraction(1)),
        (Fraction(5), Fraction(1)),
        (Fraction(51, 10), Fraction(2)),
        (Fraction(26, 10), Fraction(1)),
        (Fraction(1, 1_000), Fraction(2, 10_000)),
        (Fraction(1_234), Fraction(500)),
    ],
)
def test_classes_are_round_and_reach_the_highest(highest: Fraction, step: Fraction) -> None:
    assert class_step(highest) == step
    assert 1 <= level_of(highest, step=step) <= 5


def test_a_class_ends_at_its_upper_bound() -> None:
    step = Fraction(2, 10)
    means = [Fraction(0), Fraction(1, 10), Fraction(2, 10), Fraction(21, 100), Fraction(1)]
    assert [level_of(mean, step=step) for mean in means] == [1, 1, 1, 2, 5]
