"""A settlement engine with a mistake in it: invariants may stay green, the model sees it.

Each mutant is the engine's own SQL with one thing changed, installed in a scratch database. All of
them go through the same eventful days, after which the books no longer agree with the model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from accounts import audit
from accounts.models import Payment
from settlement.audit import CHECKS as SETTLEMENT_CHECKS
from settlement.models import Charge
from tests.databases import pointed_at, scratch_copy
from tests.twin import SLOT, Twin, reading
from tests.village import Village

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MORNING = NOW - timedelta(hours=5)
MONTHS = ((2025, 12), (2026, 6))
DAI = 10**18
LAST_PRICE = 3_100 * 10**8
"""Of a milliwatt-hour, at the end of the morning."""


@pytest.fixture(scope="module")
def copy(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), scratch_copy(suffix="mutant"):
        yield


@pytest.fixture
def twin(copy: None) -> Iterator[Twin]:
    """A village in the scratch database, in a transaction of its owner that is rolled back."""
    before = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = connections["owner"].settings_dict["USER"]
    try:
        with transaction.atomic():
            yield Twin.of(Village.found(at=NOW), months=MONTHS)
            transaction.set_rollback(True)
    finally:
        connection.close()
        connection.settings_dict["USER"] = before


def mutate(function: str, *, changes: dict[str, str]) -> None:
    """Install a function again with some of its text changed; all of it has to be there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [function])
        (text,) = cursor.fetchone()
        for old, new in changes.items():
            assert old in text, f"{function} no longer says {old!r}: bring the mutant up to date"
            text = text.replace(old, new)
        cursor.execute(text)


def widen_keys(*tables: str) -> None:
    """Make the unique key (site, slot, meter) one of (site, slot, meter, id)."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")
            cursor.execute(
                f"ALTER TABLE {table} ADD PRIMARY KEY (site_id, starts_at, meter_id, id)"
            )


def eventful_days(twin: Twin) -> None:
    """A little of everything, settled in several batches and compared after each."""
    twin.household("KIS0001")
    twin.household("KIS0002", meters=2)
    twin.household("KIS0003", tier="priority")
    twin.household("KIS0004")
    for days, ticks in ((70, 2_777), (1, 3_333)):
        twin.price(ticks=ticks, starts_at=MORNING - timedelta(days=days))
    for number, ticks in enumerate((4_001, 2_600, 4_900, 3_100)):
        twin.price(ticks=ticks, starts_at=MORNING + 2 * number * SLOT)
    twin.donate(amount_wei=3 * DAI + 7, at=NOW)
    twin.fund("KIS0001", amount_wei=DAI // 2, at=NOW)
    twin.fund("KIS0004", amount_wei=DAI // 100, at=NOW)
    twin.pay("KIS0002", amount_minor=150, at=NOW)
    twin.pay("KIS0003", amount_minor=5_173, at=NOW)
    twin.sun(starts_at=MORNING + SLOT, share_basis_points=7_777)
    # A morning, one meter in the reverse order; with repeats and contradictions.
    for energy in (17_000, 17_000, 17_002):
        twin.read("SM0001", energy, starts_at=MORNING - SLOT)
    for number in range(8):
        twin.read("SM0001", 17_001 + number, starts_at=MORNING + (7 - number) * SLOT)
        twin.read("SM0002", 31_013, starts_at=MORNING + number * SLOT)
        twin.read("SM0003", 23_456, starts_at=MORNING + number * SLOT)
    twin.read("SM0002B", 29_999, starts_at=MORNING)
    twin.read("SM0001", 17_001, starts_at=MORNING + 7 * SLOT)
    twin.read("SM0002", 31_012, starts_at=MORNING)
    twin.settle(at=NOW, limit=13)
    twin.settle_all(at=NOW)
    twin.close_blocks(at=NOW)
    # The same again, somebody moved out, the split changed, and what came late.
    twin.donate(amount_wei=DAI // 3, at=NOW)
    twin.split(lines=[("tax", 3_333), ("operator", 6_667)], valid_from=NOW + SLOT)
    twin.move_out("SM0001", at=NOW)
    twin.assign("SM0001", "KIS0003", since=NOW)
    twin.read("SM0001", 17_001, starts_at=MORNING + 7 * SLOT)
    twin.read("SM0003", 23_455, starts_at=MORNING)
    twin.read("SM0002", 40_000, starts_at=MORNING - SLOT, received_at=NOW)
    twin.read("SM0004", 50_000, starts_at=MORNING - timedelta(days=20), received_at=NOW)
    twin.read("SM0004", 20_000, starts_at=MORNING)
    old = MORNING - timedelta(days=30)
    for days in (14, 15):
        starts_at = old + days * SLOT
        for serial in ("SM0001", "SM0002"):
            received_at = starts_at + SLOT + timedelta(days=days)
            twin.receive(reading(serial, 50_000, starts_at=starts_at, received_at=received_at))
    twin.settle(at=NOW + SLOT)
    twin.close_blocks(at=NOW + SLOT)
    # A top-up that repays, and energy that leaves funds exactly on the mark of low funds.
    twin.pay("KIS0002", amount_minor=10_000, at=NOW)
    above_mark = twin.model.houses["KIS0001"].funds - twin.model.low_funds
    twin.fund("KIS0001", amount_wei=-above_mark % LAST_PRICE, at=NOW)
    energy = -(-above_mark // LAST_PRICE)
    twin.read("SM0001", energy, starts_at=NOW - 3 * SLOT)
    twin.settle_all(at=NOW + SLOT)
    twin.close_blocks(at=NOW + timedelta(days=1))


def findings() -> list[str]:
    """What the audit finds, the double entry's checks and all."""
    checks = (*audit.CHECKS, *SETTLEMENT_CHECKS)
    return [each.check for result in audit.run(checks=checks) for each in result.findings]


