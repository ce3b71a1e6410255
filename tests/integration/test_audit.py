"""The audit holds on a village that has lived, and each check sees what it is there to see."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction
from pytest_django.plugin import DjangoDbBlocker

import settlement.audit
from accounts import audit, rollover, site_rates
from accounts.audit.checks import FINDINGS_KEPT
from accounts.models import SiteRate
from settlement import settle
from settlement.audit.bills import block_start
from settlement.models import BlockBill, Charge, SettlementBatch
from tests.integration.agent_corruptions import AGENT_CORRUPTIONS
from tests.integration.campaign_corruptions import (
    CAMPAIGN_CORRUPTIONS,
    LIFTED_CAMPAIGNS,
    collect,
)
from tests.integration.fiscal_corruptions import FISCAL_CORRUPTIONS
from tests.integration.payback_corruptions import PAYBACK_CORRUPTIONS
from tests.integration.payout_corruptions import (
    GUARDED_PAYOUTS,
    LIFTED_PAYOUTS,
    PAYOUT_CORRUPTIONS,
    pay_out,
)
from tests.integration.plan_corruptions import PLAN_CORRUPTIONS, give_monthly
from tests.integration.treasury_corruptions import TREASURY_CORRUPTIONS
from tests.worked_village import WorkedVillage, work
from tokens.management.commands.audit import CHECKS

ENTRY = "(SELECT max(id) FROM journal_entry WHERE kind = '{}')"
COMPENSATION = ENTRY.format("rate_compensation")
BATCH = (
    "(SELECT max(id) FROM settlement_settlementbatch WHERE kind = 'readings' AND charged_wei > 0)"
)
ONE_CHARGE = "id = (SELECT max(id) FROM charge WHERE NOT is_late)"
ONE_BILL = "id = (SELECT max(id) FROM settlement_blockbill WHERE rebate_wei > 0)"
CREDITED = "id = (SELECT min(id) FROM accounts_payment WHERE state = 'credited')"
SUSPENSE = "id = (SELECT min(id) FROM accounts_payment WHERE state = 'suspense')"


def _copied(table: str, columns: str, where: str) -> str:
    return (
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE {where}"
        f" ORDER BY id DESC LIMIT 1"
    )


CHARGE_COLUMNS = (
    "site_id, meter_id, household_id, batch_id, price_id, energy_milliwatt_hours,"
    " minting_milliwatt_hours, wei_per_milliwatt_hour, amount_wei, starts_at, is_late"
)
PAYMENT_COLUMNS = (
    "fee_minor, taken_back_minor, provider_request, rail_id, provider, reference,"
    " amount_minor, currency, account_text, payer_phone, paid_at, recorded_at, state, reason,"
    " household_id, site_id, entry_id, credited_wei, credited_at"
)
ENTRY_COLUMNS = "sequence, kind, key, request_hash, occurred_at, recorded_at, previous_hash, hash"

CORRUPTIONS: list[tuple[str, str]] = [
    (
        "entries_sum_to_zero",
        "UPDATE posting SET amount = amount + 1 WHERE id = (SELECT max(id) FROM posting)",
    ),
    (
        "accounts_equal_their_postings",
        "UPDATE ledger_account SET amount = amount + 1 WHERE kind = 'household_funds'",
    ),
    (
        "entries_have_postings",
        f"DELETE FROM posting WHERE entry_id = {ENTRY.format('rebate')}",
    ),
    (
        "postings_name_known_rows",
        f"DELETE FROM journal_entry WHERE id = {ENTRY.format('top_up')}",
    ),
    (
        "postings_name_known_rows",
        "UPDATE posting SET account_id = 999999 WHERE id = (SELECT max(id) FROM posting)",
    ),
    ("books_are_known", "DELETE FROM accounts_book WHERE operator_id IS NOT NULL"),
    (
        "accounts_stand_on_their_side",
        "UPDATE ledger_account SET amount = -1 WHERE kind = 'household_funds'",
    ),
    (
        "accounts_stand_on_their_side",
        "UPDATE ledger_account SET amount = 1 WHERE kind = 'household_arrears'",
    ),
    (
        "arrears_stand_against_unearned",
        "UPDATE ledger_account SET amount = amount + 1 WHERE kind = 'arrears_unearned'",
    ),
    ("hash_chains_unbroken", "UPDATE journal_entry SET key = key || 'x' WHERE sequence = 2"),
    ("hash_chains_unbroken", "UPDATE journal_entry SET hash = sha256('x') WHERE sequence = 2"),
    (
        "hash_chains_unbroken",
        f"UPDATE posting SET amount = 2 * amount WHERE entry_id = {ENTRY.format('settlement')}",
    ),
    (
        "hash_chains_unbroken",
        "UPDATE journal_entry SET occurred_at = occurred_at - interval '1 microsecond'"
        " WHERE sequence = 1",
    ),
    (
        "hash_chains_unbroken",
        f"DELETE FROM journal_entry WHERE id = {ENTRY.format('settlement')}",
    ),
    ("hash_chains_unbroken", "UPDATE accounts_book SET height = height + 1"),
    ("hash_chains_unbroken", "UPDATE accounts_book SET head_hash = sha256('x')"),
    ("references_once", _copied("accounts_payment", f"uid, {PAYMENT_COLUMNS}", CREDITED)),
    (
        "references_once",
        f"INSERT INTO journal_entry (book_id, {ENTRY_COLUMNS}) SELECT 77, {ENTRY_COLUMNS}"
        f" FROM journal_entry WHERE id = {ENTRY.format('top_up')}",
    ),
    (
        "credited_payments_have_their_entry",
        f"UPDATE accounts_payment SET credited_wei = credited_wei + 1 WHERE {CREDITED}",
    ),
    (
        "credited_payments_have_their_entry",
        f"UPDATE accounts_payment SET entry_id = 999999 WHERE {CREDITED}",
    ),
    (
        "credited_payments_have_their_entry",
        "UPDATE accounts_payment SET household_id = (SELECT max(id) FROM accounts_household)"
        f" WHERE {CREDITED}",
    ),
    (
        "other_payments_are_in_suspense",
        f"UPDATE accounts_payment SET state = 'suspense' WHERE {CREDITED}",
    ),
    (
        "other_payments_are_in_suspense",
        f"UPDATE accounts_payment SET state = 'lost' WHERE {SUSPENSE}",
    ),
    ("credits_come_from_payments", f"DELETE FROM accounts_payment WHERE {CREDITED}"),
    ("suspense_equals_its_payments", f"DELETE FROM accounts_payment WHERE {SUSPENSE}"),
    (
        "suspense_equals_its_payments",
        "UPDATE ledger_account SET amount = amount + 1 WHERE kind = 'suspense'",
    ),
    (
        "intents_follow_their_payments",
        "UPDATE accounts_payment SET top_up_id = NULL WHERE top_up_id IS NOT NULL",
    ),
    (
        "compensations_are_as_due",
        "UPDATE posting SET amount = amount + 1 WHERE id = (SELECT max(p.id) FROM posting p"
        f" JOIN ledger_account a ON a.id = p.account_id WHERE entry_id = {COMPENSATION}"
        " AND a.household_id IS NOT NULL)",
    ),
    ("compensations_are_as_due", f"DELETE FROM posting WHERE entry_id = {COMPENSATION}"),
    (
        "compensations_come_from_the_reserve",
        "UPDATE accounts_siterate SET compensation_wei = compensation_wei + 1"
        " WHERE compensation_wei > 0",
    ),
    (
        "compensations_come_from_the_reserve",
        "UPDATE accounts_siterate SET compensated_at = NULL WHERE compensation_wei > 0",
    ),
    (
        "compensations_come_from_the_reserve",
        f"UPDATE journal_entry SET key = 'rate_compensation:0' WHERE id = {COMPENSATION}",
    ),
    (
        "compensations_come_from_the_reserve",
        "UPDATE accounts_siterate SET compensated_at = NULL, compensation_wei = 0"
        " WHERE local_per_dai = 117.5",
    ),
    (
        "credits_are_at_the_site_rate",
        "UPDATE accounts_siterate SET local_per_dai = local_per_dai + 1",
    ),
    (
        "impact_tokens_all_owned",
        "UPDATE ledger_account SET amount = amount - 1 WHERE kind = 'tokens_minted'",
    ),
    (
        "donors_index_matches_the_ledger",
        "UPDATE accounts_donorsindex SET unallocated_wei = unallocated_wei + 1",
    ),
    (
        "donors_index_identity",
        "UPDATE accounts_donation SET claimed_wei = claimed_wei + 1",
    ),
    ("donors_index_identity", "UPDATE accounts_donation SET amount_wei = amount_wei - 1"),
    ("donors_index_identity", "UPDATE accounts_donorsindex SET remainder = remainder + 1"),
    (
        "readings_do_not_overlap",
        "UPDATE reading SET ends_at = ends_at + interval '1 second'"
        " WHERE id = (SELECT min(id) FROM reading)",
    ),
    ("charges_once", _copied("charge", CHARGE_COLUMNS, ONE_CHARGE)),
    ("readings_are_charged", f"DELETE FROM charge WHERE {ONE_CHARGE}"),
    (
        "readings_are_charged",
        "DELETE FROM reading WHERE (meter_id, starts_at) IN"
        f" (SELECT meter_id, starts_at FROM charge WHERE {ONE_CHARGE})",
    ),
    (
        "readings_are_charged",
        "UPDATE charge SET energy_milliwatt_hours = energy_milliwatt_hours + 1,"
        f" amount_wei = amount_wei + wei_per_milliwatt_hour WHERE {ONE_CHARGE}",
    ),
    (
        "readings_are_charged",
        "UPDATE charge SET household_id = (SELECT min(id) FROM accounts_household)"
        " WHERE household_id = (SELECT max(id) FROM accounts_household)",
    ),
    (
        "readings_are_charged",
        "UPDATE settlement_meterassignment SET validity = tstzrange('2030-01-01', NULL)",
    ),
    (
        "charges_at_the_published_price",
        "UPDATE charge SET wei_per_milliwatt_hour = wei_per_milliwatt_hour - 1,"
        f" amount_wei = amount_wei - energy_milliwatt_hours WHERE {ONE_CHARGE}",
    ),
    (
        "charges_at_the_published_price",
        f"UPDATE charge SET amount_wei = amount_wei + 1 WHERE {ONE_CHARGE}",
    ),
    (
        "charges_at_the_published_price",
        "UPDATE charge SET price_id = (SELECT min(id) FROM settlement_price)",
    ),
    (
        "charges_at_the_published_price",
        "UPDATE settlement_price SET wei_per_kwh = wei_per_kwh + 1000000",
    ),
    (
        "charges_at_the_published_price",
        "UPDATE charge c SET wei_per_milliwatt_hour = p.wei_per_kwh / 1000000,"
        " amount_wei = energy_milliwatt_hours::numeric * (p.wei_per_kwh / 1000000)"
        " FROM settlement_price p, accounts_household h"
        " WHERE p.id = c.price_id AND h.id = c.household_id AND h.tier = 'priority'",
    ),
    ("late_charges_are_marked", f"UPDATE charge SET is_late = true WHERE {ONE_CHARGE}"),
    ("late_charges_are_marked", "UPDATE charge SET is_late = false"),
    (
        "only_solar_energy_mints",
        "UPDATE charge SET minting_milliwatt_hours = minting_milliwatt_hours - 1"
        f" WHERE {ONE_CHARGE}",
    ),
    ("readings_name_known_rows", "UPDATE reading SET batch_id = 999999"),
    ("readings_name_known_rows", "DELETE FROM settlement_meter WHERE serial = 'MAINS'"),
    ("charges_name_known_rows", f"UPDATE charge SET household_id = 999999 WHERE {ONE_CHARGE}"),
    ("charges_name_known_rows", "DELETE FROM settlement_price"),
    (
        "bills_and_rebates_follow_from_charges",
        f"UPDATE settlement_blockbill SET rebate_wei = rebate_wei + 1 WHERE {ONE_BILL}",
    ),
    (
        "bills_and_rebates_follow_from_charges",
        f"UPDATE settlement_blockbill SET charged_wei = charged_wei - 1 WHERE {ONE_BILL}",
    ),
    (
        "bills_and_rebates_follow_from_charges",
        f"UPDATE settlement_blockbill SET cancelled_wei = arrears_wei + 1 WHERE {ONE_BILL}",
    ),
    ("bills_and_rebates_follow_from_charges", f"DELETE FROM settlement_blockbill WHERE {ONE_BILL}"),
    (
        "bills_and_rebates_follow_from_charges",
        "INSERT INTO settlement_blockbill (site_id, household_id, block_starts_at, block_ends_at,"
        " energy_milliwatt_hours, charged_wei, arrears_wei, cancelled_wei, rebate_wei, is_due)"
        " SELECT site_id, household_id, block_starts_at - interval '700 days', block_ends_at,"
        " 1, 0, 0, 0, 0, false FROM settlement_blockbill LIMIT 1",
    ),
    (
        "days_follow_from_charges",
        "UPDATE settlement_householdday SET charged_wei = charged_wei + 1",
    ),
    (
        "batches_equal_their_readings",
        "UPDATE settlement_settlementbatch SET accepted_count = accepted_count + 1,"
        f" taken_count = taken_count + 1 WHERE id = {BATCH}",
    ),
    (
        "batches_equal_their_readings",
        f"UPDATE settlement_settlementbatch SET repeated_count = 99 WHERE id = {BATCH}",
    ),
    (
        "batches_are_posted_exactly",
        f"UPDATE settlement_settlementbatch SET borne_wei = borne_wei + 1 WHERE id = {BATCH}",
    ),
    (
        "batches_are_posted_exactly",
        "UPDATE settlement_settlementbatch SET paid_wei = paid_wei + 1,"
        f" arrears_wei = arrears_wei - 1 WHERE id = {BATCH}",
    ),
    (
        "settlement_entries_have_their_batch",
        f"UPDATE settlement_settlementbatch SET entry_id = 999999 WHERE id = {BATCH}",
    ),
    (
        "settlement_entries_have_their_batch",
        f"DELETE FROM settlement_settlementbatch WHERE id = {BATCH}",
    ),
    (
        "households_pay_what_they_are_charged",
        "UPDATE posting SET account_id = (SELECT min(id) FROM ledger_account"
        " WHERE kind = 'household_funds') WHERE account_id = (SELECT max(id) FROM ledger_account"
        " WHERE kind = 'household_funds')",
    ),
    (
        "households_pay_what_they_are_charged",
        f"UPDATE settlement_blockbill SET rebate_wei = rebate_wei + 1 WHERE {ONE_BILL}",
    ),
    (
        "arrears_follow_from_bills",
        "UPDATE settlement_blockbill SET arrears_wei = arrears_wei + 1"
        " WHERE id = (SELECT max(id) FROM settlement_blockbill WHERE arrears_wei > 0)",
    ),
    (
        "arrears_follow_from_bills",
        "UPDATE ledger_account SET amount = amount - 1 WHERE kind = 'household_arrears'",
    ),
    (
        "impact_tokens_follow_from_energy",
        "UPDATE posting SET account_id = (SELECT min(id) FROM ledger_account"
        " WHERE kind = 'household_tokens') WHERE account_id = (SELECT max(id) FROM ledger_account"
        " WHERE kind = 'household_tokens')",
    ),
    (
        "impact_tokens_follow_from_energy",
        "UPDATE posting SET amount = 2 * amount WHERE asset = 'IT'",
    ),
    (
        "splits_sum_to_what_was_paid",
        "UPDATE settlement_splitprogress SET paid_wei = paid_wei + 1",
    ),
    (
        "splits_sum_to_what_was_paid",
        f"UPDATE settlement_settlementbatch SET split_version_id = NULL WHERE id = {BATCH}",
    ),
    (
        "split_lines_get_their_shares",
        "UPDATE settlement_splitprogress SET posted_wei[1] = posted_wei[1] + 1,"
        " posted_wei[2] = posted_wei[2] - 1",
    ),
    (
        "split_lines_get_their_shares",
        "UPDATE settlement_splitline SET share_basis_points = share_basis_points + 1"
        " WHERE name = 'grant'",
    ),
    (
        "pools_got_what_the_splits_say",
        "UPDATE posting SET account_id = (SELECT id FROM ledger_account WHERE kind = 'pool'"
        " AND name = 'operator') WHERE account_id = (SELECT id FROM ledger_account"
        " WHERE kind = 'pool' AND name = 'grant')",
    ),
]

CORRUPTIONS += AGENT_CORRUPTIONS + FISCAL_CORRUPTIONS + PAYBACK_CORRUPTIONS
CORRUPTIONS += TREASURY_CORRUPTIONS + PAYOUT_CORRUPTIONS + CAMPAIGN_CORRUPTIONS
CORRUPTIONS += PLAN_CORRUPTIONS

# What the database itself would refuse: taken away first, inside the transaction that is undone.
GUARDED = (
    *("posting", "journal_entry", "reading", "charge"),
    *("settlement_price", "settlement_tariff", "settlement_splitversion", "settlement_splitline"),
    *GUARDED_PAYOUTS,
)
LIFTED = (
    "ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_not_overdrawn",
    "ALTER TABLE charge DROP CONSTRAINT charge_pkey",
    "ALTER TABLE accounts_payment DROP CONSTRAINT payment_reference_once",
    "ALTER TABLE accounts_payment DROP CONSTRAINT accounts_payment_uid_key",
    "ALTER TABLE journal_entry DROP CONSTRAINT journal_entry_book_id_key_key",
    *LIFTED_PAYOUTS,
    *LIFTED_CAMPAIGNS,
)


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[WorkedVillage]:
    """One committed village for the whole module; every corruption of it is rolled back."""
    with django_db_blocker.unblock():
        worked = work(at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
        _change_rate(worked, at=datetime(2026, 3, 5, 9, 0, tzinfo=UTC))
        pay_out(worked.village, at=datetime(2026, 3, 5, 10, 0, tzinfo=UTC))
        collect(worked.village, at=datetime(2026, 3, 5, 11, 0, tzinfo=UTC))
        give_monthly(worked.village, at=datetime(2026, 3, 5, 12, 0, tzinfo=UTC))
        yield worked
        connection.ops.execute_sql_flush([])
        connections["owner"].close()
        connection.close()


def _change_rate(worked: WorkedVillage, *, at: datetime) -> None:
    """A DAI came to be worth less, then more; households were compensated, and go on paying."""
    site = worked.village.site
    for days, rate in ((2, "117.5"), (1, "140")):
        begins_at = at - timedelta(days=days)
        site_rates.publish(
            site=site,
            local_per_dai=Decimal(rate),
            starts_at=begins_at,
            at=begins_at - timedelta(hours=1),
        )
        rollover.run_due(at=begins_at)
    assert SiteRate.objects.filter(site=site, compensation_wei__gt=0).count() == 2
    worked.village.pay("KIS0001", amount_minor=10_000, at=at, reference="RCPAFTER01")
    settle.run_all(site_id=site.pk, at=at)


@pytest.fixture
def failing(lived: WorkedVillage) -> Iterator[object]:
    """A function that corrupts the books as the owner and returns findings by check."""
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    connection.close()

    def corrupt(statement: str) -> dict[str, tuple[audit.Finding, ...]]:
        with owner.cursor() as cursor:
            for table in GUARDED:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for lift in LIFTED:
                cursor.execute(lift)
            cursor.execute(
                "DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint"
                " WHERE conrelid = 'charge'::regclass AND contype = 'c' LOOP"
                " EXECUTE 'ALTER TABLE charge DROP CONSTRAINT ' || name; END LOOP; END $$"
            )
            cursor.execute(statement)
            assert cursor.rowcount > 0, "the corruption changed nothing"
        return {
            result.check.name: result.findings
            for result in audit.run(checks=CHECKS, using="owner")
            if result.findings
        }

    with transaction.atomic(using="owner"):
        yield corrupt
        transaction.set_rollback(True, using="owner")


def test_the_village_has_every_kind_of_row(lived: WorkedVillage) -> None:
    assert Charge.objects.filter(is_late=True).exists()
    assert BlockBill.objects.filter(arrears_wei__gt=0, cancelled_wei__gt=0).exists()
    assert BlockBill.objects.filter(rebate_wei__gt=0, is_due=False).count() > 5
    readings = SettlementBatch.objects.filter(kind="readings")
    for column in ("repeated_count", "quarantined_count", "borne_wei", "recovered_wei"):
        assert readings.filter(**{f"{column}__gt": 0}).exists(), column
    assert lived.in_suspense.state == "suspense"
    assert lived.attached.state == "credited"
    assert lived.donation.claimed_wei >= 0


def test_the_audit_holds_and_counts_what_it_examined(lived: WorkedVillage) -> None:
    out, progress = io.StringIO(), io.StringIO()
    call_command("audit", as_json=True, stdout=out, stderr=progress)

    answer = json.loads(out.getvalue())
    assert answer["ok"] is True
    assert [check["findings"] for check in answer["checks"]] == [[]] * len(CHECKS)
    assert {check["invariant"] for check in answer["checks"]} >= {1, 2, 3, 4, 5, 6, 7, 10}
    rows = {check["name"]: check["rows"] for check in answer["checks"]}
    assert rows["charges_once"] == Charge.objects.count() > 150
    assert progress.getvalue().count("ok,") == len(CHECKS)


def test_in_words_the_audit_says_that_all_holds(lived: WorkedVillage) -> None:
    out = io.StringIO()
    call_command("audit", stdout=out, stderr=io.StringIO())
    assert out.getvalue() == f"All {len(CHECKS)} checks hold.\n"


@pytest.mark.parametrize(("name", "statement"), CORRUPTIONS)
def test_a_corruption_is_found_by_its_check(failing: object, name: str, statement: str) -> None:
    assert callable(failing)
    found = failing(statement)
    assert name in found, sorted(found)
    assert all(finding.check == name and finding.detail for finding in found[name])


def test_every_check_was_seen_to_fail() -> None:
    """Those of what stands on chain are seen to fail beside the tests of their own rows."""
    checks = (*audit.CHECKS, *settlement.audit.CHECKS)
    assert {name for name, _ in CORRUPTIONS} == {check.name for check in checks}


def test_a_check_that_fails_everywhere_lists_only_the_first(failing: object) -> None:
    assert callable(failing)
    details = [
        finding.detail
        for finding in failing("UPDATE charge SET amount_wei = amount_wei + 1")[
            "charges_at_the_published_price"
        ]
    ]
    assert len(details) == FINDINGS_KEPT + 1
    assert details[-1] == f"and more: only the first {FINDINGS_KEPT} are listed"


def test_rules_that_changed_since_are_no_findings(failing: object) -> None:
    """A household's tier or a site's allowance of today says nothing of yesterday's charges."""
    assert callable(failing)
    assert failing("UPDATE accounts_household SET tier = 'priority', has_lifeline = false") == {}


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_failing_audit_lists_findings_and_exits_with_one() -> None:
    work(at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    with owner.cursor() as cursor:
        cursor.execute("UPDATE accounts_book SET height = height + 1 WHERE site_id IS NOT NULL")

    words, answer = io.StringIO(), io.StringIO()
    with pytest.raises(
        CommandError, match=r"1 of \d+ checks failed: hash_chains_unbroken"
    ) as error:
        call_command("audit", stdout=words, stderr=io.StringIO())
    with pytest.raises(CommandError):
        call_command("audit", as_json=True, stdout=answer, stderr=io.StringIO())

    assert error.value.returncode == 1
    assert words.getvalue().startswith("invariant 10, hash_chains_unbroken: book ")
    parsed = json.loads(answer.getvalue())
    assert parsed["ok"] is False
    assert [
        len(c["findings"]) for c in parsed["checks"] if c["name"] == "hash_chains_unbroken"
    ] == [1]


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2026-03-01T21:00", "2026-03-01T19:00"),  # midnight in Nairobi: the block of 22:00
        ("2026-03-02T02:59", "2026-03-01T19:00"),
        ("2026-03-02T03:00", "2026-03-02T03:00"),
        ("2026-03-02T18:59", "2026-03-02T13:00"),
        ("2026-03-02T19:00", "2026-03-02T19:00"),
    ],
)
def test_blocks_begin_by_the_local_clock(at: str, start: str) -> None:
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert block_start(instant, "Africa/Nairobi") == datetime.fromisoformat(start).replace(
        tzinfo=UTC
    )
