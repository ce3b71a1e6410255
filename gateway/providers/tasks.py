"""Scheduled work of collecting payments. Each task makes one call."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts import suspense
from accounts.models import Rail
from gateway.providers import collection
from gateway.providers.registry import is_served, provider


@shared_task
def submit_attempt(attempt_id: int) -> None:
    """Ask the payer."""
    collection.submit(attempt_id=attempt_id, at=timezone.now())


@shared_task
def poll_attempts() -> None:
    """The janitor: ask after attempts that nobody told us about."""
    collection.poll_due(clock=timezone.now)


@shared_task
def pull_payments() -> None:
    """Read every rail's statement for payments whose callback was missed."""
    for rail in Rail.objects.filter(closed_at__isnull=True).select_related("operator__book"):
        if is_served(rail=rail) and provider(rail=rail).capabilities.has_statement:
            collection.pull(rail=rail, at=timezone.now())


@shared_task
def attach_suspense() -> None:
    """Attach payments whose account has appeared; each is attached once, however many run this."""
    suspense.attach_waiting(at=timezone.now())
