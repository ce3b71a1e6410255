"""Closing epochs: exactly once, from everything settled, the same bit for bit when rebuilt."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import ledger
from accounts.ledger import Leg
from accounts.models import HouseholdSite, LedgerAccount, Site
from settlement import settle
from settlement.models import Meter, MeterAssignment
from tests.epoch_village import HALF, QUARTER, EpochVillage, of_donation, of_household, of_kind
from tokens import dataset, epochs
from tokens.cohorts import TooFewHouseholds
from tokens.entitlements import UnequalHalves
from tokens.models import Cohort, Epoch, EpochLeaf, Leaf

W = 2 * HALF
LENGTH = timedelta(seconds=300)


@pytest.fixture(autouse=True)
def short_epochs(settings: Any) -> None:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337


@pytest.fixture
def life(db: None, now: datetime) -> EpochVillage:
    """Five households and contracts; nothing used yet."""
    life = EpochVillage.found(at=now)
    life.deploy()
    return life


def test_an_epoch_holds_everything_that_was_settled(life: EpochVillage) -> None:
    life.use(KIS0001=1_000_000, KIS0002=1_200_001, KIS0003=5)
    epoch = life.must_close()
    assert (epoch.number, epoch.attempt, epoch.state) == (1, 1, "closed")
    assert epoch.milliwatt_hours == 2_200_006
    assert epoch.tokens_wei == 2_200_006 * W
    own = of_household(epoch, life.households["KIS0002"])
    assert (own.milliwatt_hours, own.tokens_wei) == (1_200_001, 1_200_001 * HALF)
    assert of_household(epoch, life.households["KIS0005"]).tokens_wei == 0
    assert of_kind(epoch, Leaf.Kind.UNALLOCATED).tokens_wei == 2_200_006 * HALF
    assert of_kind(epoch, Leaf.Kind.RESERVE).tokens_wei == 0
    book = life.village.site.book
    book.refresh_from_db()
    assert epoch.book_height == book.height
    assert epoch.book_hash == "0x" + bytes(book.head_hash).hex()


def test_the_second_epoch_is_cumulative_and_begins_where_the_first_ended(
    life: EpochVillage,
) -> None:
    life.everybody_uses(100)
    first = life.closed_and_active()
    life.use(KIS0001=7)
    second = life.must_close()
    assert second.number == 2
    assert second.milliwatt_hours == 507
    assert second.starts_at == first.ends_at
    assert second.ends_at > first.ends_at


def test_epochs_end_on_whole_epochs_of_time_a_grace_later(life: EpochVillage) -> None:
    first_slot = life.at
    life.everybody_uses()
    life.at = datetime(2026, 3, 2, 10, 5, 29, tzinfo=UTC)
    epoch = life.must_close()
    assert epoch.starts_at == first_slot
    assert epoch.ends_at == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    Epoch.objects.filter(pk=epoch.pk).update(state="active")
    assert life.close() is None
    life.at += timedelta(seconds=1)
    assert life.must_close().ends_at == datetime(2026, 3, 2, 10, 5, tzinfo=UTC)


def test_a_day_waits_an_hour_for_its_last_slots(life: EpochVillage, settings: Any) -> None:
    settings.EPOCH_SECONDS = 86_400
    life.everybody_uses()
    life.at = datetime(2026, 3, 3, 0, 59, 59, tzinfo=UTC)
    assert life.close() is None
    life.at += timedelta(seconds=1)
    assert life.must_close().ends_at == datetime(2026, 3, 3, tzinfo=UTC)


def test_no_epoch_is_closed_while_one_is_on_its_way(life: EpochVillage) -> None:
    life.everybody_uses()
    epoch = life.must_close()
    life.everybody_uses()
    assert life.close() is None
    Epoch.objects.filter(pk=epoch.pk).update(state="proposed")
    assert life.close() is None


@pytest.mark.parametrize("end", ["vetoed", "refused"])
def test_a_vetoed_or_refused_number_is_closed_anew_when_the_next_is_due(
    life: EpochVillage, end: str
) -> None:
    life.everybody_uses(10)
    first = life.must_close()
    Epoch.objects.filter(pk=first.pk).update(state=end)
    assert life.close() is None
    life.everybody_uses(10)
    again = life.must_close()
    assert (again.number, again.attempt) == (1, 2)
    assert again.milliwatt_hours == 100
    assert again.starts_at == first.starts_at


def test_nothing_is_closed_without_contracts(now: datetime, db: None) -> None:
    life = EpochVillage.found(at=now)
    life.everybody_uses()
    assert life.close() is None


def test_nothing_is_closed_before_anything_was_settled(life: EpochVillage) -> None:
    life.at += timedelta(hours=1)
    assert life.close() is None
    life.use(KIS0001=0)
    assert life.close() is None
    assert not Epoch.objects.exists()


def test_a_closed_site_closes_epochs_until_all_of_its_book_is_in_one(life: EpochVillage) -> None:
    life.everybody_uses(10)
    life.closed_and_active()
    life.everybody_uses(10)
    site = life.village.site
    site.closed_at = life.at
    site.save()
    assert life.closed_and_active().milliwatt_hours == 100
    life.at += timedelta(days=1)
    assert life.close() is None


def test_contracts_of_another_chain_do_not_count(life: EpochVillage, settings: Any) -> None:
    settings.CHAIN_ID = 100
    life.everybody_uses()
    assert life.close() is None


def test_a_site_with_fewer_than_five_households_closes_no_epoch_and_says_so(
    now: datetime, db: None
) -> None:
    life = EpochVillage.found(at=now, households=4)
    life.deploy()
    life.everybody_uses()
    with pytest.raises(TooFewHouseholds, match="4 households are fewer than the 5"):
        life.close()
    assert not Epoch.objects.exists()
    assert not Leaf.objects.exists()
    life.move_in("KIS0005")
    assert life.must_close().milliwatt_hours == 4_000_000


def test_new_households_join_the_smallest_cohort_until_five_make_a_new_one(
    life: EpochVillage,
) -> None:
    life.everybody_uses()
    life.closed_and_active()
    for number in range(6, 9):
        life.move_in(f"KIS{number:04d}")
    life.everybody_uses()
    life.closed_and_active()
    assert [cohort.leaves.count() for cohort in Cohort.objects.order_by("number")] == [8]
    for number in range(9, 15):
        life.move_in(f"KIS{number:04d}")
    life.everybody_uses()
    life.closed_and_active()
    assert [cohort.leaves.count() for cohort in Cohort.objects.order_by("number")] == [8, 6]
    assert Leaf.objects.filter(kind="household").count() == 14


def test_a_household_that_moved_keeps_its_leaf_and_gets_one_at_the_other_site(
    life: EpochVillage, now: datetime
) -> None:
    other = EpochVillage.found(
        at=now, slug="ngambo", prefix="NGA", households=5, beside=life.village
    )
    Site.objects.filter(pk=other.village.site.pk).update(impact_token_wei_per_kwh=4 * 10**18)
    other.village.site.refresh_from_db()
    other.deploy(ledger="0x" + "33" * 20, token="0x" + "44" * 20)
    life.everybody_uses(100)
    life.closed_and_active()
    mover = life.households["KIS0001"]
    HouseholdSite.objects.filter(household=mover).update(
        validity=(life.village.founded_at, life.at)
    )
    HouseholdSite.objects.create(household=mover, site=other.village.site, validity=(life.at, None))
    meter = Meter.objects.create(
        site=other.village.site, serial="SM9999", created_at=other.village.founded_at
    )
    MeterAssignment.objects.create(meter=meter, household=mover, validity=(life.at, None))
    life.use(KIS0002=1)
    other.at = life.at
    other.use(NGA9999=30)
    there, here = other.closed_and_active(), life.closed_and_active()
    assert of_household(here, mover).milliwatt_hours == 100
    assert of_household(there, mover).milliwatt_hours == 30
    assert of_household(there, mover).tokens_wei == 30 * 4 * HALF
    assert there.tokens_wei == 30 * 4 * W
    assert Leaf.objects.filter(household=mover).values("key").distinct().count() == 2


def test_unvested_donations_sit_in_the_reserve_and_vest_later(life: EpochVillage) -> None:
    at_once, later = life.donate(), life.donate(days=1)
    life.everybody_uses(200)
    first = life.closed_and_active()
    assert of_donation(first, at_once).tokens_wei == 500 * HALF
    assert of_donation(first, at_once).milliwatt_hours == 0
    assert of_donation(first, later).tokens_wei == 0
    assert of_kind(first, Leaf.Kind.RESERVE).tokens_wei == 500 * HALF
    life.at += timedelta(days=1)
    second = life.closed_and_active()
    assert of_donation(second, later).tokens_wei == 500 * HALF
    assert of_kind(second, Leaf.Kind.RESERVE).tokens_wei == 0
    assert second.tokens_wei == first.tokens_wei


def test_what_is_withdrawn_before_vesting_goes_to_the_others(life: EpochVillage) -> None:
    stays, goes = life.donate(), life.donate(days=1)
    life.everybody_uses(200)
    life.closed_and_active()
    life.withdraw(goes)
    life.at += timedelta(days=2)
    epoch = life.closed_and_active()
    assert of_donation(epoch, goes).tokens_wei == 0
    assert of_donation(epoch, stays).tokens_wei == 1_000 * HALF


def test_what_is_withdrawn_after_vesting_keeps_what_it_earned(life: EpochVillage) -> None:
    goes, stays = life.donate(), life.donate()
    life.everybody_uses(200)
    life.closed_and_active()
    life.withdraw(goes)
    life.everybody_uses(200)
    epoch = life.closed_and_active()
    assert of_donation(epoch, goes).tokens_wei == 500 * HALF
    assert of_donation(epoch, stays).tokens_wei == 1_500 * HALF


def test_what_rounding_leaves_of_the_donors_half_stays_in_the_reserve(life: EpochVillage) -> None:
    for amount_wei in (3, 3, 1):
        life.donate(amount_wei=amount_wei)
    life.everybody_uses(1)
    epoch = life.closed_and_active()
    donors = EpochLeaf.objects.filter(epoch=epoch, leaf__kind="donation")
    given = sum(row.tokens_wei for row in donors)
    reserve = of_kind(epoch, Leaf.Kind.RESERVE).tokens_wei
    assert 0 < reserve < 3
    assert given + reserve == 5 * HALF


def correct(life: EpochVillage, code: str, energy: int) -> None:
    """Take back tokens of energy that was never used, half the household's, half parked."""
    ledger.post(
        book_id=life.village.site.book.pk,
        kind="correction",
        key=f"correction:{code}:{life.at.isoformat()}",
        legs=[
            Leg(
                kind="household_tokens",
                asset="IT",
                household_id=life.households[code].pk,
                amount=-energy * HALF,
            ),
            Leg(kind="unallocated_tokens", asset="IT", amount=-energy * HALF),
            Leg(kind="tokens_minted", asset="IT", amount=energy * W),
        ],
        occurred_at=life.at,
        at=life.at,
    )


