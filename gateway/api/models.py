"""Answers that were given, for repeats of a request."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.fields import uuid7


class GivenAnswer(models.Model):
    """What a creating request with an Idempotency-Key was answered."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64, help_text="SHA-256 of method, path and body")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("user", "key"), name="given_answer_once_a_key")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.key}"
