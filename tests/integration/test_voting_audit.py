"""The audit of votes holds on rounds that lived, and each check sees what it is there to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.db import connection, connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from accounts import audit
from accounts.audit import Finding
from tests.integration.voting_corruptions import VOTING_CORRUPTIONS
from tests.voting_village import VotingVillage
from tokens.audit import voting as checks
from tokens.management.commands.audit import CHECKS
from tokens.voting import proposals

CENT = 10**16
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GUARDED = (
    *("tokens_ballot", "tokens_choice", "tokens_proposal", "tokens_round", "tokens_epoch"),
    *("posting", "journal_entry", "ledger_account", "accounts_donation"),
)
LIFTED = (
    "ALTER TABLE tokens_ballot DROP CONSTRAINT ballot_once_a_household",
    "ALTER TABLE tokens_ballot DROP CONSTRAINT ballot_once_a_donor",
    "ALTER TABLE tokens_ballot DROP CONSTRAINT ballot_of_a_household_or_a_donor",
    "ALTER TABLE tokens_proposal DROP CONSTRAINT proposal_plausible",
    "ALTER TABLE tokens_proposal DROP CONSTRAINT proposal_number_once",
)

pytestmark = pytest.mark.django_db(databases=["default", "owner"])

Corrupt = Callable[[str], dict[str, tuple[Finding, ...]]]


def live(voting: VotingVillage) -> None:
    """Ballots of both houses, a funded project, a vetoed one, and an epoch that anchors it."""
    donor = voting.donor()
    voting.life.everybody_uses()
    round_ = voting.open(10 * CENT, 8 * CENT, 6 * CENT)
    for number in range(1, 6):
        voting.cast(round_, voting.home(number), 1)
    for number in (6, 7, 8):
        voting.cast(round_, voting.home(number), 3)
    voting.cast(round_, donor, 1, 2)
    counted = voting.count(round_)
    third = counted.proposals.get(number=3)
    assert third.state == "funded"
    proposals.veto(proposal=third, reason="The land is not ours.", by=voting.user, at=voting.at)
    voting.life.deploy()
    voting.life.must_close()


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[VotingVillage]:
    """One village for all the checks; each corruption is rolled back."""
    with django_db_blocker.unblock():
        voting = VotingVillage.found(at=NOW)
        live(voting)
        yield voting
        connection.ops.execute_sql_flush([])
        connections["owner"].close()
        connection.close()


@pytest.fixture
def failing(lived: VotingVillage) -> Iterator[Corrupt]:
    """A function that corrupts the rows as the owner and returns findings by check."""
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    connection.close()

    def corrupt(statement: str) -> dict[str, tuple[Finding, ...]]:
        with owner.cursor() as cursor:
            for table in GUARDED:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for lift in LIFTED:
                cursor.execute(lift)
            cursor.execute(statement)
            assert cursor.rowcount > 0, "the corruption changed nothing"
        found = audit.run(checks=checks.CHECKS, using="owner")
        return {result.check.name: result.findings for result in found if result.findings}

    with transaction.atomic(using="owner"):
        yield corrupt
        transaction.set_rollback(True, using="owner")


def test_every_check_holds_on_rounds_that_lived(lived: VotingVillage) -> None:
    results = list(audit.run(checks=CHECKS))
    assert {r.check.name: r.findings for r in results if r.findings} == {}
    rows = {result.check.name: result.rows for result in results}
    assert rows["voters_voted_once"] == 9
    assert rows["anchors_are_the_counted_results"] == 1


@pytest.mark.parametrize(("name", "statement"), VOTING_CORRUPTIONS)
def test_a_corruption_is_found_by_its_check(failing: Corrupt, name: str, statement: str) -> None:
    found = failing(statement)
    assert name in found, sorted(found)
    assert all(finding.detail for finding in found[name])


def test_every_check_was_seen_to_fail() -> None:
    assert {name for name, _ in VOTING_CORRUPTIONS} == {check.name for check in checks.CHECKS}
