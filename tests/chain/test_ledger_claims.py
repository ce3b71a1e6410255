"""ImpactLedger: what a leaf is paid, and every proof that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chain.conftest import leaves
from tests.chain.deployed import (
    DATASET_HASH,
    NOBODY,
    WEI_PER_MILLIWATT_HOUR,
    Site,
    proposal,
    refusal,
)
from tests.chain.reference import Inner, Leaf, Node, over, path, told, tree

NOT_IN_IT = "not in the active root"
UINT256 = 2**256


def arguments(root: Inner, leaf: Leaf) -> list[Any]:
    """The arguments of an honest claim."""
    return [leaf.key, leaf.wallet, leaf.milliwatt_hours, leaf.tokens, path(root, leaf)]


def refused(site: Site, claim: list[Any]) -> str:
    return site.ledger.refusal("claim", *claim, sender=site.stranger)


def balance(site: Site, leaf: Leaf) -> int:
    found: int = site.token.read("balanceOf", leaf.wallet)
    return found


def test_anybody_has_a_leaf_paid_to_its_wallet(site: Site) -> None:
    households = leaves(3, 5, 0)
    root = tree(households)
    site.close(1, root)
    for leaf in households[:2]:
        assert site.ledger.read("claim", *arguments(root, leaf)) == leaf.tokens
        (event,) = site.ledger.send("claim", *arguments(root, leaf), sender=site.stranger)
        assert event.name == "Claimed"
        assert event.values["key"] == "0x" + leaf.key.hex()
        assert event.values["wallet"].lower() == leaf.wallet
        assert event.values["tokens"] == leaf.tokens
        assert balance(site, leaf) == leaf.tokens
        assert site.ledger.read("claimed", leaf.key) == leaf.tokens
    assert site.token.read("balanceOf", site.ledger.address) == 4 * 10**18
    assert site.token.read("balanceOf", site.stranger) == 0


def test_a_second_claim_pays_nothing_and_says_nothing(site: Site) -> None:
    leaf, *others = leaves(3)
    root = tree([leaf, *others])
    site.close(1, root)
    site.ledger.send("claim", *arguments(root, leaf), sender=site.stranger)
    assert site.ledger.read("claim", *arguments(root, leaf)) == 0
    assert site.ledger.send("claim", *arguments(root, leaf), sender=site.poster) == []
    assert balance(site, leaf) == leaf.tokens


def test_a_later_claim_pays_what_came_since(site: Site) -> None:
    before, after = leaves(3, 5), leaves(4, 5)
    site.close(1, tree(before))
    site.ledger.send("claim", *arguments(tree(before), before[0]), sender=site.stranger)
    site.close(2, tree(after))
    (event,) = site.ledger.send("claim", *arguments(tree(after), after[0]), sender=site.stranger)
    assert event.values["tokens"] == 5 * 10**17
    assert balance(site, after[0]) == after[0].tokens


def test_what_was_claimed_belongs_to_the_key_whatever_its_wallet(site: Site) -> None:
    before, after = leaves(3, 5), leaves(4, 5, wallets="b")
    site.close(1, tree(before))
    site.ledger.send("claim", *arguments(tree(before), before[0]), sender=site.stranger)
    site.close(2, tree(after))
    site.ledger.send("claim", *arguments(tree(after), after[0]), sender=site.stranger)
    assert balance(site, before[0]) == before[0].tokens
    assert balance(site, after[0]) == after[0].tokens - before[0].tokens


def test_a_leaf_below_what_was_claimed_is_paid_nothing(site: Site) -> None:
    """The reserve alone may fall, and it has no wallet; a poster who lets others fall pays none."""
    before, after = leaves(3, 5), leaves(2, 6)
    site.close(1, tree(before))
    site.ledger.send("claim", *arguments(tree(before), before[0]), sender=site.stranger)
    site.close(2, tree(after))
    assert site.ledger.send("claim", *arguments(tree(after), after[0]), sender=site.poster) == []
    assert site.ledger.read("claimed", before[0].key) == before[0].tokens


def test_nothing_is_claimed_before_the_first_activation(site: Site) -> None:
    households = leaves(3, 5)
    root = tree(households)
    assert refused(site, arguments(root, households[0])) == NOT_IN_IT
    site.propose(1, root)
    assert refused(site, arguments(root, households[0])) == NOT_IN_IT


def test_nothing_is_claimed_from_an_older_root(site: Site) -> None:
    before, after = leaves(3, 5), leaves(4, 5)
    site.close(1, tree(before))
    site.close(2, tree(after))
    assert refused(site, arguments(tree(before), before[0])) == NOT_IN_IT


def test_nothing_is_claimed_from_a_vetoed_root(site: Site) -> None:
    before, vetoed = leaves(3, 5), leaves(9, 5)
    site.close(1, tree(before))
    site.propose(2, tree(vetoed))
    site.ledger.send("veto", 2, sender=site.guardian)
    assert refused(site, arguments(tree(vetoed), vetoed[0])) == NOT_IN_IT
    site.ledger.send("claim", *arguments(tree(before), before[0]), sender=site.stranger)


def test_a_leaf_without_a_wallet_is_not_paid(site: Site) -> None:
    *_, reserve = households = leaves(3, 5)
    root = tree(households)
    site.close(1, root)
    assert refused(site, arguments(root, reserve)) == "no wallet"
    claim = arguments(root, reserve)
    claim[1] = site.stranger
    assert refused(site, claim) == NOT_IN_IT


def test_the_wallet_of_a_leaf_is_not_changed_on_the_way(site: Site) -> None:
    households = leaves(3, 5)
    root = tree(households)
    site.close(1, root)
    claim = arguments(root, households[0])
    claim[1] = site.stranger
    assert refused(site, claim) == NOT_IN_IT


def test_anothers_leaf_is_not_claimed_under_ones_own_key(site: Site) -> None:
    mine, theirs, *others = leaves(3, 5)
    root = tree([mine, theirs, *others])
    site.close(1, root)
    for own in (
        [mine.key, theirs.wallet, theirs.milliwatt_hours, theirs.tokens],
        [theirs.key, mine.wallet, theirs.milliwatt_hours, theirs.tokens],
        [mine.key, mine.wallet, theirs.milliwatt_hours, theirs.tokens],
    ):
        assert refused(site, [*own, path(root, theirs)]) == NOT_IN_IT
    own = [mine.key, mine.wallet, mine.milliwatt_hours, mine.tokens]
    assert refused(site, [*own, path(root, theirs)]) == NOT_IN_IT


@pytest.mark.parametrize("more", [1, -1, 10**18])
def test_more_or_less_than_the_leaf_says_is_refused(site: Site, more: int) -> None:
    households = leaves(3, 5)
    root = tree(households)
    site.close(1, root)
    claim = arguments(root, households[0])
    claim[3] += more
    assert refused(site, claim) == NOT_IN_IT
    # Not even where the sibling gives what is claimed, so that the total stays the same.
    claim[4][0]["tokens"] -= more
    assert refused(site, claim) == NOT_IN_IT


def test_sums_of_two_siblings_are_not_swapped(site: Site) -> None:
    mine, sibling, *others = leaves(3, 5)
    root = tree([mine, sibling, *others])
    site.close(1, root)
    claim = arguments(root, mine)
    claim[2:4] = sibling.milliwatt_hours, sibling.tokens
    claim[4][0] |= {"milliwatt_hours": mine.milliwatt_hours, "tokens": mine.tokens}
    assert refused(site, claim) == NOT_IN_IT


def test_a_root_proposed_with_swapped_child_sums_pays_nobody(site: Site) -> None:
    """The total is right, so it may be proposed; it is another root, for the guardian to veto."""
    households = leaves(3, 5, 2, 4)
    honest = tree(households)
    left, right = told(honest.left), told(honest.right)
    swapped = [
        left | {field: right[field] for field in ("milliwatt_hours", "tokens")},
        right | {field: left[field] for field in ("milliwatt_hours", "tokens")},
    ]
    site.ledger.send("propose", 1, *swapped, DATASET_HASH, sender=site.poster)
    assert site.ledger.read("pending_root") != "0x" + honest.hash.hex()
    site.activate(1)
    for leaf in households[:-1]:
        assert refused(site, arguments(honest, leaf)) == NOT_IN_IT


def test_sides_of_a_path_are_not_swapped(site: Site) -> None:
    households = leaves(3, 5, 2)
    root = tree(households)
    site.close(1, root)
    for place in range(2):
        claim = arguments(root, households[0])
        claim[4][place]["is_left"] = not claim[4][place]["is_left"]
        assert refused(site, claim) == NOT_IN_IT


def test_steps_of_a_path_are_not_swapped_left_out_or_repeated(site: Site) -> None:
    households = leaves(3, 5, 2)
    root = tree(households)
    site.close(1, root)
    first, second = path(root, households[0])
    claim = arguments(root, households[0])[:4]
    for wrong in ([], [first], [second], [second, first], [first, second, second]):
        assert refused(site, [*claim, wrong]) == NOT_IN_IT


def test_an_inner_node_is_not_passed_off_as_a_leaf(site: Site) -> None:
    """Somebody knows an inner node's hash and sums, and a path from there up to the root."""
    households = leaves(3, 5, 2)
    root = tree(households)
    site.close(1, root)
    inner = root.left
    assert isinstance(inner, Inner)
    as_key = [inner.hash, site.stranger, inner.milliwatt_hours, inner.tokens]
    assert refused(site, [*as_key, path(root, inner)]) == NOT_IN_IT
    # Its children's words where a leaf's would stand.
    words = [inner.left.hash, site.stranger, inner.left.milliwatt_hours, inner.left.tokens]
    assert refused(site, [*words, path(root, inner)]) == NOT_IN_IT
    whole = [root.hash, site.stranger, root.milliwatt_hours, root.tokens]
    assert refused(site, [*whole, []]) == NOT_IN_IT


