"""What was decided or signed never changes and never vanishes; audit and admin see it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.models import Operator, User
from tests.chain_node import ChainNode, chain_node, chained
from tests.outbox_rig import AT, Rig
from tokens.audit import outbox as outbox_audit
from tokens.models import OutboxTransfer, SignedTransfer

__all__ = ["chain_node", "chained"]

BEGUN = "insert into tokens_outboxtransfer (uid, chain_id, intent, sender, to_address, value_wei,"
BEGUN += " data, state, nonce, failure, mined_hash, block_hash, contract_address, created_at)"
BEGUN += " values (gen_random_uuid(), 1, 'x', '0x', '', 0, '0x', {}, '', '', '', '', now())"
TRANSFER, SIGNED = "tokens_outboxtransfer", "tokens_signedtransfer"


def _rows(rig: Rig) -> Rig:
    """One transfer of each state but mined: final:1, queued:1, signed:1, signed:2."""
    rig.pay("final:1")
    rig.finish()
    rig.node.automine(is_on=False)
    rig.pay("signed:1")
    rig.pay("signed:2", to=2)
    rig.advance()
    rig.pay("queued:1")
    return rig


@pytest.fixture
def rig(db: None, chained: ChainNode) -> Rig:
    return _rows(Rig(node=chained))


def refused(statement: str, *, why: str) -> None:
    with (
        pytest.raises(DatabaseError, match=why),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "intent = 'other'",
        "chain_id = 2",
        "sender = '0x1'",
        "to_address = ''",
        "value_wei = 2",
        "data = '0x01'",
        "uid = gen_random_uuid()",
        "created_at = now()",
    ],
)
@pytest.mark.parametrize("intent", ["queued:1", "signed:1"])
def test_what_a_transfer_is_for_never_changes(rig: Rig, intent: str, change: str) -> None:
    refused(f"UPDATE {TRANSFER} SET {change} WHERE intent = '{intent}'", why="never changes")


@pytest.mark.parametrize("change", ["nonce = nonce + 1", "nonce = NULL", "gas_limit = 1"])
def test_nonce_and_gas_limit_are_set_once(rig: Rig, change: str) -> None:
    refused(f"UPDATE {TRANSFER} SET {change} WHERE intent = 'signed:1'", why="set once")


@pytest.mark.parametrize(
    "change", ["state = 'signed'", "failure = 'x'", "block_number = 1", "finished_at = now()"]
)
def test_a_finished_transfer_never_changes(rig: Rig, change: str) -> None:
    refused(f"UPDATE {TRANSFER} SET {change} WHERE intent = 'final:1'", why="is finished")


@pytest.mark.parametrize(
    ("intent", "state"),
    [
        ("queued:1", "mined"),
        ("queued:1", "final"),
        ("signed:1", "queued"),
        ("signed:1", "final"),
    ],
)
def test_states_go_their_way_only(rig: Rig, intent: str, state: str) -> None:
    refused(
        f"UPDATE {TRANSFER} SET state = '{state}' WHERE intent = '{intent}'", why="can not go from"
    )


def test_a_nonce_comes_with_signed_bytes_only(rig: Rig) -> None:
    refused(
        f"UPDATE {TRANSFER} SET nonce = 99, state = 'signed' WHERE intent = 'queued:1'",
        why="no signed bytes",
    )
    refused(BEGUN.format("'queued', 7"), why="begins queued")
    refused(BEGUN.format("'signed', 7"), why="begins queued")


def test_a_block_is_taken_only_for_bytes_that_were_signed(rig: Rig) -> None:
    refused(
        f"UPDATE {TRANSFER} SET state = 'mined', mined_hash = '0xab' WHERE intent = 'signed:1'",
        why="never signed",
    )


def test_two_transfers_of_a_sender_never_share_a_nonce(rig: Rig) -> None:
    nonce = rig.row("signed:1").nonce
    copied = "outbox_id, transfer_hash, raw, max_fee_wei, priority_fee_wei, signed_at"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {SIGNED} ({copied}) SELECT {rig.row('queued:1').pk}, 'x', raw,"
            f" max_fee_wei, priority_fee_wei, signed_at FROM {SIGNED} LIMIT 1"
        )
    refused(
        f"UPDATE {TRANSFER} SET nonce = {nonce}, state = 'signed' WHERE intent = 'queued:1'",
        why="outbox_nonce_once",
    )


@pytest.mark.parametrize("table", [TRANSFER, SIGNED])
def test_nothing_vanishes_for_the_app_role(rig: Rig, table: str) -> None:
    refused(f"DELETE FROM {table}", why="permission denied")
    refused(f"TRUNCATE {table} CASCADE", why="permission denied")


def test_signed_bytes_never_change_for_the_app_role(rig: Rig) -> None:
    refused(f"UPDATE {SIGNED} SET raw = '0x'", why="permission denied")
    SignedTransfer.objects.update(broadcast_at=AT)


@pytest.mark.parametrize("less", ["max_fee_wei * 1124 / 1000", "priority_fee_wei"])
def test_a_version_that_pays_too_little_more_is_not_stored(rig: Rig, less: str) -> None:
    higher = {"max_fee_wei": "max_fee_wei * 2", "priority_fee_wei": "priority_fee_wei * 2"}
    column = less.split(" ", maxsplit=1)[0]
    values = {**higher, column: less}
    refused(
        f"INSERT INTO {SIGNED} (outbox_id, transfer_hash, raw, max_fee_wei, priority_fee_wei,"
        f" signed_at) SELECT outbox_id, 'x', raw, trunc({values['max_fee_wei']}),"
        f" {values['priority_fee_wei']}, signed_at FROM {SIGNED} ORDER BY id DESC LIMIT 1",
        why="for too little",
    )


@pytest.fixture
def owned(
    transactional_db: None, chained: ChainNode
) -> Iterator[Callable[[str, bool], dict[str, tuple[audit.Finding, ...]]]]:
    """Execute a statement as the owner, with or without the guards; what the audit then finds."""
    _rows(Rig(node=chained))
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]

    def execute(statement: str, is_guarded: bool) -> dict[str, tuple[audit.Finding, ...]]:
        with owner.cursor() as cursor:
            if not is_guarded:
                for table in (TRANSFER, SIGNED):
                    cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                for name in ("outbox_nonce_once", "outbox_nonce_before_signing"):
                    cursor.execute(f"ALTER TABLE {TRANSFER} DROP CONSTRAINT {name}")
            cursor.execute(statement)
            assert cursor.rowcount > 0, "the statement changed nothing"
        return {
            result.check.name: result.findings
            for result in audit.run(checks=outbox_audit.CHECKS, using="owner")
            if result.findings
        }

    with transaction.atomic(using="owner"):
        yield execute
        transaction.set_rollback(True, using="owner")
    connection.close()
    owner.close()


owner_too = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@owner_too
def test_the_owner_meets_the_same_guards(owned: Callable[..., Any]) -> None:
    for statement, why in (
        (f"DELETE FROM {SIGNED}", "append-only"),
        (f"UPDATE {SIGNED} SET raw = '0x'", "signed bytes never change"),
        (f"UPDATE {SIGNED} SET max_fee_wei = max_fee_wei * 2", "signed bytes never change"),
        (f"DELETE FROM {TRANSFER}", "append-only"),
    ):
        with pytest.raises(DatabaseError, match=why), transaction.atomic(using="owner"):
            owned(statement, True)


FIRST = f"id = (SELECT min(id) FROM {TRANSFER} WHERE intent = '{{}}')"
CORRUPTIONS = [
    ("transfers_have_one_nonce", f"UPDATE {TRANSFER} SET nonce = NULL WHERE {FIRST}", "signed:2"),
    ("transfers_have_one_nonce", f"UPDATE {TRANSFER} SET nonce = 9 WHERE {FIRST}", "queued:1"),
    (
        "transfers_have_one_nonce",
        f"UPDATE {TRANSFER} SET state = 'final' WHERE {FIRST}",
        "queued:1",
    ),
    ("nonces_have_no_holes", f"UPDATE {TRANSFER} SET nonce = nonce + 5 WHERE {FIRST}", "signed:2"),
    ("nonces_have_no_holes", f"UPDATE {TRANSFER} SET nonce = nonce + 1 WHERE {FIRST}", "signed:1"),
    (
        "transfers_agree_with_their_receipts",
        f"UPDATE {TRANSFER} SET finished_at = now() WHERE {FIRST}",
        "signed:1",
    ),
    (
        "transfers_agree_with_their_receipts",
        f"UPDATE {TRANSFER} SET finished_at = NULL WHERE {FIRST}",
        "final:1",
    ),
    (
        "transfers_agree_with_their_receipts",
        f"UPDATE {TRANSFER} SET mined_hash = '0xab' WHERE {FIRST}",
        "final:1",
    ),
    (
        "transfers_agree_with_their_receipts",
        f"UPDATE {TRANSFER} SET block_number = NULL WHERE {FIRST}",
        "final:1",
    ),
    (
        "transfers_agree_with_their_receipts",
        f"UPDATE {TRANSFER} SET failure = 'reverted' WHERE {FIRST}",
        "final:1",
    ),
    (
        "replacements_pay_more",
        f"INSERT INTO {SIGNED} (outbox_id, transfer_hash, raw, max_fee_wei, priority_fee_wei,"
        f" signed_at) SELECT outbox_id, 'x', raw, max_fee_wei, priority_fee_wei, signed_at"
        f" FROM {SIGNED} WHERE outbox_id = (SELECT min(id) FROM {TRANSFER} WHERE intent = '{{}}')",
        "signed:1",
    ),
]


@owner_too
@pytest.mark.parametrize(("name", "statement", "intent"), CORRUPTIONS)
def test_a_corruption_is_found_by_its_check(
    owned: Callable[..., Any], name: str, statement: str, intent: str
) -> None:
    assert name in owned(statement.format(intent), False)


@owner_too
def test_the_audit_finds_nothing_in_what_the_outbox_wrote(owned: Callable[..., Any]) -> None:
    assert owned(f"UPDATE {TRANSFER} SET next_look_at = NULL WHERE state = 'queued'", True) == {}


def test_every_check_of_the_outbox_was_seen_to_fail() -> None:
    assert {name for name, _, _ in CORRUPTIONS} == {each.name for each in outbox_audit.CHECKS}


def test_a_superuser_reads_the_outbox_in_the_admin_and_can_change_nothing(
    rig: Rig, client: Client
) -> None:
    client.force_login(User.objects.create_superuser("root", password="a"))
    listed = client.get(reverse("admin:tokens_outboxtransfer_changelist"))
    assert listed.status_code == 200
    for intent in ("final:1", "queued:1", "signed:1"):
        assert intent in listed.content.decode()
    page = reverse("admin:tokens_outboxtransfer_change", args=[rig.row("signed:1").pk])
    shown = client.get(page)
    assert shown.status_code == 200
    text = shown.content.decode()
    assert rig.versions("signed:1")[0].transfer_hash in text
    assert "gwei" in text
    assert client.post(page, {"intent": "other"}).status_code == 403
    assert client.get(reverse("admin:tokens_outboxtransfer_add")).status_code == 403
    model_admin = admin.site.get_model_admin(OutboxTransfer)
    assert not model_admin.has_delete_permission(shown.wsgi_request)


@pytest.mark.parametrize(
    "query", ["state__exact=signed", "q=signed", "q=0xab", "created_at__year=2026"]
)
def test_the_list_of_the_outbox_can_be_filtered_and_searched(
    rig: Rig, client: Client, query: str
) -> None:
    client.force_login(User.objects.create_superuser("root", password="a"))
    page = reverse("admin:tokens_outboxtransfer_changelist")
    assert client.get(f"{page}?{query}").status_code == 200


def test_staff_of_an_operator_do_not_see_everybodys_outbox(rig: Rig, client: Client) -> None:
    operator = Operator.objects.create(name="Kisima Power", created_at=AT)
    user = User.objects.create_user("staff", password="a", is_staff=True, operator=operator)
    client.force_login(user)
    listed = client.get(reverse("admin:tokens_outboxtransfer_changelist"))
    assert listed.status_code == 200
    assert "signed:1" not in listed.content.decode()
