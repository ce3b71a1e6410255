"""Wallets that donors and households proved to be theirs (Sign-In with Ethereum)."""

from __future__ import annotations

from django.db import models

from accounts.fields import uuid7
from accounts.models import Donor, Household


class SignInNonce(models.Model):
    """A nonce of one sign-in message: good once, for a while, for one purpose."""

    nonce = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=120, help_text="e.g. link:donor:<uid>")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.purpose


class WalletLink(models.Model):
    """An owner's wallet, with the message and signature that prove it; one at a time."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    donor = models.ForeignKey(
        Donor, on_delete=models.PROTECT, null=True, blank=True, related_name="wallets"
    )
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="wallets"
    )
    chain_id = models.BigIntegerField()
    address = models.CharField(max_length=42)
    message = models.TextField()
    signature = models.TextField()
    linked_at = models.DateTimeField()
    unlinked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(donor__isnull=True) ^ models.Q(household__isnull=True),
                name="wallet_of_a_donor_or_a_household",
            ),
            models.UniqueConstraint(
                fields=("donor",),
                condition=models.Q(unlinked_at__isnull=True),
                name="wallet_one_a_donor",
            ),
            models.UniqueConstraint(
                fields=("household",),
                condition=models.Q(unlinked_at__isnull=True),
                name="wallet_one_a_household",
            ),
        ]

    def __str__(self) -> str:
        return self.address
