"""What providers sent us, as it came."""

from __future__ import annotations

from django.db import models

from accounts.fields import uuid7


class InboundEvent(models.Model):
    """A provider's callback, stored before anything else (PINs masked) and never changed.

    The app role may update the handling columns only; see migration 0002.
    """

    class Outcome(models.TextChoices):
        OPEN = "", "not handled yet"
        DONE = "done"
        IGNORED = "ignored", "nothing to do"
        MALFORMED = "malformed", "could not be read"
        FAILED = "failed", "failed; will be tried again"
        FORGED = "forged", "badly signed; never looked at"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    route = models.CharField(max_length=40, help_text="which hook, e.g. daraja.confirmation")
    subject = models.CharField(max_length=80, blank=True, help_text="token or id it speaks of")
    content_type = models.CharField(max_length=120, blank=True)
    body = models.TextField(help_text="as it came; bytes outside UTF-8 are escaped")
    remote_address = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True, default="")
    outcome_text = models.CharField(max_length=200, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=("id",),
                name="inbound_event_open",
                condition=models.Q(outcome__in=("", "failed")),
            ),
            models.Index(fields=("subject",), name="inbound_event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.subject}"
