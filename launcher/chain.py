"""The dev chain of script/server: anvil on a loopback port, its state kept under var/chain."""

from __future__ import annotations

import contextlib
import http.client
import signal
import sys
from pathlib import Path

from launcher import anvil_install, chain_clock
from launcher.chain_clock import NodeError, ask
from launcher.dev_accounts import GUARDIAN, POSTER, SWEEPER, TREASURY
from launcher.places import Places
from launcher.steps import BootstrapError
from launcher.supervisor import Program, StartError

CHAIN_ID = 31_337
SLOTS_IN_AN_EPOCH = 4  # a block is finalized two of them later: 16 s
KEPT_STATES = 32  # of the newest blocks; calls at `finalized` need the last eight
EPOCHS = {"EPOCH_SECONDS": "300", "EPOCH_VETO_SECONDS": "15"}
STATE_SECONDS = 2  # less than blocks take to be finalized: a kill takes no finalized block back


class DevChain:
    """One anvil and its clock."""

    def __init__(self, *, places: Places, port: int) -> None:
        self._places = places
        self._port = port
        self._state = places.chain / "state.json"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Make sure that the kept state can be read; after a kill it may be half a file."""
        self._places.chain.mkdir(mode=0o700, exist_ok=True)
        if not chain_clock.mend(self._state):
            raise StartError(
                f"{self._state} is broken and has no copy: start over with script/server --fresh."
            )

    def node(self) -> Program:
        try:
            binary = anvil_install.binary()
        except BootstrapError as error:
            raise StartError(str(error)) from error
        return Program(
            name="chain",
            arguments=[
                *(str(binary), "--quiet", "--host", "127.0.0.1", "--port", str(self._port)),
                *("--chain-id", str(CHAIN_ID), "--threads", "1", "--no-mining"),
                *("--slots-in-an-epoch", str(SLOTS_IN_AN_EPOCH)),
                *("--prune-history", str(KEPT_STATES)),
                *("--state", str(self._state), "--state-interval", str(STATE_SECONDS)),
            ],
            directory=self._places.chain,
            log=self._places.log / "chain.log",
            stop_signal=signal.SIGTERM,
            is_ready=self.answers,
        )

    def clock(self) -> Program:
        file = Path(chain_clock.__file__)
        return Program(
            name="chain-clock",
            arguments=[
                *(sys.executable, "-I", "-S", str(file)),
                *(str(self._port), str(self._state)),
            ],
            directory=self._places.chain,
            log=self._places.log / "chain-clock.log",
            is_ready=self.is_going,
        )

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException, NodeError):
            return bool(ask(self._port, "eth_chainId", timeout_seconds=1.0) == hex(CHAIN_ID))
        return False

    def is_going(self) -> bool:
        """Whether it has blocks, and the state of the finalized one."""
        with contextlib.suppress(OSError, http.client.HTTPException, NodeError):
            return int(ask(self._port, "eth_blockNumber"), 16) > 0 and chain_clock.knows_finalized(
                self._port
            )
        return False

    def environment(self) -> dict[str, str]:
        """The settings of a service on this chain; whoever reads them can sign, as may a demo's."""
        return {"CHAIN_RPC_URL": self.url, **demo_environment()}


def demo_environment() -> dict[str, str]:
    """Which chain the demo is on, and whose keys sign."""
    return {
        "CHAIN_ID": str(CHAIN_ID),
        "CHAIN_POSTER": f"local:{POSTER.key}",
        "CHAIN_SWEEPER": f"local:{SWEEPER.key}",
        "CHAIN_TREASURY_SIGNER": f"local:{TREASURY.key}",
        "CHAIN_GUARDIAN_ADDRESS": GUARDIAN.address,
        "CHAIN_TREASURY_ADDRESS": TREASURY.address,
    }
