"""Opening funds: what each household paid shortly before the history begins.

Over M-Pesa households pay the paybill by themselves, and the rail's statement shows it. pawaPay has
nothing of the kind: there each asks for a prompt, answers it on its phone, and is asked after.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import requests
from django.conf import settings

from accounts import attempts
from accounts.models import Household, Rail, Site
from accounts.money import minor_per_major
from gateway.demo.villages import DEMO_PIN, HOUSEHOLDS, DemoVillage
from gateway.providers import collection
from gateway.providers.registry import provider

LEAD = timedelta(minutes=30)
ANSWERED_AFTER = timedelta(seconds=5)
TIMEOUT_SECONDS = 10


def fund(*, village: DemoVillage, site: Site, since: datetime) -> int:
    """Let every household pay before `since` and be credited then; return how many were."""
    rail = Rail.objects.select_related("operator__book").get(code=village.rail["code"])
    known_before = rail.payments.count()
    pay = _unasked if provider(rail=rail).capabilities.takes_unasked else _asked
    for number in range(1, HOUSEHOLDS + 1):
        paid_at = since - LEAD + timedelta(seconds=number)
        pay(village=village, site=site, rail=rail, number=number, paid_at=paid_at)
    if provider(rail=rail).capabilities.takes_unasked:
        collection.pull(rail=rail, at=since, since=since - LEAD)
    return rail.payments.count() - known_before


def _unasked(
    *, village: DemoVillage, site: Site, rail: Rail, number: int, paid_at: datetime
) -> None:
    """Pay the paybill; nobody is called back, as the statement is read right after."""
    _simulate(
        f"daraja/simulator/phones/{village.phone(number)}/paybill",
        account=village.code(number),
        amount=str(village.opening_of(number) // minor_per_major(currency=site.currency)),
        at=paid_at.isoformat(),
        silent=True,
    )


def _asked(*, village: DemoVillage, site: Site, rail: Rail, number: int, paid_at: datetime) -> None:
    """Ask for a prompt, answer it with the PIN, and let the janitor's question credit it."""
    attempt = attempts.request(
        household=Household.objects.get(code=village.code(number)),
        site=site,
        rail=rail,
        phone=village.phone(number),
        amount_minor=village.opening_of(number),
        idempotency_key=f"demo:opening:{village.code(number)}",
        at=paid_at,
    )
    collection.submit(attempt_id=attempt.pk, at=paid_at)
    attempt.refresh_from_db()
    if attempt.state == attempt.State.PENDING:
        _simulate(
            f"{rail.provider}/simulator/phones/{village.phone(number)}"
            f"/prompts/{attempt.provider_request}",
            pin=DEMO_PIN,
            at=paid_at.isoformat(),
            silent=True,
        )
    collection.ask(attempt_id=attempt.pk, at=paid_at + ANSWERED_AFTER)


def _simulate(path: str, **body: object) -> None:
    response = requests.post(f"{settings.SANDBOX_URL}/{path}", json=body, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
