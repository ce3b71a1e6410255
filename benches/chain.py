"""Gas of an epoch for any number of households, beside minting to each of them.

Real contracts on a real node (anvil, Prague rules), roots of real trees. What the epoch pays for
is that everybody's tokens exist and can be proven; a household that wants them in its wallet claims
them, and that gas is told on its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from eth_utils.address import to_checksum_address

from benches.ground import say
from benches.outcome import Outcome, middle
from benches.peer import Message, Peer
from launcher import anvil_install, compile_contracts
from launcher.progress import Progress
from tests.chain.deployed import (
    DATASET_HASH,
    NOBODY,
    WINDOW_SECONDS,
    Site,
    deploy,
    deploy_site,
    mined,
    sandbox_artifact,
)
from tests.chain_node import ChainNode
from tests.chain_node import chain as node_of_its_own
from tokens.chain.artifacts import Artifact, artifact

CONTRACTS = Path(__file__).with_name("contracts")
HARDFORK = "prague"  # what the contracts are compiled for
BATCH = 500
NODES_HASHED = 500


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many households to close an epoch for; claims are proven by paths of these depths."""

    households: tuple[int, ...]
    depths: tuple[int, ...]
    mints: int
    hashed: int
    rounds: int


FULL = Size(
    households=(100, 10_000, 1_000_000),
    depths=(5, 10, 20),
    mints=50,
    hashed=100_000,
    rounds=5,
)
SMALL = Size(households=(100, 1_000), depths=(5, 10), mints=2, hashed=1_000, rounds=1)


def run(*, is_small: bool) -> Outcome:
    """Measure and return gas, seconds and megabytes, and the ratios to minting."""
    size = SMALL if is_small else FULL
    with _node() as node:
        epochs, trees = _epochs(node, size)
        baselines = _baselines(node, size)
        figures = {
            **epochs,
            **{
                f"gas_per_household_{count}_households": epochs[_epoch(count)] / count
                for count in size.households
            },
            **{f"gas_{name}": gas for name, gas in baselines.items()},
            **_calls(node),
            **_claims(node, size),
            **_forwarders(node),
            **_hash_gas(node),
        }
    hashing = _hashing(size)
    figures |= trees | hashing
    ratios = {}
    for count in size.households:
        per_household = epochs[_epoch(count)] / count
        each, batch = baselines["per_one_mint_each"], baselines["per_mint_in_a_batch_of_500"]
        ratios[f"vs_one_mint_each_{count}_households"] = each / per_household
        ratios[f"vs_batch_mint_{count}_households"] = batch / per_household
    ratios["vs_keccak_tree"] = (
        hashing["tree_us_per_leaf_keccak"] / hashing["tree_us_per_leaf_sha256"]
    )
    return Outcome(bench="chain", figures=figures, ratios=ratios)


def _epoch(count: int) -> str:
    return f"gas_per_epoch_{count}_households"


@contextmanager
def _node() -> Iterator[ChainNode]:
    progress = Progress(stream=sys.stderr)
    binary = anvil_install.ensure(python=Path(sys.executable), progress=progress)
    os.environ["TEST_ANVIL"] = str(binary)
    with (
        tempfile.TemporaryDirectory() as directory,
        node_of_its_own(directory=Path(directory), arguments=("--hardfork", HARDFORK)) as node,
    ):
        yield node


def _epochs(node: ChainNode, size: Size) -> tuple[dict[str, float], dict[str, float]]:
    """Gas of a steady epoch (its storage was written before), and what its tree took to build."""
    gas: dict[str, float] = {}
    trees: dict[str, float] = {}
    for count in size.households:
        site = _started_site(node)
        tree = _built(households=count)
        gas[_epoch(count)] = _propose(site, 3, tree) + _activate(site, 3)
        # The chain would pay from it.
        paid = site.ledger.read("claim", *_claim(tree))
        assert paid == tree["tokens"] and site.ledger.read("tokens") == _sum(tree)
        trees[f"tree_build_seconds_{count}_households"] = tree["seconds"]
        trees[f"tree_build_cpu_seconds_{count}_households"] = tree["cpu_seconds"]
        if tree["peak_mb"] is not None:
            trees[f"tree_build_peak_mb_{count}_households"] = tree["peak_mb"]
    return gas, trees


def _started_site(node: ChainNode) -> Site:
    """Contracts that have two small epochs behind them, so that no word is written first."""
    site = deploy_site(node)
    for n in (1, 2):
        _propose(site, n, _built(households=n))
        _activate(site, n)
    return site


@cache
def _built(*, households: int) -> Message:
    """A tree, built in a process of its own, with the proof of its first leaf."""
    say(f"building a tree of {households} households")
    with Peer(module="benches.chain_tree", environment=os.environ) as builder:
        return builder.ask(do="build", households=households)


def _sum(tree: Message) -> int:
    found: int = tree["left"]["tokens"] + tree["right"]["tokens"]
    return found


def _propose(site: Site, n: int, tree: Message) -> int:
    arguments = (n, tree["left"], tree["right"], DATASET_HASH)
    return site.ledger.gas("propose", *arguments, sender=site.poster)


def _activate(site: Site, n: int) -> int:
    site.node.increase_time(WINDOW_SECONDS)
    return site.ledger.gas("activate", n, sender=site.poster)


def _claim(tree: Message) -> list[Any]:
    names = ("key", "wallet", "milliwatt_hours", "tokens", "path")
    return [tree[name] for name in names]


