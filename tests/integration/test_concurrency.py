"""Several settlers, payers and closers of blocks at one site at once: nothing lost, no deadlock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection

from accounts.models import Book, JournalEntry, Payment
from settlement import rebates, settle
from settlement.models import Reading, ReadingInbox, SettlementBatch
from tests.model import Sample
from tests.replay import findings, replay
from tests.twin import SLOT, Twin, reading
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

SETTLERS, PAYERS, HOUSES, SLOTS = 3, 2, 12, 40
PATIENCE_SECONDS = 60


def run_together(*jobs: Callable[[], None]) -> None:
    """Run each in a thread with a connection of its own; raise what any of them raised."""
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - raised again by who started it
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    if errors:
        raise errors[0]


def days_of_readings(first: datetime, rng: random.Random) -> Iterator[list[Sample]]:
    """Slot by slot, everybody's readings; some twice, some again later, some contradicting."""
    seen: list[Sample] = []
    for number in range(SLOTS):
        batch = [
            reading(f"SM{house:04}", rng.randint(0, 60_000), starts_at=first + number * SLOT)
            for house in range(1, HOUSES + 1)
        ]
        batch += rng.choices(batch, k=3) + rng.choices(seen or batch, k=3)
        wrong = rng.choice(seen or batch)
        batch.append(reading(wrong.serial, wrong.energy + 1, starts_at=wrong.starts_at))
        seen += batch[:HOUSES]
        yield batch


def a_village(now: datetime) -> Twin:
    twin = Twin.found(at=now)
    twin.price(ticks=2_900, starts_at=now - timedelta(days=3))
    for number in range(1, HOUSES + 1):
        twin.household(f"KIS{number:04}", tier="priority" if number == HOUSES else "leisure")
        if number % 3:
            twin.fund(f"KIS{number:04}", amount_wei=number * 10**17, at=now)
    twin.donate(amount_wei=10**21 + 1, at=now)
    return twin


def test_settlers_payers_and_closers_at_once_agree_with_the_model(now: datetime) -> None:
    twin = a_village(now)
    site_id, first = twin.village.site.pk, now - timedelta(days=2)
    payments = {
        f"REF{number:04}": (f"KIS{1 + number % HOUSES:04}", 500 + 37 * number)
        for number in range(60)
    }
    arrived = Event()

    def feed() -> None:
        for batch in days_of_readings(first, random.Random(1)):
            twin.receive(*batch)
        arrived.set()

    def work() -> None:
        while not arrived.is_set() or ReadingInbox.objects.exists():
            settle.run(site_id=site_id, at=now, limit=17)

    def close() -> None:
        while not arrived.is_set():
            rebates.run(site_id=site_id, at=now)

    def pay(seed: int) -> None:
        for reference, (code, amount_minor) in sorted(
            payments.items(), key=lambda _: random.Random(seed).random()
        ):
            twin.village.pay(code, amount_minor=amount_minor, at=now, reference=reference)

    run_together(
        feed, close, *[work] * SETTLERS, *[lambda seed=seed: pay(seed) for seed in range(PAYERS)]
    )
    settle.run_all(site_id=site_id, at=now)
    rebates.run(site_id=site_id, at=now)

    assert Payment.objects.count() == len(payments)
    assert Reading.objects.count() == HOUSES * SLOTS
    assert SettlementBatch.objects.filter(kind="readings").count() > HOUSES * SLOTS / 17
    replay(twin, payments=payments)
    twin.check()
    assert findings() == []


def test_sites_do_not_wait_for_each_other(now: datetime) -> None:
    twin = a_village(now)
    other = Village.found(at=now, slug="mlima", beside=twin.village)
    twin.read("SM0001", 1_000, starts_at=now - SLOT)

    def work() -> None:
        settle.run(site_id=twin.village.site.pk, at=now)

    # Somebody holds the other site's book all the while.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT ledger_lock(%s)", [other.site.book.pk])
        run_together(work)
        cursor.execute("ROLLBACK")
    assert Reading.objects.count() == 1


def test_one_reference_from_many_at_once_credits_once(now: datetime) -> None:
    twin = a_village(now)

    def pay() -> None:
        twin.village.pay("KIS0001", amount_minor=5_000, at=now, reference="ONE")

    run_together(*[pay] * 8)
    twin.model.pay("KIS0001", amount_minor=5_000, reference="ONE")
    twin.check()
    book = Book.objects.get(site=twin.village.site)
    assert book.height == JournalEntry.objects.filter(book_id=book.pk).count()
