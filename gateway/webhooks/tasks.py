"""Work on stored events."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.webhooks import events


@shared_task
def handle_event(event_id: int) -> None:
    """Handle one event."""
    events.handle(event_id=event_id, at=timezone.now())


@shared_task
def sweep_events() -> None:
    """Start the handling of events whose task was lost or has to be tried again."""
    for event_id in events.due(at=timezone.now()):
        handle_event.delay(event_id)
