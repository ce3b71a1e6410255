"""The energy balance: who covers whom within two per cent, and what slots begin when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tokens.energy import Balance, slots_between

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def balance(
    *, sun: int, into: int = 0, out: int = 0, feeder: int, households: int, reported: int = 1
) -> Balance:
    return Balance(
        generation_milliwatt_hours=sun,
        battery_in_milliwatt_hours=into,
        battery_out_milliwatt_hours=out,
        feeder_milliwatt_hours=feeder,
        households_milliwatt_hours=households,
        slots=1,
        slots_reported=reported,
    )


@pytest.mark.parametrize(
    ("told", "is_balanced"),
    [
        (balance(sun=1_000, feeder=1_000, households=1_000), True),
        (balance(sun=1_000, feeder=1_000, households=860), True),  # as in a real village
        (balance(sun=1_000, feeder=1_020, households=1_020), True),
        (balance(sun=1_000, feeder=1_021, households=1_000), False),
        (balance(sun=1_000, feeder=1_000, households=1_020), True),
        (balance(sun=1_000, feeder=1_000, households=1_021), False),
        (balance(sun=1_000, into=400, feeder=600, households=600), True),
        (balance(sun=1_000, into=400, feeder=700, households=600), False),
        (balance(sun=0, out=500, feeder=500, households=480), True),
        (balance(sun=0, feeder=500, households=480), False),
        (balance(sun=0, feeder=0, households=0), True),
        (balance(sun=0, feeder=0, households=0, reported=0), False),
        (balance(sun=1_000, feeder=1_000, households=900, reported=0), False),
    ],
)
def test_sun_and_battery_cover_the_feeder_and_the_feeder_the_households(
    told: Balance, is_balanced: bool
) -> None:
    assert told.is_balanced is is_balanced
    assert told.as_published()["is_balanced"] is is_balanced


def test_losses_are_what_did_not_arrive() -> None:
    told = balance(sun=1_000, into=300, out=100, feeder=780, households=700)
    assert told.supply_milliwatt_hours == 800
    assert told.losses_milliwatt_hours == 100
    assert told.as_published()["losses_milliwatt_hours"] == "100"


def test_energy_that_came_from_elsewhere_is_a_loss_below_zero() -> None:
    assert balance(sun=100, feeder=500, households=480).losses_milliwatt_hours == -380


@pytest.mark.parametrize(
    ("since", "until", "slot_seconds", "slots"),
    [
        (0, 86_400, 900, 96),
        (0, 300, 900, 1),
        (300, 600, 900, 0),
        (600, 901, 900, 1),
        (1, 900, 900, 0),
        (1, 901, 900, 1),
        (0, 300, 60, 5),
        (600, 300, 60, 0),
    ],
)
def test_slots_that_begin_in_a_span_are_counted(
    since: int, until: int, slot_seconds: int, slots: int
) -> None:
    assert slots == slots_between(
        starts_at=MIDNIGHT + timedelta(seconds=since),
        ends_at=MIDNIGHT + timedelta(seconds=until),
        slot_seconds=slot_seconds,
    )
