"""A process that builds sum trees of households, and tells how long it took and what it needed.

A tree is of so many households with wallets, half of their tokens each, and of the donors' reserve.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from unittest.mock import patch

from Crypto.Hash import keccak

import benches.peer
from tokens import sum_tree

WEI_PER_MILLIWATT_HOUR = 10**12
MOST_MILLIWATT_HOURS = 4_000_000


class Households:
    """Leaves that follow from the seed alone, made one at a time."""

    def __init__(self, *, count: int, seed: int) -> None:
        self.count = count
        self._seed = seed

    def leaves(self) -> Iterator[dict[str, Any]]:
        """The arguments of each leaf; the reserve, without a wallet, is the last."""
        rng = Random(self._seed)
        tokens = 0
        for _ in range(self.count):
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


def build(*, households: int, seed: int, at: int) -> dict[str, Any]:
    """Build a tree; returns seconds, peak_mb, the root's children, and the proof of one leaf.

    The seconds are those from the leaves' amounts to the root, making up the amounts included.
    """
    source = Households(count=households, seed=seed)
    began = perf_counter()
    tree = sum_tree.Tree(sum_tree.leaf(**leaf) for leaf in source.leaves())
    seconds = perf_counter() - began
    peak_mb = _peak_mb()
    left, right = tree.children
    leaf = next(leaf for place, leaf in enumerate(source.leaves()) if place == at)
    return {
        "seconds": seconds,
        "peak_mb": peak_mb,
        "left": _told(left),
        "right": _told(right),
        "key": leaf["key"].hex(),
        "wallet": "0x" + leaf["wallet"].hex(),
        "milliwatt_hours": leaf["milliwatt_hours"],
        "tokens": leaf["tokens"],
        "path": [_told(step) | {"is_left": step.is_left} for step in tree.path(at)],
    }


def hashing(*, households: int) -> dict[str, Any]:
    """Seconds that the same tree takes with SHA-256 (hashlib) and with Keccak (pycryptodome)."""
    nodes = list(Households(count=households, seed=1).leaves())
    seconds = {}
    for name, function in (("sha256", sha256), ("keccak", _keccak)) * 2:
        with patch.object(sum_tree, "sha256", function):
            began = perf_counter()
            sum_tree.Tree(sum_tree.leaf(**leaf) for leaf in nodes)
            seconds[name] = perf_counter() - began
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
