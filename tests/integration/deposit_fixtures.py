"""Fixtures of tests about money on chain: contracts once a module, a village for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.chain_node import ChainNode, chain_node, chained
from tests.deposit_chain import Deployment, DepositChain
from tokens.chain import final

__all__ = ["chain_node", "chained", "deployed", "here"]


@pytest.fixture(scope="module")
def deployed(chain_node: ChainNode) -> Deployment:
    return Deployment.on(chain_node)


@pytest.fixture
def here(
    deployed: Deployment, chained: ChainNode, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DepositChain]:
    """Kisima takes DAI, USDC and xDAI; every forwarder is looked at at once, not in a minute."""
    monkeypatch.setattr(final, "LOOK_AGAIN_AFTER", timedelta())
    yield DepositChain.found(deployed=deployed, at=timezone.now())
