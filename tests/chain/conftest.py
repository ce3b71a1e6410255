"""A site's contracts, deployed once a module; each test starts from that chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chain.deployed import WEI_PER_MILLIWATT_HOUR, Site, deploy_site
from tests.chain.reference import Leaf
from tests.chain_node import ChainNode


@pytest.fixture(scope="module")
def founded(chain_node: ChainNode) -> Site:
    return deploy_site(chain_node)


@pytest.fixture
def site(founded: Site) -> Iterator[Site]:
    """Token and ledger before the first epoch."""
    snapshot = founded.node.snapshot()
    yield founded
    founded.node.revert(snapshot)


@pytest.fixture
def node(chain_node: ChainNode) -> Iterator[ChainNode]:
    """The module's chain; what the test does to it is taken back."""
    snapshot = chain_node.snapshot()
    yield chain_node
    chain_node.revert(snapshot)


def leaves(*kilowatt_hours: int, wallets: str = "a") -> list[Leaf]:
    """Households' leaves of so much energy, half of its tokens each, and the donors' reserve.

    Keys and wallets are told apart by their place.
    """
    households = [
        Leaf(
            key=bytes([place]) * 32,
            wallet="0x" + f"{place:02x}" * 19 + wallets * 2,
            milliwatt_hours=kwh * 10**6,
            tokens=kwh * 10**6 * WEI_PER_MILLIWATT_HOUR // 2,
        )
        for place, kwh in enumerate(kilowatt_hours, start=1)
    ]
    reserve = Leaf(
        key=b"\xff" * 32,
        wallet="0x" + "00" * 20,
        milliwatt_hours=0,
        tokens=sum(leaf.tokens for leaf in households),
    )
    return [*households, reserve]
