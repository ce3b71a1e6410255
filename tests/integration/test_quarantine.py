"""Readings that came before, contradict or make no sense: once in the books, or in quarantine."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accounts import amounts
from settlement import readings, settle
from settlement.meters.samples import MeterSample, UnreadableSample
from settlement.models import (
    Charge,
    QuarantinedReading,
    Reading,
    ReadingInbox,
    SettlementBatch,
)
from tests.model import Sample
from tests.twin import SLOT, Twin, reading

pytestmark = pytest.mark.django_db

PER_MWH = 3 * 10**11
"""At the fixture's price of 3,000 ticks."""


# Duplicates


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_an_exact_duplicate_is_counted_and_charged_once(
    twin: Twin, slot: datetime, now: datetime, limit: int
) -> None:
    for _ in range(3):
        twin.read("SM0001", 50_000, starts_at=slot)
    twin.settle_all(at=now, limit=limit)
    twin.read("SM0001", 50_000, starts_at=slot)
    twin.settle(at=now)

    assert Reading.objects.count() == Charge.objects.count() == 1
    assert not QuarantinedReading.objects.exists()
    assert sum(SettlementBatch.objects.values_list("repeated_count", flat=True)) == 3


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_of_conflicting_readings_the_first_counts_and_the_others_go_to_quarantine(
    twin: Twin, slot: datetime, now: datetime, limit: int
) -> None:
    for energy in (50_000, 60_000, 50_000, 70_000, 60_000):
        twin.read("SM0001", energy, starts_at=slot)
    twin.settle_all(at=now, limit=limit)

    assert Charge.objects.get().energy_milliwatt_hours == 50_000
    assert sorted(
        QuarantinedReading.objects.values_list("energy_milliwatt_hours", "reason", "detail")
    ) == [
        (60_000, "conflicting_duplicate", "known energy: 50000 mWh"),
        (60_000, "conflicting_duplicate", "known energy: 50000 mWh"),
        (70_000, "conflicting_duplicate", "known energy: 50000 mWh"),
    ]


def test_an_unsound_reading_does_not_take_the_place_of_a_sound_one(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", -1, starts_at=slot)
    twin.read("SM0001", 50_000, starts_at=slot)
    twin.settle(at=now)

    assert Charge.objects.get().energy_milliwatt_hours == 50_000


# Quarantine


@pytest.mark.parametrize(
    ("reason", "serial", "minutes", "energy"),
    [
        ("unknown_meter", "SM9999", (0, 15), 1),
        ("meter_closed", "SM0002", (0, 15), 1),
        ("not_a_slot", "SM0001", (5, 20), 1),
        ("not_a_slot", "SM0001", (0, 30), 1),
        ("not_a_slot", "SM0001", (0, 10), 1),
        ("in_the_future", "SM0001", (45, 60), 1),
        ("no_partition", "SM0001", (-60 * 24 * 150, -60 * 24 * 150 + 15), 1),
        ("negative_energy", "SM0001", (0, 15), -1),
        ("implausible_energy", "SM0001", (0, 15), 1_250_001),
    ],
)
def test_a_reading_that_makes_no_sense_goes_to_quarantine_and_the_batch_goes_on(
    twin: Twin, now: datetime, *, reason: str, serial: str, minutes: tuple[int, int], energy: int
) -> None:
    slot = now - timedelta(minutes=45)
    twin.household("KIS0002")
    twin.close_meter("SM0002", at=slot)
    twin.receive(
        Sample(
            serial=serial,
            starts_at=slot + timedelta(minutes=minutes[0]),
            ends_at=slot + timedelta(minutes=minutes[1]),
            energy=energy,
            received_at=now,
        ),
        reading("SM0002", 40_000, starts_at=slot - SLOT),
    )
    twin.settle(at=now)

    kept = QuarantinedReading.objects.get()
    assert (kept.reason, kept.serial, kept.energy_milliwatt_hours) == (reason, serial, energy)
    assert Charge.objects.get().energy_milliwatt_hours == 40_000


def test_a_slot_before_the_first_price_goes_to_quarantine_unless_nobody_pays_for_it(
    db: None, slot: datetime, now: datetime
) -> None:
    twin = Twin.found(at=now)
    twin.household("KIS0001")
    twin.meter("SM0009")
    twin.price(ticks=3_000, starts_at=slot + SLOT)
    for serial in ("SM0001", "SM0009"):
        twin.read(serial, 1_000, starts_at=slot)
        twin.read(serial, 1_000, starts_at=slot + SLOT)
    twin.settle(at=now)

    assert QuarantinedReading.objects.get().reason == "no_price"
    assert Reading.objects.count() == 3


def test_the_most_that_a_meter_carries_is_accepted(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 1_250_000, starts_at=slot)
    twin.settle(at=now)

    assert not QuarantinedReading.objects.exists()


def test_a_register_that_went_backwards_and_an_unreadable_sample_go_to_quarantine(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    def register(shift: int, energy: int) -> MeterSample:
        return MeterSample(
            serial="SM0001",
            starts_at=slot + shift * SLOT,
            ends_at=slot + (shift + 1) * SLOT,
            energy_milliwatt_hours=energy,
            is_register=True,
        )

    samples = [register(-1, 500_000), register(0, 540_000), register(1, 530_000)]
    unreadable = UnreadableSample(serial="SM0001", detail="kilowatt_hours: 'NaN'")
    for _ in range(2):
        readings.take_in(
            site=twin.village.site, samples=[*samples, unreadable], source="test", at=now
        )
        settle.run(site_id=twin.village.site.pk, at=now)

    assert Charge.objects.get().energy_milliwatt_hours == 40_000
    assert sorted(QuarantinedReading.objects.values_list("reason", flat=True)) == [
        "malformed",
        "register_backwards",
    ]


def test_a_released_reading_is_charged_once_and_its_bounds_are_not_checked_again(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 2_000_000, starts_at=slot)
    twin.settle(at=now)
    kept = QuarantinedReading.objects.get()
    readings.release(quarantined=kept, by_id=None, at=now)
    with pytest.raises(ValueError, match="resolved before"):
        readings.release(quarantined=kept, by_id=None, at=now)
    settle.run(site_id=twin.village.site.pk, at=now)

    assert Charge.objects.get().energy_milliwatt_hours == 2_000_000
    assert (
        amounts.of_household(household=twin.households["KIS0001"]).arrears_wei
        == 2_000_000 * PER_MWH
    )


def test_a_conflicting_duplicate_cannot_be_released(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    twin.read("SM0001", 10_000, starts_at=slot)
    twin.read("SM0001", 20_000, starts_at=slot)
    twin.settle(at=now)
    with pytest.raises(ValueError, match="charged already"):
        readings.release(quarantined=QuarantinedReading.objects.get(), by_id=None, at=now)


def test_the_same_samples_again_do_not_reach_the_inbox(
    twin: Twin, slot: datetime, now: datetime
) -> None:
    taken = [
        twin.village.read("SM0001", starts_at=slot, energy_milliwatt_hours=energy, at=now)
        for energy in (10_000, 10_000, 20_000, 20_000)
    ]
    settle.run(site_id=twin.village.site.pk, at=now)
    taken += [
        twin.village.read("SM0001", starts_at=slot, energy_milliwatt_hours=energy, at=now)
        for energy in (10_000, 20_000, 30_000)
    ]

    assert taken == [1, 0, 1, 0, 0, 0, 1]
    assert ReadingInbox.objects.get().energy_milliwatt_hours == 30_000
