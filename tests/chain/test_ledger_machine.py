"""The ledger and its token beside a plain model: any calls, by anybody, in any order.

The model says of every call whether it goes through, and if not, why; then the chain has to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from launcher.dev_accounts import DEV_ACCOUNTS
from tests.chain.deployed import (
    DATASET_HASH,
    NOBODY,
    WEI_PER_MILLIWATT_HOUR,
    WINDOW_SECONDS,
    Site,
    deploy_site,
)
from tests.chain.reference import Inner, Leaf, path, told, tree
from tests.chain_node import ChainNode

PEOPLE = [DEV_ACCOUNTS[at].address for at in (0, 1, 4, 5)]
WALLETS = [account.address for account in DEV_ACCOUNTS[6:9]]
EMPTY = "0x" + "00" * 32
RESERVE = 5
people = st.sampled_from(PEOPLE)
places = st.integers(min_value=0, max_value=RESERVE)
# Who calls: most often somebody who may. Which epoch, from the active one: most often the next.
callers = st.sampled_from(("poster", "poster", "guardian", "guardian", *PEOPLE))
epochs = st.sampled_from((1, 1, 1, 1, 0, 2))
households = st.integers(min_value=0, max_value=3)
energies = st.integers(min_value=1, max_value=10**9)
_ARGUMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "settle": {"place": households, "energy": energies},
    "vest": {"percent": st.integers(1, 100)},
    "link_a_wallet": {
        "place": st.integers(min_value=0, max_value=4),
        "wallet": st.sampled_from(WALLETS),
    },
    "propose": {"caller": callers, "ahead": epochs},
    "propose_a_wrong_sum": {
        "side": st.sampled_from(("left", "right")),
        "name": st.sampled_from(("milliwatt_hours", "tokens")),
        "more": st.integers(1, 10**18),
    },
    "propose_sums_that_fell": {},
    "veto": {"caller": callers, "ahead": epochs},
    "activate": {"caller": callers, "ahead": epochs},
    "close_an_epoch": {"place": households, "energy": energies},
    "wait": {"seconds": st.sampled_from((1, WINDOW_SECONDS))},
    "claim": {"caller": callers, "place": places, "back": st.sampled_from((0, 0, 0, 1, 2))},
    "rotate_poster": {"caller": callers, "poster": people},
    "offer_guardian": {"caller": callers, "guardian": st.sampled_from((*PEOPLE, NOBODY))},
    "accept_guardian": {"caller": callers},
}
steps = st.one_of(
    [
        st.tuples(st.just(name), st.fixed_dictionaries(arguments))
        for name, arguments in _ARGUMENTS.items()
    ]
)


@dataclass
class Model:
    """What the contracts hold, and what the operator's books say beside it."""

    leaves: list[Leaf]
    poster: str
    guardian: str
    offered: str = NOBODY
    epoch: int = 0
    active: Inner | None = None
    pending: Inner | None = None
    activates_at: int = 0
    claimed: dict[bytes, int] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)

    @property
    def minted(self) -> int:
        return self.active.tokens if self.active else 0


def first_leaves() -> list[Leaf]:
    return [
        Leaf(
            key=bytes([65 + place]) * 32,
            wallet=WALLETS[place] if place < len(WALLETS) else NOBODY,
            milliwatt_hours=0,
            tokens=0,
        )
        for place in range(RESERVE + 1)
    ]


