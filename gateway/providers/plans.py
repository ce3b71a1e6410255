"""Monthly donations: ask the provider how they stand, credit their months, have them ended.

Whatever starts it (an event, the janitor, a donor who wants it ended), only what the provider
answers to our own question counts; each month is then asked after as every attempt is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import DatabaseError

from accounts import giving_plans
from accounts.ledger import LedgerError
from accounts.models import GivingPlan, PaymentAttempt, Rail
from gateway.providers import collection, plan_months
from gateway.providers.asking import LONGEST_ROUND
from gateway.providers.interface import (
    PlanAnswer,
    PlanMonth,
    ProviderRefused,
    ProviderUnavailable,
)
from gateway.providers.plan_months import keeper

log = structlog.get_logger(__name__)


def ask(*, plan_id: int, at: datetime) -> None:
    """Ask how a plan stands, after telling the provider to end it where its donor wants that."""
    plan = giving_plans.load(plan_id=plan_id)
    try:
        _ask(plan=plan, at=at)
    except (ProviderUnavailable, ProviderRefused) as error:
        log.warning("plan not asked after", plan=str(plan.uid), error=str(error))
        giving_plans.postpone(plan=plan, text=str(error), at=at)


def told(*, provider: str, reference: str, at: datetime) -> bool:
    """Take an event about a plan as a reason to ask; False where it is none of ours.

    Raises ProviderUnavailable.
    """
    plan = giving_plans.find(provider=provider, reference=reference)
    if plan is None:
        plan = _by_its_words(provider=provider, reference=reference, at=at)
    if plan is None:
        return False
    _ask(plan=plan, at=at, reference=reference)
    return True


def poll_due(*, clock: Callable[[], datetime]) -> int:
    """Ask after every plan whose time has come, for a while; return how many.

    One that can't be asked after is logged and does not keep the others waiting.
    """
    asked, began_at = 0, clock()
    for plan_id in giving_plans.take_due(at=began_at):
        try:
            ask(plan_id=plan_id, at=clock())
        except (DatabaseError, LedgerError, LookupError, ValueError):
            log.exception("plan not asked after", plan=plan_id)
        asked += 1
        if clock() - began_at > LONGEST_ROUND:
            break
    return asked


def _ask(*, plan: GivingPlan, at: datetime, reference: str = "") -> None:
    adapter = keeper(rail=plan.rail)
    first = giving_plans.first_attempt(plan=plan)
    reference = plan.provider_plan or reference or adapter.find_plan(attempt=first)
    if not reference:
        giving_plans.not_begun(plan=plan, at=at)
        return
    plan.provider_plan = reference
    if giving_plans.is_to_end(plan=plan):
        adapter.end_plan(plan=plan)
    answer = adapter.query_plan(reference=reference, since=plan.checked_at or plan.created_at)
    _credit(plan=plan, months=answer.months, at=at)
    _follow(plan=plan, answer=answer, at=at)


def _credit(*, plan: GivingPlan, months: tuple[PlanMonth, ...], at: datetime) -> None:
    """Before the answer is noted: a worker that dies in between leaves the months to the next."""
    for month in months:
        if not month.is_paid:
            continue
        attempt = plan_months.opened(plan=plan, month=month, at=at)
        if attempt.state != PaymentAttempt.State.SUCCEEDED:
            collection.ask(attempt_id=attempt.pk, at=at)


def _follow(*, plan: GivingPlan, answer: PlanAnswer, at: datetime) -> None:
    giving_plans.follow(
        plan=plan,
        reference=answer.reference,
        state=answer.state,
        asked_at=at,
        failure=answer.failure,
        failed_month=answer.failed_month,
    )


def _by_its_words(*, provider: str, reference: str, at: datetime) -> GivingPlan | None:
    """The plan that the provider's own copy of our words names."""
    rail = Rail.objects.filter(provider=provider, closed_at__isnull=True).order_by("pk").first()
    if rail is None:
        return None
    answer = keeper(rail=rail).query_plan(reference=reference, since=at)
    return giving_plans.find(provider=provider, reference=reference, subject=answer.subject)
