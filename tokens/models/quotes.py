"""What a unit of a chain asset is worth, as its price feed told."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField
from tokens.models.chain import ChainAsset


class AssetQuote(models.Model):
    """One round of an asset's price feed, in US dollars: answer / 10^decimals for one asset."""

    asset = models.ForeignKey(ChainAsset, on_delete=models.PROTECT, related_name="quotes")
    feed_address = models.CharField(max_length=42)
    round_id = WeiField(help_text="as the feed counts")
    answer = WeiField()
    decimals = models.PositiveSmallIntegerField()
    updated_at = models.DateTimeField(help_text="by the feed")
    expires_at = models.DateTimeField(help_text="its heartbeat later it may not be used any more")
    read_at = models.DateTimeField(help_text="by us, last")

    class Meta:
        ordering = ("-updated_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=("asset", "feed_address", "round_id", "updated_at"), name="asset_quote_once"
            ),
            models.CheckConstraint(
                condition=models.Q(answer__gt=0) & models.Q(decimals__lte=36),
                name="asset_quote_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset.code}: {self.answer} / 10^{self.decimals} USD"
