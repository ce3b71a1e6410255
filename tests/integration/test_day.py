"""The last 24 hours: whole buckets, exact sums, honest gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts import sites
from dashboard import queries
from dashboard.day import last_day
from settlement import settle
from tests.living_village import (
    PRICE_NOW_WEI,
    SLOTS,
    WATT_HOURS,
    LivingVillage,
    live,
)
from tests.village import TICK

pytestmark = pytest.mark.django_db


@pytest.fixture
def kisima(db: None) -> LivingVillage:
    return live(now=timezone.now())


def test_the_day_has_at_most_96_buckets_and_sums_what_its_slots_sum(db: None) -> None:
    kisima = live(now=timezone.now(), slot_seconds=60)

    day = last_day(site=kisima.site, at=timezone.now())

    assert len(day.buckets) == 96
    assert day.bucket_seconds == 900
    assert day.ends_at == kisima.at
    assert day.consumption_milliwatt_hours == SLOTS * 210 * WATT_HOURS
    assert day.production_milliwatt_hours == SLOTS * 500 * WATT_HOURS
    last = day.buckets[-1]
    assert last.ends_at == kisima.at
    assert last.state_of_charge_basis_points == round(sum(range(4_000, 4_800, 100)) / SLOTS)
    assert last.consumption_milliwatt_hours == SLOTS * 210 * WATT_HOURS
    assert day.buckets[0].state_of_charge_basis_points is None


def test_hourly_slots_make_hourly_buckets(db: None) -> None:
    kisima = live(now=timezone.now(), slot_seconds=3600)

    day = last_day(site=kisima.site, at=timezone.now())

    assert len(day.buckets) == 24
    assert [bucket.consumption_milliwatt_hours for bucket in day.buckets[-SLOTS:]] == [
        210 * WATT_HOURS
    ] * SLOTS


def test_a_silent_head_end_shows_as_a_gap_up_to_now(kisima: LivingVillage) -> None:
    later = kisima.at + timedelta(hours=3)

    day = last_day(site=kisima.site, at=later)

    assert day.ends_at == later
    assert [bucket.consumption_milliwatt_hours for bucket in day.buckets[-12:]] == [None] * 12
    assert day.buckets[-13].consumption_milliwatt_hours == 210 * WATT_HOURS
    assert day.read_until == kisima.at


def test_a_price_holds_until_the_next_one(kisima: LivingVillage) -> None:
    day = last_day(site=kisima.site, at=kisima.at + timedelta(hours=2))

    assert {bucket.price_wei_per_kwh for bucket in day.buckets[-8:]} == {PRICE_NOW_WEI}
    assert day.buckets[0].price_wei_per_kwh == 3_000 * TICK


def test_a_late_reading_appears_in_its_own_bucket(kisima: LivingVillage) -> None:
    at = timezone.now()
    before = last_day(site=kisima.site, at=at)
    begin = kisima.at - timedelta(hours=4)
    for serial in range(1, 6):
        kisima.village.read(
            f"SM{serial:04d}", starts_at=begin, energy_milliwatt_hours=7, at=kisima.at
        )
    settle.run_all(site_id=kisima.site.pk, at=kisima.at)

    after = last_day(site=kisima.site, at=at)

    changed = [
        later
        for earlier, later in zip(before.buckets, after.buckets, strict=True)
        if earlier.consumption_milliwatt_hours != later.consumption_milliwatt_hours
    ]
    assert [(bucket.starts_at, bucket.consumption_milliwatt_hours) for bucket in changed] == [
        (begin, 35)
    ]


def test_figures_of_a_site_with_nothing_are_zero(db: None) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    operator = sites.open_operator(slug="one", name="One", at=at)
    sites.open_site(
        at=at, operator=operator, slug="one", name="One", country="KE", currency="KES",
        time_zone="Africa/Nairobi",
    )  # fmt: skip
    site = queries.open_site(slug="one")
    assert site is not None

    figures = queries.figures(site=site, at=at)

    assert figures.pools_wei == {"revenue": 0}
    assert (figures.settled_milliwatt_hours, figures.tokens_minted_wei) == (0, 0)
    assert (figures.price, figures.rate, figures.battery, figures.as_of) == (None,) * 4
