"""Wallets that donors and households proved to be theirs (Sign-In with Ethereum)."""

from __future__ import annotations

from django.db import models

from accounts.fields import uuid7
from accounts.models import Donor, Household


class SignInNonce(models.Model):
    """A nonce of one sign-in message: good once, for a while, for one purpose at one address."""

    nonce = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=120, help_text="e.g. link:donor:<uid>")
    domain = models.CharField(max_length=255, help_text="who asks, as the wallet shows it")
    uri = models.CharField(max_length=500)
    chain_id = models.BigIntegerField()
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=("expires_at",), name="sign_in_nonce_by_expiry")]

    def __str__(self) -> str:
        return self.purpose


class SignIn(models.Model):
    """A message that came back signed. Decided at once by the signature itself, or, where a
    contract has to be asked, by a worker."""

    class State(models.TextChoices):
        WAITING = "waiting", "a worker asks the wallet's contract"
        ACCEPTED = "accepted", "signed by the wallet"
        REFUSED = "refused", "not signed by the wallet"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    nonce = models.OneToOneField(SignInNonce, on_delete=models.CASCADE, related_name="sign_in")
    address = models.CharField(max_length=42)
    message = models.TextField()
    signature = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=40, blank=True, help_text="why it was refused")
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("id",), name="sign_in_waiting", condition=models.Q(state="waiting")
            )
        ]

    def __str__(self) -> str:
        return f"{self.address} {self.state}"


class WalletLink(models.Model):
    """An owner's wallet, with the message and signature that prove it.

    One is in effect at a time; a household's next one waits beside it, so that the household can
    object.
    """

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
    takes_effect_at = models.DateTimeField()
    took_effect_at = models.DateTimeField(null=True, blank=True)
    unlinked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(donor__isnull=True) ^ models.Q(household__isnull=True),
                name="wallet_of_a_donor_or_a_household",
            ),
            *(
                models.UniqueConstraint(
                    fields=(owner,),
                    condition=models.Q(unlinked_at__isnull=True, took_effect_at__isnull=is_next),
                    name=f"wallet_one_{'next' if is_next else 'now'}_a_{owner}",
                )
                for owner in ("donor", "household")
                for is_next in (False, True)
            ),
        ]
        indexes = [
            models.Index(
                fields=("address",),
                name="wallet_by_address",
                condition=models.Q(unlinked_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.address
