"""Notices: one outbound message a row, written with the event that it tells of."""

from __future__ import annotations

from django.db import models

from accounts.fields import uuid7
from accounts.models.households import Household, Language


class Notice(models.Model):
    """A message to one phone. gateway.sms puts it into words and delivers it."""

    class State(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        SENT = "sent", "handed to the network"
        DELIVERED = "delivered"
        FAILED = "failed"
        UNKNOWN = "unknown", "no answer: may have been sent"
        SUPPRESSED = "suppressed", "the phone opted out"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    kind = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="notices"
    )
    phone = models.CharField(max_length=16)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    key = models.CharField(max_length=120, unique=True, help_text="an event tells a phone once")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    text = models.CharField(max_length=480, blank=True)
    provider_id = models.CharField(max_length=80, blank=True, db_index=True)
    delivery_status = models.CharField(max_length=40, blank=True)
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
                name="notice_to_send",
                condition=models.Q(state__in=("queued", "sending")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.phone}"