def test_a_negative_correction_becomes_a_carry_that_later_energy_uses_up(
    life: EpochVillage,
) -> None:
    life.everybody_uses(100)
    life.closed_and_active()
    correct(life, "KIS0001", 40)
    life.use(KIS0002=1)
    second = life.closed_and_active()
    own = of_household(second, life.households["KIS0001"])
    assert (own.milliwatt_hours, own.carry_milliwatt_hours) == (100, 40)
    assert own.carry_wei == 40 * HALF
    assert second.milliwatt_hours == 501
    assert (second.carry_milliwatt_hours, second.carry_wei) == (40, 40 * W)
    read = json.loads(second.dataset)
    assert read["carry"] == {"milliwatt_hours": "40", "tokens": str(40 * W)}
    life.use(KIS0001=50)
    third = life.closed_and_active()
    own = of_household(third, life.households["KIS0001"])
    assert (own.milliwatt_hours, own.carry_milliwatt_hours) == (110, 0)
    assert third.carry_wei == 0


def test_books_whose_halves_differ_close_no_epoch(life: EpochVillage) -> None:
    life.everybody_uses(100)
    ledger.post(
        book_id=life.village.site.book.pk,
        kind="mistake",
        key="mistake",
        legs=[
            Leg(kind="unallocated_tokens", asset="IT", amount=2),
            Leg(kind="tokens_minted", asset="IT", amount=-2),
        ],
        occurred_at=life.at,
        at=life.at,
    )
    with pytest.raises(UnequalHalves):
        life.close()
    assert not Epoch.objects.exists()


