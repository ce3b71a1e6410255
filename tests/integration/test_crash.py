"""Killed at any moment (settler, backend, whole server), settlement goes on and nothing is off.

A PostgreSQL of the test's own with fsync on, because the one of the other tests may lose what was
committed when it is killed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from django.core.management import call_command
from django.db import Error, connections
from pytest_django.plugin import DjangoDbBlocker

from launcher import process
from launcher.places import ROOT, Places
from launcher.postgres import DATABASE, Postgres
from launcher.stack import database_urls
from settlement import settle
from settlement.models import ReadingInbox, SettlementBatch
from tests.databases import pointed_at
from tests.model import Sample
from tests.replay import findings, replay
from tests.twin import SLOT, Twin, reading

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUSES, SLOTS, LIMIT, SETTLERS, KILLS = 20, 75, 6, 2, 12
PATIENCE_SECONDS = 30.0
T = TypeVar("T")


@dataclass(kw_only=True)
class Server:
    """A durable PostgreSQL that can be killed and started again."""

    places: Places
    handle: subprocess.Popen[bytes] | None = None
    postgres: Postgres = field(init=False)

    def __post_init__(self) -> None:
        self.places.make()
        self.postgres = Postgres(places=self.places, durable=True)

    def start(self) -> None:
        program = self.postgres.program()
        wait_until(program.may_start)
        with program.log.open("ab") as output:
            self.handle = process.start(
                program.arguments,
                environment=program.environment,
                directory=program.directory,
                output=output.fileno(),
                identity=program.identity,
                death_signal=signal.SIGINT,
            )
        wait_until(self.postgres.answers)

    def kill(self) -> None:
        """End the server and all of its backends at once, without a word."""
        if self.handle is not None:
            process.kill_group(self.handle.pid, signal.SIGKILL)
            self.handle.wait()


@dataclass(kw_only=True)
class Settlers:
    """Processes that settle; see tests/settler.py."""

    parent: subprocess.Popen[str]
    children: list[int] = field(default_factory=list)

    def start(self) -> None:
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.write("\n")
        self.parent.stdin.flush()
        self.children.append(int(self.parent.stdout.readline()))

    def kill(self, number: int) -> None:
        os.kill(self.children.pop(number), signal.SIGKILL)

    def end(self) -> None:
        while self.children:
            self.kill(0)
        self.parent.kill()
        self.parent.wait()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"{is_so} never came true"
        time.sleep(0.01)


@pytest.fixture
def server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    """A server with the schema of the service, to which the test's connections lead."""
    directory = Path(tempfile.mkdtemp(prefix="crash-"))
    server = Server(places=Places(var=directory))
    try:
        server.start()
        server.postgres.prepare()
        host = str(server.places.run)
        with django_db_blocker.unblock(), pointed_at(name=DATABASE, host=host):
            call_command("migrate", database="owner", verbosity=0)
            yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def settlers(server: Server, twin: Twin) -> Iterator[Settlers]:
    parent = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.settler"),
            *(str(twin.village.site.pk), str(LIMIT), NOW.isoformat()),
        ],
        env={**os.environ, **database_urls(server.places.run)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    running = Settlers(parent=parent)
    try:
        yield running
    finally:
        running.end()


def a_village_with_a_full_inbox(rng: random.Random) -> Twin:
    """Households with and without funds; a day of readings, some of them twice or contradicting."""
    twin = Twin.found(at=NOW)
    twin.price(ticks=2_900, starts_at=NOW - timedelta(days=3))
    for number in range(1, HOUSES + 1):
        twin.household(f"KIS{number:04}")
        if number % 3:
            twin.fund(f"KIS{number:04}", amount_wei=number * 10**16, at=NOW)
    twin.donate(amount_wei=10**21 + 1, at=NOW)
    seen: list[Sample] = []
    for number in range(SLOTS):
        starts_at = NOW - timedelta(days=2) + number * SLOT
        for house in range(1, HOUSES + 1):
            seen.append(reading(f"SM{house:04}", rng.randint(0, 60_000), starts_at=starts_at))
    again = rng.choices(seen, k=300)
    wrong = [
        reading(s.serial, s.energy + 1, starts_at=s.starts_at) for s in rng.choices(seen, k=30)
    ]
    twin.receive(*seen[: len(seen) // 2], *again[:150], *wrong, *seen[len(seen) // 2 :])
    twin.receive(*again[150:])
    return twin


def insistently(act: Callable[[], T]) -> T:
    """What every client does while the server is away: try again, with the same reference."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except Error:
            connections.close_all()
            assert time.monotonic() < deadline, "the server did not come back"
            time.sleep(0.02)


def has_more_than(*, batches: int) -> bool:
    return SettlementBatch.objects.count() > batches


def is_inbox_empty() -> bool:
    return not ReadingInbox.objects.exists()


def kill_a_settling_backend() -> bool:
    """Kill a backend that is in the middle of a settlement right now; return whether there was."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
            " AND query LIKE '%settlement_settle%' AND wait_event_type IS DISTINCT FROM 'Lock'"
        )
        row = cursor.fetchone()
    if row is None:
        return False
    try:
        os.kill(row[0], signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_killed_a_dozen_times_it_comes_to_the_same(server: Server) -> None:
    rng = random.Random(7)
    twin = a_village_with_a_full_inbox(rng)
    payments: dict[str, tuple[str, int]] = {}
    batches = SettlementBatch.objects.count

    def a_backend_dies() -> None:
        wait_until(partial(insistently, kill_a_settling_backend))

    def the_server_dies() -> None:
        server.kill()
        server.start()

    with settlers(server, twin) as running:
        for _ in range(SETTLERS):
            running.start()

        def a_settler_dies() -> None:
            running.kill(rng.randrange(SETTLERS))
            running.start()

        for number in range(KILLS):
            goes_on = partial(has_more_than, batches=insistently(batches) + 3)
            wait_until(partial(insistently, goes_on))
            time.sleep(rng.random() / 50)
            (a_settler_dies, a_backend_dies, the_server_dies)[number % 3]()
            reference, code = f"REF{number:04}", f"KIS{1 + number:04}"
            payments[reference] = (code, 1_000 + number)
            pay = partial(
                twin.village.pay, code, amount_minor=1_000 + number, at=NOW, reference=reference
            )
            for _ in range(2):
                insistently(pay)
        assert insistently(ReadingInbox.objects.exists), "killed in the middle, not after the end"
        wait_until(partial(insistently, is_inbox_empty))

    log = (server.places.log / "postgres.log").read_text()
    assert log.count("was terminated by signal 9") == KILLS // 3
    assert log.count("was not properly shut down; automatic recovery") == 2 * KILLS // 3
    settle.run_all(site_id=twin.village.site.pk, at=NOW)
    replay(twin, payments=payments)
    twin.check()
    twin.close_blocks(at=NOW)
    assert findings() == []
