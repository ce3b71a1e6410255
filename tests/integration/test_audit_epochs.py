"""The audit of epochs holds on a village that lived, and each check sees what it has to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from accounts import audit
from accounts.audit import Finding
from tests.chain_node import ChainNode
from tests.epoch_village import HALF, EpochVillage
from tests.integration.test_epochs import correct
from tests.minting_rig import MintingRig
from tokens.audit.epochs import CHECKS
from tokens.models import Contract, Epoch, Leaf

Audit = Callable[[str], dict[str, tuple[Finding, ...]]]

GUARDED = ("tokens_epoch", "tokens_epochleaf", "tokens_leaf", "journal_entry", "ledger_account")
LAST = "(SELECT max(id) FROM tokens_epoch WHERE state = 'active')"
HOUSEHOLDS = "leaf_id IN (SELECT id FROM tokens_leaf WHERE kind = 'household')"
ONE_LEAF = f"epoch_id = {LAST} AND leaf_id = (SELECT min(id) FROM tokens_leaf)"
VESTED = f"epoch_id = {LAST} AND earned_wei > 0 AND tokens_wei > 0"
UNVESTED = f"epoch_id = {LAST} AND earned_wei > 0 AND tokens_wei = 0"

CORRUPTIONS: list[tuple[str, str]] = [
    (
        "epochs_are_the_sums_of_their_leaves",
        f"UPDATE tokens_epochleaf SET tokens_wei = tokens_wei + 1 WHERE {ONE_LEAF}",
    ),
    (
        "epochs_are_the_sums_of_their_leaves",
        f"UPDATE tokens_epochleaf SET milliwatt_hours = milliwatt_hours + 1 WHERE {ONE_LEAF}",
    ),
    (
        "epochs_are_the_sums_of_their_leaves",
        f"UPDATE tokens_epoch SET carry_wei = carry_wei + 1 WHERE id = {LAST}",
    ),
    (
        "epochs_are_the_sums_of_their_leaves",
        "UPDATE tokens_epoch SET tokens_wei = tokens_wei * 2, milliwatt_hours = milliwatt_hours * 2"
        f" WHERE id = {LAST}",
    ),
    (
        "leaves_never_decrease",
        f"UPDATE tokens_epochleaf SET milliwatt_hours = 0, tokens_wei = 0 WHERE {ONE_LEAF}",
    ),
    ("leaves_never_decrease", f"DELETE FROM tokens_epochleaf WHERE {ONE_LEAF}"),
    ("leaves_never_decrease", f"UPDATE tokens_epoch SET number = 9 WHERE id = {LAST}"),
    (
        "leaves_less_carry_are_the_ledger",
        f"UPDATE tokens_epochleaf SET carry_wei = 0, carry_milliwatt_hours = 0"
        f" WHERE epoch_id = {LAST} AND carry_wei > 0",
    ),
    (
        "leaves_less_carry_are_the_ledger",
        "UPDATE ledger_account SET amount = amount + 2 WHERE kind = 'unallocated_tokens'",
    ),
    (
        "leaves_less_carry_are_the_ledger",
        "UPDATE ledger_account SET amount = amount + 2 WHERE kind = 'donors_pool'",
    ),
    (
        "leaves_less_carry_are_the_ledger",
        "UPDATE ledger_account SET amount = amount + 2 WHERE id ="
        " (SELECT max(id) FROM ledger_account WHERE kind = 'household_tokens')",
    ),
    (
        "leaves_less_carry_are_the_ledger",
        f"UPDATE tokens_epoch SET book_height = book_height - 1 WHERE id = {LAST}",
    ),
    (
        "donations_earned_what_their_leaves_say",
        f"UPDATE tokens_epochleaf SET earned_wei = earned_wei + 1 WHERE {VESTED}",
    ),
    (
        "donations_earned_what_their_leaves_say",
        f"UPDATE tokens_epochleaf SET earned_wei = earned_wei + 9 WHERE {UNVESTED}",
    ),
    (
        "donations_earned_what_their_leaves_say",
        f"UPDATE tokens_epochleaf SET earned_wei = NULL WHERE {UNVESTED}",
    ),
    ("epochs_name_their_book", f"UPDATE tokens_epoch SET book_hash = '0x00' WHERE id = {LAST}"),
    ("epochs_name_their_book", "UPDATE journal_entry SET hash = sha256('x')"),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_epochleaf SET wallet = '0x{'ab' * 20}' WHERE {ONE_LEAF}",
    ),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_leaf SET key = '0x{'ab' * 32}'"
        " WHERE id = (SELECT min(id) FROM tokens_leaf)",
    ),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_epoch SET dataset = replace(dataset, 'kisima', 'kisimb') WHERE id = {LAST}",
    ),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_epoch SET dataset = 'nothing' WHERE id = {LAST}",
    ),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_epoch SET dataset_hash = '0x{'ab' * 32}' WHERE id = {LAST}",
    ),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_epoch SET root = '0x{'ab' * 32}' WHERE id = {LAST}",
    ),
    (
        "epochs_are_rebuilt_bit_for_bit",
        f"UPDATE tokens_epoch SET closed_at = closed_at + interval '1 second' WHERE id = {LAST}",
    ),
]


@pytest.fixture(autouse=True)
def short_epochs(settings: Any) -> None:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337


def live(life: EpochVillage, *, activate: Callable[[], Epoch]) -> None:
    """Two active epochs with donations that vest and one that does not, a carry, and some more."""
    life.use(KIS0001=700, KIS0002=1_000)
    life.donate(amount_wei=10**18 + 1)
    life.donate(amount_wei=10**18, days=30)
    life.everybody_uses(1_001)
    activate()
    correct(life, "KIS0001", 40)
    life.everybody_uses(10)
    activate()
    life.use(KIS0003=77)


def findings(*, using: str = "default") -> dict[str, tuple[Finding, ...]]:
    return {
        result.check.name: result.findings
        for result in audit.run(checks=CHECKS, using=using)
        if result.findings
    }


@pytest.fixture
def rig(db: None, chained: ChainNode, now: datetime) -> MintingRig:
    rig = MintingRig.found(life=EpochVillage.found(at=now), node=chained)

    def activate() -> Epoch:
        rig.proposed()
        return rig.activated()

    live(rig.life, activate=activate)
    return rig


def on_chain() -> list[str]:
    found = findings()
    assert set(found) <= {"the_chain_holds_the_last_active_epoch"}
    return [finding.detail for each in found.values() for finding in each]


def test_the_chain_holds_what_the_audit_expects(rig: MintingRig) -> None:
    assert rig.supply_wei == Epoch.objects.get(number=2).tokens_wei
    assert on_chain() == []


def test_a_chain_that_is_one_epoch_ahead_of_our_notes_is_no_finding(rig: MintingRig) -> None:
    rig.life.at += timedelta(minutes=15)
    epoch = rig.proposed()
    rig.node.increase_time(15)
    rig.contracts.ledger.send("activate", epoch.number, sender=rig.contracts.guardian)
    rig.node.finalize()
    assert on_chain() == []


def test_a_ledger_with_another_root_is_a_finding(rig: MintingRig) -> None:
    other = MintingRig.found(
        life=EpochVillage.found(
            at=rig.life.at, slug="ngambo", prefix="NGA", beside=rig.life.village
        ),
        node=rig.node,
    )
    mine = Contract.objects.get(kind="ledger", site=rig.life.village.site)
    theirs = Contract.objects.get(kind="ledger", site=other.life.village.site)
    mine_address, theirs_address = mine.address, theirs.address
    for contract, address in (
        (theirs, "0x" + "00" * 20),
        (mine, theirs_address),
        (theirs, mine_address),
    ):
        Contract.objects.filter(pk=contract.pk).update(address=address)
    found = findings()["the_chain_holds_the_last_active_epoch"]
    assert [f"the ledger {theirs_address} holds epoch 0" in each.detail for each in found].count(
        True
    ) == 1


def test_a_supply_that_the_ledger_did_not_mint_is_a_finding(rig: MintingRig) -> None:
    ledger = rig.contracts.ledger.address
    with rig.node.impersonate(ledger):
        rig.contracts.token.send("mint", rig.contracts.stranger, 5, sender=ledger)
    rig.node.finalize()
    (told,) = on_chain()
    assert "its ledger minted" in told


def test_a_chain_that_can_not_be_read_is_a_finding(rig: MintingRig, settings: Any) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    (told,) = on_chain()
    assert told.startswith("the chain can't be asked")


def test_another_chain_is_a_finding(rig: MintingRig, settings: Any) -> None:
    settings.CHAIN_ID = 100
    (told,) = on_chain()
    assert told.startswith("the chain can't be asked")


def test_without_a_node_the_chain_is_not_asked(rig: MintingRig, settings: Any) -> None:
    Contract.objects.filter(kind="ledger").update(address="0x" + "00" * 20)
    assert findings()["the_chain_holds_the_last_active_epoch"]
    settings.CHAIN_RPC_URL = ""
    assert "the_chain_holds_the_last_active_epoch" not in findings()


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[EpochVillage]:
    """A village that lived, committed once for all corruptions."""
    with django_db_blocker.unblock(), override_settings(EPOCH_SECONDS=300, CHAIN_ID=31_337):
        life = EpochVillage.found(at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
        life.deploy()
        live(life, activate=life.closed_and_active)
        yield life
        connection.ops.execute_sql_flush([])
        connections["owner"].close()
        connection.close()


@pytest.fixture
def failing(lived: EpochVillage) -> Iterator[Audit]:
    """A function that corrupts the rows as the owner and returns findings by check."""
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    connection.close()

    def corrupt(statement: str) -> dict[str, tuple[Finding, ...]]:
        with owner.cursor() as cursor:
            for table in GUARDED:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(statement)
            assert cursor.rowcount > 0, "the corruption changed nothing"
        return findings(using="owner")

    with transaction.atomic(using="owner"):
        yield corrupt
        transaction.set_rollback(True, using="owner")


@pytest.mark.parametrize(("name", "statement"), CORRUPTIONS)
def test_a_corruption_is_found_by_its_check(failing: Audit, name: str, statement: str) -> None:
    found = failing(statement)
    assert name in found, sorted(found)
    assert all(finding.check == name and finding.detail for finding in found[name])


def test_the_audit_holds_on_a_village_that_lived(lived: EpochVillage) -> None:
    last = Epoch.objects.get(number=2)
    assert last.carry_wei == 30 * 2 * HALF
    assert last.leaves.filter(leaf__kind=Leaf.Kind.RESERVE, tokens_wei__gt=0).exists()
    assert findings() == {}


def test_every_check_of_stored_rows_was_seen_to_fail() -> None:
    names = {check.name for check in CHECKS} - {"the_chain_holds_the_last_active_epoch"}
    assert {name for name, _ in CORRUPTIONS} == names
