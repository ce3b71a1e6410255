"""Paying out over a rail: sent once, asked after until it is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import DatabaseError

from accounts.ledger import LedgerError
from gateway.providers.asking import LONGEST_ROUND, hooks_url
from gateway.providers.interface import (
    Paying,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)
from gateway.providers.registry import provider
from settlement import payout_sending
from settlement.models import Payee, Payout
from settlement.payouts import WrongState

log = structlog.get_logger(__name__)

State = Payout.State


def submit(*, payout_id: int, at: datetime) -> None:
    """Send an approved payout, once, whoever calls this and however often."""
    payout = payout_sending.claim(payout_id=payout_id, at=at)
    if payout is None:
        return
    # Every provider that pays out takes our own id, so that what it did can be asked after.
    payout_sending.name_request(payout=payout, provider_request=str(payout.request_id))
    try:
        payer = _payer(payout)
    except LookupError as error:
        payout_sending.failed(payout=payout, code="rail", text=str(error), at=at)
        return
    try:
        answer = payer.pay_out(payout=payout, hooks_url=hooks_url(), at=at)
    except ProviderRefused as refusal:
        payout_sending.failed(payout=payout, code=refusal.code, text=refusal.text, at=at)
    except ProviderUnreachable as error:
        payout_sending.failed(payout=payout, code="unreachable", text=str(error), at=at)
    except ProviderUnavailable as error:
        payout_sending.not_answered(payout=payout, text=str(error), at=at)
    else:
        payout_sending.submitted(payout=payout, at=at)
        payout_sending.settle_answer(payout=payout, answer=answer, at=at)


def ask(*, payout_id: int, at: datetime, is_told: bool = False) -> Payout:
    """Ask the provider what became of a payout, act on the answer, and return it as it is then.

    is_told: something was heard of it, so it is asked after whatever its state.
    """
    payout = payout_sending.load(payout_id=payout_id)
    if payout.state == State.APPROVED:
        submit(payout_id=payout_id, at=at)
        return payout_sending.load(payout_id=payout_id)
    if not is_told and payout.state not in Payout.UNDER_WAY:
        return payout
    if not is_told and payout.state == State.SENDING:
        if at - (payout.sent_at or at) < payout_sending.SUBMITTING_LIMIT:
            return payout
        payout_sending.not_answered(payout=payout, text="the worker that sent it died", at=at)
    try:
        answer = _payer(payout).query_payout(payout=payout, at=at)
    except ProviderUnavailable as error:
        log.warning("payout query unanswered", payout=str(payout.uid), error=str(error))
        payout_sending.postpone(payout=payout, at=at)
    else:
        payout_sending.settle_answer(payout=payout, answer=answer, at=at)
    return payout


def poll_due(*, clock: Callable[[], datetime]) -> int:
    """Send or ask after every payout whose time has come, for a while; return how many."""
    asked, began_at = 0, clock()
    for payout_id in payout_sending.take_due(way=Payee.Way.MOBILE, at=began_at):
        try:
            ask(payout_id=payout_id, at=clock())
        except (DatabaseError, LedgerError, LookupError, ValueError, WrongState):
            log.exception("payout not asked after", payout=payout_id)
        asked += 1
        if clock() - began_at > LONGEST_ROUND:
            break
    return asked


def _payer(payout: Payout) -> Paying:
    """The adapter that pays out over the payout's rail. Raises LookupError where there is none."""
    if payout.rail is None:
        raise LookupError(f"payout {payout.uid} goes over no rail")
    adapter = provider(rail=payout.rail)
    if isinstance(adapter, Paying):
        return adapter
    raise LookupError(f"{payout.rail} does not pay out")