class LedgerMachine(RuleBasedStateMachine):
    """Households 0 to 3, donation 4, reserve 5; people 0 posts and 1 guards at first."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.snapshot = site.node.snapshot()
        self.model = Model(leaves=first_leaves(), poster=PEOPLE[0], guardian=PEOPLE[1])
        self.trees: list[tuple[list[Leaf], Inner]] = []

    def teardown(self) -> None:
        self.site.node.revert(self.snapshot)

    # One rule for all: of several, Hypothesis leaves out half in each run, and nothing is claimed.
    @rule(step=steps)
    def act(self, step: tuple[str, dict[str, Any]]) -> None:
        name, arguments = step
        getattr(self, name)(**arguments)

    # The books

    def settle(self, place: int, energy: int) -> None:
        half = energy * WEI_PER_MILLIWATT_HOUR // 2
        leaf, reserve = self.model.leaves[place], self.model.leaves[RESERVE]
        self.model.leaves[place] = leaf.but(
            milliwatt_hours=leaf.milliwatt_hours + energy, tokens=leaf.tokens + half
        )
        self.model.leaves[RESERVE] = reserve.but(
            tokens=reserve.tokens + energy * WEI_PER_MILLIWATT_HOUR - half
        )

    def vest(self, percent: int) -> None:
        donation, reserve = self.model.leaves[4], self.model.leaves[RESERVE]
        vested = reserve.tokens * percent // 100
        self.model.leaves[4] = donation.but(tokens=donation.tokens + vested)
        self.model.leaves[RESERVE] = reserve.but(tokens=reserve.tokens - vested)

    def link_a_wallet(self, place: int, wallet: str) -> None:
        self.model.leaves[place] = self.model.leaves[place].but(wallet=wallet)

    # The chain

    def propose(self, caller: str, ahead: int) -> None:
        sender = self._person(caller)
        leaves = list(self.model.leaves)
        root, n = tree(leaves), self.model.epoch + ahead
        arguments = (n, told(root.left), told(root.right), DATASET_HASH)
        if self._attempt("propose", arguments, sender, self._why_not_proposed(sender, ahead)):
            self.trees.append((leaves, root))
            self.model.pending = root
            self.model.activates_at = self._now() + WINDOW_SECONDS

    def propose_a_wrong_sum(self, side: str, name: str, more: int) -> None:
        root = tree(self.model.leaves)
        children = {"left": told(root.left), "right": told(root.right)}
        children[side][name] += more
        why = self._why_not_proposed(self.model.poster, 1) or "tokens are not energy x w"
        arguments = (self.model.epoch + 1, *children.values(), DATASET_HASH)
        assert not self._attempt("propose", arguments, self.model.poster, why)

    def propose_sums_that_fell(self) -> None:
        if self.model.active is None or self.model.active.milliwatt_hours == 0:
            return
        root = tree(first_leaves())
        why = self._why_not_proposed(self.model.poster, 1) or "sums fell"
        arguments = (self.model.epoch + 1, told(root.left), told(root.right), DATASET_HASH)
        assert not self._attempt("propose", arguments, self.model.poster, why)

    def veto(self, caller: str, ahead: int) -> None:
        sender = self._person(caller)
        why = None
        if sender != self.model.guardian:
            why = "only the guardian"
        elif self.model.pending is None or ahead != 1:
            why = "not pending"
        if self._attempt("veto", (self.model.epoch + ahead,), sender, why):
            self.model.pending = None

    def activate(self, caller: str, ahead: int) -> None:
        sender = self._person(caller)
        # The next block may be a second later: told exactly, so that the model knows.
        at = self._now() + 1
        self.site.node.set_time(at)
        self.site.node.mine(seconds=0)
        why = None
        if self.model.pending is None or ahead != 1:
            why = "not pending"
        elif at < self.model.activates_at:
            why = "the window is open"
            if at + 1 >= self.model.activates_at:
                return  # the call's own block might be just in time
        if self._attempt("activate", (self.model.epoch + ahead,), sender, why):
            self.model.active, self.model.pending = self.model.pending, None
            self.model.epoch += 1

    def close_an_epoch(self, place: int, energy: int) -> None:
        """All that an epoch takes, so that claims often find one."""
        self.settle(place, energy)
        if self.model.pending is None:
            self.propose("poster", 1)
        self.wait(WINDOW_SECONDS)
        self.activate(PEOPLE[-1], 1)

    def wait(self, seconds: int) -> None:
        self.site.node.increase_time(seconds)

    def claim(self, caller: str, place: int, back: int) -> None:
        sender = self._person(caller)
        if back >= len(self.trees):
            return
        leaves, root = self.trees[-1 - back]
        leaf = leaves[place]
        arguments = (leaf.key, leaf.wallet, leaf.milliwatt_hours, leaf.tokens, path(root, leaf))
        why = None
        if leaf.wallet == NOBODY:
            why = "no wallet"
        elif self.model.active is None or root.hash != self.model.active.hash:
            why = "not in the active root"
        if self._attempt("claim", arguments, sender, why):
            due = max(leaf.tokens - self.model.claimed.get(leaf.key, 0), 0)
            self.model.claimed[leaf.key] = self.model.claimed.get(leaf.key, 0) + due
            self.model.paid[leaf.wallet] = self.model.paid.get(leaf.wallet, 0) + due
            for wallet in WALLETS:
                paid = self.model.paid.get(wallet, 0)
                assert self.site.token.read("balanceOf", wallet) == paid
            for other in leaves:
                claimed = self.model.claimed.get(other.key, 0)
                assert self.site.ledger.read("claimed", other.key) == claimed

    # Roles

    def rotate_poster(self, caller: str, poster: str) -> None:
        sender = self._person(caller)
        why = None
        if sender != self.model.guardian:
            why = "only the guardian"
        elif poster == self.model.guardian:
            why = "poster and guardian are one"
        if self._attempt("rotate_poster", (poster,), sender, why):
            self.model.poster = poster

    def offer_guardian(self, caller: str, guardian: str) -> None:
        sender = self._person(caller)
        why = None if sender == self.model.guardian else "only the guardian"
        if self._attempt("offer_guardian", (guardian,), sender, why):
            self.model.offered = guardian

    def accept_guardian(self, caller: str) -> None:
        sender = self._person(caller)
        why = None
        if sender != self.model.offered:
            why = "not offered to you"
        elif sender == self.model.poster:
            why = "poster and guardian are one"
        if self._attempt("accept_guardian", (), sender, why):
            self.model.guardian, self.model.offered = sender, NOBODY

    # What has to hold

    @invariant()
    def tokens_are_what_was_settled(self) -> None:
        token, ledger, model = self.site.token, self.site.ledger, self.model
        assert token.read("totalSupply") == model.minted == ledger.read("tokens")
        assert model.minted == ledger.read("milliwatt_hours") * WEI_PER_MILLIWATT_HOUR
        assert token.read("balanceOf", ledger.address) == model.minted - sum(model.paid.values())

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        ledger, model = self.site.ledger, self.model
        assert ledger.read("last_epoch") == model.epoch
        assert ledger.read("root") == root_of(model.active)
        assert ledger.read("pending_root") == root_of(model.pending)
        pending = model.pending
        assert ledger.read("pending_epoch") == (model.epoch + 1 if pending else 0)
        assert ledger.read("pending_tokens") == (pending.tokens if pending else 0)
        assert ledger.read("activates_at") == (model.activates_at if pending else 0)
        assert ledger.read("poster") == model.poster
        assert ledger.read("guardian") == model.guardian
        assert ledger.read("offered_guardian") == model.offered

    def _person(self, caller: str) -> str:
        roles = {"poster": self.model.poster, "guardian": self.model.guardian}
        return roles.get(caller, caller)

    def _why_not_proposed(self, sender: str, ahead: int) -> str | None:
        if sender != self.model.poster:
            return "only the poster"
        if ahead != 1:
            return "not the next epoch"
        return "one is pending" if self.model.pending else None

    def _attempt(
        self, function: str, arguments: tuple[Any, ...], sender: str, why: str | None
    ) -> bool:
        """Call it; whether it went through, as the model said."""
        if why is not None:
            assert self.site.ledger.refusal(function, *arguments, sender=sender) == why
            return False
        self.site.ledger.send(function, *arguments, sender=sender)
        return True

    def _now(self) -> int:
        return int(self.site.node.block()["timestamp"], 16)


def root_of(node: Inner | None) -> str:
    return "0x" + node.hash.hex() if node else EMPTY


@pytest.mark.slow
def test_the_ledger_does_what_the_model_says(node: ChainNode) -> None:
    site = deploy_site(node, poster=PEOPLE[0], guardian=PEOPLE[1])

    class OnThisChain(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(site)

    run_state_machine_as_test(
        OnThisChain,
        settings=settings(max_examples=25, stateful_step_count=50, deadline=None),
    )
