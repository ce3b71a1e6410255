"""Scheduled work of letters."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.mail import delivery


@shared_task
def deliver_letters() -> None:
    """Send what is due."""
    delivery.deliver_due(clock=timezone.now)


@shared_task
def watch_letters() -> None:
    """Raise or clear the alarm of letters that do not leave."""
    delivery.watch(at=timezone.now())
