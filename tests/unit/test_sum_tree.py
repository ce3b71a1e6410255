"""The sum tree against a slow recursive one, and what must not pass as a proof."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.sum_tree import LONGEST_PATH, Node, Step, Tree, climb, combine, leaf, verify

LARGEST = 2**256 - 1


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def slow_root(nodes: list[Node]) -> Node:
    """The definition, top down: the left child takes the largest full tree that leaves a rest."""
    if len(nodes) == 1:
        return nodes[0]
    width = 1
    while width * 2 < len(nodes):
        width *= 2
    left, right = slow_root(nodes[:width]), slow_root(nodes[width:])
    text = b"\x01"
    for child in (left, right):
        text += child.hash + words(child.milliwatt_hours, child.tokens)
    return Node(
        sha256(text).digest(),
        left.milliwatt_hours + right.milliwatt_hours,
        left.tokens + right.tokens,
    )


sums = st.integers(0, 10) | st.integers(0, 2**200)
owned = st.lists(
    st.tuples(
        st.binary(min_size=32, max_size=32),
        st.just(b"") | st.binary(min_size=20, max_size=20),
        sums,
        sums,
    ),
    min_size=1,
    max_size=40,
)


def node_of(owner: tuple[bytes, bytes, int, int]) -> Node:
    key, wallet, energy, tokens = owner
    return leaf(key=key, wallet=wallet, milliwatt_hours=energy, tokens=tokens)


def village(count: int = 7) -> tuple[Tree, list[tuple[bytes, bytes, int, int]]]:
    owners = [
        (bytes([number]) * 32, bytes([number]) * 20, 10 * number, 1_000 * number)
        for number in range(1, count + 1)
    ]
    return Tree(map(node_of, owners)), owners


def proves(tree: Tree, owner: tuple[bytes, bytes, int, int], path: list[Step]) -> bool:
    key, wallet, energy, tokens = owner
    return verify(
        key=key, wallet=wallet, milliwatt_hours=energy, tokens=tokens, path=path, root=tree.root
    )


@given(owned)
def test_the_tree_is_that_of_the_slow_definition(
    owners: list[tuple[bytes, bytes, int, int]],
) -> None:
    nodes = [node_of(owner) for owner in owners]
    tree = Tree(nodes)
    assert tree.root == slow_root(nodes)
    assert tree.root.milliwatt_hours == sum(owner[2] for owner in owners)
    assert tree.root.tokens == sum(owner[3] for owner in owners)
    assert len(tree) == len(owners)


@given(owned)
def test_every_path_proves_its_own_leaf(owners: list[tuple[bytes, bytes, int, int]]) -> None:
    tree = Tree(map(node_of, owners))
    for position, owner in enumerate(owners):
        assert proves(tree, owner, tree.path(position))


@given(owned, st.data())
def test_a_path_proves_no_other_amount_key_or_wallet(
    owners: list[tuple[bytes, bytes, int, int]], data: st.DataObject
) -> None:
    tree = Tree(map(node_of, owners))
    position = data.draw(st.integers(0, len(owners) - 1))
    key, wallet, energy, tokens = owners[position]
    path = tree.path(position)
    more = data.draw(st.integers(1, 2**64))
    other_key = bytes([key[0] ^ 1]) + key[1:]
    other_wallet = b"\xff" * 20 if wallet != b"\xff" * 20 else b"\xfe" * 20
    assert not proves(tree, (key, wallet, energy + more, tokens), path)
    assert not proves(tree, (key, wallet, energy, tokens + more), path)
    assert not proves(tree, (other_key, wallet, energy, tokens), path)
    assert not proves(tree, (key, other_wallet, energy, tokens), path)


@given(owned, st.data())
def test_a_path_with_one_thing_changed_proves_nothing(
    owners: list[tuple[bytes, bytes, int, int]], data: st.DataObject
) -> None:
    tree = Tree(map(node_of, owners))
    position = data.draw(st.integers(0, len(owners) - 1))
    path = tree.path(position)
    if not path:
        return
    at = data.draw(st.integers(0, len(path) - 1))
    step = path[at]
    changes = [
        replace(step, hash=bytes([step.hash[0] ^ 1]) + step.hash[1:]),
        replace(step, milliwatt_hours=step.milliwatt_hours + 1),
        replace(step, tokens=step.tokens + 1),
    ]
    below = climb(node=node_of(owners[position]), path=path[:at])
    if below != Node(step.hash, step.milliwatt_hours, step.tokens):
        changes.append(replace(step, is_left=not step.is_left))
    for changed in changes:
        assert not proves(tree, owners[position], [*path[:at], changed, *path[at + 1 :]])
    assert not proves(tree, owners[position], path[:-1])
    assert not proves(tree, owners[position], [*path, path[-1]])


def test_the_contract_takes_the_two_children_of_the_root() -> None:
    tree, _ = village()
    left, right = tree.children
    assert combine(left, right) == tree.root


def test_a_node_of_the_top_tree_may_be_a_tree_itself() -> None:
    cohort, owners = village(5)
    others = [leaf(key=bytes([n]) * 32, wallet=b"", milliwatt_hours=1, tokens=2) for n in (8, 9)]
    top = Tree([cohort.root, *others])
    path = cohort.path(3) + top.path(0)
    assert proves(top, owners[3], path)
    assert top.root.tokens == cohort.root.tokens + 4


def test_energy_can_not_be_passed_over_as_tokens_of_the_sibling() -> None:
    """A carry attack: the same digits, cut at another place."""
    tree, owners = village(2)
    key, wallet, energy, tokens = owners[0]
    step = tree.path(0)[0]
    shifted = replace(step, milliwatt_hours=step.milliwatt_hours - 1, tokens=step.tokens + 2**256)
    assert not proves(tree, (key, wallet, energy, tokens), [shifted])
    assert not proves(tree, (key, wallet, energy + 2**256, tokens - 1), tree.path(0))


def test_sums_can_not_be_moved_between_siblings() -> None:
    tree, owners = village(2)
    key, wallet, energy, tokens = owners[0]
    step = tree.path(0)[0]
    moved = replace(step, tokens=step.tokens - 500)
    assert not proves(tree, (key, wallet, energy, tokens + 500), [moved])


def test_the_sums_of_two_children_can_not_be_swapped() -> None:
    left, right = (node_of((bytes([n]) * 32, b"", n, 100 * n)) for n in (1, 2))
    swapped_left = replace(left, milliwatt_hours=2, tokens=200)
    swapped_right = replace(right, milliwatt_hours=1, tokens=100)
    honest, swapped = combine(left, right), combine(swapped_left, swapped_right)
    assert honest.milliwatt_hours == swapped.milliwatt_hours
    assert honest.hash != swapped.hash
    assert combine(right, left).hash != honest.hash


def test_an_inner_node_does_not_pass_as_a_leaf() -> None:
    """A second preimage: what an inner node hashes has another first byte and another length."""
    tree, _ = village(4)
    left, right = tree.children
    preimage = left.hash + words(left.milliwatt_hours, left.tokens)
    preimage += right.hash + words(right.milliwatt_hours, right.tokens)
    forged = preimage[:32], preimage[44:64], left.tokens, 0
    assert not proves(tree, forged, [])
    assert sha256(b"\x00" + preimage).digest() != tree.root.hash
    assert sha256(b"\x01" + preimage).digest() == tree.root.hash


def test_the_root_must_come_with_its_sums() -> None:
    tree, owners = village(3)
    key, wallet, energy, tokens = owners[0]
    for root in (
        replace(tree.root, tokens=tree.root.tokens + 1),
        replace(tree.root, milliwatt_hours=tree.root.milliwatt_hours - 1),
    ):
        assert not verify(
            key=key,
            wallet=wallet,
            milliwatt_hours=energy,
            tokens=tokens,
            path=tree.path(0),
            root=root,
        )


def test_a_path_longer_than_the_contract_takes_proves_nothing() -> None:
    node = leaf(key=b"\1" * 32, wallet=b"", milliwatt_hours=0, tokens=0)
    path = [Step(b"\2" * 32, 0, 0, is_left=False)] * (LONGEST_PATH + 1)
    root = climb(node=node, path=path)
    assert not verify(key=b"\1" * 32, wallet=b"", milliwatt_hours=0, tokens=0, path=path, root=root)
    assert verify(
        key=b"\1" * 32,
        wallet=b"",
        milliwatt_hours=0,
        tokens=0,
        path=path[:-1],
        root=climb(node=node, path=path[:-1]),
    )


@pytest.mark.parametrize(
    ("key", "wallet", "energy", "tokens"),
    [
        (b"\1" * 31, b"", 0, 0),
        (b"\1" * 33, b"", 0, 0),
        (b"\1" * 32, b"\1" * 19, 0, 0),
        (b"\1" * 32, b"\1" * 32, 0, 0),
        (b"\1" * 32, b"", -1, 0),
        (b"\1" * 32, b"", 0, -1),
        (b"\1" * 32, b"", LARGEST + 1, 0),
        (b"\1" * 32, b"", 0, LARGEST + 1),
    ],
)
def test_a_leaf_refuses_what_does_not_fit_its_words(
    key: bytes, wallet: bytes, energy: int, tokens: int
) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|256 bits"):
        leaf(key=key, wallet=wallet, milliwatt_hours=energy, tokens=tokens)


def test_sums_do_not_wrap_around() -> None:
    nodes = [
        leaf(key=bytes([n]) * 32, wallet=b"", milliwatt_hours=0, tokens=LARGEST) for n in (1, 2)
    ]
    with pytest.raises(ValueError, match="256 bits"):
        Tree(nodes)
    with pytest.raises(ValueError, match="256 bits"):
        combine(*nodes)
    with pytest.raises(ValueError, match="256 bits"):
        combine(nodes[0], Node(b"\1" * 32, -1, 0))


def test_a_sibling_with_a_short_hash_proves_nothing() -> None:
    tree, owners = village(2)
    assert not proves(tree, owners[0], [replace(tree.path(0)[0], hash=b"\1" * 31)])


def test_a_tree_of_nothing_is_refused_and_one_of_a_single_node_is_that_node() -> None:
    with pytest.raises(ValueError, match="needs a node"):
        Tree([])
    node = leaf(key=b"\1" * 32, wallet=b"", milliwatt_hours=3, tokens=4)
    alone = Tree([node])
    assert alone.root == node
    assert alone.path(0) == []
    with pytest.raises(ValueError, match="no children"):
        _ = alone.children


@pytest.mark.parametrize("position", [-1, 7])
def test_there_is_no_path_from_a_place_outside_of_the_tree(position: int) -> None:
    tree, _ = village()
    with pytest.raises(IndexError):
        tree.path(position)


def test_known_hashes_do_not_change() -> None:
    """Computed once with sha256 over the written-out bytes; contract and verify.py agree."""
    first = leaf(key=b"\x11" * 32, wallet=b"\x22" * 20, milliwatt_hours=5, tokens=7)
    text = "00" + "11" * 32 + "00" * 12 + "22" * 20 + f"{5:064x}" + f"{7:064x}"
    assert first.hash == sha256(bytes.fromhex(text)).digest()
    second = leaf(key=b"\x33" * 32, wallet=b"", milliwatt_hours=1, tokens=2)
    text = "01" + first.hash.hex() + f"{5:064x}" + f"{7:064x}"
    text += second.hash.hex() + f"{1:064x}" + f"{2:064x}"
    assert Tree([first, second]).root.hash == sha256(bytes.fromhex(text)).digest()
