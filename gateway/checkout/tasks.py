"""Scheduled work of campaigns. Each task makes one call."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.checkout import endings


@shared_task
def end_campaigns() -> None:
    """Decide campaigns whose deadline is over, and give back what missed its goal."""
    endings.end_due(clock=timezone.now)
