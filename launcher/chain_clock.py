"""The clock of the dev chain: a block every two seconds, and a copy of its state that is whole.

Anvil mines by itself, too, but with a short interval it keeps the state after every block for ever
(1.7.1: 1.7 GB after 5,000 blocks), whatever --prune-history says; told to mine, it does not.
Right after a start it knows no state but the newest, so that calls at `finalized` fail: then blocks
follow each other at once until they do not. Anvil writes its state in place; a kill in the middle
leaves half a file, which is why a whole one is kept beside it.

Run as a file with the standard library only: chain_clock.py PORT STATE-FILE
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

BLOCK_SECONDS = 2.0
COPY_SECONDS = 4.0
_NOBODY = "0x" + "0" * 40
_PATIENCE_SECONDS = 10.0


class NodeError(Exception):
    """The node answered with an error of its own."""


def ask(
    port: int, method: str, *parameters: Any, timeout_seconds: float = _PATIENCE_SECONDS
) -> Any:
    """One JSON-RPC call on the loopback; OSError or HTTPException without an answer."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        link.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(link.getresponse().read())
    except ValueError as error:
        raise NodeError(f"{method} answered no JSON") from error
    finally:
        link.close()
    if "error" in answer:
        raise NodeError(f"{method}: {answer['error'].get('message')}")
    return answer["result"]


def copy_of(state: Path) -> Path:
    """Where the copy of a state file lies."""
    return state.with_suffix(".kept.json")


def is_whole(state: Path) -> bool:
    """Whether the file is JSON to its end."""
    try:
        return isinstance(json.loads(state.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def knows_finalized(port: int) -> bool:
    """Whether the node still has the state of the block that it calls finalized."""
    try:
        ask(port, "eth_getBalance", _NOBODY, "finalized")
    except NodeError:
        return False
    return True


def keep(state: Path, *, newest: int) -> int:
    """Copy a state file that was written since `newest` (its time in ns) and seems whole."""
    with contextlib.suppress(OSError):
        written = state.stat().st_mtime_ns
        with state.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if written == newest or file.read() != b"}":
                return newest
        fresh = copy_of(state).with_suffix(".new")
        shutil.copyfile(state, fresh)
        if state.stat().st_mtime_ns == written:  # not written to while it was copied
            fresh.replace(copy_of(state))
            return written
    return newest


def mend(state: Path) -> bool:
    """Put the copy in place of a state that was cut off; False where there is no whole one."""
    if not state.exists() or is_whole(state):
        return True
    if not is_whole(copy_of(state)):
        return False
    fresh = state.with_suffix(".mended")
    shutil.copyfile(copy_of(state), fresh)
    fresh.replace(state)
    print(f"{state.name} was cut off; going on from its copy", flush=True)
    return True


def main(arguments: list[str]) -> None:
    port, state = int(arguments[0]), Path(arguments[1])
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(0))
    copied_at, newest = time.monotonic(), 0
    due = time.monotonic()
    while True:
        try:
            ask(port, "evm_mine")
            if not knows_finalized(port):
                continue
        except ConnectionRefusedError as error:
            print(f"no block: {error}", flush=True)
            mend(state)  # nobody writes it now; the node is about to be started again
        except (OSError, http.client.HTTPException, NodeError) as error:
            print(f"no block: {error}", flush=True)
        if time.monotonic() - copied_at >= COPY_SECONDS:
            copied_at, newest = time.monotonic(), keep(state, newest=newest)
        due = max(due + BLOCK_SECONDS, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0.05))


if __name__ == "__main__":
    main(sys.argv[1:])
