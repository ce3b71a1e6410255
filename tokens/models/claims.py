"""What holders took from the ledger contract, and what a stranger's check of a site says."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField
from accounts.models import Site
from tokens.models.epochs import Leaf


class Claim(models.Model):
    """One `Claimed` event of a block that stays; anybody may have sent the transfer."""

    chain_id = models.BigIntegerField()
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="claims")
    leaf = models.ForeignKey(Leaf, on_delete=models.PROTECT, related_name="claims")
    wallet = models.CharField(max_length=42)
    tokens_wei = WeiField()
    transfer_hash = models.CharField(max_length=66)
    log_index = models.IntegerField()
    block_number = models.BigIntegerField()
    claimed_at = models.DateTimeField(help_text="time of its block")

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("chain_id", "transfer_hash", "log_index"), name="claim_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tokens_wei} wei to {self.wallet}"


class Verification(models.Model):
    """The last run of verify.py on a site: its own words."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="verification")
    epoch_number = models.PositiveIntegerField(null=True, blank=True)
    exit_code = models.PositiveSmallIntegerField(
        help_text="0: all holds, 1: something is false, 2: could not check"
    )
    checks = models.JSONField(default=list, help_text='[{"name", "state", "text"}]')
    ran_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"verification of {self.site}"

    @property
    def is_true(self) -> bool:
        return self.exit_code == 0

    @property
    def is_false(self) -> bool:
        return self.exit_code == 1
