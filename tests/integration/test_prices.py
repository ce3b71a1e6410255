"""Prices are published ahead of what they charge, once, and never behind its back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from settlement import prices, settle
from settlement.models import Charge, Price, SlotTelemetry
from settlement.prices import AlreadySettled, NoTariff
from tests.village import TICK, Village

pytestmark = pytest.mark.django_db


def _charge_the_battery(village: Village, *, ends_at: datetime, basis_points: int) -> None:
    SlotTelemetry.objects.create(
        site=village.site,
        starts_at=ends_at - timedelta(minutes=15),
        ends_at=ends_at,
        state_of_charge_basis_points=basis_points,
        production_milliwatt_hours=0,
        received_at=ends_at,
    )


def test_a_slots_price_follows_the_state_of_charge_at_its_start(
    village: Village, now: datetime
) -> None:
    _charge_the_battery(village, ends_at=now, basis_points=8_000)

    price = prices.publish_slot(site=village.site, at=now + timedelta(minutes=7))

    assert price.starts_at == now
    assert price.wei_per_kwh == 1_750 * TICK
    assert price.state_of_charge_basis_points == 8_000


def test_publishing_a_slot_twice_changes_nothing(village: Village, now: datetime) -> None:
    first = prices.publish_slot(site=village.site, at=now)
    _charge_the_battery(village, ends_at=now, basis_points=100)
    again = prices.publish_slot(site=village.site, at=now + timedelta(minutes=1))

    assert again == first
    assert Price.objects.count() == 1


def test_an_old_state_of_charge_holds_the_last_price(village: Village, now: datetime) -> None:
    village.price(ticks=1_900, starts_at=now - timedelta(hours=3))
    _charge_the_battery(village, ends_at=now - timedelta(hours=2, minutes=15), basis_points=100)

    price = prices.publish_slot(site=village.site, at=now)

    assert price.wei_per_kwh == 1_900 * TICK
    assert price.state_of_charge_basis_points is None


def test_a_site_without_a_tariff_publishes_nothing(village: Village, now: datetime) -> None:
    with pytest.raises(NoTariff, match="publish one"):
        prices.publish_slot(site=village.site, at=village.founded_at - timedelta(days=1))


def test_a_price_never_comes_after_the_charge_it_would_have_changed(
    village: Village, now: datetime
) -> None:
    village.household()
    village.price(ticks=2_500, starts_at=now - timedelta(days=1))
    village.read("SM0001", starts_at=now, energy_milliwatt_hours=1_000, at=now)
    settle.run(site_id=village.site.pk, at=now + timedelta(minutes=15))

    with pytest.raises(AlreadySettled):
        village.price(ticks=3_000, starts_at=now)
    village.price(ticks=3_000, starts_at=now + timedelta(minutes=15))

    assert Charge.objects.get().price.wei_per_kwh == 2_500 * TICK


def _published(village: Village) -> list[tuple[datetime, int, int | None, datetime]]:
    return list(
        Price.objects.filter(site=village.site)
        .order_by("starts_at")
        .values_list("starts_at", "wei_per_kwh", "state_of_charge_basis_points", "published_at")
    )


def test_a_span_is_published_as_its_slots_one_by_one_would_be(
    village: Village, now: datetime
) -> None:
    slots = [now + timedelta(minutes=15) * number for number in range(20)]
    twin = Village.found(at=now, slug="twin", beside=village)
    for place in (village, twin):
        place.price(ticks=2_500, starts_at=now - timedelta(hours=1))
        place.price(ticks=3_333, starts_at=slots[5])
        for number, charge in ((0, 9_000), (1, 8_000), (2, 100), (11, 5_000), (19, 0)):
            _charge_the_battery(place, ends_at=slots[number], basis_points=charge)
    for starts_at in slots:
        prices.publish_slot(site=twin.site, at=starts_at)

    until = slots[-1] + timedelta(minutes=15)
    assert prices.publish_span(site=village.site, since=now, until=until) == 19

    assert _published(village) == _published(twin)
    assert len({wei for _, wei, _, _ in _published(village)}) > 4
    assert prices.publish_span(site=village.site, since=now, until=until) == 0


def test_a_span_starts_with_the_first_whole_slot(village: Village, now: datetime) -> None:
    since = now + timedelta(minutes=1)
    assert prices.publish_span(site=village.site, since=since, until=now + timedelta(hours=1)) == 3
    assert prices.publish_span(site=village.site, since=since, until=since) == 0


def test_a_span_never_comes_after_the_charge_it_would_have_changed(
    village: Village, now: datetime
) -> None:
    village.price(ticks=2_500, starts_at=now - timedelta(hours=1))
    village.household()
    village.read("SM0001", starts_at=now, energy_milliwatt_hours=1_000, at=now)
    settle.run(site_id=village.site.pk, at=now + timedelta(minutes=15))
    with pytest.raises(AlreadySettled):
        prices.publish_span(site=village.site, since=now, until=now + timedelta(hours=1))
    assert Price.objects.count() == 1


def test_a_span_before_any_tariff_is_refused(village: Village, now: datetime) -> None:
    long_ago = village.founded_at - timedelta(days=1)
    with pytest.raises(NoTariff):
        prices.publish_span(site=village.site, since=long_ago, until=long_ago + timedelta(hours=1))