def _baselines(node: ChainNode, size: Size) -> dict[str, float]:
    """Gas per household of minting to each whose balance is not zero any more."""
    say("minting to each household, and in batches")
    token = deploy(node, _own("BatchToken"))
    minter = node.poster.address
    rng = Random(2)
    holders = [to_checksum_address(rng.randbytes(20)) for _ in range(BATCH)]
    amounts = [rng.randrange(10**15, 10**18) for _ in holders]
    token.gas("mint_many", holders, amounts, sender=minter)
    batch = token.gas("mint_many", holders, amounts, sender=minter)
    each = [
        token.gas("mint", holder, amount, sender=minter)
        for holder, amount in zip(holders[: size.mints], amounts, strict=False)
    ]
    return {
        "per_one_mint_each": sum(each) / len(each),
        "per_mint_in_a_batch_of_500": batch / BATCH,
    }


def _calls(node: ChainNode) -> dict[str, float]:
    """Gas of deploying a site's contracts, and of its first and later calls."""
    say("deploying, proposing, vetoing, activating")
    site = deploy_site(node)
    tree, later = _built(households=20), _built(households=40)
    figures: dict[str, float] = {
        "gas_of_deploying_impact_token": site.token.deployment_gas,
        "gas_of_deploying_impact_ledger": site.ledger.deployment_gas,
        "gas_of_first_propose": _propose(site, 1, tree),
        "gas_of_first_activate": _activate(site, 1),
    }
    figures["gas_of_propose"] = _propose(site, 2, later)
    figures["gas_of_veto"] = site.ledger.gas("veto", 2, sender=site.guardian)
    figures["gas_of_propose_after_veto"] = _propose(site, 2, later)
    figures["gas_of_activate"] = _activate(site, 2)
    return figures


def _claims(node: ChainNode, size: Size) -> dict[str, float]:
    """Gas of a leaf's first claim, to a wallet without tokens, and of one that pays nothing."""
    figures: dict[str, float] = {}
    for depth in size.depths:
        site = _started_site(node)
        tree = _built(households=2**depth - 2)
        assert len(tree["path"]) == depth, f"a path of {len(tree['path'])} steps, not {depth}"
        _propose(site, 3, tree)
        _activate(site, 3)
        first = site.ledger.gas("claim", *_claim(tree), sender=site.poster)
        assert site.token.read("balanceOf", tree["wallet"]) == tree["tokens"]
        figures[f"gas_of_first_claim_depth_{depth}"] = first
        again = site.ledger.gas("claim", *_claim(tree), sender=site.poster)
        figures[f"gas_of_empty_claim_depth_{depth}"] = again
    return figures


def _forwarders(node: ChainNode) -> dict[str, float]:
    """Gas of forwarders: made, flushed, and both at once."""
    treasury, sender = node.treasury.address, node.sweeper.address
    implementation = deploy(node, artifact("DepositForwarder"), treasury)
    factory = deploy(node, artifact("ForwarderFactory"), implementation.address, treasury)
    coin = deploy(node, sandbox_artifact("SandboxToken"), "Dai Stablecoin", "DAI", 18)
    coin.send("mint", treasury, 1, sender=sender)
    figures: dict[str, float] = {
        "gas_of_deploying_deposit_forwarder": implementation.deployment_gas,
        "gas_of_deploying_forwarder_factory": factory.deployment_gas,
        "gas_of_create_forwarder": factory.gas("create", bytes(32), sender=sender),
    }
    for name, salt in (("flush", bytes(32)), ("create_and_flush", b"\1" * 32)):
        address = factory.read("address_of", salt)
        coin.send("mint", address, 10**18, sender=sender)
        figures[f"gas_of_{name}_token"] = factory.gas("flush", salt, coin.address, sender=sender)
    for name, salt in (("flush", bytes(32)), ("create_and_flush", b"\2" * 32)):
        address = factory.read("address_of", salt)
        mined(node, node.send(sender=sender, to=address, value_wei=10**18))
        figures[f"gas_of_{name}_native"] = factory.gas("flush", salt, NOBODY, sender=sender)
    return figures


def _hash_gas(node: ChainNode) -> dict[str, float]:
    """Gas of one inner node under either hash, in the EVM."""
    contract = deploy(node, _own("HashCost"))
    figures = {}
    for name in ("sha256", "keccak"):
        sender = node.poster.address
        few = contract.gas(f"by_{name}", 0, sender=sender)
        many = contract.gas(f"by_{name}", NODES_HASHED, sender=sender)
        figures[f"gas_per_node_{name}"] = (many - few) / NODES_HASHED
    return figures


def _hashing(size: Size) -> dict[str, float]:
    """Processor time a leaf of the same tree in Python by either hash, in microseconds; medians."""
    say("building trees by SHA-256 and by Keccak")
    rounds: list[Message] = []
    with Peer(module="benches.chain_tree", environment=os.environ) as builder:
        rounds += [builder.ask(do="hashing", households=size.hashed) for _ in range(size.rounds)]
    return {
        f"tree_us_per_leaf_{name}": 1e6 * middle([taken[name] for taken in rounds]) / size.hashed
        for name in ("sha256", "keccak")
    }


def _own(name: str) -> Artifact:
    source = CONTRACTS / f"{name}.vy"
    found = compile_contracts.compiled(sources=[source])[source]
    return Artifact(abi=found["abi"], bytecode=found["bytecode"])
