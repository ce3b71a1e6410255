"""Scheduled work of donors' log-ins."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts import links


@shared_task
def answer_links() -> None:
    """Write the letters of log-in links that were asked for."""
    links.answer_asked(at=timezone.now())
