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
def start_events(event_ids: list[int]) -> None:
    """Start the handling of events that came at the same time."""
    for event_id in event_ids:
        handle_event.delay(event_id)


@shared_task
def sweep_events() -> None:
    """Start the handling of events whose task was lost or has to be tried again."""
    start_events(events.due(at=timezone.now()))
