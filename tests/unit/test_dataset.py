"""The data set: canonical bytes, from which anybody gets the root, and nothing else passes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens import dataset
from tokens.dataset import Anchor, Claim, CohortSums, Heading, Leaves, Malformed
from tokens.sum_tree import Tree

HEADING = Heading(
    site="kisima",
    chain_id=100,
    ledger="0x" + "11" * 20,
    token="0x" + "22" * 20,
    number=3,
    attempt=1,
    starts_at=datetime(2026, 3, 2, tzinfo=UTC),
    ends_at=datetime(2026, 3, 3, tzinfo=UTC),
    closed_at=datetime(2026, 3, 3, 1, 0, 0, 500, tzinfo=UTC),
    wei_per_milliwatt_hour=10**12,
    book_height=17,
    book_hash="0x" + "33" * 32,
    carry_milliwatt_hours=0,
    carry_wei=0,
    energy={"slots": "96", "is_balanced": True},
)


def key(number: int) -> str:
    return "0x" + f"{number:064x}"


def claim(number: int, *, tokens: int = 1, energy: int = 0, wallet: str = "") -> Claim:
    return Claim(key=key(number), wallet=wallet, milliwatt_hours=energy, tokens_wei=tokens)


def cohort(number: int, *amounts: int) -> CohortSums:
    homes = [claim(100 * number + place, energy=e, tokens=e) for place, e in enumerate(amounts)]
    return CohortSums(number=number, households=len(homes), node=dataset.cohort_tree(homes).root)


LEAVES = Leaves(
    cohorts=(cohort(2, 1, 2, 3, 4, 5), cohort(1, 6, 7, 8, 9, 10, 11)),
    donations=(claim(9, tokens=30, wallet="0x" + "Ab" * 20), claim(4, tokens=10)),
    reserve=claim(1, tokens=20),
    unallocated=claim(2, tokens=6),
)
CONTENT = dataset.write(heading=HEADING, leaves=LEAVES)


def test_the_bytes_are_canonical_json() -> None:
    read = json.loads(CONTENT)
    assert json.dumps(read, sort_keys=True, separators=(",", ":")).encode() == CONTENT
    assert read["format"] == "impact-epoch/1"
    assert read["closed_at"] == "2026-03-03T01:00:00.000500Z"
    assert read["book"] == {"height": "17", "hash": "0x" + "33" * 32}
    assert [node["kind"] for node in read["nodes"]] == [
        *("cohort", "cohort", "donation", "donation", "reserve", "unallocated")
    ]
    assert [node.get("number") for node in read["nodes"][:2]] == ["1", "2"]
    assert [node["key"] for node in read["nodes"][2:4]] == [key(4), key(9)]
    assert [node["wallet"] for node in read["nodes"][2:4]] == [None, "0x" + "Ab" * 20]


def test_what_else_was_published_is_anchored_by_its_hash() -> None:
    anchors = (
        Anchor(kind="round", number=1, hash=key(5)),
        Anchor(kind="round", number=2, hash=key(6)),
    )
    content = dataset.write(heading=replace(HEADING, anchors=anchors), leaves=LEAVES)
    assert json.loads(CONTENT)["anchors"] == []
    assert json.loads(content)["anchors"] == [
        {"kind": "round", "number": "1", "hash": key(5)},
        {"kind": "round", "number": "2", "hash": key(6)},
    ]
    assert dataset.rebuild(content) == dataset.rebuild(CONTENT)


def test_no_number_stands_there_as_a_number() -> None:
    def plain(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [each for one in value.values() for each in plain(one)]
        if isinstance(value, list):
            return [each for one in value for each in plain(one)]
        return [value]

    assert {type(value) for value in plain(json.loads(CONTENT))} == {str, bool, type(None)}


def test_the_root_is_that_of_the_tree_in_the_published_order() -> None:
    by_hand = Tree(
        [
            LEAVES.cohorts[1].node,
            LEAVES.cohorts[0].node,
            LEAVES.donations[1].node,
            LEAVES.donations[0].node,
            LEAVES.reserve.node,
            LEAVES.unallocated.node,
        ]
    ).root
    assert dataset.rebuild(CONTENT) == LEAVES.tree.root == by_hand
    assert json.loads(CONTENT)["root"] == "0x" + by_hand.hash.hex()


def test_the_hash_is_that_of_the_bytes() -> None:
    assert dataset.hash_of(CONTENT) == "0x" + sha256(CONTENT).hexdigest()


def test_instants_are_told_in_utc_wherever_they_come_from() -> None:
    nairobi = timezone(timedelta(hours=3))
    moved = replace(HEADING, starts_at=HEADING.starts_at.astimezone(nairobi))
    assert dataset.write(heading=moved, leaves=LEAVES) == CONTENT


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(CONTENT) | fields, sort_keys=True, separators=(",", ":")).encode()


def with_node(place: int, **fields: Any) -> bytes:
    nodes = json.loads(CONTENT)["nodes"]
    nodes[place] = nodes[place] | fields
    return changed(nodes=nodes)


def reordered(*places: int) -> bytes:
    nodes = json.loads(CONTENT)["nodes"]
    return changed(nodes=[nodes[place] for place in places])


ALTERED = {
    "more tokens of a cohort": with_node(0, tokens="51000"),
    "less energy of a cohort": with_node(1, milliwatt_hours="14"),
    "another hash of a cohort": with_node(0, hash="0x" + "00" * 32),
    "more of a donation": with_node(2, tokens="11"),
    "another wallet": with_node(3, wallet="0x" + "cd" * 20),
    "a wallet where none was": with_node(2, wallet="0x" + "cd" * 20),
    "more of the reserve": with_node(4, tokens="21"),
    "another root": changed(root="0x" + "00" * 32),
    "a node less": reordered(0, 1, 2, 4, 5),
    "cohorts swapped": reordered(1, 0, 2, 3, 4, 5),
    "donations swapped": reordered(0, 1, 3, 2, 4, 5),
    "a node twice": reordered(0, 0, 1, 2, 3, 4, 5),
    "no reserve": reordered(0, 1, 2, 3, 5),
    "two reserves": reordered(0, 1, 2, 3, 4, 4, 5),
    "nothing unallocated": reordered(0, 1, 2, 3, 4),
    "no node": changed(nodes=[]),
    "nodes that are none": changed(nodes=["x"]),
    "nodes that are no list": changed(nodes=7),
    "an unknown kind": with_node(0, kind="village"),
    "a number": with_node(4, tokens=20),
    "a number with a blank": with_node(4, tokens=" 20"),
    "a number below zero": with_node(4, tokens="-20"),
    "a fraction": with_node(4, tokens="20.0"),
    "a key that is too short": with_node(4, key="0x01"),
    "a key of nothing": with_node(4, key=None),
    "another format": changed(format="impact-epoch/2"),
    "a list": b"[]",
    "no JSON": b"\xff",
    "blanks": CONTENT.replace(b'","', b'", "', 1),
    "a key twice": CONTENT.replace(b'"site":"kisima"', b'"site":"lofe","site":"kisima"'),
    "nothing": b"",
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_data_set_is_refused(what: str) -> None:
    assert ALTERED[what] != CONTENT
    with pytest.raises(Malformed):
        dataset.rebuild(ALTERED[what])


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_any_byte_changed_changes_the_hash_and_never_passes_for_other_leaves(
    place: int, bits: int
) -> None:
    altered = bytearray(CONTENT)
    altered[place] ^= bits
    assert dataset.hash_of(bytes(altered)) != dataset.hash_of(CONTENT)
    try:
        root = dataset.rebuild(bytes(altered))
    except Malformed:
        return
    assert root == LEAVES.tree.root


def test_a_leaf_without_a_proper_key_is_refused() -> None:
    for wrong in ("0x01", "nonsense", key(1) + "00"):
        with pytest.raises(ValueError, match=r"hexadecimal|32 bytes"):
            _ = replace(LEAVES.reserve, key=wrong).node
