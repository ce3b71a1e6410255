"""Scheduled work of rates."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.rates import fetching


@shared_task
def fetch_rates() -> None:
    """Ask every source."""
    fetching.fetch(at=timezone.now())
