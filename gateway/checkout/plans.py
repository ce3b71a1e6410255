"""Ending a monthly donation: asked for here, done by a worker, shown until the provider says so."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views import View
from kombu.exceptions import OperationalError

from accounts import giving_plans
from accounts.giving_plans import NotEndable
from accounts.models import Donor, GivingPlan, PaymentAttempt
from gateway.providers.tasks import ask_plan
from gateway.wallet.who import donors_of_session

log = structlog.get_logger(__name__)


class EndPlan(View):
    """`/donor/plans/<uid>/end/`: for the donors of a session."""

    def post(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        _end(_plan(uid, donors=donors_of_session(request)))
        return redirect("wallet:donor")


class EndGiftPlan(View):
    """`/donor/gift/<token>/plans/<uid>/end/`: for whoever holds a payment's page."""

    def post(self, request: HttpRequest, token: str, uid: UUID) -> HttpResponse:
        attempt = PaymentAttempt.objects.filter(token=token, pledge__isnull=False).first()
        if attempt is None or attempt.pledge is None:
            raise Http404
        _end(_plan(uid, donors=[attempt.pledge.donor]))
        return redirect("wallet:gift", token=token)


def shown(*, donors: list[Donor]) -> list[dict[str, Any]]:
    """Return what `wallet/_plans.html` shows of donors' plans: plan, how it stands, may it end."""
    return [
        {
            "plan": plan,
            "is_ending": giving_plans.is_to_end(plan=plan),
            "may_end": plan.state in giving_plans.LIVE and not giving_plans.is_to_end(plan=plan),
        }
        for plan in giving_plans.of_donors(donors)
    ]


def _plan(uid: UUID, *, donors: list[Donor]) -> GivingPlan:
    plan = giving_plans.of_donors(donors).filter(uid=uid).first()
    if plan is None:
        raise Http404
    return plan


def _end(plan: GivingPlan) -> None:
    """Note that it is to end; whoever asks again, or too late, finds it ending or ended."""
    try:
        with transaction.atomic():
            giving_plans.ask_to_end(plan=plan, at=timezone.now())
            transaction.on_commit(lambda: _let_work(plan))
    except NotEndable as error:
        log.info("plan not to be ended", error=str(error))


def _let_work(plan: GivingPlan) -> None:
    """Let a worker ask the provider; a broker that is away leaves it to the janitor."""
    try:
        ask_plan.delay(plan.pk)
    except OperationalError as error:
        log.warning("broker away, plan left to the janitor", error=str(error))
