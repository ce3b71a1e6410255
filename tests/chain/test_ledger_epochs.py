"""ImpactLedger: which roots are proposed, vetoed and activated, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chain.conftest import leaves
from tests.chain.deployed import (
    DATASET_HASH,
    NOBODY,
    SITE,
    WEI_PER_MILLIWATT_HOUR,
    WINDOW_SECONDS,
    Site,
    deploy_site,
    proposal,
    reason,
)
from tests.chain.reference import Leaf, told, tree
from tests.chain_node import ChainNode, NodeError

ROOT_1 = tree(leaves(3, 5, 0))
ROOT_2 = tree(leaves(4, 5, 2))
EMPTY = "0x" + "00" * 32


def hexadecimal(digest: bytes) -> str:
    return "0x" + digest.hex()


def test_a_new_ledger_tells_its_terms_and_has_no_epoch(site: Site) -> None:
    ledger = site.ledger
    assert ledger.read("token") == site.token.address
    assert ledger.read("site") == hexadecimal(SITE)
    assert ledger.read("wei_per_milliwatt_hour") == WEI_PER_MILLIWATT_HOUR
    assert ledger.read("window_seconds") == WINDOW_SECONDS
    assert (ledger.read("poster"), ledger.read("guardian")) == (site.poster, site.guardian)
    assert ledger.read("offered_guardian") == NOBODY
    assert (ledger.read("last_epoch"), ledger.read("root")) == (0, EMPTY)
    assert (ledger.read("milliwatt_hours"), ledger.read("tokens")) == (0, 0)
    assert nothing_is_pending(site)


def nothing_is_pending(site: Site) -> bool:
    views = ("epoch", "milliwatt_hours", "tokens")
    return (
        all(site.ledger.read(f"pending_{view}") == 0 for view in views)
        and site.ledger.read("activates_at") == 0
        and site.ledger.read("pending_root") == EMPTY
    )


def test_a_proposal_is_pending_and_mints_nothing(site: Site) -> None:
    (event,) = site.propose(1, ROOT_1)
    activates_at = int(site.node.block()["timestamp"], 16) + WINDOW_SECONDS
    assert (event.name, event.values) == (
        "Proposed",
        {
            "n": 1,
            "root": hexadecimal(ROOT_1.hash),
            "milliwatt_hours": 8_000_000,
            "tokens": 8 * 10**18,
            "dataset_hash": hexadecimal(DATASET_HASH),
            "activates_at": activates_at,
        },
    )
    ledger = site.ledger
    assert ledger.read("pending_epoch") == 1
    assert ledger.read("pending_root") == hexadecimal(ROOT_1.hash)
    assert ledger.read("pending_milliwatt_hours") == 8_000_000
    assert ledger.read("pending_tokens") == 8 * 10**18
    assert ledger.read("activates_at") == activates_at
    assert (ledger.read("last_epoch"), ledger.read("root")) == (0, EMPTY)
    assert site.token.read("totalSupply") == 0


def test_activation_mints_to_the_ledger_what_was_earned_since(site: Site) -> None:
    site.close(1, ROOT_1)
    (event,) = site.close(2, ROOT_2)
    assert (event.name, event.values) == (
        "Activated",
        {"n": 2, "root": hexadecimal(ROOT_2.hash), "minted": 3 * 10**18},
    )
    ledger = site.ledger
    assert (ledger.read("last_epoch"), ledger.read("root")) == (2, hexadecimal(ROOT_2.hash))
    assert (ledger.read("milliwatt_hours"), ledger.read("tokens")) == (11_000_000, 11 * 10**18)
    assert nothing_is_pending(site)
    assert site.token.read("totalSupply") == 11 * 10**18
    assert site.token.read("balanceOf", ledger.address) == 11 * 10**18


def test_an_epoch_without_energy_mints_nothing(site: Site) -> None:
    site.close(1, ROOT_1)
    (event,) = site.close(2, ROOT_1)
    assert event.values["minted"] == 0
    assert site.ledger.read("last_epoch") == 2
    assert site.token.read("totalSupply") == 8 * 10**18


@pytest.mark.parametrize("households", [1, 20, 500])
def test_an_epoch_costs_as_much_for_few_households_as_for_many(site: Site, households: int) -> None:
    site.close(1, ROOT_1)
    site.close(2, ROOT_2)
    root = tree([*leaves(*[20] * min(households, 250)), *leaves(*[20] * max(households - 250, 0))])
    gas = site.ledger.gas("propose", *proposal(3, root), sender=site.poster)
    site.node.increase_time(WINDOW_SECONDS)
    gas += site.ledger.gas("activate", 3, sender=site.stranger)
    assert gas < 100_000


def test_only_the_poster_proposes(site: Site) -> None:
    for sender in (site.guardian, site.stranger):
        assert refused_proposal(site, 1, ROOT_1, sender=sender) == "only the poster"


@pytest.mark.parametrize("n", [0, 2, 3, 2**64 + 1, 2**255])
def test_the_first_epoch_is_number_one(site: Site, n: int) -> None:
    assert refused_proposal(site, n, ROOT_1) == "not the next epoch"


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_a_repeated_or_skipped_epoch_is_refused(site: Site, n: int) -> None:
    site.close(1, ROOT_1)
    site.close(2, ROOT_2)
    assert refused_proposal(site, n, ROOT_2) == "not the next epoch"


def test_nothing_is_proposed_while_something_is_pending(site: Site) -> None:
    site.propose(1, ROOT_1)
    assert refused_proposal(site, 1, ROOT_1) == "one is pending"
    assert refused_proposal(site, 1, ROOT_2) == "one is pending"
    assert refused_proposal(site, 2, ROOT_2) == "not the next epoch"
    site.node.increase_time(WINDOW_SECONDS)
    assert refused_proposal(site, 1, ROOT_2) == "one is pending"


def test_sums_never_fall(site: Site) -> None:
    site.close(1, ROOT_2)
    assert refused_proposal(site, 2, ROOT_1) == "sums fell"
    assert site.propose(2, ROOT_2)[0].values["milliwatt_hours"] == 11_000_000


@pytest.mark.parametrize("wei", [1, -1, 10**18, -(10**18)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_tokens_are_energy_times_w(site: Site, side: str, wei: int) -> None:
    children = {"left": told(ROOT_1.left), "right": told(ROOT_1.right)}
    children[side]["tokens"] += wei
    assert refused_children(site, **children) == "tokens are not energy x w"


@pytest.mark.parametrize("milliwatt_hours", [1, -1, 10**6])
@pytest.mark.parametrize("side", ["left", "right"])
def test_energy_without_its_tokens_is_a_wrong_sum(
    site: Site, side: str, milliwatt_hours: int
) -> None:
    children = {"left": told(ROOT_2.left), "right": told(ROOT_2.right)}
    children[side]["milliwatt_hours"] += milliwatt_hours
    assert refused_children(site, **children) == "tokens are not energy x w"


def test_tokens_without_energy_are_refused(site: Site) -> None:
    nothing = {"hash": b"\1" * 32, "milliwatt_hours": 0, "tokens": 0}
    assert refused_children(site, left=nothing, right=nothing | {"tokens": 1}) == (
        "tokens are not energy x w"
    )


@pytest.mark.parametrize("field", ["milliwatt_hours", "tokens"])
def test_a_sum_that_carries_over_256_bits_is_refused(site: Site, field: str) -> None:
    """Without the check, 2^256 - 1 and 8 kWh + 1 would pass as 8 kWh."""
    total = getattr(ROOT_1, field)
    left, right = told(ROOT_1.left), told(ROOT_1.right)
    left[field], right[field] = 2**256 - 1, total + 1
    assert (left[field] + right[field]) % 2**256 == total
    assert refused_children(site, left=left, right=right) == ""


@pytest.mark.parametrize("bits", [128, 192, 255])
def test_energy_that_would_carry_into_the_packed_word_is_refused(site: Site, bits: int) -> None:
    left = {"hash": b"\1" * 32, "milliwatt_hours": 2**bits, "tokens": 0}
    assert refused_children(site, left=left, right=told(ROOT_1.right)) == "too much energy"


def test_the_most_energy_of_a_word_is_taken_and_nothing_beside_it_changes(node: ChainNode) -> None:
    site = deploy_site(node, wei_per_milliwatt_hour=1)
    most = 2**128 - 1
    root = tree(
        [
            Leaf(key=b"a" * 32, wallet=NOBODY, milliwatt_hours=most - 1, tokens=most),
            Leaf(key=b"b" * 32, wallet=NOBODY, milliwatt_hours=1, tokens=0),
        ]
    )
    site.close(1, root)
    assert site.ledger.read("last_epoch") == 1
    assert site.ledger.read("milliwatt_hours") == most
    assert site.token.read("totalSupply") == most
    assert refused_proposal(site, 2, tree(leaves(1))) == "sums fell"


def test_tokens_over_256_bits_are_refused(node: ChainNode) -> None:
    site = deploy_site(node, wei_per_milliwatt_hour=2**200)
    left = {"hash": b"\1" * 32, "milliwatt_hours": 2**56, "tokens": 0}
    nothing = {"hash": b"\2" * 32, "milliwatt_hours": 0, "tokens": 0}
    # 2^56 x 2^200 is 0 in 256 bits.
    assert refused_children(site, left=left, right=nothing) == ""


def test_nobody_activates_while_the_window_is_open(site: Site) -> None:
    site.propose(1, ROOT_1)
    activates_at = site.ledger.read("activates_at")
    site.node.set_time(activates_at - 1)
    site.node.mine(seconds=0)
    for sender in (site.poster, site.guardian, site.stranger):
        assert site.ledger.refusal("activate", 1, sender=sender) == "the window is open"
    site.node.set_time(activates_at)
    assert site.ledger.send("activate", 1, sender=site.stranger)[0].name == "Activated"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_what_was_not_proposed_is_not_activated(site: Site, n: int) -> None:
    assert site.ledger.refusal("activate", n, sender=site.poster) == "not pending"
    site.propose(1, ROOT_1)
    site.node.increase_time(WINDOW_SECONDS)
    if n != 1:
        assert site.ledger.refusal("activate", n, sender=site.poster) == "not pending"


def test_an_epoch_is_activated_once(site: Site) -> None:
    site.close(1, ROOT_1)
    assert site.ledger.refusal("activate", 1, sender=site.poster) == "not pending"
    assert site.ledger.refusal("activate", 2, sender=site.poster) == "not pending"


def test_a_vetoed_root_is_not_activated_and_its_number_comes_again(site: Site) -> None:
    site.propose(1, ROOT_1)
    (event,) = site.ledger.send("veto", 1, sender=site.guardian)
    assert (event.name, event.values) == ("Vetoed", {"n": 1, "root": hexadecimal(ROOT_1.hash)})
    assert nothing_is_pending(site)
    site.node.increase_time(WINDOW_SECONDS)
    assert site.ledger.refusal("activate", 1, sender=site.poster) == "not pending"
    assert refused_proposal(site, 2, ROOT_2) == "not the next epoch"
    site.close(1, ROOT_2)
    assert site.ledger.read("root") == hexadecimal(ROOT_2.hash)
    assert site.token.read("totalSupply") == 11 * 10**18


def test_the_window_over_a_root_can_still_be_vetoed_until_it_is_activated(site: Site) -> None:
    site.propose(1, ROOT_1)
    site.node.increase_time(10 * WINDOW_SECONDS)
    site.ledger.send("veto", 1, sender=site.guardian)
    assert site.ledger.refusal("activate", 1, sender=site.poster) == "not pending"
    assert site.token.read("totalSupply") == 0


def test_only_the_guardian_vetoes(site: Site) -> None:
    site.propose(1, ROOT_1)
    for sender in (site.poster, site.stranger):
        assert site.ledger.refusal("veto", 1, sender=sender) == "only the guardian"


def test_only_what_is_pending_is_vetoed(site: Site) -> None:
    def refused(n: int) -> str:
        return site.ledger.refusal("veto", n, sender=site.guardian)

    assert [refused(n) for n in (0, 1)] == ["not pending"] * 2
    site.propose(1, ROOT_1)
    assert [refused(n) for n in (0, 2)] == ["not pending"] * 2
    site.ledger.send("veto", 1, sender=site.guardian)
    assert refused(1) == "not pending"
    site.close(1, ROOT_1)
    assert [refused(n) for n in (0, 1, 2)] == ["not pending"] * 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"wei_per_milliwatt_hour": 0}, "no tokens for energy"),
        ({"window_seconds": 0}, "no window"),
        ({"window_seconds": 367 * 86_400}, "window too long"),
        ({"poster": NOBODY}, "no poster"),
        ({"guardian": NOBODY}, "no guardian"),
        ({"poster": "0x" + "ab" * 20, "guardian": "0x" + "ab" * 20}, "poster and guardian are one"),
    ],
)
def test_a_ledger_without_sense_is_not_founded(
    node: ChainNode, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(NodeError) as refused:
        deploy_site(node, **changes)
    assert reason(refused.value) == why


def test_a_ledger_wants_the_token_that_only_it_mints(node: ChainNode, founded: Site) -> None:
    with pytest.raises(NodeError) as refused:
        deploy_site(node, token=founded.token.address)
    assert reason(refused.value) == "not the token's minter"


def refused_proposal(site: Site, n: int, root: Any, *, sender: str | None = None) -> str:
    return site.ledger.refusal("propose", *proposal(n, root), sender=sender or site.poster)


def refused_children(site: Site, *, left: dict[str, Any], right: dict[str, Any]) -> str:
    return site.ledger.refusal("propose", 1, left, right, DATASET_HASH, sender=site.poster)
