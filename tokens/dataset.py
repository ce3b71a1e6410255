"""The data set of an epoch: what is published, byte for byte, and the tree over it.

Canonical JSON: keys sorted, no blanks, ASCII, integers as strings of decimal digits (they outgrow
what JSON readers keep), hashes and addresses as 0x and hexadecimal, instants as ISO 8601 in UTC.
Its SHA-256 is told in the proposal, so the bytes are the thing and not what they mean. It holds no
personal data: households stand as sums of cohorts, donations under random keys. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from tokens.sum_tree import Node, Tree, leaf

FORMAT = "impact-epoch/1"
COHORT, DONATION, RESERVE, UNALLOCATED = "cohort", "donation", "reserve", "unallocated"
NODE_KINDS = (COHORT, DONATION, RESERVE, UNALLOCATED)
_WHOLE = re.compile(r"0|[1-9][0-9]*")


class Malformed(Exception):
    """The bytes are no data set of this format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A leaf: whose (key), where to (wallet; empty: nowhere yet), how much."""

    key: str
    wallet: str = ""
    milliwatt_hours: int
    tokens_wei: int

    @property
    def node(self) -> Node:
        """The leaf's node. Raises ValueError where key or wallet are no hexadecimal of theirs."""
        return leaf(
            key=bytes.fromhex(self.key.removeprefix("0x")),
            wallet=bytes.fromhex(self.wallet.removeprefix("0x")),
            milliwatt_hours=self.milliwatt_hours,
            tokens=self.tokens_wei,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortSums:
    """A cohort of households as it is published: the root of its own tree."""

    number: int
    households: int
    node: Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaves:
    """What the top tree stands over, in its order."""

    cohorts: tuple[CohortSums, ...]
    donations: tuple[Claim, ...]
    reserve: Claim
    unallocated: Claim

    @property
    def tree(self) -> Tree:
        """Cohorts by number, donations by key, the reserve, the unallocated."""
        return Tree(
            [
                *(cohort.node for cohort in sorted(self.cohorts, key=lambda one: one.number)),
                *(claim.node for claim in by_key(self.donations)),
                self.reserve.node,
                self.unallocated.node,
            ]
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """Something else that was published, by its hash: the count of a vote (kind round)."""

    kind: str
    number: int
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """What an epoch is besides its leaves."""

    site: str
    chain_id: int
    ledger: str
    token: str
    number: int
    attempt: int
    starts_at: datetime
    ends_at: datetime
    closed_at: datetime
    wei_per_milliwatt_hour: int
    book_height: int
    book_hash: str
    carry_milliwatt_hours: int
    carry_wei: int
    energy: Mapping[str, str | bool]
    anchors: tuple[Anchor, ...] = ()


def by_key(claims: Iterable[Claim]) -> list[Claim]:
    """Order leaves as their tree has them."""
    return sorted(claims, key=lambda claim: claim.key)


def cohort_tree(households: Iterable[Claim]) -> Tree:
    """The tree inside a cohort: its households' leaves by key."""
    return Tree(claim.node for claim in by_key(households))


def write(*, heading: Heading, leaves: Leaves) -> bytes:
    """Return the bytes that are published."""
    return _canonical(
        {
            "format": FORMAT,
            "site": heading.site,
            "chain_id": str(heading.chain_id),
            "ledger": heading.ledger,
            "token": heading.token,
            "epoch": str(heading.number),
            "attempt": str(heading.attempt),
            "starts_at": instant(heading.starts_at),
            "ends_at": instant(heading.ends_at),
            "closed_at": instant(heading.closed_at),
            "wei_per_milliwatt_hour": str(heading.wei_per_milliwatt_hour),
            "book": {"height": str(heading.book_height), "hash": heading.book_hash},
            "carry": {
                "milliwatt_hours": str(heading.carry_milliwatt_hours),
                "tokens": str(heading.carry_wei),
            },
            "nodes": _nodes(leaves),
            "energy": dict(heading.energy),
            "anchors": [
                {"kind": each.kind, "number": str(each.number), "hash": each.hash}
                for each in heading.anchors
            ],
            "root": hexed(leaves.tree.root.hash),
        }
    )


def hash_of(content: bytes) -> str:
    """The data set's hash as the proposal tells it."""
    return hexed(sha256(content).digest())


def rebuild(content: bytes) -> Node:
    """Return the root over a data set's nodes, computed from its bytes alone.

    Raises Malformed where the bytes are no data set, are not canonical, or name another root.
    """
    read = _parsed(content)
    if _canonical(read) != content:
        raise Malformed("the data set is not in its canonical form")
    try:
        tree = Tree([_node(entry) for entry in _in_order(read["nodes"])])
        named = read["root"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"the data set can't be read: {error!r}") from error
    if hexed(tree.root.hash) != named:
        raise Malformed(f"the nodes give {hexed(tree.root.hash)}, the data set says {named}")
    return tree.root


def instant(at: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def hexed(value: bytes) -> str:
    """0x and hexadecimal."""
    return "0x" + value.hex()


def _nodes(leaves: Leaves) -> list[dict[str, Any]]:
    cohorts = sorted(leaves.cohorts, key=lambda cohort: cohort.number)
    return [
        *(
            {
                "kind": COHORT,
                "number": str(cohort.number),
                "households": str(cohort.households),
                "hash": hexed(cohort.node.hash),
                "milliwatt_hours": str(cohort.node.milliwatt_hours),
                "tokens": str(cohort.node.tokens),
            }
            for cohort in cohorts
        ),
        *(
            _entry(DONATION, claim) | {"wallet": claim.wallet or None}
            for claim in by_key(leaves.donations)
        ),
        _entry(RESERVE, leaves.reserve),
        _entry(UNALLOCATED, leaves.unallocated),
    ]


def _entry(kind: str, claim: Claim) -> dict[str, Any]:
    return {
        "kind": kind,
        "key": claim.key,
        "milliwatt_hours": str(claim.milliwatt_hours),
        "tokens": str(claim.tokens_wei),
    }


def _node(entry: Mapping[str, Any]) -> Node:
    if entry["kind"] == COHORT:
        return Node(
            bytes.fromhex(entry["hash"].removeprefix("0x")),
            _whole(entry["milliwatt_hours"]),
            _whole(entry["tokens"]),
        )
    return Claim(
        key=entry["key"],
        wallet=entry.get("wallet") or "",
        milliwatt_hours=_whole(entry["milliwatt_hours"]),
        tokens_wei=_whole(entry["tokens"]),
    ).node


def _whole(digits: str) -> int:
    if not _WHOLE.fullmatch(digits):
        raise ValueError(f"{digits[:80]} is no whole number")
    return int(digits)


def _in_order(entries: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Refuse nodes in another order than the one they are published in, or twice."""
    places = [
        (
            NODE_KINDS.index(entry["kind"]),
            _whole(entry["number"]) if entry["kind"] == COHORT else 0,
            entry.get("key", ""),
        )
        for entry in entries
    ]
    if places != sorted(set(places)):
        raise ValueError("the nodes are not in order, or one stands there twice")
    if [place[0] for place in places[-2:]] != [2, 3]:
        raise ValueError("the reserve and the unallocated come last, once each")
    if sum(place[0] >= 2 for place in places) != 2:
        raise ValueError("the reserve and the unallocated come once each")
    return entries


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        read = json.loads(content)
    except ValueError as error:
        raise Malformed(f"the data set is no JSON: {error}") from error
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise Malformed(f"the data set is not of the format {FORMAT}")
    return read


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