def test_an_epoch_takes_the_wallets_of_its_time(life: EpochVillage) -> None:
    life.donate()
    life.everybody_uses()
    first = life.closed_and_active()
    leaf = Leaf.objects.get(kind="donation")
    leaf.wallet = "0x" + "Ab" * 20
    leaf.save()
    life.everybody_uses()
    second = life.closed_and_active()
    assert first.leaves.get(leaf=leaf).wallet == ""
    assert second.leaves.get(leaf=leaf).wallet == leaf.wallet
    nodes = [node for node in json.loads(second.dataset)["nodes"] if node["kind"] == "donation"]
    assert [node["wallet"] for node in nodes] == [leaf.wallet]
    assert epochs.rebuild(epoch=first).hash.hex() == first.root[2:]


def test_every_epoch_is_rebuilt_bit_for_bit_from_its_leaves_and_from_its_bytes(
    life: EpochVillage,
) -> None:
    closed = []
    for number in range(6, 10):
        life.donate(amount_wei=7 * number, days=number % 2)
        life.move_in(f"KIS{number:04d}")
        life.everybody_uses(1_000 + number)
        closed.append(life.closed_and_active())
    for epoch in closed:
        fresh = Epoch.objects.get(pk=epoch.pk)
        content = fresh.dataset.encode()
        rebuilt = epochs.rebuild(epoch=fresh)
        assert dataset.rebuild(content) == rebuilt
        assert dataset.hexed(rebuilt.hash) == fresh.root
        assert (rebuilt.milliwatt_hours, rebuilt.tokens) == (
            fresh.milliwatt_hours,
            fresh.tokens_wei,
        )
        assert "0x" + sha256(content).hexdigest() == fresh.dataset_hash
        assert fresh.tokens_wei == fresh.milliwatt_hours * W
    assert len({epoch.root for epoch in closed}) == 4


