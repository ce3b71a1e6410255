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
