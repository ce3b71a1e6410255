"""MoMo as a Provider: prompts and refunds under ids of ours, and the wallet's balance.

MoMo has no statement: whoever reconciles asks after each of our own payments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings

from accounts.attempts import Answer
from accounts.models import PaymentAttempt, Rail, Refund
from accounts.money import CURRENCY_DECIMALS, decimal_string, minor_from_string
from accounts.refunds import RefundAnswer
from gateway.providers.interface import (
    Amount,
    Callback,
    Capabilities,
    Initiated,
    Notification,
    ProviderRefused,
    ProviderUnavailable,
    StatementEntry,
)
from gateway.providers.momo.callbacks import UNREADABLE, Result, notification, result_of
from gateway.providers.momo.client import Momo, Order

GRACE = timedelta(minutes=10)
"""A request that MoMo never confirmed and does not know this long after was never made there."""
NOT_FOUND = "RESOURCE_NOT_FOUND"
MESSAGE, REFUND_MESSAGE = "Solar power", "Refund of solar power"

State = PaymentAttempt.State
NEVER_CONFIRMED = (State.CREATED, State.SUBMITTING, State.UNKNOWN)
REFUND_NEVER_CONFIRMED = (Refund.State.CREATED, Refund.State.SUBMITTING, Refund.State.UNKNOWN)


class MomoProvider:
    """The wallet of one rail."""

    def __init__(self, *, rail: Rail, client: Momo) -> None:
        self.rail = rail
        self.client = client
        self.capabilities = Capabilities(
            prompts_phone=True,
            names_requests_ahead=True,
            refunds=client.refunds,
            partial_refunds=client.refunds,
            tells_amount=True,
        )

    def initiate(self, *, attempt: PaymentAttempt, hooks_url: str, at: datetime) -> Initiated:
        """Put the prompt on the payer's phone; see Provider."""
        intent = attempt.intent
        if not attempt.phone:
            raise ProviderRefused(code="phone", text="MoMo asks on a phone, and none is named")
        order = Order(
            reference=str(attempt.request_id),
            amount=_amount(intent.amount_minor, currency=intent.currency),
            currency=intent.currency,
            external_id=_external_id(intent.account_text),
            message=MESSAGE,
            callback_url=f"{hooks_url}/momo/{attempt.token}",
        )
        self.client.request_to_pay(order=order, phone=attempt.phone, at=at)
        return Initiated(provider_request=order.reference)

    def query(self, *, attempt: PaymentAttempt, at: datetime) -> Answer:
        """Ask for the result of a prompt; see Provider."""
        reference = str(attempt.request_id)
        fields = self.client.payment(reference=reference, at=at)
        if fields is None:
            # What MoMo confirmed once is somewhere, even if it does not find it now.
            asked_at = attempt.submitted_at or attempt.created_at
            is_gone = attempt.state in NEVER_CONFIRMED and at - asked_at > GRACE
            return Answer(is_final=is_gone, code=NOT_FOUND, text="MoMo knows no such request")
        told = _read(fields)
        if told.amount_minor is None:
            raise ProviderUnavailable(f"momo status: an amount in {told.currency}")
        return Answer(
            is_final=told.is_paid or told.is_failed,
            is_paid=told.is_paid,
            code=told.code,
            text=told.text,
            reference=(told.reference or reference) if told.is_paid else "",
            amount_minor=told.amount_minor,
            currency=told.currency,
            provider_request=reference,
        )

    def verify(self, *, callback: Callback, at: datetime) -> None:
        """Nothing is signed: the secret and the token in the path say who calls."""

    def parse_callback(self, *, callback: Callback) -> Notification:
        """Read the result of a prompt or a refund; see Provider."""
        return notification(callback.body)

    def refund(self, *, refund: Refund, hooks_url: str, at: datetime) -> RefundAnswer:
        """Give (part of) a payment back to who paid it; see Provider."""
        if not self.capabilities.refunds:
            raise ProviderRefused(code="refund", text="MOMO_DISBURSEMENT_KEY is not set")
        if not refund.payment.provider_request:
            raise ProviderRefused(code="refund", text="no request to pay stands behind the payment")
        order = Order(
            reference=str(refund.request_id),
            amount=_amount(refund.amount_minor, currency=refund.currency),
            currency=refund.currency,
            external_id=_external_id(refund.payment.reference),
            message=REFUND_MESSAGE,
            callback_url=f"{hooks_url}/momo/{refund.token}",
        )
        self.client.refund(order=order, payment_reference=refund.payment.provider_request, at=at)
        return RefundAnswer(is_final=False, provider_request=order.reference)

    def query_refund(self, *, refund: Refund, at: datetime) -> RefundAnswer:
        """Ask for the result of a refund; see Provider."""
        reference = str(refund.request_id)
        fields = self.client.refund_status(reference=reference, at=at)
        if fields is None:
            asked_at = refund.submitted_at or refund.created_at
            is_gone = refund.state in REFUND_NEVER_CONFIRMED and at - asked_at > GRACE
            return RefundAnswer(is_final=is_gone, code=NOT_FOUND, text="MoMo knows no such refund")
        told = _read(fields)
        return RefundAnswer(
            is_final=told.is_paid or told.is_failed,
            is_done=told.is_paid,
            code=told.code,
            text=told.text,
            reference=(told.reference or reference) if told.is_paid else "",
            provider_request=reference,
        )

    def list_transactions(self, *, since: datetime, until: datetime) -> Iterator[StatementEntry]:
        """Yield nothing: MoMo has no statement to read."""
        return iter(())

    def balance(self, *, at: datetime) -> Amount | None:
        """Return what lies in the wallet; see Provider."""
        text, currency = self.client.balance(at=at)
        try:
            amount_minor = minor_from_string(text=text, currency=currency)
        except ValueError as error:
            raise ProviderUnavailable(f"momo balance: {error}") from error
        return Amount(amount_minor=amount_minor, currency=currency, told_at=at)


def _read(fields: dict[str, Any]) -> Result:
    try:
        return result_of(fields)
    except UNREADABLE as error:
        raise ProviderUnavailable(f"momo status: {error!r}"[:200]) from error


def _amount(amount_minor: int, *, currency: str) -> str:
    decimals = CURRENCY_DECIMALS.get(currency)
    if decimals is None:
        raise ProviderRefused(code="currency", text=f"{currency} is not counted in here")
    return decimal_string(amount=amount_minor, decimals=decimals)


def _external_id(text: str) -> str:
    """What MTN's portal shows beside the payment; spaces are not allowed in it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:64] or "-"


@lru_cache(maxsize=16)
def shared_client() -> Momo:
    """Return the process's client, so that its tokens and connections are kept."""
    return Momo(
        base_url=settings.MOMO_URL,
        environment=settings.MOMO_ENVIRONMENT,
        api_user=settings.MOMO_API_USER,
        api_key=settings.MOMO_API_KEY,
        collection_key=settings.MOMO_COLLECTION_KEY,
        disbursement_key=settings.MOMO_DISBURSEMENT_KEY,
    )
