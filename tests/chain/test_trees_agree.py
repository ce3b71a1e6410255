"""Random trees: the slow reference, tokens.sum_tree and the contract say the same."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chain.deployed import DATASET_HASH, WEI_PER_MILLIWATT_HOUR, Site
from tests.chain.reference import Inner, Leaf, path, told, tree
from tokens import sum_tree

_WALLETS = st.binary(min_size=20, max_size=20).filter(any).map(lambda bits: "0x" + bits.hex())
_ENERGY = st.integers(min_value=0, max_value=2**60)
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def trees(draw: st.DrawFn) -> list[Leaf]:
    """2 to 40 leaves of distinct keys whose tokens are, all together, their energy x w."""
    keys = draw(st.sets(st.binary(min_size=32, max_size=32), min_size=2, max_size=40))
    energy = [draw(_ENERGY) for _ in keys]
    pool = sum(energy) * WEI_PER_MILLIWATT_HOUR
    cuts = sorted(draw(st.integers(min_value=0, max_value=pool)) for _ in list(keys)[1:])
    shares = [end - start for start, end in zip([0, *cuts], [*cuts, pool], strict=True)]
    return [
        Leaf(key=key, wallet=draw(_WALLETS), milliwatt_hours=mine, tokens=tokens)
        for key, mine, tokens in zip(sorted(keys), energy, shares, strict=True)
    ]


@FEW
@given(leaves=trees(), data=st.data())
def test_reference_product_and_contract_agree(
    site: Site, leaves: list[Leaf], data: st.DataObject
) -> None:
    root = tree(leaves)
    ours = sum_tree.Tree(product_leaf(leaf) for leaf in leaves)
    assert (ours.root.hash, ours.root.milliwatt_hours, ours.root.tokens) == (
        root.hash,
        root.milliwatt_hours,
        root.tokens,
    )
    snapshot = site.node.snapshot()
    try:
        site.ledger.send("propose", 1, *ours.children, DATASET_HASH, sender=site.poster)
        assert site.ledger.read("pending_root") == "0x" + root.hash.hex()
        site.activate(1)
        place = data.draw(st.integers(min_value=0, max_value=len(leaves) - 1))
        leaf = leaves[place]
        claim = [leaf.key, leaf.wallet, leaf.milliwatt_hours, leaf.tokens, ours.path(place)]
        assert as_dicts(ours.path(place)) == path(root, leaf)
        assert site.ledger.read("claim", *claim) == leaf.tokens
    finally:
        site.node.revert(snapshot)


@FEW
@given(leaves=trees(), data=st.data())
def test_a_claim_with_any_one_field_changed_is_refused(
    site: Site, leaves: list[Leaf], data: st.DataObject
) -> None:
    root = tree(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    claim: list[Any] = [leaf.key, leaf.wallet, leaf.milliwatt_hours, leaf.tokens]
    honest = path(root, leaf)
    snapshot = site.node.snapshot()
    try:
        site.close(1, root)
        assert site.ledger.read("claim", *claim, honest) == leaf.tokens
        altered = data.draw(alterations(claim, honest))
        assert altered != [*claim, honest]
        why = site.ledger.refusal("claim", *altered, sender=site.stranger)
        assert why in ("not in the active root", ""), why
        assert not proven(root, altered)
    finally:
        site.node.revert(snapshot)


@FEW
@given(leaves=trees(), data=st.data())
def test_a_proposal_with_any_one_field_changed_is_refused_or_another_root(
    site: Site, leaves: list[Leaf], data: st.DataObject
) -> None:
    root = tree(leaves)
    children = [told(root.left), told(root.right)]
    side = data.draw(st.integers(min_value=0, max_value=1))
    field = data.draw(st.sampled_from(("hash", "milliwatt_hours", "tokens")))
    children[side][field] = data.draw(another(children[side][field]))
    arguments = (1, *children, DATASET_HASH)
    if field == "hash":
        snapshot = site.node.snapshot()
        site.ledger.send("propose", *arguments, sender=site.poster)
        assert site.ledger.read("pending_root") != "0x" + root.hash.hex()
        site.node.revert(snapshot)
        return
    why = site.ledger.refusal("propose", *arguments, sender=site.poster)
    assert why in ("tokens are not energy x w", "too much energy", ""), why


def product_leaf(leaf: Leaf) -> sum_tree.Node:
    return sum_tree.leaf(
        key=leaf.key,
        wallet=bytes.fromhex(leaf.wallet[2:]),
        milliwatt_hours=leaf.milliwatt_hours,
        tokens=leaf.tokens,
    )


def as_dicts(steps: list[sum_tree.Step]) -> list[dict[str, Any]]:
    names = ("hash", "milliwatt_hours", "tokens", "is_left")
    return [{name: getattr(step, name) for name in names} for step in steps]


def proven(root: Inner, claim: list[Any]) -> bool:
    """Whether the product's own check takes a claim."""
    key, wallet, milliwatt_hours, tokens, steps = claim
    return sum_tree.verify(
        key=key,
        wallet=bytes.fromhex(wallet[2:]),
        milliwatt_hours=milliwatt_hours,
        tokens=tokens,
        path=[sum_tree.Step(**step) for step in steps],
        root=sum_tree.Node(root.hash, root.milliwatt_hours, root.tokens),
    )


@st.composite
def alterations(draw: st.DrawFn, claim: list[Any], steps: list[dict[str, Any]]) -> list[Any]:
    """The claim with one field of the leaf, or of one step, told otherwise; or a step amiss."""
    changed, path = list(claim), [dict(step) for step in steps]
    what = draw(st.sampled_from(("leaf", "step", "missing", "more")))
    at = draw(st.integers(min_value=0, max_value=len(path) - 1))
    if what == "leaf":
        field = draw(st.integers(min_value=0, max_value=3))
        changed[field] = draw(another(changed[field]))
    elif what == "step":
        name = draw(st.sampled_from(("hash", "milliwatt_hours", "tokens", "is_left")))
        path[at][name] = draw(another(path[at][name]))
    elif what == "missing":
        del path[at]
    else:
        path.insert(at, dict(path[at]))
    return [*changed, path]


def another(value: Any) -> st.SearchStrategy[Any]:
    """Any other value of the same kind."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        near = st.sampled_from((value + 1, max(value - 1, 0), value ^ 2**255, 2**256 - 1 - value))
        anything = st.integers(min_value=0, max_value=2**256 - 1)
        return st.one_of(near, anything).filter(lambda other: other != value)
    if isinstance(value, str):
        return _WALLETS.filter(lambda other: other != value)
    flipped = st.integers(min_value=0, max_value=len(value) * 8 - 1).map(
        lambda bit: (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")
    )
    return st.one_of(flipped, st.binary(min_size=32, max_size=32)).filter(
        lambda other: other != value
    )
