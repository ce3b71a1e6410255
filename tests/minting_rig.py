"""A village on a real node: epochs go through the outbox to contracts and are followed there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from accounts.models import Alarm
from tests.chain.deployed import Site as Contracts
from tests.chain.deployed import deploy_site
from tests.chain_node import ChainNode
from tests.epoch_village import EpochVillage
from tokens import minting
from tokens.chain import client, outbox
from tokens.models import Epoch


@dataclass(kw_only=True)
class MintingRig:
    """A village, its node, and its token and ledger there."""

    life: EpochVillage
    node: ChainNode
    contracts: Contracts

    @classmethod
    def found(cls, *, life: EpochVillage, node: ChainNode, **changes: Any) -> MintingRig:
        """Deploy contracts for a village; changes are arguments of the ledger's constructor."""
        contracts = deploy_site(node, **changes)
        life.deploy(
            ledger=contracts.ledger.address,
            token=contracts.token.address,
            block_number=node.block_number(),
        )
        node.finalize()
        return cls(life=life, node=node, contracts=contracts)

    @property
    def supply_wei(self) -> int:
        return int(self.contracts.token.read("totalSupply"))

    def advance(self, *, seconds: int = 2) -> None:
        self.life.at += timedelta(seconds=seconds)
        outbox.advance(chain=client.connected(), at=self.life.at)
        self.node.drain()

    def send(self) -> None:
        """Send and mine what is queued, without making it final."""
        self.advance()
        self.advance()

    def finish(self) -> None:
        """Send, mine and finalize what is queued."""
        self.advance()
        self.node.finalize()
        self.advance()

    def close(self) -> Epoch:
        """Close what is due and queue its proposal."""
        return minting.propose(epoch=self.life.must_close(), at=self.life.at)

    def follow(self) -> Epoch:
        epoch = minting.follow(site=self.life.village.site, at=self.life.at)
        assert epoch is not None, "no epoch is open"
        return epoch

    def proposed(self) -> Epoch:
        """Close an epoch and bring it into its window."""
        self.close()
        self.finish()
        epoch = self.follow()
        assert epoch.state == Epoch.State.PROPOSED
        return epoch

    def activated(self) -> Epoch:
        """Take the open epoch through the rest of its window."""
        self.node.increase_time(15)
        self.follow()
        self.finish()
        epoch = self.follow()
        assert epoch.state == Epoch.State.ACTIVE
        return epoch

    def veto(self, epoch: Epoch) -> None:
        self.contracts.ledger.send("veto", epoch.number, sender=self.contracts.guardian)

    def close_all(self) -> None:
        minting.close_all(at=self.life.at)

    def follow_all(self) -> None:
        minting.follow_all(at=self.life.at)


def alarms() -> dict[str, str]:
    """Words of the open alarms about epochs, by key."""
    found = Alarm.objects.filter(cleared_at__isnull=True, key__startswith="epochs:")
    return dict(found.values_list("key", "text"))
