"""How far each rail's statement was read."""

from __future__ import annotations

from django.db import models

from accounts.models import Rail


class StatementCursor(models.Model):
    """The instant up to which a rail's payments were pulled, and how pulling goes."""

    rail = models.OneToOneField(Rail, on_delete=models.PROTECT, related_name="statement_cursor")
    read_until = models.DateTimeField()
    failures_in_a_row = models.PositiveIntegerField(default=0)
    last_failure = models.CharField(max_length=200, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.rail.code} read until {self.read_until:%Y-%m-%d %H:%M}"
