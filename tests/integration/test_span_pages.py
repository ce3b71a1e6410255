"""Pages of longer spans: exact to the milliwatt-hour, silent about few, honest about gaps."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.models import Household
from dashboard.consumption import consumption
from dashboard.day import Bucket, last_day
from dashboard.series import Span, plant
from dashboard.span_pages import round_trip, solar_share
from settlement import settle
from settlement.models import Meter, MeterAssignment, Reading, SlotTelemetry
from tests.integration.test_pages import Page
from tests.living_village import LivingVillage, live, neighbour

pytestmark = pytest.mark.django_db

PAGES = ("battery", "production", "consumption")
SPANS = [span.value for span in Span]
BUDGET_BYTES = 100_000
CREDITS = ("https://open-meteo.com/", "https://creativecommons.org/licenses/by/4.0/")
"""Where the weather comes from: links to follow, nothing is loaded from there."""
NAIROBI = ZoneInfo("Africa/Nairobi")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def kisima() -> LivingVillage:
    return live(now=timezone.now())


@pytest.fixture
def weeks() -> LivingVillage:
    """Nine days of slots of an hour, 16 households: ten homes, five businesses, one clinic."""
    life = live(now=timezone.now(), slot_seconds=3600, slots=216, households=16)
    tiers = ["leisure"] * 10 + ["business"] * 5 + ["priority"]
    for household, tier in zip(life.households, tiers, strict=True):
        Household.objects.filter(pk=household.pk).update(tier=tier)
    for number, slot in enumerate(SlotTelemetry.objects.order_by("starts_at")):
        slot.production_milliwatt_hours = number * 1_001
        slot.battery_in_milliwatt_hours = 10_000_000
        slot.battery_out_milliwatt_hours = 9_000_000
        slot.feeder_milliwatt_hours = number + 1
        slot.solar_share_basis_points = 10_000 if number % 2 else 5_000
        slot.save()
    return life


def _page(name: str, *, span: str = "24h", slug: str = "kisima", language: str = "en") -> Page:
    answer = Client(headers={"accept-language": language}).get(f"/sites/{slug}/{name}/?span={span}")
    assert answer.status_code == 200
    return Page(answer.content.decode())


@pytest.mark.parametrize("span", list(Span))
def test_the_plant_sums_what_its_slots_sum(weeks: LivingVillage, span: Span) -> None:
    told = plant(site=weeks.site, span=span, at=timezone.now())

    begin = told.stretches[0].starts_at
    slots = list(SlotTelemetry.objects.filter(starts_at__gte=begin).order_by("starts_at"))
    total = told.total
    assert total is not None
    assert total.production == sum(slot.production_milliwatt_hours for slot in slots)
    assert total.battery_in == sum(slot.battery_in_milliwatt_hours for slot in slots)
    assert total.feeder == sum(slot.feeder_milliwatt_hours for slot in slots)
    charges = [slot.state_of_charge_basis_points for slot in slots]
    assert (total.charge_lowest, total.charge_highest) == (min(charges), max(charges))
    assert (told.charge_first, told.charge_last) == (charges[0], charges[-1])
    assert told.told_until == slots[-1].ends_at
    days: dict[str, int] = {}
    for slot in slots:
        day = slot.starts_at.astimezone(NAIROBI).date().isoformat()
        days[day] = days.get(day, 0) + slot.production_milliwatt_hours
    if span is Span.DAY:
        assert told.best_day is None
    else:
        assert told.best_day is not None
        assert told.best_day[1] == max(days.values())
        assert days[told.best_day[0].date().isoformat()] == max(days.values())
    for stretch, one in zip(told.stretches, told.sums, strict=True):
        inside = [
            slot.production_milliwatt_hours
            for slot in slots
            if stretch.starts_at <= slot.starts_at < stretch.ends_at
        ]
        assert (None if one is None else one.production) == (sum(inside) if inside else None)


@pytest.mark.parametrize("span", list(Span))
def test_use_sums_what_readings_of_households_sum(weeks: LivingVillage, span: Span) -> None:
    use = consumption(site=weeks.site, span=span, at=timezone.now())

    begin = use.stretches[0].starts_at
    readings = list(Reading.objects.filter(starts_at__gte=begin, meter__role="household"))
    for stretch, used in zip(use.stretches, use.used, strict=True):
        inside = [
            reading.energy_milliwatt_hours
            for reading in readings
            if stretch.starts_at <= reading.starts_at < stretch.ends_at
        ]
        assert (None if used is None else used.energy) == (sum(inside) if inside else None)
    total = use.total
    assert total is not None
    assert total.mean == Fraction(total.energy, 16)


def test_a_typical_day_is_the_mean_of_its_hours(weeks: LivingVillage) -> None:
    use = consumption(site=weeks.site, span=Span.MONTH, at=timezone.now())

    hour = sum(number * 10_000 for number in range(1, 17))
    assert use.typical_day == (Fraction(hour),) * 24


@pytest.mark.parametrize("span", SPANS)
def test_use_of_few_households_is_withheld(db: None, span: str) -> None:
    live(now=timezone.now(), households=4)

    page = _page("consumption", span=span)

    assert "shown when 5 meters or more have reported" in page.text
    assert page.count("svg") == 0


def test_the_figures_are_told_with_unit_and_age(weeks: LivingVillage) -> None:
    battery = _page("battery", span="7d").text
    assert "Target of the tariff 50 %" in battery
    assert "Capacity 25.00 kWh" in battery
    assert "There is no forecast: no weather forecast of the last day is known." in battery
    assert "7 days," in battery
    assert " ago)" in battery.replace(" )", ")") or "just now" in battery
    assert "Solar share" in _page("production", span="30d").text
    assert "Mean of a household" in _page("consumption", span="1y").text


def test_a_round_trip_leaves_out_what_the_battery_kept(weeks: LivingVillage) -> None:
    told = plant(site=weeks.site, span=Span.YEAR, at=timezone.now())
    total = told.total
    assert total is not None
    assert (told.charge_first, told.charge_last) != (None, None)

    kept = Fraction(((told.charge_last or 0) - (told.charge_first or 0)) * 25_000_000, 10_000)
    expected = round(Fraction(216 * 9_000_000) * 10_000 / (216 * 10_000_000 - kept))
    assert round_trip(plant=told, capacity_milliwatt_hours=25_000_000) == expected
    assert round_trip(plant=told, capacity_milliwatt_hours=10**12) is None


def test_the_solar_share_weighs_each_slot_by_its_feeder(weeks: LivingVillage) -> None:
    told = plant(site=weeks.site, span=Span.YEAR, at=timezone.now())

    solar = sum(n * (5_000 if n % 2 else 10_000) for n in range(1, 217))
    assert solar_share(total=told.total) == round(Fraction(solar, sum(range(1, 217))))
    assert solar_share(total=None) is None


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("span", SPANS)
def test_a_new_site_without_anything_is_whole(kisima: LivingVillage, name: str, span: str) -> None:
    neighbour(at=kisima.at)

    assert "Nothing is known of this span." in _page(name, span=span, slug="lofe").text


@pytest.mark.parametrize("name", PAGES)
def test_unknown_spans_and_sites_are_not_found(kisima: LivingVillage, name: str) -> None:
    assert Client().get(f"/sites/kisima/{name}/?span=2h").status_code == 404
    assert Client().get(f"/sites/nowhere/{name}/").status_code == 404


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("span", SPANS)
def test_pages_are_small_packed_bounded_and_of_nobody(
    weeks: LivingVillage,
    name: str,
    span: str,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    at = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: at)
    path = f"/sites/kisima/{name}/?span={span}"
    with django_assert_max_num_queries(13):
        packed = Client(headers={"accept-encoding": "gzip"}).get(path)
    with django_assert_max_num_queries(7):
        again = Client(headers={"accept-encoding": "gzip"}).get(
            path, headers={"if-none-match": packed["ETag"]}
        )

    assert again.status_code == 304
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < BUDGET_BYTES
    text = gzip.decompress(packed.content).decode()
    for secret in ("KIS0", "SM0", "+254", "254711"):
        assert secret not in text
    page = Page(text)
    assert all(address.startswith(("/", "#", "?", *CREDITS)) for address in page.addresses)
    assert len(page.ids) == len(set(page.ids))
    assert page.count("details") == page.count("svg") == page.count("caption") > 0
    for other in PAGES:
        assert f"/sites/kisima/{other}/" in page.addresses


@pytest.mark.parametrize("name", PAGES)
def test_french_readers_get_french(weeks: LivingVillage, name: str) -> None:
    page = _page(name, span="30d", language="fr")

    told = {"battery": "Cible du tarif", "production": "Meilleur jour", "consumption": "Par foyer"}
    assert told[name] in page.text
    assert "30 jours" in page.text
    for english in ("Lowest", "Capacity", "Best day", "By tier", "Used", "How far"):
        assert english not in page.text


def test_late_readings_change_what_is_remembered(kisima: LivingVillage) -> None:
    at = timezone.now()
    before = consumption(site=kisima.site, span=Span.DAY, at=at)
    begin = kisima.at - timedelta(hours=4)
    for number in range(1, 7):
        kisima.village.read(
            f"SM{number:04d}", starts_at=begin, energy_milliwatt_hours=7, at=kisima.at
        )
    settle.run_all(site_id=kisima.site.pk, at=kisima.at)
    after = consumption(site=kisima.site, span=Span.DAY, at=at)

    assert before.total is not None
    assert after.total is not None
    assert after.total.energy == before.total.energy + 42


def test_telemetry_that_comes_late_changes_what_is_remembered(weeks: LivingVillage) -> None:
    at = timezone.now()
    gap = SlotTelemetry.objects.order_by("starts_at")[200]
    values = {
        field.attname: getattr(gap, field.attname)
        for field in SlotTelemetry._meta.fields
        if field.attname != "id"
    }
    gap.delete()
    before = plant(site=weeks.site, span=Span.WEEK, at=at)
    day = last_day(site=weeks.site, at=at)
    SlotTelemetry.objects.create(**{**values, "production_milliwatt_hours": 5_000_000})
    after = plant(site=weeks.site, span=Span.WEEK, at=at)
    day_after = last_day(site=weeks.site, at=at)

    assert before.total is not None
    assert after.total is not None
    assert after.total.production == before.total.production + 5_000_000
    assert day_after.production_milliwatt_hours == day.production_milliwatt_hours + 5_000_000


def test_the_mean_of_means_is_the_mean_of_slots(weeks: LivingVillage) -> None:
    told = plant(site=weeks.site, span=Span.YEAR, at=timezone.now())
    charges = list(SlotTelemetry.objects.values_list("state_of_charge_basis_points", flat=True))
    assert told.total is not None
    assert told.total.charge_mean == Fraction(sum(charges), len(charges))


def test_a_slot_of_few_meters_is_not_what_is_left_of_its_hour(kisima: LivingVillage) -> None:
    """Four meters report a slot of an hour that six told of in its other slots."""
    at = timezone.now()
    hour = kisima.at.replace(minute=0) - timedelta(hours=5)
    for slot, meters in enumerate((6, 6, 4, 6)):
        for number in range(1, meters + 1):
            kisima.village.read(
                f"SM{number:04d}",
                starts_at=hour + timedelta(minutes=15 * slot),
                energy_milliwatt_hours=1_000,
                at=kisima.at,
            )
    settle.run_all(site_id=kisima.site.pk, at=kisima.at)

    use = consumption(site=kisima.site, span=Span.DAY, at=at)
    (told,) = [
        used for each, used in zip(use.stretches, use.used, strict=True) if each.starts_at == hour
    ]
    assert told is not None
    assert (told.energy, told.mean) == (18_000, Fraction(3_000))
    shown = sum(bucket.consumption_milliwatt_hours or 0 for bucket in _day_of(kisima, hour))
    assert shown == 18_000


def _day_of(life: LivingVillage, hour: datetime) -> list[Bucket]:
    """The hour's buckets on the site's page."""
    day = last_day(site=life.site, at=timezone.now())
    return [each for each in day.buckets if hour <= each.starts_at < hour + timedelta(hours=1)]


def test_a_second_meter_makes_no_second_household(db: None) -> None:
    """Five meters of four households are of too few; with one household more they are told of."""
    life = live(now=timezone.now(), households=4)
    _second_meter(life)
    assert consumption(site=life.site, span=Span.DAY, at=timezone.now()).total is None

    life.village.household("KIS0005", phone="+254711000005")
    _read(life, serials=("SM0001", "SM0002", "SM0003", "SM0004", "SM0005", "SM0099"), back=8)
    total = consumption(site=life.site, span=Span.DAY, at=timezone.now()).total
    assert total is not None
    assert (total.energy, total.mean) == (6_000, Fraction(6_000, 5))


def _second_meter(life: LivingVillage) -> None:
    """The first household has another meter, which tells of a slot together with the others."""
    meter = Meter.objects.create(site=life.site, serial="SM0099", created_at=life.at)
    MeterAssignment.objects.create(
        meter=meter, household=life.households[0], validity=(life.village.founded_at, None)
    )
    _read(life, serials=("SM0001", "SM0002", "SM0003", "SM0004", "SM0099"), back=6)


def _read(life: LivingVillage, *, serials: tuple[str, ...], back: int) -> None:
    """One watt-hour of each meter in a slot that began some hours ago."""
    for serial in serials:
        life.village.read(
            serial,
            starts_at=life.at - timedelta(hours=back),
            energy_milliwatt_hours=1_000,
            at=life.at,
        )
    settle.run_all(site_id=life.site.pk, at=life.at)
