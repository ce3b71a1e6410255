"""What a callback is about, and who has to ask because of it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from accounts import refunds
from accounts.models import Payment, PaymentAttempt, Rail
from accounts.take_backs import NotTaken
from gateway.providers import collection, disputing, paying, plans, refunding
from gateway.providers.interface import (
    Callback,
    Event,
    Notification,
    ProviderRefused,
    ProviderUnavailable,
)
from gateway.providers.registry import by_name
from gateway.providers.registry import provider as adapter_of
from settlement import payout_sending


class NotYet(Exception):
    """The event can't be handled yet; it will be tried again."""


def take(*, provider: str, callback: Callback, at: datetime) -> str:
    """Ask what the callback gives reason to ask; return why it was ignored, "" where it was not.

    Raises MalformedCallback, and NotYet for what has to be tried again.
    """
    notification = by_name(provider).parse_callback(callback=callback)
    if notification.event == Event.PAYMENT:
        return _payment(
            provider=provider, subject=callback.subject, notification=notification, at=at
        )
    if notification.event == Event.REFUND:
        return _refund(provider=provider, token=callback.subject, notification=notification, at=at)
    if notification.event == Event.PAYOUT:
        return _payout(provider=provider, notification=notification, at=at)
    if notification.event == Event.PLAN:
        return _plan(provider=provider, notification=notification, at=at)
    if notification.event == Event.DISPUTE:
        return _dispute(provider=provider, notification=notification, at=at)
    return f"nothing to do for {notification.event}"


def _payment(*, provider: str, subject: str, notification: Notification, at: datetime) -> str:
    attempt = _attempt(
        provider=provider,
        token=subject or notification.subject,
        provider_request=notification.provider_request,
    )
    if attempt is None and subject and refunds.find(provider=provider, name="", token=subject):
        return _refund(provider=provider, token=subject, notification=notification, at=at)
    if attempt is None:
        return "no attempt has this token" if subject else "no attempt of ours is meant"
    collection.notified(attempt=attempt, notification=notification, at=at)
    if attempt.pledge is not None and attempt.pledge.plan_id is not None:
        plans.ask(plan_id=attempt.pledge.plan_id, at=at)
    return ""


def _refund(*, provider: str, token: str, notification: Notification, at: datetime) -> str:
    refund = refunds.find(provider=provider, name=notification.provider_request, token=token)
    if refund is not None:
        refunding.ask(refund_id=refund.pk, at=at, is_told=True)
        return ""
    # Made at the provider: its statement says of which payment, and how much.
    payment = Payment.objects.filter(provider=provider, reference=notification.reference).first()
    _pull(provider=provider, payment=payment, at=at)
    return "no refund of ours is meant; the statement was read"


def _plan(*, provider: str, notification: Notification, at: datetime) -> str:
    try:
        if plans.told(provider=provider, reference=notification.subject, at=at):
            return ""
    except (ProviderRefused, ProviderUnavailable) as error:
        raise NotYet(str(error)) from error
    # Begun by somebody else, in the same account: the money is credited to nobody, and kept.
    _pull(provider=provider, payment=None, at=at)
    return "no monthly donation of ours is meant; the statement was read"


def _payout(*, provider: str, notification: Notification, at: datetime) -> str:
    payout = payout_sending.find(provider=provider, name=notification.provider_request)
    if payout is None:
        return "no payout of ours is meant"
    paying.ask(payout_id=payout.pk, at=at, is_told=True)
    return ""


def _dispute(*, provider: str, notification: Notification, at: datetime) -> str:
    payment = Payment.objects.filter(provider=provider, reference=notification.reference).first()
    if payment is None:
        _pull(provider=provider, payment=None, at=at)
        payment = Payment.objects.filter(
            provider=provider, reference=notification.reference
        ).first()
    rail = payment.rail if payment is not None else _rails(provider).first()
    if rail is None:
        return f"no rail of {provider} is open"
    try:
        dispute = disputing.ask(rail=rail, reference=notification.subject, at=at)
    except (NotTaken, ProviderUnavailable) as error:
        raise NotYet(str(error)) from error
    return "" if dispute is not None else f"{provider} can't be asked about disputes"


def _pull(*, provider: str, payment: Payment | None, at: datetime) -> None:
    """Read the statement of a payment's rail, or of every rail of a provider."""
    for rail in [payment.rail] if payment is not None else _rails(provider):
        if adapter_of(rail=rail).capabilities.has_statement:
            collection.pull(rail=rail, at=at)


def _rails(provider: str) -> QuerySet[Rail]:
    return Rail.objects.filter(provider=provider, closed_at__isnull=True).order_by("pk")


def _attempt(*, provider: str, token: str, provider_request: str) -> PaymentAttempt | None:
    """The token of the path decides; where there is none, the provider's name of the request."""
    if token:
        named = PaymentAttempt.objects.filter(token=token)
    elif provider_request:
        named = PaymentAttempt.objects.filter(provider_request=provider_request)
    else:
        return None
    for attempt in named.select_related("top_up__rail", "pledge__rail", "pledge__plan"):
        if attempt.intent.rail.provider == provider:
            return attempt
    return None
