"""Kisima on a chain of its own: forwarders, assets, people who pay, and time that passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts import amounts, audit, sites
from accounts.models import Alarm, Household, LedgerAccount, Operator, Site
from tests.chain.deployed import Contract as Deployed
from tests.chain.deployed import deploy, mined, sandbox_artifact
from tests.chain_node import ChainNode
from tests.village import Village
from tokens.audit import deposits as deposit_audit
from tokens.chain import calls, deposits, forwarders, outbox
from tokens.chain.artifacts import artifact
from tokens.chain.client import Chain
from tokens.models import (
    ChainAsset,
    Contract,
    Deposit,
    Forwarder,
    OutboxTransfer,
)

WEI = 10**18
USDC_UNITS = 10**6
PAYER = 6
LICENCE = "CMA sandbox 12/2026"


@dataclass(kw_only=True)
class Deployment:
    """The contracts on a node, deployed once a module."""

    node: ChainNode
    implementation: Deployed
    factory: Deployed
    dai: Deployed
    usdc: Deployed
    feed: Deployed

    @classmethod
    def on(cls, node: ChainNode) -> Deployment:
        treasury = node.treasury.address
        implementation = deploy(node, artifact("DepositForwarder"), treasury)
        token, feed = sandbox_artifact("SandboxToken"), sandbox_artifact("SandboxFeed")
        return cls(
            node=node,
            implementation=implementation,
            factory=deploy(node, artifact("ForwarderFactory"), implementation.address, treasury),
            dai=deploy(node, token, "Dai", "DAI", 18),
            usdc=deploy(node, token, "USD Coin", "USDC", 6),
            feed=deploy(node, feed, "ETH / USD", 8, 2_000 * 10**8),
        )


@dataclass(kw_only=True)
class DepositChain:
    """A village whose operator takes crypto money, and the chain it comes on."""

    village: Village
    deployed: Deployment
    household: Household
    at: datetime = field(default_factory=timezone.now)

    @classmethod
    def found(cls, *, deployed: Deployment, at: datetime) -> DepositChain:
        village = Village.found(at=at)
        Operator.objects.update(crypto_licence=LICENCE)
        village.operator.refresh_from_db()
        made = cls(
            village=village, deployed=deployed, household=village.household("KIS0001"), at=at
        )
        made.contract(Contract.Kind.FACTORY, deployed.factory)
        made.contract(Contract.Kind.FORWARDER, deployed.implementation)
        made.contract(Contract.Kind.TOKEN, deployed.dai, site=village.site)
        made.asset("DAI", deployed.dai.address)
        made.asset("USDC", deployed.usdc.address, decimals=6)
        made.asset("XDAI", "")
        return made

    @property
    def node(self) -> ChainNode:
        return self.deployed.node

    @property
    def site(self) -> Site:
        return Site.objects.select_related("operator", "book").get(pk=self.village.site.pk)

    @property
    def chain(self) -> Chain:
        return Chain(rpc_url=self.node.url, chain_id=self.node.chain_id)

    @property
    def payer(self) -> str:
        return str(self.node.accounts[PAYER].address)

    def contract(self, kind: Contract.Kind, at: Deployed, *, site: Site | None = None) -> None:
        Contract.objects.create(
            chain_id=self.node.chain_id,
            kind=kind,
            site=site,
            address=at.address,
            block_number=1,
            deployed_at=self.at,
        )

    def asset(self, code: str, address: str, **fields: Any) -> ChainAsset:
        given = {"pricing": ChainAsset.Pricing.PAR, **fields}
        return ChainAsset.objects.create(
            chain_id=self.node.chain_id, code=code, address=address, **given
        )

    def ether(self, **fields: Any) -> ChainAsset:
        """Native money is ether, by the feed."""
        ChainAsset.objects.filter(code="XDAI").delete()
        return self.asset(
            "ETH",
            "",
            pricing=ChainAsset.Pricing.FEED,
            feed_address=self.deployed.feed.address,
            feed_heartbeat_seconds=3_600,
            **fields,
        )

    def forwarder(self, household: Household | None = None) -> Forwarder:
        return forwarders.of_household(
            household=household or self.household, site=self.site, at=self.at
        )

    def donors_forwarder(self, nonce: str = "nonce") -> Forwarder:
        return forwarders.of_donation(
            site=self.site, nonce=nonce, name="Ada", email="ada@example.org", at=self.at
        )

    def deployed_forwarder(self, household: Household | None = None) -> Forwarder:
        """A forwarder that stands on chain, put there by the outbox."""
        forwarder = self.forwarder(household)
        assert forwarders.want_native(forwarder=forwarder, at=self.at)
        self.sweep()
        self.send_outbox()
        self.sweep()
        forwarder.refresh_from_db()
        assert forwarder.is_deployed
        return forwarder

    def pay(
        self, forwarder: Forwarder, units: int, *, token: Deployed | None = None
    ) -> dict[str, Any]:
        """Somebody sends DAI (or another token) to a forwarder; the receipt."""
        token = token or self.deployed.dai
        token.send("mint", self.payer, units, sender=self.payer)
        return self.paid(forwarder, units, token=token)

    def paid(
        self, forwarder: Forwarder, units: int, *, token: Deployed | None = None
    ) -> dict[str, Any]:
        """The payer sends tokens that it has; the receipt."""
        return mined(self.node, self.transfer(forwarder, units, token=token))

    def transfer(self, forwarder: Forwarder, units: int, *, token: Deployed | None = None) -> str:
        """The payer sends tokens that it has; the transfer's hash."""
        token = token or self.deployed.dai
        data = calls.encode_call(
            artifact=token.artifact, function="transfer", arguments=[forwarder.address, units]
        )
        return self.node.send(sender=self.payer, to=token.address, data=data)

    def pay_native(self, forwarder: Forwarder, units: int) -> dict[str, Any]:
        sent = self.node.send(sender=self.payer, to=forwarder.address, value_wei=units)
        return mined(self.node, sent)

    def watch(self) -> int:
        return deposits.watch(at=timezone.now())

    def credit(self) -> int:
        return deposits.credit(at=timezone.now())

    def sweep(self) -> int:
        return deposits.sweep(at=timezone.now())

    def settle(self) -> int:
        """All that is on chain now becomes final, is read and credited; how many were credited."""
        self.node.finalize()
        self.watch()
        return self.credit()

    def send_outbox(self) -> None:
        """Let the outbox finish what is queued."""
        for _ in range(20):
            outbox.advance(chain=self.chain, at=timezone.now())
            if not OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN).exists():
                return
            self.node.finalize()
        raise AssertionError(list(OutboxTransfer.objects.values_list("intent", "state", "failure")))

    def funds(self, household: Household | None = None) -> int:
        return amounts.of_household(household=household or self.household).funds_wei

    def move(self, household: Household, *, to: Site) -> None:
        """A household lives at another site from now on."""
        now = timezone.now()
        here = household.sites.get()
        here.validity = (here.validity.lower, now - timedelta(seconds=1))
        here.save()
        household.sites.create(site=to, validity=(now - timedelta(seconds=1), None))


def states() -> list[str]:
    """States of all deposits, in the order they came."""
    return list(Deposit.objects.order_by("id").values_list("state", flat=True))


def lasting(kind: Alarm.Kind) -> list[str]:
    """What alarms of a kind say that last."""
    return list(Alarm.objects.filter(kind=kind, cleared_at=None).values_list("text", flat=True))


def stands(kind: str, asset: str, name: str = "") -> int:
    """What stands on a site's account of a kind."""
    rows = LedgerAccount.objects.filter(kind=kind, asset=asset)
    return sum(each.amount for each in (rows.filter(name=name) if name else rows))


def assert_books_hold() -> None:
    """Every invariant of the ledger, and of money on chain."""
    checks = (*audit.CHECKS, *deposit_audit.CHECKS)
    wrong = [each for result in audit.run(checks=checks) for each in result.findings]
    assert wrong == []


def rival(*, at: datetime) -> Operator:
    """Another operator."""
    return sites.open_operator(slug="rival", name="Rival", at=at)
