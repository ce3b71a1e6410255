"""A village whose epochs stand on a real chain: contracts deployed, roots active, claims paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Site as VillageSite
from tests.chain.deployed import WINDOW_SECONDS, Site, deploy_site
from tests.chain_node import ChainNode
from tests.epoch_village import QUARTER, EpochVillage
from tokens import claims, minting
from tokens.chain import client, outbox
from tokens.models import Epoch, OutboxTransfer

SECOND = timedelta(seconds=1)
_MOST_STEPS = 20


@dataclass(kw_only=True)
class MintedVillage:
    """A village's life, its contracts, and the chain they stand on."""

    life: EpochVillage
    contracts: Site
    node: ChainNode

    @classmethod
    def found(cls, node: ChainNode, *, at: datetime, households: int = 6) -> MintedVillage:
        """Found Kisima; its contracts are the only ones on a chain that nobody used before."""
        contracts = deploy_site(node)
        node.finalize()
        life = EpochVillage.found(at=at, households=households)
        life.deploy(ledger=contracts.ledger.address, token=contracts.token.address)
        return cls(life=life, contracts=contracts, node=node)

    @property
    def site(self) -> VillageSite:
        return self.life.village.site

    def mint(self) -> Epoch:
        """Close the epoch that is due and bring it on chain until it is active."""
        epoch = self.life.must_close()
        minting.propose(epoch=epoch, at=self.life.at)
        for _ in range(_MOST_STEPS):
            self.send()
            self.node.increase_time(WINDOW_SECONDS)
            self.node.finalize()
            minting.follow(site=self.site, at=self.life.at)
            epoch = Epoch.objects.get(pk=epoch.pk)
            if epoch.state == Epoch.State.ACTIVE:
                self._wait_for_a_slot()
                return epoch
        raise AssertionError(f"the epoch is {epoch.state}")

    def send(self) -> None:
        """Let the outbox send what is queued, until it is final."""
        for _ in range(_MOST_STEPS):
            self.life.at += 10 * SECOND
            outbox.advance(chain=client.connected(), at=self.life.at)
            self.node.drain()
            self.node.finalize()
            outbox.advance(chain=client.connected(), at=self.life.at)
            if not OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN).exists():
                return
        raise AssertionError("the outbox does not come to an end")

    def read_claims(self) -> int:
        """Read what was claimed, once it is final."""
        self.node.finalize()
        return claims.follow(chain=client.connected(), at=self.life.at)

    def _wait_for_a_slot(self) -> None:
        """What is read next has to be read of a slot."""
        whole = self.life.at.replace(minute=0, second=0)
        self.life.at = whole + -((whole - self.life.at) // QUARTER) * QUARTER

    def holds(self, wallet: str) -> Any:
        """Tokens at a wallet, by the token contract."""
        return self.contracts.token.read("balanceOf", wallet)