def test_leaves_never_shrink_over_a_years_of_epochs(life: EpochVillage) -> None:
    gone = life.donate(days=1)
    before: dict[int, int] = {}
    for number in range(8):
        life.use(**{f"KIS000{1 + number % 5}": 1_000 * number, "KIS0002": 77})
        if number == 3:
            life.withdraw(gone)
        if number in (2, 5):
            life.donate(amount_wei=10**18 + number)
        epoch = life.closed_and_active()
        rows = epoch.leaves.exclude(leaf__kind=Leaf.Kind.RESERVE)
        after = dict(rows.values_list("leaf_id", "tokens_wei"))
        assert all(after[leaf] >= tokens for leaf, tokens in before.items())
        before = after


def test_the_energy_balance_is_of_the_slots_that_begin_in_the_epoch(life: EpochVillage) -> None:
    starts_at = life.at
    life.plant(sun=700, into=100, out=20, feeder=600, starts_at=starts_at)
    life.use(KIS0001=300, KIS0002=210)
    life.plant(sun=9_999, feeder=9_999, starts_at=life.at)
    life.at += timedelta(minutes=5)
    epoch = life.must_close()
    assert epoch.ends_at == starts_at + QUARTER
    assert epoch.balance == {
        "generation_milliwatt_hours": "700",
        "battery_in_milliwatt_hours": "100",
        "battery_out_milliwatt_hours": "20",
        "feeder_milliwatt_hours": "600",
        "households_milliwatt_hours": "510",
        "losses_milliwatt_hours": "110",
        "paid_milliwatt_hours": "0",
        "solar_share_basis_points": "10000",
        "slots": "1",
        "slots_reported": "1",
        "is_balanced": True,
    }
    assert json.loads(epoch.dataset)["energy"] == epoch.balance
    assert epoch.is_balanced


