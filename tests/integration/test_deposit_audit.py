"""Each check of money on chain sees what it is there to see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts import audit, campaigns, crypto_returns
from accounts.models import User
from tests.campaigning import opened
from tests.deposit_chain import USDC_UNITS, WEI, DepositChain
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens import quotes
from tokens.audit import deposits as checks
from tokens.models import Deposit

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

CORRUPTIONS = [
    (
        "deposits_have_their_entry",
        "UPDATE tokens_deposit SET credited_wei = credited_wei + 1 WHERE state = 'credited'",
    ),
    (
        "deposits_have_their_entry",
        "UPDATE tokens_deposit SET entry_id = (SELECT max(id) FROM journal_entry)"
        " WHERE state = 'review'",
    ),
    (
        "deposits_have_their_entry",
        "UPDATE tokens_deposit SET donation_id = NULL WHERE donation_id IS NOT NULL",
    ),
    (
        "entries_of_deposits_are_known",
        "UPDATE tokens_deposit SET state = 'seen', entry_id = NULL WHERE state = 'credited'",
    ),
    (
        "crypto_floats_are_deposits_less_conversions",
        "UPDATE ledger_account SET amount = amount - 1 WHERE kind = 'crypto_float'",
    ),
    (
        "crypto_returns_have_their_entry",
        "UPDATE accounts_cryptoreturn SET amount_wei = amount_wei + 1",
    ),
    ("crypto_returns_have_their_entry", "DELETE FROM accounts_cryptoreturn"),
    (
        "swept_deposits_left_their_forwarder",
        "UPDATE tokens_deposit SET state = 'swept' WHERE state = 'credited'",
    ),
    (
        "forwarders_hold_what_was_not_swept",
        "UPDATE tokens_deposit SET units = units + 1 WHERE state = 'credited'",
    ),
    ("forwarders_hold_what_was_not_swept", "UPDATE tokens_outflow SET units = units - 1"),
]


@contextmanager
def as_owner(statement: str) -> Iterator[None]:
    """The books with a corruption that no role of the service could make."""
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connections["default"].settings_dict["NAME"]
    with owner.cursor() as cursor:
        cursor.execute("ALTER TABLE tokens_deposit DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE tokens_deposit ENABLE TRIGGER USER")
    owner.close()
    yield


def found() -> set[str]:
    return {
        finding.check for result in audit.run(checks=checks.CHECKS) for finding in result.findings
    }


@pytest.fixture
def lived(here: DepositChain) -> DepositChain:
    """Everything there is: swept, credited, given, given back, and in review."""
    campaign = opened(here.site, at=timezone.now())
    here.pay(here.forwarder(), 5 * WEI)
    here.settle()
    here.sweep()
    here.send_outbox()
    here.pay(here.forwarder(), 3 * USDC_UNITS, token=here.deployed.usdc)
    here.pay(here.donors_forwarder(), 7 * WEI)
    here.pay_native(here.donors_forwarder(), WEI)
    here.settle()
    here.settle()
    campaigns.close(campaign=campaign, at=timezone.now())
    _send_back(Deposit.objects.get(units=7 * WEI))
    return here


def _send_back(deposit: Deposit) -> None:
    assert deposit.donation is not None
    crypto_returns.note(
        donation=deposit.donation,
        asset=quotes.booked_as(deposit.asset),
        units=deposit.units,
        reference="0x" + "ab" * 32,
        made_by=User.objects.create_user("clerk"),
        at=timezone.now(),
    )


def test_the_audit_holds_on_what_has_lived(lived: DepositChain) -> None:
    assert found() == set()


@pytest.mark.parametrize(("name", "statement"), CORRUPTIONS)
def test_a_corruption_is_found_by_its_check(lived: DepositChain, name: str, statement: str) -> None:
    with as_owner(statement):
        assert name in found()


def test_every_check_was_seen_to_fail() -> None:
    assert {name for name, _ in CORRUPTIONS} == {check.name for check in checks.CHECKS}


def test_without_a_chain_the_ledger_is_checked_all_the_same(
    lived: DepositChain, settings: object
) -> None:
    settings.CHAIN_RPC_URL = ""  # type: ignore[attr-defined]
    assert found() == set()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tokens_deposit")
        assert cursor.fetchone()[0] == 4


def test_a_chain_that_can_not_be_asked_is_a_finding(lived: DepositChain, settings: object) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"  # type: ignore[attr-defined]
    assert found() == {"forwarders_hold_what_was_not_swept"}
