"""Handling stored events: claimed once, tried again with patience, never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.db.models import F, Q

from accounts.models import Payment, Rail
from gateway.providers import collection, notifying
from gateway.providers.daraja import answering
from gateway.providers.daraja.callbacks import paybill_notice
from gateway.providers.interface import Callback, MalformedCallback
from gateway.providers.notifying import NotYet
from gateway.sms import inbound
from gateway.webhooks.models import InboundEvent

log = structlog.get_logger(__name__)

Outcome = InboundEvent.Outcome

CLAIM_LIFE = timedelta(minutes=5)
FIRST_WAIT = timedelta(seconds=10)
MAX_ATTEMPTS = 12


DUE = """
SELECT id FROM gateway_webhooks_inboundevent
WHERE outcome IN ('', 'failed') AND attempts < %s
    AND coalesce(handled_at, claimed_at, received_at)
        + make_interval(secs => %s * power(2, least(attempts, 9))) <= %s
ORDER BY id LIMIT %s
"""


def handle(*, event_id: int, at: datetime) -> None:
    """Handle one event, if nobody else does and it is not done."""
    claimed = (
        InboundEvent.objects.filter(pk=event_id, outcome__in=("", Outcome.FAILED))
        .filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=at - CLAIM_LIFE))
        .update(claimed_at=at, attempts=F("attempts") + 1)
    )
    if not claimed:
        return
    event = InboundEvent.objects.get(pk=event_id)
    try:
        outcome, text = HANDLERS[event.route](event, at)
    except (MalformedCallback, inbound.MalformedMessage) as error:
        outcome, text = Outcome.MALFORMED, str(error)
    except NotYet as error:
        outcome = Outcome.FAILED if event.attempts < MAX_ATTEMPTS else Outcome.IGNORED
        text = str(error)
    except Exception:
        _finish(event=event, outcome=Outcome.FAILED, text="the handler broke; see the log", at=at)
        raise
    _finish(event=event, outcome=outcome, text=text, at=at)


def due(*, at: datetime, limit: int = 200) -> list[int]:
    """Return the ids of events that nobody handled and whose time has come.

    The wait doubles with each attempt; those that still have to wait keep nobody else waiting.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE, [MAX_ATTEMPTS, FIRST_WAIT.total_seconds(), at, limit])
        return [event_id for (event_id,) in cursor.fetchall()]


def _finish(*, event: InboundEvent, outcome: str, text: str, at: datetime) -> None:
    InboundEvent.objects.filter(pk=event.pk).update(
        outcome=outcome, outcome_text=text[:200], handled_at=at, claimed_at=None
    )


def _provider_callback(event: InboundEvent, at: datetime) -> tuple[str, str]:
    ignored = notifying.take(
        provider=event.route.split(".")[0],
        callback=Callback(body=event.body, subject=event.subject),
        at=at,
    )
    return (Outcome.IGNORED, ignored) if ignored else (Outcome.DONE, "")


def _daraja_confirmation(event: InboundEvent, at: datetime) -> tuple[str, str]:
    notice = paybill_notice(event.body)
    known = Payment.objects.filter(reference=notice.reference)
    if not known.filter(amount_minor=notice.amount_minor).exists():
        for rail in Rail.objects.filter(provider=Rail.Provider.DARAJA, closed_at__isnull=True):
            collection.pull(rail=rail, at=at, since=notice.paid_at)
    payment = known.first()
    if payment is None:
        raise NotYet(f"the statement does not show {notice.reference}")
    if payment.amount_minor != notice.amount_minor:
        return Outcome.DONE, f"names {notice.amount_minor} minor units, not {payment.amount_minor}"
    return Outcome.DONE, ""


def _daraja_result(event: InboundEvent, at: datetime) -> tuple[str, str]:
    try:
        ignored = answering.take(token=event.subject, body=event.body, at=at)
    except answering.TooEarly as error:
        raise NotYet(str(error)) from error
    return (Outcome.IGNORED, ignored) if ignored else (Outcome.DONE, "")


def _keep_only(event: InboundEvent, at: datetime) -> tuple[str, str]:
    return Outcome.IGNORED, "kept"


def _sms_inbound(event: InboundEvent, at: datetime) -> tuple[str, str]:
    inbound.answer(body=event.body, event_uid=str(event.uid), at=at)
    return Outcome.DONE, ""


def _sms_delivery(event: InboundEvent, at: datetime) -> tuple[str, str]:
    if not inbound.note_delivery(body=event.body):
        raise NotYet("no message with this id yet")
    return Outcome.DONE, ""


def _sms_opt_out(event: InboundEvent, at: datetime) -> tuple[str, str]:
    inbound.opt_out(body=event.body, at=at)
    return Outcome.DONE, ""


HANDLERS: dict[str, Callable[[InboundEvent, datetime], tuple[str, str]]] = {
    "daraja.stk": _provider_callback,
    "momo": _provider_callback,
    "pawapay": _provider_callback,
    "stripe": _provider_callback,
    "daraja.confirmation": _daraja_confirmation,
    "daraja.validation": _keep_only,
    "daraja.result": _daraja_result,
    "sms.inbound": _sms_inbound,
    "sms.delivery": _sms_delivery,
    "sms.optout": _sms_opt_out,
    "ussd.end": _keep_only,
}
