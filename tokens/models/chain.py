"""What stands on chain and how far we have read it."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField
from accounts.models import Site


class Contract(models.Model):
    """One of our contracts, deployed. A site has its own ledger and its own token."""

    class Kind(models.TextChoices):
        TOKEN = "token", "impact token of a site"
        LEDGER = "ledger", "impact ledger of a site"
        FORWARDER = "forwarder", "deposit forwarder (implementation)"
        FACTORY = "factory", "deposit forwarder factory"

    chain_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, related_name="contracts"
    )
    address = models.CharField(max_length=42, help_text="with its checksum (EIP-55)")
    block_number = models.BigIntegerField(help_text="deployed in: nothing of it lies before")
    deployed_at = models.DateTimeField()

    class Meta:
        ordering = ("chain_id", "kind", "site")
        constraints = [
            models.UniqueConstraint(
                fields=("chain_id", "kind", "site"),
                name="contract_once_a_site",
                nulls_distinct=False,
            ),
            models.UniqueConstraint(fields=("chain_id", "address"), name="contract_address_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.address}"


class ChainAsset(models.Model):
    """Money that we take on chain, and how it is priced."""

    class Pricing(models.TextChoices):
        PAR = "par", "one DAI each (DAI, xDAI)"
        FEED = "feed", "by a Chainlink-style feed in US dollars"

    chain_id = models.BigIntegerField()
    code = models.CharField(max_length=8, help_text="DAI, USDC, XDAI, ETH: names its accounts")
    address = models.CharField(max_length=42, blank=True, help_text="empty: the native currency")
    decimals = models.PositiveSmallIntegerField(default=18)
    pricing = models.CharField(max_length=4, choices=Pricing)
    feed_address = models.CharField(max_length=42, blank=True)
    feed_heartbeat_seconds = models.PositiveIntegerField(default=3_600)
    haircut_basis_points = models.PositiveIntegerField(
        default=0, help_text="taken off the quote, as the price moves until it is converted"
    )
    dust_units = WeiField(default=0, help_text="less than this goes to review, in smallest units")
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("chain_id", "code")
        constraints = [
            models.UniqueConstraint(fields=("chain_id", "code"), name="chain_asset_code_once"),
            models.UniqueConstraint(fields=("chain_id", "address"), name="chain_asset_once"),
            models.CheckConstraint(
                condition=models.Q(decimals__lte=36)
                & models.Q(haircut_basis_points__lte=5_000)
                & (models.Q(pricing="par") | ~models.Q(feed_address="")),
                name="chain_asset_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} on chain {self.chain_id}"


class BlockCursor(models.Model):
    """How far a watcher has read a chain; the hash tells whether that block still stands."""

    chain_id = models.BigIntegerField()
    watcher = models.CharField(max_length=20)
    block_number = models.BigIntegerField()
    block_hash = models.CharField(max_length=66)
    span_blocks = models.PositiveIntegerField(
        default=500, help_text="asked for at once; shrinks when a node refuses, grows again"
    )
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("chain_id", "watcher"), name="block_cursor_once")
        ]

    def __str__(self) -> str:
        return f"{self.watcher} on chain {self.chain_id} at {self.block_number}"
