"""Money that comes on chain: where to, what came, what became of it."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField, uuid7
from accounts.models import Donation, Donor, Household, JournalEntry, Site
from tokens.models.chain import ChainAsset
from tokens.models.outbox import OutboxTransfer


class Forwarder(models.Model):
    """An address (CREATE2, no key) whose money belongs to one household or one donor's donation."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    chain_id = models.BigIntegerField()
    address = models.CharField(max_length=42)
    salt = models.CharField(max_length=66, help_text="32 bytes, 0x and hexadecimal")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="forwarders")
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="forwarders"
    )
    donor = models.ForeignKey(
        Donor, on_delete=models.PROTECT, null=True, blank=True, related_name="forwarders"
    )
    native_wanted_at = models.DateTimeField(
        null=True, blank=True, help_text="native money is offered once it stands on chain"
    )
    is_deployed = models.BooleanField(default=False)
    deployment = models.ForeignKey(
        OutboxTransfer, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    watched_at = models.DateTimeField(help_text="its amounts on chain were compared with ours last")
    watched_block = models.BigIntegerField(
        null=True, blank=True, help_text="final block in which they were the same"
    )
    doubted_block = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="final block in which they were not; it is read again up to there",
    )

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=("chain_id", "address"), name="forwarder_once"),
            models.UniqueConstraint(
                fields=("chain_id", "site", "household"), name="forwarder_once_a_household"
            ),
            models.CheckConstraint(
                condition=models.Q(household__isnull=True) ^ models.Q(donor__isnull=True),
                name="forwarder_of_a_household_or_a_donor",
            ),
        ]

    def __str__(self) -> str:
        return self.address


class Deposit(models.Model):
    """One receipt on chain, once per (chain, transfer, log)."""

    class State(models.TextChoices):
        SEEN = "seen", "in a block that may still vanish"
        CREDITED = "credited", "final, and credited"
        SWEPT = "swept", "credited, and at the treasury"
        REVIEW = "review", "a person has to look"
        DISMISSED = "dismissed", "looked at, not credited"
        VANISHED = "vanished", "its block was replaced; nothing had been credited"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    chain_id = models.BigIntegerField()
    transfer_hash = models.CharField(max_length=66)
    log_index = models.IntegerField(help_text="-1: native currency sent straight to the address")
    block_number = models.BigIntegerField()
    block_hash = models.CharField(max_length=66)
    forwarder = models.ForeignKey(Forwarder, on_delete=models.PROTECT, related_name="deposits")
    asset = models.ForeignKey(ChainAsset, on_delete=models.PROTECT, related_name="deposits")
    units = WeiField(help_text="smallest units of the asset")
    sender = models.CharField(max_length=42)
    state = models.CharField(max_length=10, choices=State, default=State.SEEN)
    reason = models.CharField(max_length=200, blank=True)
    quote = models.JSONField(
        null=True, blank=True, help_text="feed, round, answer, haircut; frozen when credited"
    )
    credited_wei = WeiField(null=True, blank=True)  # type: ignore[misc]  # read as int | None
    entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
    )
    donation = models.OneToOneField(
        Donation,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="deposit",
        help_text="the position that a donor's deposit opened",
    )
    sweep = models.ForeignKey(
        OutboxTransfer, on_delete=models.PROTECT, null=True, blank=True, related_name="deposits"
    )
    seen_at = models.DateTimeField()
    credited_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("chain_id", "transfer_hash", "log_index"), name="deposit_once"
            ),
            models.CheckConstraint(condition=models.Q(units__gt=0), name="deposit_above_zero"),
            models.CheckConstraint(
                condition=~models.Q(state__in=("credited", "swept"))
                | models.Q(entry__isnull=False, credited_wei__isnull=False),
                name="deposit_credited_has_its_entry",
            ),
        ]
        indexes = [
            models.Index(fields=("forwarder", "asset"), name="deposit_by_forwarder"),
            models.Index(
                fields=("block_number",),
                name="deposit_open",
                condition=models.Q(state__in=("seen", "credited", "review")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.asset} to {self.forwarder}"


class Outflow(models.Model):
    """Money that left a forwarder, which it does only to the treasury, whoever asked for it.

    What the chain says; deleted when its block vanishes.
    """

    chain_id = models.BigIntegerField()
    transfer_hash = models.CharField(max_length=66)
    log_index = models.IntegerField()
    block_number = models.BigIntegerField()
    block_hash = models.CharField(max_length=66)
    forwarder = models.ForeignKey(Forwarder, on_delete=models.PROTECT, related_name="outflows")
    token_address = models.CharField(max_length=42, blank=True, help_text="empty: native currency")
    units = WeiField(help_text="smallest units of the token")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("chain_id", "transfer_hash", "log_index"), name="outflow_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.token_address or 'native currency'} from {self.forwarder}"


class StrayTransfer(models.Model):
    """A token that we do not take, sent to one of our addresses: for a person to look at."""

    chain_id = models.BigIntegerField()
    transfer_hash = models.CharField(max_length=66)
    log_index = models.IntegerField()
    block_number = models.BigIntegerField()
    block_hash = models.CharField(max_length=66)
    forwarder = models.ForeignKey(Forwarder, on_delete=models.PROTECT, related_name="strays")
    token_address = models.CharField(max_length=42)
    units = WeiField()
    seen_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("chain_id", "transfer_hash", "log_index"), name="stray_transfer_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.units} of {self.token_address}"
