"""Killed at every step of the outbox while two others race on, each intent has one effect."""

from __future__ import annotations

import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from accounts import audit
from launcher.places import ROOT
from tests.chain_node import ChainNode, chain
from tests.outbox_rig import GWEI, address
from tests.outbox_worker import POINTS
from tokens.audit import outbox as outbox_audit
from tokens.chain import outbox
from tokens.models import OutboxTransfer, SignedTransfer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
]
WORKERS, MOST_OPEN, PATIENCE_SECONDS = 3, 8, 40.0


class Workers:
    """Three processes that advance the outbox; see tests/outbox_worker.py."""

    def __init__(self, *, node: ChainNode) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.outbox_worker"],
            env={**os.environ, "DATABASE_URL": _database_url(), **_settings(node)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.running: set[int] = set()
        self.paused: set[int] = set()

    def start(self, point: str = "") -> None:
        """Start one that stops at a point."""
        assert self._parent.stdin is not None
        before = len(self.running)
        self._parent.stdin.write(f"{point}\n")
        self._parent.stdin.flush()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.running) == before:
            assert time.monotonic() < deadline, "no worker started"
            self.hear(wait_seconds=0.5)

    def hear(self, *, wait_seconds: float = 0.0) -> None:
        """Note what the workers have said."""
        while True:
            try:
                line = self._said.get(block=wait_seconds > 0, timeout=wait_seconds or None)
            except queue.Empty:
                return
            wait_seconds = 0.0
            word, process_id, *_ = line.split()
            assert word in {"started", "paused"}, line
            (self.running if word == "started" else self.paused).add(int(process_id))

    def kill(self, process_id: int) -> None:
        os.kill(process_id, signal.SIGKILL)
        self.running.discard(process_id)
        self.paused.discard(process_id)

    def end(self) -> None:
        for process_id in list(self.running):
            self.kill(process_id)
        self._parent.kill()
        self._parent.wait()

    def _listen(self) -> None:
        assert self._parent.stdout is not None
        for line in self._parent.stdout:
            self._said.put(line)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ChainNode]:
    with chain(directory=tmp_path / "chain") as node:
        node.automine(is_on=False)
        node.mine(3)
        yield node


@pytest.fixture
def workers(db: None, node: ChainNode) -> Iterator[Workers]:
    workers = Workers(node=node)
    try:
        yield workers
    finally:
        workers.end()


def _database_url() -> str:
    place = connection.settings_dict
    return f"postgresql://{place['USER']}@/{place['NAME']}?host={quote(place['HOST'], safe='/')}"


def _settings(node: ChainNode) -> dict[str, str]:
    return {"DEMO": "1", **{name: str(value) for name, value in node.settings().items()}}


class Village:
    """Queues payments of known amounts, moves the chain on, and counts what arrived."""

    def __init__(self, *, node: ChainNode, settings: object) -> None:
        for name, value in node.settings().items():
            setattr(settings, name, value)
        self.node = node
        self.rng = random.Random(11)
        self.queued = 0

    def queue(self) -> None:
        """One more, unless many are open."""
        if OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN).count() >= MOST_OPEN:
            return
        self.queued += 1
        outbox.queue(
            chain_id=self.node.chain_id,
            intent=f"pay:{self.queued}",
            to=address(self.queued),
            data="0x",
            value_wei=self.queued,
            at=datetime.now(UTC),
        )

    def live(self) -> None:
        """One block at another base fee, sometimes instead of others."""
        fee = self.rng.choice((1, 1, 2, 5, 12))
        self.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(fee * GWEI))
        if self.rng.random() < 0.15:
            self.node.reorg(self.rng.choice((1, 2)))
        else:
            self.node.mine()
        time.sleep(0.03)

    def end(self, *, hear: Callable[[], None]) -> None:
        """Let everything come to its end."""
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        self.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        while OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN).exists():
            open_rows = OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN)
            assert time.monotonic() < deadline, list(open_rows.values("intent", "state", "nonce"))
            self.node.mine()
            hear()
            time.sleep(0.05)

    def check(self) -> None:
        """Each intent had its effect once, by consecutive nonces, and the audit finds nothing."""
        held = [self.node.balance(address(number)) for number in range(1, self.queued + 1)]
        assert held == list(range(1, self.queued + 1))
        nonces = list(OutboxTransfer.objects.order_by("id").values_list("nonce", flat=True))
        assert nonces == list(range(self.queued))
        assert self.node.nonce(self.node.poster.address) == self.queued
        assert {row.state for row in OutboxTransfer.objects.all()} == {"final"}
        results = audit.run(checks=outbox_audit.CHECKS)
        assert [finding for result in results for finding in result.findings] == []


def test_killed_at_every_step_with_three_at_work_each_intent_has_one_effect(
    workers: Workers, node: ChainNode, settings: object
) -> None:
    village = Village(node=node, settings=settings)
    for _ in range(WORKERS - 1):
        workers.start()
    for point in POINTS:
        workers.start(point)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not workers.paused:
            assert time.monotonic() < deadline, f"nobody came to {point}"
            village.queue()
            village.live()
            workers.hear()
        # What others do while it stands there, holding all that it holds.
        for _ in range(3):
            village.queue()
            village.live()
        for process_id in list(workers.paused):
            workers.kill(process_id)
    workers.start()
    village.end(hear=workers.hear)
    village.check()
    assert SignedTransfer.objects.count() > village.queued, "some were signed again for more gas"


def test_all_killed_at_once_a_new_worker_finds_what_was_under_way(
    workers: Workers, node: ChainNode, settings: object
) -> None:
    village = Village(node=node, settings=settings)
    for _ in range(6):
        for _ in range(WORKERS):
            workers.start()
        for _ in range(village.rng.randint(2, 6)):
            village.queue()
            village.live()
        for process_id in list(workers.running):
            workers.kill(process_id)
    workers.start()
    village.end(hear=workers.hear)
    village.check()
