"""Settlement, case by case: each against figures worked out by hand and against the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts import amounts
from accounts.amounts import HouseholdAmounts
from accounts.models import Donation, Notice
from settlement import rebates, settle
from settlement.models import (
    BlockBill,
    Charge,
    Meter,
    Reading,
    SettlementBatch,
)
from tests.model import Model
from tests.twin import SLOT, Twin
from tests.village import TICK, Village

pytestmark = pytest.mark.django_db

DAI = 10**18
PER_MWH = 3 * 10**11
"""The price of these tests: 3,000 ticks, 0.3 DAI a kWh, over the reference of 0.25."""


def _of(twin: Twin, code: str = "KIS0001") -> HouseholdAmounts:
    return amounts.of_household(household=twin.households[code])


# Price of the slot


def test_a_reading_is_charged_at_the_price_of_its_own_slot(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.price(ticks=4_000, starts_at=slot + SLOT)
    twin.price(ticks=5_000, starts_at=slot + 2 * SLOT)
    twin.read("SM0001", 50_000, starts_at=slot + SLOT)
    twin.settle(at=now)
    twin.read("SM0001", 50_000, starts_at=slot, received_at=now)
    twin.settle(at=now)

    charged = dict(Charge.objects.values_list("starts_at", "amount_wei"))
    assert charged == {slot: 50_000 * 3 * 10**11, slot + SLOT: 50_000 * 4 * 10**11}
    assert _of(twin).funds_wei == DAI - 50_000 * 7 * 10**11


def test_what_is_paid_is_split_to_the_wei(twin: Twin, slot: datetime, now: datetime) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.read("SM0001", 33_333, starts_at=slot)
    twin.settle(at=now)

    paid = 33_333 * PER_MWH
    pools = amounts.pools(site=twin.village.site)
    assert pools["tax"] == paid * 1_600 // 10_000
    assert pools["grant"] == paid * 2_000 // 10_000
    assert sum(pools.values()) == paid


def test_the_priority_tier_never_pays_more_than_the_reference(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.household("KIS0002", tier="priority")
    twin.price(ticks=2_000, starts_at=slot + SLOT)
    for starts_at in (slot, slot + SLOT):
        twin.read("SM0002", 1_000_000, starts_at=starts_at)
    twin.settle(at=now)

    charged = list(Charge.objects.order_by("starts_at").values_list("amount_wei", flat=True))
    assert charged == [2_500 * TICK, 2_000 * TICK]


def test_no_energy_and_no_price_cost_nothing(twin: Twin, slot: datetime, now: datetime) -> None:
    twin.price(ticks=0, starts_at=slot)
    twin.read("SM0001", 0, starts_at=slot - SLOT)
    twin.read("SM0001", 1_000_000, starts_at=slot)
    twin.settle(at=now)

    assert _of(twin) == HouseholdAmounts(impact_tokens_wei=DAI // 2)


def test_readings_of_another_site_with_the_same_serial_are_its_own(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    other = Village.found(at=now, slug="mlima", beside=twin.village)
    other.price(ticks=3_000, starts_at=other.founded_at)
    Meter.objects.create(site=other.site, serial="SM0001", created_at=other.founded_at)
    other.read("SM0001", starts_at=slot, energy_milliwatt_hours=77_000, at=now)
    settle.run(site_id=other.site.pk, at=now)
    twin.read("SM0001", 10_000, starts_at=slot)
    twin.settle(at=now)

    assert sorted(Reading.objects.values_list("energy_milliwatt_hours", flat=True)) == [
        10_000,
        77_000,
    ]


# Arrears


def test_what_funds_do_not_cover_is_owed_and_never_a_negative_amount(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=10**15, at=now)
    twin.read("SM0001", 50_000, starts_at=slot)
    twin.settle(at=now)

    held = _of(twin)
    assert (held.funds_wei, held.arrears_wei) == (0, 50_000 * PER_MWH - 10**15)
    assert sum(amounts.pools(site=twin.village.site).values()) == 10**15
    assert held.impact_tokens_wei == DAI // 40


def test_at_most_three_tenths_of_a_top_up_repay_arrears(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 1_000_000, starts_at=slot)
    twin.read("SM0001", 1_000_000, starts_at=slot + SLOT)
    twin.settle(at=now)
    twin.pay("KIS0001", amount_minor=10_000, at=now)

    credited = 100 * 10**20 // 12_925
    assert _of(twin).arrears_wei == 6_000 * TICK - credited * 3 // 10
    assert _of(twin).funds_wei == credited - credited * 3 // 10
    twin.settle(at=now)
    assert sum(amounts.pools(site=twin.village.site).values()) == credited * 3 // 10
    assert _of(twin).arrears_wei == 6_000 * TICK - credited * 3 // 10


def test_a_large_top_up_repays_no_more_than_is_owed(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 100_000, starts_at=slot)
    twin.settle(at=now)
    twin.pay("KIS0001", amount_minor=100_000, at=now)
    twin.settle(at=now)

    assert _of(twin).arrears_wei == 0
    assert _of(twin).funds_wei == 1_000 * 10**20 // 12_925 - 100_000 * PER_MWH


def test_two_top_ups_before_a_settlement_do_not_repay_the_same_arrears_twice(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 1_000_000, starts_at=slot)
    twin.settle(at=now)
    for _ in range(2):
        twin.pay("KIS0001", amount_minor=9_000, at=now)
    twin.check()
    twin.settle(at=now)

    assert _of(twin).arrears_wei == 0


def test_what_was_set_aside_for_arrears_that_a_rebate_cancelled_comes_back(
    twin: Twin, now: datetime
) -> None:
    morning = now - timedelta(hours=4)
    twin.read("SM0001", 10_000, starts_at=morning)
    twin.settle(at=now)
    twin.pay("KIS0001", amount_minor=100_000, at=now)
    twin.close_blocks(at=now)
    twin.settle(at=now)

    assert _of(twin).arrears_wei == 0
    assert _of(twin).funds_wei == 1_000 * 10**20 // 12_925 - 10_000 * 25 * 10**10


def test_an_empty_inbox_is_idle(twin: Twin, now: datetime) -> None:
    assert settle.run(site_id=twin.village.site.pk, at=now) is None
    assert rebates.run(site_id=twin.village.site.pk, at=now) is None
    assert not SettlementBatch.objects.exists()


def test_a_top_up_reference_credits_once(twin: Twin, now: datetime) -> None:
    for _ in range(3):
        twin.pay("KIS0001", amount_minor=5_000, at=now, reference="SAME")
    twin.check()


# Late readings


def test_a_reading_more_than_fourteen_days_late_is_charged_to_available_funds_only(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    old = slot - timedelta(days=20)
    twin.fund("KIS0001", amount_wei=10**15, at=now)
    twin.read(
        "SM0001", 50_000, starts_at=old, received_at=old + SLOT + timedelta(days=14, seconds=1)
    )
    twin.settle(at=now)

    assert (_of(twin).funds_wei, _of(twin).arrears_wei) == (0, 0)
    assert SettlementBatch.objects.get().borne_wei == 50_000 * PER_MWH - 10**15


def test_a_reading_of_exactly_fourteen_days_is_not_late(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    old = slot - timedelta(days=20)
    twin.read("SM0001", 50_000, starts_at=old, received_at=old + SLOT + timedelta(days=14))
    twin.settle(at=now)

    assert _of(twin).arrears_wei == 50_000 * PER_MWH


def test_readings_in_time_are_paid_before_late_ones_of_the_same_batch(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=60_000 * PER_MWH, at=now)
    twin.read("SM0001", 50_000, starts_at=slot - timedelta(days=20), received_at=now)
    twin.read("SM0001", 50_000, starts_at=slot)
    twin.settle(at=now)

    assert (_of(twin).funds_wei, _of(twin).arrears_wei) == (0, 0)
    assert SettlementBatch.objects.get().borne_wei == 40_000 * PER_MWH


# Whose reading it is


def test_a_meter_of_nobody_is_measured_and_not_charged(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.meter("SM0009")
    twin.read("SM0009", 40_000, starts_at=slot)
    twin.settle(at=now)

    assert Reading.objects.get().energy_milliwatt_hours == 40_000
    assert not Charge.objects.exists()
    assert amounts.tokens_minted(site=twin.village.site) == 0


def test_the_mains_are_measured_and_not_charged_even_if_somebody_assigned_them(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    Meter.objects.filter(serial="SM0001").update(role=Meter.Role.FEEDER)
    twin.village.read("SM0001", starts_at=slot, energy_milliwatt_hours=9, at=now)
    settle.run(site_id=twin.village.site.pk, at=now)

    assert Reading.objects.count() == 1
    assert not Charge.objects.exists()


def test_a_charge_follows_the_household_that_had_the_meter_in_the_slot(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.household("KIS0002")
    twin.move_out("SM0001", at=slot + SLOT)
    twin.assign("SM0001", "KIS0002", since=slot + 2 * SLOT)
    for number in (2, 1, 0):
        twin.read("SM0001", 10_000 + number, starts_at=slot + number * SLOT)
    twin.settle(at=now)

    charged = dict(Charge.objects.values_list("household__code", "energy_milliwatt_hours"))
    assert charged == {"KIS0001": 10_000, "KIS0002": 10_002}
    assert Reading.objects.count() == 3


def test_a_meter_that_changes_hands_within_a_slot_belongs_to_who_had_it_at_the_start(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.household("KIS0002")
    twin.move_out("SM0001", at=slot + timedelta(minutes=1))
    twin.assign("SM0001", "KIS0002", since=slot + timedelta(minutes=1))
    twin.read("SM0001", 10_000, starts_at=slot)
    twin.settle(at=now)

    assert Charge.objects.get().household.code == "KIS0001"


# Impact tokens


def test_tokens_are_halved_between_the_household_and_nobody_without_donors(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 20_001, starts_at=slot)
    twin.settle(at=now)

    site = amounts.of_site(site=twin.village.site)
    assert _of(twin).impact_tokens_wei == 20_001 * 5 * 10**11
    assert site[("unallocated_tokens", "", "IT")] == 20_001 * 5 * 10**11
    assert site[("tokens_minted", "", "IT")] == -20_001 * 10**12


def test_donors_share_what_is_settled_after_they_gave_in_proportion(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 100_000, starts_at=slot)
    twin.settle(at=now)
    twin.donate(amount_wei=1 * DAI, at=now)
    twin.read("SM0001", 100_000, starts_at=slot + SLOT)
    twin.settle(at=now)
    twin.donate(amount_wei=2 * DAI, at=now)
    twin.read("SM0001", 90_000, starts_at=slot - SLOT)
    twin.settle(at=now)

    site = amounts.of_site(site=twin.village.site)
    assert site[("donors_pool", "", "IT")] == 190_000 * 5 * 10**11
    assert site[("unallocated_tokens", "", "IT")] == 100_000 * 5 * 10**11
    first, second = Donation.objects.order_by("id")
    with connection.cursor() as cursor:
        for donation in (first, second):
            cursor.execute("SELECT donors_index_touch(%s)", [donation.pk])
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.claimed_wei == (100_000 + 30_000) * 5 * 10**11
    assert second.claimed_wei == 60_000 * 5 * 10**11
    twin.check()


def test_only_the_solar_share_of_a_slot_mints_rounded_down(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.sun(starts_at=slot, share_basis_points=3_333)
    twin.sun(starts_at=slot + SLOT, share_basis_points=0)
    twin.read("SM0001", 10_001, starts_at=slot)
    twin.read("SM0001", 10_001, starts_at=slot + SLOT)
    twin.settle(at=now)

    minted = list(Charge.objects.order_by("starts_at").values_list("minting_milliwatt_hours"))
    assert minted == [(3_333,), (0,)]
    assert amounts.tokens_minted(site=twin.village.site) == 3_333 * 10**12
    assert _of(twin).arrears_wei == 20_002 * PER_MWH


# Notices


def test_low_funds_are_told_once_for_each_time_that_they_fall_below_the_mark(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    mark = twin.village.site.low_funds_wei
    twin.fund("KIS0001", amount_wei=mark + 1, at=now)
    told = []
    for number in range(-4, 2):
        if number == 0:
            twin.fund("KIS0001", amount_wei=40_000 * PER_MWH, at=now)
        twin.read("SM0001", 10_000, starts_at=slot + number * SLOT)
        twin.settle(at=now)
        told.append(Notice.objects.filter(kind="low_funds").count())

    assert told == [1, 1, 1, 1, 2, 2]


def test_funds_that_stay_on_the_mark_are_not_low(twin: Twin, slot: datetime, now: datetime) -> None:
    twin.fund("KIS0001", amount_wei=twin.village.site.low_funds_wei + 10_000 * PER_MWH, at=now)
    twin.read("SM0001", 10_000, starts_at=slot)
    twin.settle(at=now)

    assert not Notice.objects.filter(kind="low_funds").exists()


# Split


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_the_split_does_not_depend_on_how_readings_were_batched(
    twin: Twin, slot: datetime, now: datetime, limit: int
) -> None:
    twin.fund("KIS0001", amount_wei=100 * DAI, at=now)
    twin.price(ticks=3_001, starts_at=slot - timedelta(hours=10))
    energies = [1 + 97 * number for number in range(20)]
    for number, energy in enumerate(energies):
        twin.read("SM0001", energy, starts_at=slot - number * SLOT)
    twin.settle_all(at=now, limit=limit)

    paid = sum(energies) * 3_001 * 10**8
    pools = amounts.pools(site=twin.village.site)
    shares = {"tax": 1_600, "levies": 150, "reserve": 1_000, "grant": 2_000, "contractor": 2_500}
    assert {name: pools[name] for name in shares} == {
        name: paid * share // 10_000 for name, share in shares.items()
    }
    assert sum(pools.values()) == paid


def test_the_split_version_in_force_when_the_batch_is_posted_counts(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.read("SM0001", 10_003, starts_at=slot)
    twin.settle(at=now)
    twin.split(lines=[("grant", 9_999), ("operator", 1)], valid_from=now + timedelta(hours=1))
    twin.read("SM0001", 10_007, starts_at=slot - SLOT)
    twin.settle(at=now + timedelta(minutes=59))
    twin.read("SM0001", 10_009, starts_at=slot + SLOT)
    twin.settle(at=now + timedelta(hours=1))

    pools = amounts.pools(site=twin.village.site)
    first, second = 20_010 * PER_MWH, 10_009 * PER_MWH
    assert pools["grant"] == first * 2_000 // 10_000 + second * 9_999 // 10_000
    assert sum(pools.values()) == first + second


# Blocks


@pytest.mark.parametrize("zone", ["Africa/Nairobi", "Africa/Dakar", "Europe/Paris", "Asia/Kolkata"])
def test_price_blocks_begin_and_end_by_the_local_clock(twin: Twin, zone: str) -> None:
    model = Model(rate=twin.model.rate, zone=zone)
    with connection.cursor() as cursor:
        for hours in range(0, 24 * 400, 7):
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours, minutes=hours % 60)
            cursor.execute(
                "SELECT b, settlement_block_ends_at(b, %s) FROM settlement_block_starts_at(%s, %s)"
                " AS b",
                [zone, at, zone],
            )
            block = model.block_of(at)
            assert cursor.fetchone() == (
                model.block_starts_at(block).astimezone(UTC),
                model.block_ends_at(block).astimezone(UTC),
            )


def test_bills_are_kept_by_block_and_local_day(twin: Twin, now: datetime) -> None:
    midnight = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
    for number in range(-10, 6):
        twin.read("SM0001", 1_000, starts_at=midnight + number * SLOT)
    twin.settle(at=now)

    blocks = dict(BlockBill.objects.values_list("block_starts_at", "energy_milliwatt_hours"))
    assert blocks == {
        midnight - timedelta(hours=8): 2_000,
        midnight - timedelta(hours=2): 14_000,
    }
