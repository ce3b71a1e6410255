"""Scheduled work of messages."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.sms import delivery


@shared_task
def deliver_notices() -> None:
    """Send what is due."""
    delivery.deliver_due(clock=timezone.now)
