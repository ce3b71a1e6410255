"""Corruptions of monthly donations, the rows they need, and the checks that see them."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts import attempts, giving_plans
from accounts.attempts import Answer
from accounts.models import GivingPlan, PaymentAttempt
from tests.paybacks import card_rail, quote
from tests.village import Village

MONTH = timedelta(days=31)
ONE = "id = (SELECT max(id) FROM accounts_pledge WHERE plan_id IS NOT NULL)"


def give_monthly(village: Village, *, at: datetime) -> GivingPlan:
    """A plan of two months that were paid; the first began a month before the instant."""
    began_at = at - MONTH
    quote(at=began_at, currency="USD", local_per_dai="1")
    first = giving_plans.start(
        site=village.site,
        rail=card_rail(village),
        amount_minor=1_000,
        idempotency_key="monthly",
        at=began_at,
    )
    attempts.claim(attempt_id=first.pk, at=began_at)
    first.refresh_from_db()
    attempts.submitted(attempt=first, provider_request="cs_monthly", at=began_at)
    _answer(first, reference="ch_month_1", at=began_at)
    plan = GivingPlan.objects.get(idempotency_key="monthly")
    giving_plans.follow(
        plan=giving_plans.load(plan_id=plan.pk),
        reference="sub_monthly",
        state=GivingPlan.State.ACTIVE,
        asked_at=began_at,
    )
    second = giving_plans.open_month(
        plan=giving_plans.load(plan_id=plan.pk), reference="in_month_2", began_at=at, at=at
    )
    _answer(second, reference="ch_month_2", at=at)
    plan.refresh_from_db()
    return plan


def _answer(attempt: PaymentAttempt, *, reference: str, at: datetime) -> None:
    attempts.settle_answer(
        attempt=attempts.load(attempt_id=attempt.pk),
        answer=Answer(
            is_final=True,
            is_paid=True,
            reference=reference,
            amount_minor=1_000,
            currency="USD",
            fee_minor=0,
            paid_at=at,
        ),
        at=at,
    )


PLAN_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "plan_months_are_their_plans",
        f"UPDATE accounts_pledge SET amount_minor = amount_minor + 1 WHERE {ONE}",
    ),
    (
        "plan_months_are_their_plans",
        "UPDATE accounts_pledge SET plan_id = NULL WHERE plan_id IS NOT NULL",
    ),
    (
        "plan_months_are_paid_once",
        "UPDATE accounts_payment SET pledge_id = (SELECT min(id) FROM accounts_pledge WHERE"
        " plan_id IS NOT NULL) WHERE reference = 'ch_month_2'",
    ),
    (
        "plan_months_are_paid_once",
        "UPDATE accounts_paymentattempt SET state = 'failed' WHERE provider_request = 'in_month_2'",
    ),
    (
        "plan_totals_agree",
        "UPDATE accounts_givingplan SET donor_id ="
        " (SELECT min(id) FROM accounts_donor WHERE id <> donor_id)",
    ),
    (
        "plan_totals_agree",
        "UPDATE accounts_payment SET credited_wei = credited_wei + 1"
        " WHERE reference = 'ch_month_1'",
    ),
]
