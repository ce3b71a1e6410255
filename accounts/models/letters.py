"""Letters: e-mail to donors, stored first and sent by a worker; and links that log a donor in."""

from __future__ import annotations

from django.db import models

from accounts.fields import uuid7
from accounts.models.donors import Donor


class Letter(models.Model):
    """One e-mail. kind names its text, params what stands in it; key makes it one, ever."""

    class State(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        DROPPED = "dropped", "not wanted any more, or too late"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    donor = models.ForeignKey(Donor, on_delete=models.PROTECT, related_name="letters")
    kind = models.CharField(max_length=40)
    params = models.JSONField(default=dict)
    language = models.CharField(max_length=2, default="en")
    key = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    failure = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("next_attempt_at",),
                name="letter_to_send",
                condition=models.Q(state__in=("queued", "sending")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class LetterOptOut(models.Model):
    """An address that wants no news by letter; receipts and log-in links still go there."""

    email = models.CharField(max_length=254, unique=True, help_text="as addresses.plain writes it")
    opted_out_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.email


class LinkRequest(models.Model):
    """Somebody asked for a link that logs in; whether anybody has the address is looked up later.

    Deleted once it is answered.
    """

    email = models.CharField(max_length=254)
    language = models.CharField(max_length=2, default="en")
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"asked at {self.asked_at}"


class DonorLink(models.Model):
    """A link that logs a donor in: sent by e-mail, good once, for a while; its hash is kept.

    The link itself is made while its letter is sent and stored nowhere.
    """

    donor = models.ForeignKey(Donor, on_delete=models.PROTECT, related_name="links")
    email = models.CharField(
        max_length=254, default="", help_text="whereto it was sent, as addresses.plain writes it"
    )
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link of {self.donor}"
