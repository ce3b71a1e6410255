"""Booking the cash that an agent took by phone."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction

from accounts import agents, pins
from accounts.agents import FloatTooSmall, NotBooked
from accounts.attempts import BadAmount
from accounts.models import Agent, Payment
from gateway.ussd import pin_tries
from gateway.ussd.effects import TakeCash
from gateway.ussd.engine import Refusal
from gateway.ussd.page import Page
from gateway.ussd.screens import cash

log = structlog.get_logger(__name__)

LONGEST_WAIT = "8s"
"""For the site's book: the network gives up on a hop after 15 s."""
LOCK_NOT_AVAILABLE = "55P03"


def take_cash(*, effect: TakeCash, phone: str, key: str, at: datetime) -> Refusal | Page:
    """Book cash for the household that the effect names, once per key; return its receipt."""
    agent = agents.of_phone(phone=phone)
    if agent is None:
        return "cash_not_booked"
    refused = pin_tries.tried(
        who=f"agent:{agent.pk}",
        is_right=lambda: pins.is_right(
            pin=effect.pin, stored=agent.pin_hash, pepper=settings.PIN_PEPPER
        ),
    )
    if refused is not None:
        return "cash_wrong_pin" if refused == "wrong_pin" else refused
    try:
        payment = _book(agent, effect=effect, key=key, at=at)
    except FloatTooSmall as error:
        return cash.float_too_small(
            language=effect.language, currency=effect.currency, left_minor=error.left_minor
        )
    except (NotBooked, BadAmount) as error:
        log.warning("cash not booked", agent=agent.code, error=str(error))
        return "cash_not_booked"
    if payment is None:
        return "try_later"
    return cash.booked(
        language=effect.language,
        code=payment.account_text,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        reference=payment.reference,
        left_minor=agents.float_minor(agent=agent),
    )


def _book(agent: Agent, *, effect: TakeCash, key: str, at: datetime) -> Payment | None:
    """Return the payment; None where the book was busy all the time, and nothing is booked."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LONGEST_WAIT])
            return agents.take_cash(
                agent=agent,
                household_code=effect.household_code,
                amount_minor=effect.amount_minor,
                idempotency_key=key,
                at=at,
            )
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        log.warning("book busy", agent=agent.code)
        return None
