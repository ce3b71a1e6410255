"""A real node (anvil) of its own for tests, and what tests do to it.

`chain_node` is a fresh chain a test module, so that contracts can be deployed once in a
module-scoped fixture; `chained` gives one test that node and the settings of a service that uses
it, and takes back afterwards what the test did to the chain.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from launcher import process
from launcher.dev_accounts import DEV_ACCOUNTS, GUARDIAN, POSTER, SWEEPER, TREASURY, DevAccount

CHAIN_ID = 31_337
_STARTS = 5
_READY_WITHIN_SECONDS = 20.0


class NodeError(Exception):
    """The node answered a call with an error; data is what a revert returned, or None."""

    def __init__(self, *, code: int, message: str, data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class ChainNode:
    """One anvil on a free loopback port. Mines a block at once for each transfer, unless told.

    At once means some milliseconds after the transfer was taken: what broadcasts by another way
    than send() calls drain() before it looks for the receipt. A block is `finalized` two epochs of
    four blocks later.
    """

    chain_id = CHAIN_ID
    accounts: Sequence[DevAccount] = DEV_ACCOUNTS
    poster, guardian, treasury, sweeper = POSTER, GUARDIAN, TREASURY, SWEEPER

    def __init__(self, *, directory: Path, arguments: Sequence[str] = ()) -> None:
        self._directory = directory
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._mines_at_once = True
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the node is stopped"
        return self._process.pid

    def start(self, *, port: int | None = None) -> None:
        """Start it, on a free port or on the one named; the chain is new each time."""
        self._mines_at_once = True
        for _ in range(_STARTS):
            self.port = port or _free_port()
            if self._launch():
                return
        raise AssertionError((self._directory / "anvil.log").read_text()[-2_000:])

    def stop(self, *, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; the port stays known, so that start(port=node.port) brings a node back."""
        if self._process is None:
            return
        self._process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.kill()
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Stop answering, with the connections left open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def rpc(self, method: str, *parameters: Any, timeout_seconds: float = 30.0) -> Any:
        """One JSON-RPC call; returns its result, raises NodeError or OSError."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            link.request(
                "POST", "/", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            answer = json.load(link.getresponse())
        finally:
            link.close()
        if "error" in answer:
            error = answer["error"]
            raise NodeError(code=error["code"], message=error["message"], data=error.get("data"))
        return answer["result"]

    def mine(self, blocks: int = 1, *, seconds: int = 1) -> int:
        """Mine blocks, so many seconds apart; returns the newest block's number."""
        self.rpc("anvil_mine", hex(blocks), hex(seconds))
        return self.block_number()

    def automine(self, *, is_on: bool) -> None:
        """Off: transfers stay in the pool until mine()."""
        self.rpc("evm_setAutomine", is_on)
        self._mines_at_once = is_on

    def drain(self) -> None:
        """Wait until the pool is empty: "at once" is a few milliseconds after the answer."""
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while int(self.rpc("txpool_status")["pending"], 16):
            assert time.monotonic() < deadline, "what waits in the pool is not mined"
            time.sleep(0.002)

    def reorg(
        self, depth: int, *, transfers: Sequence[tuple[dict[str, Any] | str, int]] = ()
    ) -> int:
        """Replace the newest `depth` blocks by as many others; returns the newest number.

        The replaced blocks' transfers are gone from the chain. transfers are put into the new
        ones: each a raw signed one (str) or fields of one (from, to, value, data), with the offset
        of its block, 0 the lowest.
        """
        self.rpc("anvil_reorg", depth, [list(pair) for pair in transfers])
        return self.block_number()

    def snapshot(self) -> str:
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot, which is used up; what waits in the pool is dropped."""
        self.rpc("anvil_dropAllTransactions")
        assert self.rpc("evm_revert", snapshot) is True, f"there is no snapshot {snapshot}"

    def set_time(self, timestamp: int) -> None:
        """The next block is of this Unix time, or the call fails where it lies before the last."""
        self.rpc("evm_setNextBlockTimestamp", hex(timestamp))

    def increase_time(self, seconds: int) -> None:
        """Set the chain's clock forward and mine a block by it."""
        self.rpc("evm_increaseTime", hex(seconds))
        self.mine()

    @contextlib.contextmanager
    def impersonate(self, address: str) -> Iterator[str]:
        """Let send() speak for any address, a contract's too; it gets a coin to pay gas with."""
        self.set_balance(address, wei=10**18)
        self.rpc("anvil_impersonateAccount", address)
        try:
            yield address
        finally:
            self.rpc("anvil_stopImpersonatingAccount", address)

    def set_balance(self, address: str, *, wei: int) -> None:
        self.rpc("anvil_setBalance", address, hex(wei))

    def balance(self, address: str, tag: int | str = "latest") -> int:
        return int(self.rpc("eth_getBalance", address, _tag(tag)), 16)

    def nonce(self, address: str, tag: int | str = "latest") -> int:
        return int(self.rpc("eth_getTransactionCount", address, _tag(tag)), 16)

    def code(self, address: str, tag: int | str = "latest") -> str:
        return str(self.rpc("eth_getCode", address, _tag(tag)))

    def call(self, *, to: str, data: str, sender: str | None = None, tag: str = "latest") -> str:
        """eth_call; returns what it returned, raises NodeError with the revert's data."""
        fields = {"to": to, "data": data} | ({"from": sender} if sender else {})
        return str(self.rpc("eth_call", fields, tag))

    def send(
        self, *, sender: str, to: str | None = None, data: str = "0x", value_wei: int = 0
    ) -> str:
        """Send from a dev account, or one that is impersonated; returns the transfer's hash.

        It is in a block when this returns, unless automine is off.
        """
        fields = {"from": sender, "data": data, "value": hex(value_wei)}
        if to is not None:
            fields["to"] = to
        sent = str(self.rpc("eth_sendTransaction", fields))
        if self._mines_at_once:
            self.drain()
        return sent

    def receipt(self, transfer_hash: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transfer_hash)
        return found

    def block(self, tag: int | str = "latest") -> dict[str, Any]:
        """A block as JSON-RPC gives it; latest, safe, finalized or a number."""
        found: dict[str, Any] = self.rpc("eth_getBlockByNumber", _tag(tag), False)
        return found

    def block_number(self, tag: int | str = "latest") -> int:
        return int(self.block(tag)["number"], 16)

    def finalized(self) -> int:
        """The number of the newest block that no reorg may replace."""
        return self.block_number("finalized")

    def finalize(self) -> int:
        """Mine until the block that is the newest now is finalized; returns the newest number."""
        goal = self.block_number()
        while self.finalized() < goal:
            self.mine()
        return self.block_number()

    def settings(self) -> dict[str, Any]:
        """The Django settings of a service on this chain, by name."""
        return {
            "CHAIN_RPC_URL": self.url,
            "CHAIN_ID": CHAIN_ID,
            "CHAIN_POSTER": f"local:{POSTER.key}",
            "CHAIN_SWEEPER": f"local:{SWEEPER.key}",
            "CHAIN_GUARDIAN_ADDRESS": GUARDIAN.address,
            "CHAIN_TREASURY_ADDRESS": TREASURY.address,
            "EPOCH_SECONDS": 300,
            "EPOCH_VETO_SECONDS": 15,
        }

    def _launch(self) -> bool:
        """Whether it started; not, where somebody took the port in between."""
        arguments = [os.environ["TEST_ANVIL"], "--quiet", "--host", "127.0.0.1"]
        arguments += ["--port", str(self.port), "--chain-id", str(CHAIN_ID)]
        arguments += ["--slots-in-an-epoch", "4", "--threads", "1", *self._arguments]
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "anvil.log").open("ab") as output:
            self._process = process.start(
                arguments,
                environment=os.environ,
                directory=self._directory,
                output=output.fileno(),
                death_signal=signal.SIGKILL,
            )
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while self._process.poll() is None:
            with contextlib.suppress(OSError):
                assert self.rpc("eth_chainId", timeout_seconds=1.0) == hex(CHAIN_ID)
                return True
            assert time.monotonic() < deadline, "anvil did not answer in time"
            time.sleep(0.01)
        self._process = None
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tag(tag: int | str) -> str:
    return hex(tag) if isinstance(tag, int) else tag


@contextlib.contextmanager
def chain(*, directory: Path, arguments: Sequence[str] = ()) -> Iterator[ChainNode]:
    """A node for the time of a with; arguments are further ones of anvil."""
    node = ChainNode(directory=directory, arguments=arguments)
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="module")
def chain_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode]:
    """A fresh chain for the module: what a test leaves on it, the next one finds."""
    with chain(directory=tmp_path_factory.mktemp("chain")) as node:
        yield node


@pytest.fixture
def own_chain_node(tmp_path: Path) -> Iterator[ChainNode]:
    """A fresh chain for one test."""
    with chain(directory=tmp_path / "chain") as node:
        yield node


@pytest.fixture
def chained(chain_node: ChainNode, settings: Any) -> Iterator[ChainNode]:
    """The module's chain with the settings that use it; afterwards it is as it was before."""
    for name, value in chain_node.settings().items():
        setattr(settings, name, value)
    snapshot = chain_node.snapshot()
    yield chain_node
    chain_node.automine(is_on=True)
    chain_node.revert(snapshot)