def test_a_slot_that_the_plant_did_not_tell_of_can_only_unbalance(life: EpochVillage) -> None:
    life.plant(sun=510, feeder=510, starts_at=life.at)
    life.use(KIS0001=500)
    life.use(KIS0001=500)
    life.at += timedelta(minutes=5)
    epoch = life.must_close()
    assert not epoch.is_balanced
    assert (epoch.balance["slots"], epoch.balance["slots_reported"]) == ("2", "1")
    assert epoch.balance["households_milliwatt_hours"] == "1000"


def test_the_feeders_own_meter_goes_before_what_the_plant_says_of_it(life: EpochVillage) -> None:
    Meter.objects.create(
        site=life.village.site,
        serial="SMAINS",
        role=Meter.Role.FEEDER,
        created_at=life.village.founded_at,
    )
    life.plant(sun=600, feeder=600, starts_at=life.at)
    life.village.read("SMAINS", starts_at=life.at, energy_milliwatt_hours=590, at=life.at + QUARTER)
    life.use(KIS0001=500)
    assert life.must_close().balance["feeder_milliwatt_hours"] == "590"


def test_energy_counts_as_paid_as_far_as_its_batch_was(life: EpochVillage) -> None:
    rich = life.households["KIS0001"]
    life.village.fund(rich, amount_wei=10**18, at=life.at)
    life.use(KIS0001=3_000, KIS0002=1_000)
    epoch = life.must_close()
    assert epoch.balance["paid_milliwatt_hours"] == "3000"


def test_what_a_generator_gave_shows_in_the_solar_share(life: EpochVillage) -> None:
    starts_at = life.at
    life.plant(sun=300, feeder=500, starts_at=starts_at)
    life.village.site.telemetry.update(solar_share_basis_points=6_000)
    life.use(KIS0001=500)
    epoch = life.must_close()
    assert epoch.milliwatt_hours == 300
    assert epoch.balance["solar_share_basis_points"] == "6000"
    assert epoch.balance["losses_milliwatt_hours"] == "-200"
    assert not epoch.is_balanced


SEALED = {
    "root": "'0x00'",
    "dataset": "'{}'",
    "dataset_hash": "'0x00'",
    "tokens_wei": "tokens_wei + 1",
    "milliwatt_hours": "milliwatt_hours + 1",
    "number": "number + 1",
    "attempt": "attempt + 1",
    "closed_at": "closed_at + interval '1 second'",
    "book_height": "book_height + 1",
    "carry_wei": "carry_wei + 1",
    "balance": "'{}'",
    "is_balanced": "NOT is_balanced",
    "site_id": "site_id + 1",
    "uid": "gen_random_uuid()",
}


def refused(statement: str) -> str:
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return str(error.value)


@pytest.mark.parametrize("column", SEALED)
def test_a_closed_epoch_refuses_change(life: EpochVillage, column: str) -> None:
    life.everybody_uses()
    life.must_close()
    told = refused(f"UPDATE tokens_epoch SET {column} = {SEALED[column]}")
    assert "what was sealed can not change" in told