@pytest.mark.parametrize("field", ["milliwatt_hours", "tokens"])
def test_a_poster_pays_nobody_out_of_a_sum_that_wraps_around(site: Site, field: str) -> None:
    """Its leaf and a sibling add up beyond 2^256 to something honest, told one level above."""
    honest = leaves(3, 5)
    greedy = Leaf(key=b"g" * 32, wallet=site.stranger.lower(), milliwatt_hours=0, tokens=4 * 10**18)
    greedy = greedy.but(**{field: UINT256 - 10})
    makes_up = Leaf(key=b"m" * 32, wallet=NOBODY, milliwatt_hours=0, tokens=0)
    makes_up = makes_up.but(**{field: 10})
    wrapped = Inner(
        left=greedy,
        right=makes_up,
        milliwatt_hours=(greedy.milliwatt_hours + makes_up.milliwatt_hours) % UINT256,
        tokens=(greedy.tokens + makes_up.tokens) % UINT256,
    )
    rest = tree(honest)
    missing = rest.milliwatt_hours * WEI_PER_MILLIWATT_HOUR - rest.tokens
    root = over(wrapped, rest)
    if wrapped.tokens > missing:  # field is energy: its tokens need energy, too
        root = over(wrapped, over(rest, filler(wrapped.tokens)))
    site.close(1, root)
    assert refused(site, arguments(root, greedy)) == ""
    for leaf in honest[:-1]:
        site.ledger.send("claim", *arguments(root, leaf), sender=site.stranger)
    assert site.token.read("balanceOf", site.stranger) == 0


