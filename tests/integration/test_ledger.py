"""The ledger refuses whatever would make it lie, whoever asks."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import DatabaseError, connection, connections, transaction

from accounts import amounts, ledger
from accounts.ledger import KeyReused, Leg, NoSuchBook, Overdrawn, PostedEntry, Unbalanced
from accounts.models import Book, JournalEntry, LedgerAccount, Posting
from tests.village import Village

pytestmark = pytest.mark.django_db


def _post(village: Village, *, key: str, amount: int, at: datetime, total: int = 0) -> PostedEntry:
    return ledger.post(
        book_id=village.site.book.pk,
        kind="test",
        key=key,
        legs=[
            Leg(kind="fx_position", amount=-amount + total),
            Leg(kind="fx_reserve", amount=amount),
        ],
        occurred_at=at,
        at=at,
    )


def test_an_entry_moves_money_and_keeps_amounts_beside_the_postings(
    village: Village, now: datetime
) -> None:
    posted = _post(village, key="one", amount=5 * 10**18 + 1, at=now)

    assert not posted.is_replay
    stored = amounts.of_site(site=village.site)
    assert stored[("fx_reserve", "", "DAI")] == 5 * 10**18 + 1
    assert sorted(p.amount for p in Posting.objects.filter(entry_id=posted.entry_id)) == [
        -5 * 10**18 - 1,
        5 * 10**18 + 1,
    ]


def test_the_same_key_replays_and_another_content_is_refused(
    village: Village, now: datetime
) -> None:
    first = _post(village, key="one", amount=7, at=now)
    again = _post(village, key="one", amount=7, at=now)

    assert (again.entry_id, again.is_replay) == (first.entry_id, True)
    with pytest.raises(KeyReused):
        _post(village, key="one", amount=8, at=now)
    assert JournalEntry.objects.count() == 1


def test_an_unbalanced_entry_is_refused_by_the_database(village: Village, now: datetime) -> None:
    with pytest.raises(Unbalanced):
        _post(village, key="one", amount=7, at=now, total=1)
    assert not Posting.objects.exists()


def test_an_entry_without_postings_is_refused(village: Village, now: datetime) -> None:
    with pytest.raises(Unbalanced):
        _post(village, key="one", amount=0, at=now)


def test_what_a_household_owns_never_falls_below_zero(village: Village, now: datetime) -> None:
    household = village.household()
    with pytest.raises(Overdrawn):
        ledger.post(
            book_id=village.site.book.pk,
            kind="test",
            key="one",
            legs=[
                Leg(kind="household_funds", household_id=household.pk, amount=-1),
                Leg(kind="fx_position", amount=1),
            ],
            occurred_at=now,
            at=now,
        )
    assert not JournalEntry.objects.exists()


def test_an_unknown_book_is_refused(village: Village, now: datetime) -> None:
    with pytest.raises(NoSuchBook):
        ledger.lock(book_id=10**9)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO posting (book_id, entry_id, account_id, asset, amount)"
        " SELECT book_id, entry_id, account_id, asset, amount FROM posting",
        "UPDATE posting SET amount = 2",
        "DELETE FROM posting",
        "TRUNCATE posting",
        "UPDATE journal_entry SET kind = 'x'",
        "DELETE FROM journal_entry",
        "UPDATE ledger_account SET amount = 0",
        "UPDATE accounts_book SET height = 0",
        "UPDATE accounts_donorsindex SET accumulated = 1",
        "DELETE FROM reading",
        "INSERT INTO charge (site_id) SELECT site_id FROM charge",
        "UPDATE settlement_price SET wei_per_kwh = 0",
        "SELECT ledger_write(1, 'k', 'k', now(), now(), ARRAY[1]::bigint[], ARRAY[1]::numeric[])",
        "CREATE TABLE mine (id integer)",
        "ALTER TABLE posting DISABLE TRIGGER ALL",
    ],
)
def test_the_app_role_has_no_way_around_the_ledger(
    village: Village, now: datetime, statement: str
) -> None:
    _post(village, key="one", amount=7, at=now)
    with (
        pytest.raises(DatabaseError, match=r"permission denied|must be owner"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE posting SET amount = amount * 2", "append-only"),
        ("DELETE FROM journal_entry", "append-only"),
        (
            "INSERT INTO posting (book_id, entry_id, account_id, asset, amount)"
            " SELECT book_id, entry_id, account_id, asset, amount FROM posting",
            "no more later",
        ),
        (
            "INSERT INTO posting (book_id, entry_id, account_id, asset, amount)"
            " SELECT book_id, entry_id, account_id, asset, 1 FROM posting LIMIT 1",
            "sum to zero",
        ),
        ("UPDATE ledger_account SET amount = 1.5", "wei_check"),
        ("UPDATE ledger_account SET amount = 'NaN'", "wei_check"),
    ],
)
def test_even_the_owner_is_stopped_by_the_guards(
    now: datetime, statement: str, reason: str
) -> None:
    village = Village.found(at=now)
    _post(village, key="one", amount=7, at=now)
    owner = connections["owner"]
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    with pytest.raises(DatabaseError, match=reason), owner.cursor() as cursor:
        cursor.execute(statement)


def test_entries_of_a_book_form_a_chain(village: Village, now: datetime) -> None:
    for number in range(3):
        _post(village, key=str(number), amount=1, at=now)

    entries = list(JournalEntry.objects.order_by("sequence"))
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert bytes(entries[0].previous_hash) == b""
    assert [bytes(e.previous_hash) for e in entries[1:]] == [bytes(e.hash) for e in entries[:-1]]
    assert bytes(Book.objects.get(site=village.site).head_hash) == bytes(entries[-1].hash)


def test_accounts_are_opened_once(village: Village, now: datetime) -> None:
    for number in range(2):
        _post(village, key=str(number), amount=1, at=now)
    assert LedgerAccount.objects.filter(kind="fx_reserve").count() == 1
