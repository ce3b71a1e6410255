"""A process that builds sum trees of households, and tells how long it took and what it needed.

A tree is of so many households with wallets, half of their tokens each, and of the donors' reserve.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from Crypto.Hash import keccak

import benches.peer
from tokens import sum_tree

WEI_PER_MILLIWATT_HOUR = 10**12
MOST_MILLIWATT_HOURS = 4_000_000


def leaves(*, households: int) -> Iterator[dict[str, Any]]:
    """The arguments of each leaf, the same ones each time; the reserve, without wallet, is last."""
    rng = Random(1)
    tokens = 0
    for _ in range(households):
        milliwatt_hours = rng.randrange(MOST_MILLIWATT_HOURS)
        mine = milliwatt_hours * WEI_PER_MILLIWATT_HOUR // 2
        tokens += mine
        yield {
            "key": rng.randbytes(32),
            "wallet": rng.randbytes(20),
            "milliwatt_hours": milliwatt_hours,
            "tokens": mine,
        }
    yield {"key": rng.randbytes(32), "wallet": b"", "milliwatt_hours": 0, "tokens": tokens}


def build(*, households: int) -> dict[str, Any]:
    """Build a tree; returns what it took, the root's children, and the proof of the first leaf.

    The seconds are those from amounts to root, making up the amounts included.
    """
    began, cpu_before = perf_counter(), process_time()
    tree = sum_tree.Tree(sum_tree.leaf(**leaf) for leaf in leaves(households=households))
    seconds, cpu_seconds = perf_counter() - began, process_time() - cpu_before
    peak_mb = _peak_mb()
    left, right = tree.children
    first = next(leaves(households=households))
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mb": peak_mb,
        "left": _told(left),
        "right": _told(right),
        "key": first["key"].hex(),
        "wallet": "0x" + first["wallet"].hex(),
        "milliwatt_hours": first["milliwatt_hours"],
        "tokens": first["tokens"],
        "path": [_told(step) | {"is_left": step.is_left} for step in tree.path(0)],
    }


def hashing(*, households: int) -> dict[str, Any]:
    """Processor seconds of the same tree by SHA-256 (hashlib) and by Keccak (pycryptodome)."""
    nodes = list(leaves(households=households))
    seconds = {}
    for name, function in (("sha256", sha256), ("keccak", _keccak)) * 2:
        with patch.object(sum_tree, "sha256", function):
            began = process_time()
            sum_tree.Tree(sum_tree.leaf(**leaf) for leaf in nodes)
            seconds[name] = process_time() - began
    return seconds


def _keccak(text: bytes) -> Any:
    return keccak.new(data=text, digest_bits=256)


def _told(node: sum_tree.Node | sum_tree.Step) -> dict[str, Any]:
    return {
        "hash": "0x" + node.hash.hex(),
        "milliwatt_hours": node.milliwatt_hours,
        "tokens": node.tokens,
    }


def _peak_mb() -> float | None:
    """This process's highest resident memory since it began; None where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


def _answer(message: benches.peer.Message) -> benches.peer.Message:
    if message.pop("do") == "hashing":
        return hashing(**message)
    return build(**message)


if __name__ == "__main__":
    benches.peer.serve(_answer)
