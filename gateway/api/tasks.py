"""Scheduled work of the API."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.api import idempotency


@shared_task
def forget_answers() -> None:
    """Delete stored answers that no client repeats any more."""
    idempotency.forget(at=timezone.now())
