"""What a callback is about, and who has to ask because of it."""

from __future__ import annotations

from datetime import datetime

from accounts.models import PaymentAttempt
from gateway.providers import collection
from gateway.providers.interface import Callback, Event, Notification
from gateway.providers.models import ResultRequest
from gateway.providers.registry import by_name


def take(*, provider: str, callback: Callback, at: datetime) -> str:
    """Ask what the callback gives reason to ask; return why it was ignored, "" where it was not.

    Raises MalformedCallback.
    """
    notification = by_name(provider).parse_callback(callback=callback)
    if notification.event == Event.PAYMENT:
        return _payment(
            provider=provider, subject=callback.subject, notification=notification, at=at
        )
    return f"nothing to do for {notification.event}"


def answered(*, request: ResultRequest, at: datetime) -> None:
    """Ask again on whose behalf a question was put, now that its answer is stored."""
    if request.kind == ResultRequest.Kind.STATUS and request.refund_id is None:
        waiting = PaymentAttempt.objects.filter(
            claimed_reference=request.reference, top_up__rail=request.rail
        ).exclude(state=PaymentAttempt.State.SUCCEEDED)
        for attempt_id in list(waiting.values_list("pk", flat=True)):
            collection.ask(attempt_id=attempt_id, at=at)


def _payment(*, provider: str, subject: str, notification: Notification, at: datetime) -> str:
    attempt = _attempt(
        provider=provider,
        token=subject or notification.subject,
        provider_request=notification.provider_request,
    )
    if attempt is None:
        return "no attempt has this token" if subject else "no attempt of ours is meant"
    collection.notified(attempt=attempt, notification=notification, at=at)
    return ""


def _attempt(*, provider: str, token: str, provider_request: str) -> PaymentAttempt | None:
    """The token of the path decides; where there is none, the provider's name of the request."""
    if token:
        named = PaymentAttempt.objects.filter(token=token)
    elif provider_request:
        named = PaymentAttempt.objects.filter(provider_request=provider_request)
    else:
        return None
    for attempt in named.select_related("top_up__rail", "pledge__rail"):
        if attempt.intent.rail.provider == provider:
            return attempt
    return None
