"""Scheduled work of fiscal devices."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.fiscal import delivery


@shared_task
def sign_receipts() -> None:
    """Have every receipt signed whose time has come; a device signs one at a time."""
    delivery.sign_due(clock=timezone.now)