def filler(tokens: int) -> Leaf:
    """Energy without tokens, so that tokens without energy come out even."""
    return Leaf(
        key=b"f" * 32,
        wallet=NOBODY,
        milliwatt_hours=tokens // WEI_PER_MILLIWATT_HOUR,
        tokens=0,
    )


def test_a_leaf_of_more_than_everything_is_not_proposed(site: Site) -> None:
    greedy = Leaf(key=b"g" * 32, wallet=site.stranger, milliwatt_hours=0, tokens=UINT256 - 1)
    others = tree(leaves(3))
    arguments = (1, told(greedy), told(others), DATASET_HASH)
    assert site.ledger.refusal("propose", *arguments, sender=site.poster) == ""
    just_too_much = told(greedy) | {"tokens": 1}
    arguments = (1, just_too_much, told(others), DATASET_HASH)
    why = site.ledger.refusal("propose", *arguments, sender=site.poster)
    assert why == "tokens are not energy x w"


def test_a_poster_who_pays_one_leaf_twice_leaves_the_ledger_short_and_it_pays_no_more(
    site: Site,
) -> None:
    """The contract can't see leaves fall: moving value between them is what verifiers look for."""
    before, after = leaves(3, 5), leaves(0, 8)
    site.close(1, tree(before))
    for leaf in before[:-1]:
        site.ledger.send("claim", *arguments(tree(before), leaf), sender=site.stranger)
    greedy = [leaf.but(tokens=0) if leaf.key == b"\xff" * 32 else leaf for leaf in after]
    greedy[1] = greedy[1].but(tokens=8 * 10**18)
    site.close(2, tree(greedy))
    assert site.token.read("balanceOf", site.ledger.address) == 4 * 10**18
    assert refused(site, arguments(tree(greedy), greedy[1])) == "not enough tokens"