def test_the_engine_as_it_is_agrees(twin: Twin) -> None:
    eventful_days(twin)
    assert findings() == []


def test_a_weakened_key_charges_twice_balances_and_is_caught_by_the_model(twin: Twin) -> None:
    widen_keys("reading", "charge")
    mutate(
        "settlement_settle",
        changes={"ON CONFLICT (site_id, starts_at, meter_id) DO NOTHING": "ON CONFLICT DO NOTHING"},
    )
    twin.household("KIS0001")
    twin.price(ticks=3_000, starts_at=MORNING)
    twin.fund("KIS0001", amount_wei=DAI, at=NOW)
    twin.read("SM0001", 40_000, starts_at=MORNING)
    twin.settle(at=NOW)
    twin.read("SM0001", 40_000, starts_at=MORNING)
    with pytest.raises(AssertionError, match="KIS0001 funds"):
        twin.settle(at=NOW)

    assert Charge.objects.count() == 2
    assert not Payment.objects.exists()
    money = [each.check for result in audit.run(checks=audit.CHECKS) for each in result.findings]
    assert money == [], "the ledger's own invariants do not see it"


MUTANTS = {
    "dedupe across batches": (
        "settlement_settle",
        {"ON CONFLICT (site_id, starts_at, meter_id) DO NOTHING": "ON CONFLICT DO NOTHING"},
    ),
    "dedupe within a batch": (
        "settlement_settle",
        {"starts_at = s.starts_at\n        WHERE s.nth = 1": "starts_at = s.starts_at"},
    ),
    "the last of a slot counts": ("settlement_settle", {"ORDER BY j.id)": "ORDER BY j.id DESC)"}),
    "price of the moment": (
        "settlement_settle",
        {"p.starts_at <= s.starts_at": "p.starts_at <= p_at"},
    ),
    "no priority tier": (
        "settlement_settle",
        {"least(price.wei_per_kwh, price.reference_wei_per_kwh)": "price.wei_per_kwh"},
    ),
    "late a moment too early": (
        "settlement_settle",
        {"t.received_at > t.ends_at +": "t.received_at >= t.ends_at +"},
    ),
    "late readings are owed": (
        "settlement_settle",
        {"make_interval(days => v_site.late_reading_days)": "interval '1 year'"},
    ),
    "late readings paid first": (
        "settlement_settle",
        {
            "+ sum(l.late) OVER earlier": "* 0 + sum(l.late) OVER earlier",
            "- l.on_time AS before_on_time": (
                "- l.on_time + sum(l.late) OVER (PARTITION BY l.household_id) AS before_on_time"
            ),
        },
    ),
    "conflicts one way only": (
        "settlement_settle",
        {"WHERE known_energy <> energy": "WHERE known_energy < energy"},
    ),
    "the tenant of today": (
        "settlement_settle",
        {"a.validity @> t.starts_at": "a.validity @> p_at"},
    ),
    "diesel mints": (
        "settlement_settle",
        {"(s.energy * s.solar_share / 10000)::bigint": "s.energy"},
    ),
    "the solar share rounds up": (
        "settlement_settle",
        {"(s.energy * s.solar_share / 10000)::bigint": "ceil(s.energy * s.solar_share / 1e4)"},
    ),
    "low funds told on the mark": (
        "settlement_settle",
        {
            "r.recovered - r.paid < v_site.low_funds_wei": (
                "r.recovered - r.paid <= v_site.low_funds_wei"
            )
        },
    ),
    "repayments do not recover": (
        "settlement_settle",
        {
            "repayment - recovered - paid AS amount": "repayment - paid AS amount",
            "recovered - owed FROM result": "- owed FROM result",
            "v_batch.paid_wei + v_batch.recovered_wei)": "v_batch.paid_wei)",
            "(v_batch.arrears_wei - v_batch.recovered_wei)": "v_batch.arrears_wei",
        },
    ),
    "shares are rounded to the nearest": (
        "settlement_split",
        {"div(v_paid * v_shares[i], 10000)": "round(v_paid * v_shares[i] / 10000)"},
    ),
    "each batch is split on its own": (
        "settlement_split",
        {
            "greatest(div(v_paid * v_shares[i], 10000) - v_posted[i], 0)": (
                "div(p_paid_wei * v_shares[i], 10000)"
            )
        },
    ),
    "the first split for ever": (
        "settlement_split",
        {"ORDER BY valid_from DESC LIMIT 1": "ORDER BY valid_from LIMIT 1"},
    ),
    "the allowance goes to the last slots": (
        "settlement_rebate",
        {"ORDER BY c.starts_at, c.meter_id": "ORDER BY c.starts_at DESC, c.meter_id"},
    ),
    "rebates again": (
        "settlement_rebate",
        {"coalesce(t.rebate, 0) - b.rebate_wei AS": "coalesce(t.rebate, 0) AS"},
    ),
    "rebates do not cancel arrears": (
        "settlement_rebate",
        {"greatest(t.open_arrears, 0)) AS may_cancel": "0) AS may_cancel"},
    ),
    "corrections only upwards": (
        "settlement_rebate",
        {"greatest(-t.difference, 0) AS to_take": "0::numeric AS to_take"},
    ),
    "the remainder of the donors' index is lost": (
        "donors_index_reward",
        {"p_reward_wei * 1e36 + v_index.remainder": "p_reward_wei * 1e36"},
    ),
    "a donation shares in what was before it": (
        "donors_index_donate",
        {"p_amount_wei, v_accumulated, 0,": "p_amount_wei, 0, 0,"},
    ),
}


WIDENED = {
    "dedupe across batches": ("reading", "charge"),
    "dedupe within a batch": ("charge",),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_model_catches(twin: Twin, name: str) -> None:
    function, changes = MUTANTS[name]
    widen_keys(*WIDENED.get(name, ()))
    mutate(function, changes=changes)
    with pytest.raises(AssertionError):
        eventful_days(twin)


def test_the_scratch_copy_is_gone_in_the_end_and_the_tests_database_untouched(
    copy: None,
) -> None:
    original = connection.settings_dict["NAME"].removesuffix("_mutant")
    with pointed_at(name=original), connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('settlement_settle'::regproc)")
        assert "ON CONFLICT (site_id, starts_at, meter_id) DO NOTHING" in cursor.fetchone()[0]
