"""Lifeline rebates: given when a block has ended, whatever the order its readings came in."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from accounts import amounts
from accounts.amounts import HouseholdAmounts
from settlement import rebates
from settlement.models import BlockBill, SettlementBatch
from tests.twin import SLOT, Twin

pytestmark = pytest.mark.django_db

DAI = 10**18
ABOVE = 5 * 10**10
"""What a milliwatt-hour costs above the reference at 3,000 ticks."""
PER_MWH = 3 * 10**11


@pytest.fixture
def morning(now: datetime) -> datetime:
    """A slot of the block from 6 to 10 in Nairobi, which has ended: 7:00."""
    return now - timedelta(hours=5)


def _of(twin: Twin, code: str = "KIS0001") -> HouseholdAmounts:
    return amounts.of_household(household=twin.households[code])


def test_the_allowance_of_a_block_is_rebated_to_the_reference(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    for number in range(3):
        twin.read("SM0001", 20_000, starts_at=morning + number * SLOT)
    twin.settle(at=now)
    twin.close_blocks(at=now)

    assert _of(twin).funds_wei == DAI - 60_000 * PER_MWH + 50_000 * ABOVE
    pools = amounts.pools(site=twin.village.site)
    assert sum(pools.values()) == 60_000 * PER_MWH - 50_000 * ABOVE


def test_a_block_that_has_not_ended_is_left_open(twin: Twin, now: datetime) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.read("SM0001", 20_000, starts_at=now - SLOT)
    twin.settle(at=now)
    twin.close_blocks(at=now)
    assert _of(twin).funds_wei == DAI - 20_000 * PER_MWH

    twin.close_blocks(at=now + timedelta(hours=4))
    assert _of(twin).funds_wei == DAI - 20_000 * PER_MWH + 20_000 * ABOVE


def test_closing_twice_gives_once(twin: Twin, morning: datetime, now: datetime) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.read("SM0001", 20_000, starts_at=morning)
    twin.settle(at=now)
    for _ in range(2):
        twin.close_blocks(at=now)

    assert SettlementBatch.objects.filter(kind="rebates").count() == 1


def test_a_price_below_the_reference_and_the_priority_tier_get_no_rebate(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.household("KIS0002", tier="priority")
    twin.household("KIS0003", has_lifeline=False)
    twin.price(ticks=2_400, starts_at=morning + SLOT)
    twin.read("SM0001", 20_000, starts_at=morning + SLOT)
    twin.read("SM0002", 20_000, starts_at=morning)
    twin.read("SM0003", 20_000, starts_at=morning)
    twin.settle(at=now)
    twin.close_blocks(at=now)

    assert not SettlementBatch.objects.filter(kind="rebates").exists()
    assert not BlockBill.objects.filter(is_due=True).exists()


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_arrival_does_not_change_a_bill(
    twin: Twin, morning: datetime, now: datetime, seed: int
) -> None:
    rng = random.Random(seed)
    prices = [2_600, 4_900, 2_400, 3_300, 5_000, 2_501, 4_000, 3_000]
    slots = [morning + (number - 4) * SLOT for number in range(len(prices))]
    for ticks, starts_at in zip(prices, slots, strict=True):
        twin.price(ticks=ticks, starts_at=starts_at)
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    order = list(enumerate(slots))
    rng.shuffle(order)
    for number, starts_at in order:
        twin.read("SM0001", 9_001 + number, starts_at=starts_at, received_at=now)
        twin.settle(at=now)
        if rng.random() < 0.5:
            twin.close_blocks(at=now)
    twin.close_blocks(at=now)

    left, bill = 50_000, 0
    for number, ticks in enumerate(prices):
        energy = 9_001 + number
        covered = min(energy, left)
        left -= covered
        bill += (covered * min(ticks, 2_500) + (energy - covered) * ticks) * 10**8
    assert DAI - _of(twin).funds_wei == bill
    assert sum(amounts.pools(site=twin.village.site).values()) == bill


def test_two_meters_of_a_household_share_one_allowance(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.household("KIS0002", meters=2)
    twin.fund("KIS0002", amount_wei=DAI, at=now)
    for serial in ("SM0002B", "SM0002"):
        twin.read(serial, 40_000, starts_at=morning)
    twin.settle(at=now)
    twin.close_blocks(at=now)

    assert _of(twin, "KIS0002").funds_wei == DAI - 80_000 * PER_MWH + 50_000 * ABOVE


def test_a_rebate_first_cancels_the_arrears_of_its_own_block(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=20_000 * PER_MWH - 10**15, at=now)
    twin.read("SM0001", 20_000, starts_at=morning)
    twin.settle(at=now)
    assert (_of(twin).funds_wei, _of(twin).arrears_wei) == (0, 10**15)
    twin.close_blocks(at=now)

    assert (_of(twin).funds_wei, _of(twin).arrears_wei) == (0, 0)
    assert BlockBill.objects.get().cancelled_wei == 20_000 * ABOVE == 10**15


def test_a_rebate_does_not_cancel_the_arrears_of_another_block(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=20_000 * PER_MWH, at=now)
    twin.read("SM0001", 20_000, starts_at=morning)
    twin.settle(at=now)
    twin.read("SM0001", 10_000, starts_at=now - SLOT)
    twin.settle(at=now)
    twin.close_blocks(at=now)

    assert _of(twin).arrears_wei == 10_000 * PER_MWH
    assert _of(twin).funds_wei == 20_000 * ABOVE


def test_a_late_reading_that_displaces_a_dearer_one_is_corrected_downwards(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.price(ticks=2_500, starts_at=morning)
    twin.price(ticks=4_500, starts_at=morning + SLOT)
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.read("SM0001", 50_000, starts_at=morning + SLOT)
    twin.settle(at=now)
    twin.close_blocks(at=now)
    given = _of(twin).funds_wei
    assert given == DAI - 50_000 * 25 * 10**10
    twin.read("SM0001", 30_000, starts_at=morning, received_at=now)
    twin.settle(at=now)
    twin.close_blocks(at=now)

    assert BlockBill.objects.get().rebate_wei == 20_000 * 20 * 10**10
    assert _of(twin).funds_wei == given - 30_000 * 25 * 10**10 - 30_000 * 20 * 10**10


def test_a_correction_downwards_that_funds_do_not_cover_is_owed(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.price(ticks=2_500, starts_at=morning)
    twin.price(ticks=4_500, starts_at=morning + SLOT)
    twin.fund("KIS0001", amount_wei=50_000 * 45 * 10**10, at=now)
    twin.read("SM0001", 50_000, starts_at=morning + SLOT)
    twin.settle(at=now)
    twin.close_blocks(at=now)
    rebate = 50_000 * 20 * 10**10
    assert _of(twin).funds_wei == rebate
    twin.read("SM0001", 30_000, starts_at=morning, received_at=now)
    twin.settle(at=now)
    left = rebate - 30_000 * 25 * 10**10
    assert _of(twin).funds_wei == left
    twin.close_blocks(at=now)

    assert _of(twin).funds_wei == 0
    assert _of(twin).arrears_wei == 30_000 * 20 * 10**10 - left


def test_a_net_negative_batch_is_borne_by_the_operator_and_made_up_for_by_the_next(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    twin.price(ticks=5_000, starts_at=morning)
    twin.read("SM0001", 50_000, starts_at=morning)
    twin.settle(at=now)
    before = amounts.pools(site=twin.village.site)
    twin.close_blocks(at=now)
    after = amounts.pools(site=twin.village.site)
    rebate = 50_000 * 25 * 10**10

    assert after == {**before, "operator": before["operator"] - rebate}
    assert after["operator"] < 0
    twin.read("SM0001", 60_000, starts_at=now - SLOT)
    twin.settle(at=now)
    paid = 50_000 * 25 * 10**10 + 60_000 * 5 * 10**11
    assert amounts.pools(site=twin.village.site)["tax"] == paid * 1_600 // 10_000


def test_a_rebate_of_a_late_reading_is_the_blocks_whoever_bore_the_charge(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    old = morning - timedelta(days=20)
    twin.read("SM0001", 20_000, starts_at=old, received_at=now)
    twin.settle(at=now)
    assert (_of(twin).funds_wei, _of(twin).arrears_wei) == (0, 0)
    twin.close_blocks(at=now)

    assert _of(twin).funds_wei == 20_000 * ABOVE


def test_bills_are_closed_oldest_first_a_limited_number_at_a_time(
    twin: Twin, morning: datetime, now: datetime
) -> None:
    twin.fund("KIS0001", amount_wei=DAI, at=now)
    for days in range(4):
        twin.read("SM0001", 10_000, starts_at=morning - timedelta(days=days))
    twin.settle(at=now)
    for closed in range(1, 5):
        rebates.run(site_id=twin.village.site.pk, at=now, limit=1)
        assert BlockBill.objects.filter(is_due=False).count() == closed
    twin.model.close_blocks(at=now)
    bills = BlockBill.objects.order_by("block_starts_at").values_list("rebate_wei", flat=True)
    assert list(bills) == [10_000 * ABOVE] * 4
