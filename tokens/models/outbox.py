"""The outbox: what is to happen on chain, each once, whatever becomes of the process that sends it.

"transfer" is the chain's word here: what others call a transaction, which is the database's.
"""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField, uuid7


class OutboxTransfer(models.Model):
    """One intent, one nonce, one effect. Signed bytes are stored before they are broadcast."""

    class State(models.TextChoices):
        QUEUED = "queued", "waits for its nonce"
        SIGNED = "signed", "signed, perhaps broadcast"
        MINED = "mined", "in a block that may still vanish"
        FINAL = "final", "in a block that stays"
        REVERTED = "reverted", "without effect, for good"

    OPEN = (State.QUEUED, State.SIGNED, State.MINED)

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    chain_id = models.BigIntegerField()
    intent = models.CharField(max_length=120, help_text="what for, e.g. propose:kisima:12")
    sender = models.CharField(max_length=42)
    to_address = models.CharField(max_length=42, blank=True, help_text="empty: makes a contract")
    value_wei = WeiField(default=0)
    data = models.TextField(help_text="call data, 0x and hexadecimal")
    gas_limit = models.BigIntegerField(null=True, blank=True, help_text="empty: estimated")
    nonce = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    failure = models.CharField(max_length=400, blank=True)
    mined_hash = models.CharField(max_length=66, blank=True)
    block_number = models.BigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=66, blank=True)
    gas_used = models.BigIntegerField(null=True, blank=True)
    contract_address = models.CharField(max_length=42, blank=True)
    created_at = models.DateTimeField()
    refused_since = models.DateTimeField(
        null=True, blank=True, help_text="since when the node says that it would revert"
    )
    next_look_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=("chain_id", "intent"), name="outbox_intent_once"),
            models.UniqueConstraint(
                fields=("chain_id", "sender", "nonce"), name="outbox_nonce_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("queued", "reverted"))
                | models.Q(nonce__isnull=False),
                name="outbox_nonce_before_signing",
            ),
        ]
        indexes = [
            models.Index(
                fields=("chain_id", "sender", "id"),
                name="outbox_open",
                condition=models.Q(state__in=("queued", "signed", "mined")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.intent} {self.state}"


class SignedTransfer(models.Model):
    """Signed bytes of an outbox transfer: its nonce, each with more gas than the one before."""

    outbox = models.ForeignKey(OutboxTransfer, on_delete=models.PROTECT, related_name="signed")
    transfer_hash = models.CharField(max_length=66, unique=True)
    raw = models.TextField(help_text="0x and hexadecimal")
    max_fee_wei = WeiField()
    priority_fee_wei = WeiField()
    signed_at = models.DateTimeField()
    broadcast_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.transfer_hash
