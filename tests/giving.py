"""Monthly donations over a rig: begun on the provider's page, and what became of their months."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from accounts import audit, giving_plans, rails
from accounts.models import GivingPlan, Letter, Payment, PaymentAttempt, Pledge, RateQuote
from gateway.providers import collection, plans
from gateway.webhooks import events
from tests.contracts.rigs import RIGS
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.stripe import StripeRig

EMAIL = "ada@example.org"


@pytest.fixture(params=[name for name in RIGS if name in rails.MONTHLY])
def rig(db: None, request: pytest.FixtureRequest) -> Iterator[StripeRig]:
    """One provider that charges every month after the other, its currency quoted."""
    with opened(RIGS[request.param]) as found:
        assert isinstance(found, StripeRig)
        quote(found)
        yield found


def quote(rig: StripeRig) -> None:
    """Somebody quoted the rail's currency once: donations are at the market's rate."""
    at = rig.clock()
    RateQuote.objects.create(
        source="test",
        currency=rig.currency,
        local_per_dai=rig.local_per_dai,
        quoted_at=at - timedelta(minutes=1),
        expires_at=at + timedelta(hours=1),
    )


def wanted(rig: StripeRig, *, key: str = "donate:nonce", email: str = EMAIL) -> PaymentAttempt:
    """A donor wants to give every month; nobody has asked the provider yet."""
    return giving_plans.start(
        site=rig.site,
        rail=rig.rail,
        amount_minor=rig.amount_minor,
        idempotency_key=key,
        name="Ada",
        email=email,
        public_name="Ada L.",
        at=rig.clock(),
    )


def paid_there(rig: StripeRig, *, key: str = "donate:nonce") -> GivingPlan:
    """The donor has paid the first month on the provider's page; nobody told us of it."""
    attempt = wanted(rig, key=key)
    collection.submit(attempt_id=attempt.pk, at=rig.clock())
    attempt.refresh_from_db()
    assert attempt.state == "pending", attempt.failure_text
    rig.pay(attempt)
    return GivingPlan.objects.get(idempotency_key=key)


def begun(rig: StripeRig, *, key: str = "donate:nonce") -> GivingPlan:
    """The plan runs, its first month is credited, and every event was handed over."""
    plan = paid_there(rig, key=key)
    rig.deliver(*rig.waiting())
    plan.refresh_from_db()
    assert plan.state == "active", plan.failure
    return plan


def look(rig: StripeRig) -> None:
    """The janitors, twice: what a provider was asked a moment ago is asked again later."""
    for _ in range(2):
        plans.poll_due(clock=rig.clock)
        collection.poll_due(clock=rig.clock)
        rig.pass_time(minutes=11)


def handle_again(rig: StripeRig) -> None:
    """Events that could not be handled are, a while later."""
    at = rig.pass_time(minutes=5)
    for event_id in events.due(at=at):
        events.handle(event_id=event_id, at=at)


def months(plan: GivingPlan) -> list[Pledge]:
    """The plan's pledges, oldest first."""
    return list(Pledge.objects.filter(plan=plan).order_by("id"))


def credited(plan: GivingPlan) -> list[str]:
    """References of the plan's credited payments, oldest first."""
    mine = Payment.objects.filter(pledge__plan=plan, state="credited").order_by("id")
    return list(mine.values_list("reference", flat=True))


def told(kind: str) -> int:
    """How many letters of a kind were written."""
    return Letter.objects.filter(kind=kind).count()


def findings() -> list[str]:
    """What the whole audit finds."""
    found = audit.run(checks=audit.CHECKS)
    return [finding.detail for result in found for finding in result.findings]