@pytest.mark.parametrize("depth", [1, 2, 39, 40])
def test_a_path_has_up_to_forty_steps(site: Site, depth: int) -> None:
    leaf, root = deep(depth)
    site.close(1, root)
    assert len(path(root, leaf)) == depth
    site.ledger.send("claim", *arguments(root, leaf), sender=site.stranger)
    assert balance(site, leaf) == leaf.tokens


def test_a_longer_path_is_refused(site: Site) -> None:
    leaf, root = deep(41)
    site.close(1, root)
    assert refused(site, arguments(root, leaf)) == ""


def deep(depth: int) -> tuple[Leaf, Inner]:
    """A leaf so many steps under a root, siblings on both sides in turn."""
    leaf, *others = leaves(3)
    node: Node = over(leaf, others[0])
    for place in range(1, depth):
        sibling = Leaf(key=b"s" * 32, wallet=NOBODY, milliwatt_hours=0, tokens=0)
        node = over(node, sibling) if place % 2 else over(sibling, node)
    assert isinstance(node, Inner)
    return leaf, node


def test_a_pending_proposal_stops_no_claim(site: Site) -> None:
    before, after = leaves(3, 5), leaves(4, 5)
    site.close(1, tree(before))
    site.ledger.send("propose", *proposal(2, tree(after)), sender=site.poster)
    site.ledger.send("claim", *arguments(tree(before), before[0]), sender=site.stranger)
    assert refused(site, arguments(tree(after), after[0])) == NOT_IN_IT


def test_a_sibling_is_not_told_left_and_right_at_once(site: Site) -> None:
    """A word for is_left that is neither 0 nor 1 is no boolean, and the ABI refuses it."""
    households = leaves(3)
    root = tree(households)
    site.close(1, root)
    honest = site.ledger.data("claim", arguments(root, households[0]))
    word_of_side = honest[-64:]
    assert int(word_of_side, 16) == 0
    for side in (2, UINT256 - 1):
        data = honest[:-64] + f"{side:064x}"
        assert refusal(site.node, to=site.ledger.address, data=data, sender=site.poster) == ""
