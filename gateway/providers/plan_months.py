"""Months of monthly donations: each becomes a pledge with an attempt once its provider names it."""

from __future__ import annotations

from datetime import datetime

from accounts import giving_plans, payees
from accounts.models import GivingPlan, PaymentAttempt, Rail
from gateway.providers.interface import PlanKeeping, PlanMonth
from gateway.providers.registry import provider


def keeper(*, rail: Rail) -> PlanKeeping:
    """Return the provider of a rail that charges every month. Raises LookupError for another."""
    adapter = provider(rail=rail)
    if not adapter.capabilities.plans or not isinstance(adapter, PlanKeeping):
        raise LookupError(f"{rail.code} charges nobody every month")
    return adapter


def opened(*, plan: GivingPlan, month: PlanMonth, at: datetime) -> PaymentAttempt:
    """Return the attempt of a month: the one that began the plan, or one of its own."""
    if month.is_first:
        return giving_plans.first_attempt(plan=plan)
    return giving_plans.open_month(
        plan=plan, reference=month.reference, began_at=month.began_at, at=at
    )


def recognise(*, rail: Rail, account_text: str, at: datetime) -> None:
    """Open the month that a statement names before anybody told us of it, if it is one of ours.

    What is nobody's stays so: its money goes to suspense. Raises ProviderUnavailable.
    """
    reference = payees.month_named(account_text)
    if not reference or payees.month_pledge(provider=rail.provider, text=account_text) is not None:
        return
    month = keeper(rail=rail).query_month(reference=reference)
    plan = giving_plans.find(provider=rail.provider, reference=month.plan, subject=month.subject)
    if plan is not None and month.is_paid:
        opened(plan=plan, month=month, at=at)
