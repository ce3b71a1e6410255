"""What the treasury does with received money: turn a rail's float into DAI."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField, uuid7
from accounts.models.ledger import JournalEntry
from accounts.models.operators import Rail, User
from accounts.models.sites import Site


class TreasuryConversion(models.Model):
    """Money moved out of a rail's float of one site and turned into DAI."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="conversions")
    rail = models.ForeignKey(Rail, on_delete=models.PROTECT, related_name="conversions")
    sold_minor = models.BigIntegerField(help_text="what left the float")
    fee_minor = models.BigIntegerField(default=0, help_text="of it, kept by bank and exchange")
    currency = models.CharField(max_length=3)
    bought_wei = WeiField(help_text="what came of it, in DAI")
    cost_wei = WeiField(help_text="what the sold money was booked at when it was received")
    reference = models.CharField(max_length=64, help_text="of the provider's payout")
    note = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    converted_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("-converted_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("site", "rail", "reference"), name="treasury_conversion_once"
            ),
            models.CheckConstraint(
                condition=models.Q(sold_minor__gt=0)
                & models.Q(fee_minor__gte=0)
                & models.Q(fee_minor__lt=models.F("sold_minor"))
                & models.Q(bought_wei__gt=0),
                name="treasury_conversion_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sold_minor} {self.currency} of {self.site} over {self.rail.code}"

    @property
    def fee_wei(self) -> int:
        """The fee at what the sold money was booked at: an expense of its own."""
        return self.cost_wei * self.fee_minor // self.sold_minor

    @property
    def result_wei(self) -> int:
        """The realised FX result of what the fee left: above zero is a gain."""
        return self.bought_wei - (self.cost_wei - self.fee_wei)


class CryptoConversion(models.Model):
    """Money of one site that had come on chain, turned into DAI of the treasury."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="crypto_conversions")
    asset = models.CharField(max_length=8, help_text="what was sold: XDAI, USDC, ETH, ...")
    is_par = models.BooleanField(help_text="one of it is booked as one DAI")
    decimals = models.PositiveSmallIntegerField(help_text="of the asset")
    sold_units = WeiField(help_text="smallest units of the asset, gas and fees included")
    bought_wei = WeiField(help_text="what came of it, in DAI")
    cost_wei = WeiField(help_text="what the sold money was booked at when it was received")
    reference = models.CharField(max_length=80, help_text="of the exchange, or the transfer's hash")
    note = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    converted_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("-converted_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("site", "asset", "reference"), name="crypto_conversion_once"
            ),
            models.CheckConstraint(
                condition=models.Q(sold_units__gt=0) & models.Q(bought_wei__gt=0),
                name="crypto_conversion_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sold_units} units of {self.asset} of {self.site}"

    @property
    def result_wei(self) -> int:
        """The realised result: above zero is a gain."""
        return self.bought_wei - self.cost_wei
