"""Giving money back over its rail: asked for once, asked after until it is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import DatabaseError, transaction

from accounts import refunds
from accounts.ledger import LedgerError
from accounts.models import Payment, Refund, User
from accounts.money import minor_per_major
from accounts.refunds import RefundAnswer
from gateway.providers.asking import LONGEST_ROUND, hooks_url
from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)
from gateway.providers.registry import is_served, provider

log = structlog.get_logger(__name__)

State = Refund.State


class NotRefundable(Exception):
    """The rail can't give that back to who paid; the message says why, for a person."""


def request(
    *,
    payment: Payment,
    amount_minor: int,
    reason: str,
    requested_by: User | None,
    idempotency_key: str,
    at: datetime,
) -> Refund:
    """Take what is to be given back and store the refund; submit_refund then asks the provider.

    Money always goes back to the source that paid. Cash is handed back by who took it, so its
    refund is done at once. Raises NotRefundable, take_backs.NotTaken, refunds.RefundKeyReused.
    """
    check(payment=payment, amount_minor=amount_minor)
    with transaction.atomic():
        refund = refunds.request(
            payment=payment,
            amount_minor=amount_minor,
            reason=reason,
            requested_by=requested_by,
            idempotency_key=idempotency_key,
            at=at,
        )
        if not is_served(rail=payment.rail):
            answer = RefundAnswer(is_final=True, is_done=True, reference=f"hand-{refund.uid}")
            refunds.settle_answer(refund=refund, answer=answer, at=at)
        return refund


def check(*, payment: Payment, amount_minor: int) -> None:
    """Raise NotRefundable where the payment's rail can't give the amount back."""
    rail = payment.rail
    if not is_served(rail=rail):
        return
    can = provider(rail=rail).capabilities
    if not can.refunds:
        raise NotRefundable(f"{rail} gives nothing back: do it at the provider")
    if amount_minor != payment.amount_minor and not can.partial_refunds:
        raise NotRefundable(f"{rail} gives back whole payments only")
    if can.whole_major_units and amount_minor % minor_per_major(currency=payment.currency):
        raise NotRefundable(f"{rail} moves no part of one {payment.currency}")


def submit(*, refund_id: int, at: datetime) -> None:
    """Ask the provider to give the money back, once, whoever calls this and however often."""
    refund = refunds.claim(refund_id=refund_id, at=at)
    if refund is None:
        return
    adapter = provider(rail=refund.payment.rail)
    if adapter.capabilities.names_requests_ahead:
        refunds.name_request(refund=refund, provider_request=str(refund.request_id))
    try:
        answer = adapter.refund(refund=refund, hooks_url=hooks_url(), at=at)
    except ProviderRefused as refusal:
        refunds.refused(refund=refund, code=refusal.code, text=refusal.text, at=at)
    except ProviderUnreachable as error:
        refunds.refused(refund=refund, code="unreachable", text=str(error), at=at)
    except ProviderUnavailable as error:
        refunds.not_answered(refund=refund, text=str(error), at=at)
    else:
        refunds.submitted(refund=refund, at=at)
        refunds.settle_answer(refund=refund, answer=answer, at=at)


def ask(*, refund_id: int, at: datetime, is_told: bool = False) -> Refund:
    """Ask the provider what became of a refund, act on the answer, and return it as it is then.

    is_told: something was heard of it, so it is asked after whatever its state.
    """
    refund = refunds.load(refund_id=refund_id)
    if refund.state == State.CREATED:
        submit(refund_id=refund_id, at=at)
        return refunds.load(refund_id=refund_id)
    if not is_told and refund.state not in Refund.OPEN:
        return refund
    if not is_told and refund.state == State.SUBMITTING:
        if at - (refund.submitted_at or at) < refunds.SUBMITTING_LIMIT:
            return refund
        refunds.not_answered(refund=refund, text="the worker that submitted it died", at=at)
    if not is_served(rail=refund.payment.rail):
        return refund
    try:
        answer = provider(rail=refund.payment.rail).query_refund(refund=refund, at=at)
    except ProviderUnavailable as error:
        log.warning("refund query unanswered", refund=str(refund.uid), error=str(error))
        refunds.postpone(refund=refund, at=at)
    else:
        refunds.settle_answer(refund=refund, answer=answer, at=at)
    return refund


def poll_due(*, clock: Callable[[], datetime]) -> int:
    """Ask after every refund whose time has come, for a while; return how many."""
    asked, began_at = 0, clock()
    for refund_id in refunds.take_due(at=began_at):
        try:
            ask(refund_id=refund_id, at=clock())
        except (DatabaseError, LedgerError, LookupError, ValueError):
            log.exception("refund not asked after", refund=refund_id)
        asked += 1
        if clock() - began_at > LONGEST_ROUND:
            break
    return asked
