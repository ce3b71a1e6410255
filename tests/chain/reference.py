"""A slow sum tree of objects, written from the design alone: contract and product must agree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """What one key has earned so far; key has 32 bytes, wallet is "0x..." text."""

    key: bytes
    wallet: str
    milliwatt_hours: int
    tokens: int

    @property
    def hash(self) -> bytes:
        wallet = bytes.fromhex(self.wallet[2:])
        words = (self.key, bytes(12) + wallet, word(self.milliwatt_hours), word(self.tokens))
        return hashlib.sha256(b"\x00" + b"".join(words)).digest()

    def but(self, **changes: Any) -> Leaf:
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A node over two others; its sums may be told wrongly, as an attacker would."""

    left: Leaf | Inner
    right: Leaf | Inner
    milliwatt_hours: int
    tokens: int

    @property
    def hash(self) -> bytes:
        words = [
            part
            for child in (self.left, self.right)
            for part in (child.hash, word(child.milliwatt_hours), word(child.tokens))
        ]
        return hashlib.sha256(b"\x01" + b"".join(words)).digest()


Node = Leaf | Inner


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def over(left: Node, right: Node) -> Inner:
    """The inner node over two nodes, with their sums."""
    return Inner(
        left=left,
        right=right,
        milliwatt_hours=left.milliwatt_hours + right.milliwatt_hours,
        tokens=left.tokens + right.tokens,
    )


def tree(nodes: Sequence[Node]) -> Inner:
    """The tree over at least two nodes: pairs, level by level; an odd last one is carried up."""
    level = list(nodes)
    while len(level) > 1:
        pairs: list[Node] = [over(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    root = level[0]
    assert isinstance(root, Inner)
    return root


def path(root: Inner, node: Node) -> list[dict[str, Any]]:
    """The siblings from a node (this very object) up to the root, as the contract takes them."""
    found = _path(root, node)
    assert found is not None, "not in the tree"
    return found


def _path(above: Node, node: Node) -> list[dict[str, Any]] | None:
    if above is node:
        return []
    if isinstance(above, Leaf):
        return None
    below = _path(above.left, node)
    if below is not None:
        return [*below, step(above.right, is_left=False)]
    below = _path(above.right, node)
    return None if below is None else [*below, step(above.left, is_left=True)]


def step(sibling: Node, *, is_left: bool) -> dict[str, Any]:
    return {**told(sibling), "is_left": is_left}


def told(node: Node) -> dict[str, Any]:
    """A node as the contract takes it."""
    return {
        "hash": node.hash,
        "milliwatt_hours": node.milliwatt_hours,
        "tokens": node.tokens,
    }
