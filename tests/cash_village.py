"""Agents of a test's village: a cash rail, somebody who takes cash, and some float."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings

from accounts import agents, pins
from accounts.models import Agent, Rail, User
from tests.village import Village
from tests.worked_paybacks import answered, refund

AGENT_PHONE = "+254711000091"
AGENT_PIN = "2580"
FLOAT_MINOR = 100_000


def open_cash_rail(village: Village, **fields: Any) -> Rail:
    """The operator's cash rail: KES 10 to 1,000 a payment."""
    return Rail.objects.create(
        operator=village.operator,
        **{
            "provider": Rail.Provider.CASH,
            "code": "cash",
            "merchant_account": "cash",
            "currency": village.site.currency,
            "min_top_up_minor": 1_000,
            "max_top_up_minor": 100_000,
            **fields,
        },
    )


def hire(
    village: Village,
    *,
    at: datetime,
    code: str = "AG01",
    phone: str = AGENT_PHONE,
    float_minor: int = FLOAT_MINOR,
    **fields: Any,
) -> Agent:
    """Open an agent with a float (KES 1,000 unless told), and the cash rail with the first one."""
    if agents.cash_rail(site=village.site) is None:
        open_cash_rail(village)
    pin_hash = pins.hash_pin(pin=AGENT_PIN, pepper=settings.PIN_PEPPER) if phone else ""
    agent = agents.open_agent(
        site=village.site,
        code=code,
        name="Duka la Amina",
        phone=phone,
        at=at,
        **{"pin_hash": pin_hash, **fields},
    )
    if float_minor:
        sell(agent, amount_minor=float_minor, at=at)
    return agent


def sell(agent: Agent, *, amount_minor: int, at: datetime, key: str = "") -> None:
    """Sell float to an agent."""
    agents.buy_float(
        agent=agent,
        amount_minor=amount_minor,
        made_by=cashier(agent),
        idempotency_key=key or f"sale:{agent.code}:{agent.float_changes.count()}",
        at=at,
    )


def cashier(agent: Agent) -> User:
    """Who sells float at the operator's office."""
    operator = agent.site.operator
    user, _ = User.objects.get_or_create(
        username=f"cashier-{operator.slug}", defaults={"operator": operator, "is_staff": True}
    )
    return user


def trade(village: Village, *, at: datetime) -> None:
    """An agent buys float, takes cash for KIS0004 twice, gives some of it and some float back."""
    agent = hire(village, at=at)
    first, _ = (
        agents.take_cash(
            agent=agent,
            household_code="KIS0004",
            amount_minor=amount_minor,
            idempotency_key=f"cash:{amount_minor}",
            at=at,
        )
        for amount_minor in (20_000, 15_050)
    )
    by = cashier(agent)
    answered(refund(first, amount_minor=5_000, by=by, at=at), is_done=True, at=at)
    agents.return_float(agent=agent, amount_minor=1_000, made_by=by, idempotency_key="back", at=at)
