"""What Stripe's events say, told without believing it beyond their signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import stripe

from gateway.providers.interface import (
    BadSignature,
    Callback,
    Event,
    MalformedCallback,
    Notification,
)

TOLERANCE_SECONDS = 300
PAID_SESSIONS = {
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
}
OTHER_SESSIONS = {
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
}
MONTHS = {"invoice.paid", "invoice.payment_failed"}
REFUNDS = {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def verify(*, callback: Callback, secrets: list[str]) -> None:
    """Check the signature with each valid secret. Raises BadSignature."""
    header = callback.headers.get("stripe-signature")
    if not secrets:
        raise BadSignature("STRIPE_WEBHOOK_SECRETS is not set, so no event of Stripe is believed")
    told = ""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(
                callback.body, header, secret, tolerance=TOLERANCE_SECONDS
            )
        except stripe.SignatureVerificationError as error:
            told = str(error.user_message or error).split("\n")[0]
        else:
            return
    raise BadSignature(told[:200])


def notification(body: str) -> Notification:
    """Read an event. One of a type that we have no use for is OTHER. Raises MalformedCallback."""
    try:
        event = json.loads(body)
        kind = event["type"]
        subject = event["data"]["object"]
        reader = _reader(kind)
        return Notification(event=Event.OTHER) if reader is None else reader(kind, subject)
    except UNREADABLE as error:
        raise MalformedCallback(f"stripe event: {error!r}"[:200]) from error


def _reader(kind: str) -> Callable[[str, dict[str, Any]], Notification] | None:
    begun = (read for prefix, read in _PREFIXES.items() if kind.startswith(prefix))
    return _KINDS.get(kind) or next(begun, None)


def _session(kind: str, session: dict[str, Any]) -> Notification:
    return Notification(
        provider_request=_id(session["id"]),
        subject=str(session.get("client_reference_id") or ""),
        is_success=kind in PAID_SESSIONS and session.get("payment_status") == "paid",
    )


def _charge(_kind: str, charge: dict[str, Any]) -> Notification:
    """Its fee became known. Only the attempt that we named in it is meant."""
    token = (charge.get("metadata") or {}).get("attempt")
    return Notification(
        event=Event.PAYMENT if token else Event.OTHER,
        subject=str(token or ""),
        is_success=bool(charge.get("paid")),
    )


def _refund(_kind: str, refund: dict[str, Any]) -> Notification:
    return Notification(
        event=Event.REFUND,
        provider_request=_id(refund["id"]),
        reference=str(refund.get("charge") or ""),
        is_success=refund.get("status") == "succeeded",
    )


def _refunded_charge(_kind: str, charge: dict[str, Any]) -> Notification:
    return Notification(event=Event.REFUND, reference=_id(charge["id"]))


def _dispute(_kind: str, dispute: dict[str, Any]) -> Notification:
    return Notification(
        event=Event.DISPUTE,
        subject=_id(dispute["id"]),
        reference=str(dispute.get("charge") or ""),
    )


def _month(kind: str, invoice: dict[str, Any]) -> Notification:
    """A month of a monthly donation; an invoice of anything else is nothing of ours."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    subscription = details.get("subscription")
    if not subscription:
        return Notification(event=Event.OTHER)
    return Notification(
        event=Event.PLAN,
        subject=_id(subscription),
        provider_request=_id(invoice["id"]),
        is_success=kind == "invoice.paid",
    )


def _plan(_kind: str, subscription: dict[str, Any]) -> Notification:
    return Notification(event=Event.PLAN, subject=_id(subscription["id"]))


def _id(value: object) -> str:
    text = str(value)
    if not 0 < len(text) <= 80 or not text.isascii() or not text.isprintable():
        raise ValueError(f"{text[:80]!r} is no id")
    return text


_KINDS: dict[str, Callable[[str, dict[str, Any]], Notification]] = {
    **dict.fromkeys(PAID_SESSIONS | OTHER_SESSIONS, _session),
    **dict.fromkeys(REFUNDS, _refund),
    **dict.fromkeys(MONTHS, _month),
    "charge.updated": _charge,
    "charge.refunded": _refunded_charge,
}
_PREFIXES = {"charge.dispute.": _dispute, "customer.subscription.": _plan}