def test_an_epoch_that_is_active_vetoed_or_refused_stays_so(life: EpochVillage) -> None:
    life.everybody_uses()
    life.closed_and_active()
    for state in ("closed", "proposed", "vetoed", "refused"):
        assert "which is an end" in refused(f"UPDATE tokens_epoch SET state = '{state}'")
    told = refused("UPDATE tokens_epoch SET active_at = active_at + interval '1 second'")
    assert "written once" in told
    Epoch.objects.update(certificate="D-REC 2026/17")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tokens_epoch",
        "DELETE FROM tokens_epochleaf",
        "DELETE FROM tokens_leaf",
        "DELETE FROM tokens_cohort",
        "UPDATE tokens_epochleaf SET tokens_wei = tokens_wei + 1",
        "UPDATE tokens_cohort SET number = number + 1",
    ],
)
def test_epochs_leaves_and_cohorts_are_append_only(life: EpochVillage, statement: str) -> None:
    life.everybody_uses()
    life.must_close()
    assert "permission denied" in refused(statement)


@pytest.mark.parametrize(
    "change",
    [
        "key = '0x00'",
        "household_id = (SELECT max(id) FROM accounts_household)",
        "cohort_id = NULL",
        "kind = 'reserve'",
    ],
)
def test_a_leaf_keeps_its_key_and_its_owner(life: EpochVillage, change: str) -> None:
    life.everybody_uses()
    life.must_close()
    first = "(SELECT min(id) FROM tokens_leaf WHERE kind = 'household')"
    told = refused(f"UPDATE tokens_leaf SET {change} WHERE id = {first}")
    assert "keeps its key, its owner and its cohort" in told


def test_the_tokens_of_a_kwh_are_fixed_once_something_is_minted(now: datetime, db: None) -> None:
    life = EpochVillage.found(at=now)
    sites = Site.objects.filter(pk=life.village.site.pk)
    sites.update(impact_token_wei_per_kwh=2 * 10**18)
    life.everybody_uses()
    told = refused("UPDATE accounts_site SET impact_token_wei_per_kwh = 4000000")
    assert "are fixed" in told
    sites.update(name="Kisima ya Mji")
    sites.update(impact_token_wei_per_kwh=2 * 10**18)


def test_the_tokens_of_a_kwh_are_fixed_once_the_ledger_contract_stands(life: EpochVillage) -> None:
    told = refused("UPDATE accounts_site SET impact_token_wei_per_kwh = 4000000")
    assert "ledger contract stands" in told


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_racing_workers_close_an_epoch_once(now: datetime) -> None:
    life = EpochVillage.found(at=now)
    life.deploy()
    life.everybody_uses()
    closed: list[Epoch | None] = []
    barrier = threading.Barrier(4)

    def race() -> None:
        try:
            barrier.wait(timeout=10)
            closed.append(life.close())
        finally:
            connection.close()

    workers = [threading.Thread(target=race) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert [epoch is not None for epoch in closed].count(True) == 1
    assert len(closed) == 4
    assert Epoch.objects.count() == 1
    assert Leaf.objects.count() == 7


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_an_epoch_waits_for_the_batch_that_is_being_settled(now: datetime) -> None:
    life = EpochVillage.found(at=now)
    life.deploy()
    life.everybody_uses(100)
    life.village.read("SM0001", starts_at=life.at, energy_milliwatt_hours=50, at=life.at + QUARTER)
    life.at += QUARTER
    begun, closed = threading.Event(), []

    def close() -> None:
        try:
            begun.set()
            closed.append(life.must_close())
        finally:
            connection.close()

    with transaction.atomic():
        settle.run_all(site_id=life.village.site.pk, at=life.at)
        worker = threading.Thread(target=close)
        worker.start()
        begun.wait(timeout=10)
        worker.join(timeout=0.3)
        assert worker.is_alive()
        assert not closed
    worker.join(timeout=30)
    assert closed[0].milliwatt_hours == 550
    minted = LedgerAccount.objects.get(kind="tokens_minted")
    assert closed[0].tokens_wei == -minted.amount
