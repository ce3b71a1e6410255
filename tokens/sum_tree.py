"""A sum tree: a hash tree whose inner nodes commit to the energy and tokens of both children.

    leaf = sha256(0x00 || key || wallet || milliwatt_hours || tokens)
    node = sha256(0x01 || left.hash || left.milliwatt_hours || left.tokens
                       || right.hash || right.milliwatt_hours || right.tokens)

Every word is 32 bytes, integers big-endian, the wallet left-padded (zero: none). A node's sums are
those of its children, each hashed in a word of its own: two sums in one word could carry into each
other, and a hash of the total alone would let a child's sum be chosen freely (eprint 2018/1139).
The first byte keeps an inner node from passing as a leaf. The last node of an odd level is carried
up unchanged. Pure. The ledger contract computes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

LEAF, INNER = b"\x00", b"\x01"
WORD_BYTES = 32
KEY_BYTES = 32
WALLET_BYTES = 20
RECORD_BYTES = 3 * WORD_BYTES
PAIR_BYTES = 2 * RECORD_BYTES
LONGEST_PATH = 40
"""Steps the ledger contract takes: enough for 10^12 leaves."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node's hash (32 bytes) and the sums of all leaves under it."""

    hash: bytes
    milliwatt_hours: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Step:
    """The sibling met on the way up from a leaf; is_left: it stands left of the way."""

    hash: bytes
    milliwatt_hours: int
    tokens: int
    is_left: bool


def leaf(*, key: bytes, wallet: bytes, milliwatt_hours: int, tokens: int) -> Node:
    """Return the leaf of a key (32 bytes) and a wallet (20 bytes, or empty: none yet).

    tokens are wei. Raises ValueError for other lengths and for sums outside of 256 bits.
    """
    if len(key) != KEY_BYTES or len(wallet) not in (0, WALLET_BYTES):
        raise ValueError("a key has 32 bytes, a wallet 20 or none")
    text = LEAF + key + wallet.rjust(WORD_BYTES, b"\0") + _word(milliwatt_hours) + _word(tokens)
    return Node(sha256(text).digest(), milliwatt_hours, tokens)


def combine(left: Node, right: Node) -> Node:
    """Return the inner node over two nodes. Raises ValueError for sums outside of 256 bits."""
    milliwatt_hours = left.milliwatt_hours + right.milliwatt_hours
    tokens = left.tokens + right.tokens
    _word(milliwatt_hours), _word(tokens)
    return Node(sha256(INNER + _record(left) + _record(right)).digest(), milliwatt_hours, tokens)


def climb(*, node: Node, path: Sequence[Step]) -> Node:
    """Return the root that a path leads to from a node. Raises ValueError as `combine` does."""
    for step in path:
        sibling = Node(step.hash, step.milliwatt_hours, step.tokens)
        node = combine(sibling, node) if step.is_left else combine(node, sibling)
    return node


def verify(
    *,
    key: bytes,
    wallet: bytes,
    milliwatt_hours: int,
    tokens: int,
    path: Sequence[Step],
    root: Node,
) -> bool:
    """Return whether the path proves that the root, with its sums, holds just this leaf."""
    if len(path) > LONGEST_PATH:
        return False
    try:
        own = leaf(key=key, wallet=wallet, milliwatt_hours=milliwatt_hours, tokens=tokens)
        return climb(node=own, path=path) == root
    except ValueError:
        return False


class Tree:
    """The tree over a sequence of nodes: leaves, or roots of trees of their own.

    Keeps each level as packed records of 96 bytes, no object per node.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Build all levels. Raises ValueError for no node and for sums outside of 256 bits."""
        level = bytearray()
        for node in nodes:
            level += _record(node)
        if not level:
            raise ValueError("a tree needs a node")
        self._levels = [level]
        while len(level) > RECORD_BYTES:
            level = _above(level)
            self._levels.append(level)

    def __len__(self) -> int:
        """Return how many nodes the tree was built over."""
        return len(self._levels[0]) // RECORD_BYTES

    @property
    def root(self) -> Node:
        """The root; of a single node, that node."""
        return _node(self._levels[-1], 0)

    @property
    def children(self) -> tuple[Node, Node]:
        """What stands left and right under the root. Raises ValueError for a single node."""
        if len(self) == 1:
            raise ValueError("a single node has no children")
        return _node(self._levels[-2], 0), _node(self._levels[-2], 1)

    def path(self, position: int) -> list[Step]:
        """Return the siblings from a node, counted from 0, up to the root. Raises IndexError."""
        if not 0 <= position < len(self):
            raise IndexError(f"the tree has {len(self)} nodes, none at {position}")
        steps = []
        for level in self._levels[:-1]:
            beside = position ^ 1
            if beside * RECORD_BYTES < len(level):
                node = _node(level, beside)
                steps.append(
                    Step(node.hash, node.milliwatt_hours, node.tokens, is_left=beside < position)
                )
            position //= 2
        return steps


def _above(level: bytearray) -> bytearray:
    above = bytearray()
    from_bytes = int.from_bytes
    try:
        for start in range(0, len(level) - RECORD_BYTES, PAIR_BYTES):
            pair = bytes(level[start : start + PAIR_BYTES])
            energy = from_bytes(pair[32:64], "big") + from_bytes(pair[128:160], "big")
            tokens = from_bytes(pair[64:96], "big") + from_bytes(pair[160:192], "big")
            above += sha256(INNER + pair).digest()
            above += energy.to_bytes(WORD_BYTES, "big") + tokens.to_bytes(WORD_BYTES, "big")
    except OverflowError as error:
        raise ValueError("a sum does not fit 256 bits") from error
    if len(level) % PAIR_BYTES:
        above += level[-RECORD_BYTES:]
    return above


def _word(number: int) -> bytes:
    try:
        return number.to_bytes(WORD_BYTES, "big")
    except OverflowError as error:
        raise ValueError(f"{number} does not fit 256 bits") from error


def _record(node: Node) -> bytes:
    if len(node.hash) != WORD_BYTES:
        raise ValueError("a hash has 32 bytes")
    return node.hash + _word(node.milliwatt_hours) + _word(node.tokens)


def _node(level: bytearray, position: int) -> Node:
    record = bytes(level[position * RECORD_BYTES : (position + 1) * RECORD_BYTES])
    return Node(
        record[:32], int.from_bytes(record[32:64], "big"), int.from_bytes(record[64:], "big")
    )
