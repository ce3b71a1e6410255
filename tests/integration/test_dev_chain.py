"""The dev chain of script/server: a real anvil and its clock under the launcher's supervisor."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher import chain_clock, places
from launcher.chain import CHAIN_ID, DevChain, demo_environment
from launcher.chain_clock import NodeError, ask
from launcher.dev_accounts import DEV_ACCOUNTS
from launcher.places import ROOT, Places
from launcher.ports import Ports
from launcher.progress import Progress
from launcher.server import Server
from launcher.stack import offline_environment
from launcher.supervisor import StartError, Supervisor
from sandbox import chain as sandbox_chain

SOMEBODY, OTHER = DEV_ACCOUNTS[6].address, DEV_ACCOUNTS[7].address


class Run:
    """A dev chain on a free port."""

    def __init__(self, var: Path) -> None:
        self.places = Places(var=var)
        self.places.make()
        self.output = io.StringIO()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.supervisor = Supervisor(progress=Progress(stream=self.output))
        self.chain = DevChain(places=self.places, port=self.port)

    def start(self) -> None:
        self.chain.prepare()
        self.supervisor.start(self.chain.node())
        self.supervisor.start(self.chain.clock())

    def stop(self) -> None:
        self.supervisor.stop()

    def ask(self, method: str, *parameters: Any) -> Any:
        return ask(self.port, method, *parameters)

    def height(self, tag: str = "latest") -> int:
        return int(self.ask("eth_getBlockByNumber", tag, False)["number"], 16)

    def balance(self, tag: str = "latest") -> int:
        return int(self.ask("eth_getBalance", OTHER, tag), 16)

    def pay(self) -> None:
        """Send 7 wei and wait for the block."""
        fields = {"from": SOMEBODY, "to": OTHER, "value": "0x7"}
        sent = self.ask("eth_sendTransaction", fields)
        self.tick_until(lambda: self.ask("eth_getTransactionReceipt", sent) is not None)

    def pids(self) -> list[int]:
        """The node, then its clock."""
        return [handle.pid for handle in self.supervisor._handles()]

    def tick_until(self, condition: Callable[[], bool], *, within_seconds: float = 40) -> None:
        deadline = time.monotonic() + within_seconds
        while not condition():
            assert time.monotonic() < deadline, self.output.getvalue()
            self.supervisor.tick()

    def is_saved(self, height: int) -> bool:
        try:
            state = json.loads((self.places.chain / "state.json").read_text())
        except (OSError, ValueError):
            return False
        return int(state["block"]["number"], 0) >= height


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path / "var")
    try:
        run.start()
        yield run
    finally:
        run.stop()


def again(run: Run) -> Run:
    """Another run on the same directory."""
    return Run(run.places.var)


def test_blocks_go_on_by_the_clock_and_the_finalized_one_can_be_asked(running: Run) -> None:
    assert running.ask("eth_chainId") == hex(CHAIN_ID)
    before = running.height()

    running.tick_until(lambda: running.height() >= before + 2)

    newest = running.ask("eth_getBlockByNumber", "latest", False)
    earlier = running.ask("eth_getBlockByNumber", hex(before), False)
    assert int(newest["timestamp"], 16) - int(earlier["timestamp"], 16) >= 2
    assert abs(int(newest["timestamp"], 16) - time.time()) < 30
    assert running.balance("finalized") == 10_000 * 10**18


def test_a_killed_node_is_started_again_with_its_blocks_and_balances(running: Run) -> None:
    running.pay()
    height = running.height()
    first = running.ask("eth_getBlockByNumber", hex(height), False)["hash"]
    running.tick_until(lambda: running.is_saved(height))
    node = running.pids()[0]

    os.kill(node, signal.SIGKILL)
    running.tick_until(lambda: node not in running.pids() and running.chain.answers())
    running.tick_until(running.chain.is_going)

    assert running.ask("eth_getBlockByNumber", hex(height), False)["hash"] == first
    assert running.balance() == 10_000 * 10**18 + 7
    running.tick_until(lambda: running.height() > height)
    assert "chain ended (killed by SIGKILL)" in running.output.getvalue()


def test_a_chain_that_was_stopped_goes_on_with_contracts_logs_and_time(tmp_path: Path) -> None:
    first = Run(tmp_path / "var")
    try:
        first.start()
        made = sandbox_chain.deploy(url=first.chain.url)
        first.pay()
        height = first.height()
        logs = first.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    finally:
        first.stop()

    second = again(first)
    try:
        second.start()

        assert second.height() >= height
        assert second.balance("finalized") in (10_000 * 10**18, 10_000 * 10**18 + 7)
        assert second.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": hex(height)}) == logs
        assert len(logs) == 8
        assert sandbox_chain.deploy(url=second.chain.url) == made
        newest = second.ask("eth_getBlockByNumber", "latest", False)
        assert abs(int(newest["timestamp"], 16) - time.time()) < 30
    finally:
        second.stop()


def test_no_process_stays_after_a_stop(running: Run) -> None:
    began = time.monotonic()

    running.stop()

    assert time.monotonic() - began < 10
    with pytest.raises(OSError, match="refused"):
        running.ask("eth_chainId")


def test_a_state_that_was_cut_off_is_replaced_by_its_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Run(tmp_path / "var")
    state = first.places.chain / "state.json"
    try:
        first.start()
        first.pay()
        height = first.height()
        first.tick_until(lambda: first.is_saved(height))
        newest = state.stat().st_mtime_ns
        first.tick_until(
            lambda: (
                chain_clock.copy_of(state).exists()
                and chain_clock.copy_of(state).stat().st_mtime_ns > newest
            )
        )
    finally:
        first.stop()
    state.write_bytes(state.read_bytes()[:-100])

    second = again(first)
    try:
        second.start()

        assert second.balance() == 10_000 * 10**18 + 7
        assert "state.json was cut off; going on from its copy" in capsys.readouterr().out
    finally:
        second.stop()


def test_a_node_that_was_killed_while_it_wrote_comes_back_too(running: Run) -> None:
    state = running.places.chain / "state.json"
    running.pay()
    height = running.height()
    running.tick_until(lambda: running.is_saved(height))
    newest = state.stat().st_mtime_ns
    copy = chain_clock.copy_of(state)
    running.tick_until(lambda: copy.exists() and copy.stat().st_mtime_ns > newest)
    node = running.pids()[0]

    os.kill(node, signal.SIGKILL)
    state.write_bytes(state.read_bytes()[:-100])
    running.tick_until(lambda: node not in running.pids() and running.chain.answers())

    assert running.balance() == 10_000 * 10**18 + 7


def test_a_broken_state_without_a_copy_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    run = Run(tmp_path / "var")
    run.places.chain.mkdir()
    (run.places.chain / "state.json").write_text('{"block": ')
    try:
        with pytest.raises(StartError, match=r"is broken and has no copy: .*--fresh"):
            run.start()
    finally:
        run.stop()


def test_a_state_that_is_being_written_is_not_taken_for_a_copy(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"whole": 1}')
    newest = chain_clock.keep(state, newest=0)
    state.write_text('{"whole": 2, "cut off": ')

    assert chain_clock.keep(state, newest=newest) == newest

    assert json.loads(chain_clock.copy_of(state).read_text()) == {"whole": 1}


def test_the_clock_goes_on_while_the_node_is_away(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", chain_clock.__file__, "9", str(tmp_path / "state.json")],
        stdout=subprocess.PIPE,
        text=True,
    ) as clock:
        assert clock.stdout is not None
        assert clock.stdout.readline().startswith("no block: ")
        assert clock.poll() is None
        clock.terminate()
        assert clock.wait(timeout=10) == 0


def test_an_error_of_the_node_is_told(running: Run) -> None:
    with pytest.raises(NodeError, match="eth_nothing"):
        running.ask("eth_nothing")


def test_fresh_removes_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    found = places.of_environment(dict(os.environ))
    found.make()
    found.chain.mkdir()
    (found.chain / "state.json").write_text("{}")
    server = Server(
        progress=Progress(stream=io.StringIO()),
        ports=Ports(web=18311, sandbox=18312, chain=18313, mail=18314),
    )

    server._remove_data()

    assert not found.chain.exists()


def run_server(var: Path, **environment: str) -> str:
    """What script/server says before it refuses to start."""
    done = subprocess.run(
        [sys.executable, "-m", "launcher.server"],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout


def test_a_taken_port_of_the_chain_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = str(holder.getsockname()[1])
        said = run_server(tmp_path, PORT="18321", CHAIN_PORT=taken)

    assert said.startswith(f"Port {taken} cannot be used")
    assert said.endswith("choose another with PORT, SANDBOX_PORT, CHAIN_PORT or MAIL_PORT.\n")


def test_with_a_node_of_ones_own_no_dev_chain_needs_a_port(tmp_path: Path) -> None:
    here = ("127.0.0.1", 0)
    with socket.create_server(here) as chain, socket.create_server(here) as web:
        taken = str(web.getsockname()[1])
        said = run_server(
            tmp_path,
            CHAIN_PORT=str(chain.getsockname()[1]),
            SANDBOX_PORT=taken,
            CHAIN_RPC_URL="http://127.0.0.1:9",
        )

    assert said.startswith(f"Port {taken} cannot be used")


def test_ports_must_differ(tmp_path: Path) -> None:
    said = run_server(tmp_path, PORT="18321", CHAIN_PORT="18322")

    assert said == "PORT, SANDBOX_PORT, CHAIN_PORT and MAIL_PORT must differ.\n"


def test_the_demo_knows_who_signs_and_tests_know_nobody() -> None:
    demo, tests = demo_environment(), offline_environment()

    assert demo["CHAIN_POSTER"] == f"local:{DEV_ACCOUNTS[0].key}"
    assert demo["CHAIN_SWEEPER"] == f"local:{DEV_ACCOUNTS[3].key}"
    assert demo["CHAIN_GUARDIAN_ADDRESS"] == DEV_ACCOUNTS[1].address
    assert demo["CHAIN_TREASURY_ADDRESS"] == DEV_ACCOUNTS[2].address
    assert demo["CHAIN_TREASURY_SIGNER"] == f"local:{DEV_ACCOUNTS[2].key}"
    signers = ("CHAIN_POSTER", "CHAIN_SWEEPER", "CHAIN_TREASURY_SIGNER")
    for name in ("CHAIN_RPC_URL", *signers):
        assert tests[name] == ""


@pytest.fixture(autouse=True)
def no_chain_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' environment says that there is none; script/server's caller says nothing."""
    for name in ("CHAIN_RPC_URL", "CHAIN_ID"):
        monkeypatch.delenv(name, raising=False)
