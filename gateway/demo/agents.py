"""Cash in the demo: Amina's shop in Kisima takes it, as far as her float goes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from accounts import agents, pins
from accounts.models import Agent, Rail, Site, User
from gateway.demo.villages import DEMO_PIN

SITE = "kisima"
CODE = "AG01"
NAME = "Duka la Amina"
PHONE = "+254711000091"
FLOAT_MINOR = 2_000_000
LOG_IN = "operator"


def employ(*, sites: Iterable[Site], at: datetime, pepper: str) -> None:
    """Open the agent of Kisima with a float of KES 20,000; doing it again changes nothing."""
    for site in sites:
        if site.slug == SITE and not Agent.objects.filter(code=CODE).exists():
            _employ(site=site, at=at, pepper=pepper)


def _employ(*, site: Site, at: datetime, pepper: str) -> None:
    Rail.objects.get_or_create(
        operator=site.operator,
        provider=Rail.Provider.CASH,
        merchant_account="cash",
        currency=site.currency,
        defaults={
            "code": f"cash-{site.currency.lower()}",
            "min_top_up_minor": 1_000,
            "max_top_up_minor": 1_000_000,
        },
    )
    agent = agents.open_agent(
        site=site,
        code=CODE,
        name=NAME,
        phone=PHONE,
        pin_hash=pins.hash_pin(pin=DEMO_PIN, pepper=pepper),
        at=at,
    )
    agents.buy_float(
        agent=agent,
        amount_minor=FLOAT_MINOR,
        made_by=User.objects.get(username=LOG_IN),
        idempotency_key=f"demo:{CODE}",
        note="the first float",
        at=at,
    )
