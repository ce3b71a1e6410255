"""Top-ups: seeing them, and asking a phone for one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import attempts, rails, sites
from accounts.attempts import BadAmount
from accounts.models import Household, Rail, TopUp
from accounts.money import minor_from_string
from gateway import celery_app
from gateway.api import bodies, queries, serializers, shapes
from gateway.api.idempotency import answer_once
from gateway.api.pagination import Pages
from gateway.api.problems import Conflict
from gateway.api.queries import TopUpView
from gateway.api.schema import IDEMPOTENCY_KEY, answers
from gateway.api.views.base import StaffView, checked, now

SUBMIT_TASK = "gateway.providers.tasks.submit_attempt"


class TopUps(StaffView):
    """`/households/<code>/top-ups/`."""

    @extend_schema(
        operation_id="top_ups_list",
        parameters=[serializers.Paging],
        responses=answers(ok=serializers.TopUps, problems=(400, 401, 403, 404)),
    )
    def get(self, request: Request, code: str) -> Response:
        """List the household's top-ups, newest first: prompts, and payments to the paybill."""
        household = self.household(code, at=now())
        pages = Pages()
        keys = pages.paginate_queryset(queries.top_up_keys(household=household), request, view=self)
        return pages.get_paginated_response(
            [
                bodies.top_up(code=household.code, view=view)
                for view in queries.top_ups_of(keys=keys or [])
            ]
        )

    @extend_schema(
        operation_id="top_ups_create",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.TopUpRequest,
        responses=answers(
            ok=serializers.TopUpDetail, status=201, problems=(400, 401, 403, 404, 409, 415)
        ),
    )
    def post(self, request: Request, code: str) -> Response:
        """Ask a phone for a payment. The provider's prompt follows within seconds; the state of
        the top-up is at the address in `Location`."""
        at = now()
        household = self.household(code, at=at)
        wish = checked(serializers.TopUpRequest(data=request.data))
        return answer_once(
            request=request,
            user_id=self.user.pk,
            work=lambda key: _ask(household=household, wish=wish, key=key, at=at),
            at=at,
        )


class OneTopUp(StaffView):
    """`/households/<code>/top-ups/<id>/`."""

    @extend_schema(
        operation_id="top_ups_retrieve",
        responses=answers(ok=serializers.TopUpDetail, problems=(401, 403, 404)),
    )
    def get(self, request: Request, code: str, uid: UUID) -> Response:
        """Return one top-up and what came of it."""
        household = self.household(code, at=now())
        view = queries.top_up(household=household, uid=uid)
        if view is None:
            raise Http404(uid)
        return Response(bodies.top_up(code=household.code, view=view))


def _ask(*, household: Household, wish: dict[str, Any], key: UUID, at: datetime) -> Response:
    """Store the attempt; its submission starts once it is committed."""
    if household.closed_at is not None and household.closed_at <= at:
        raise Conflict(kind="household-closed", detail=f"{household.code} is closed.")
    site = sites.site_of(household=household, at=at)
    if site is None:
        raise Http404(household.code)
    currency = wish.get("currency", site.currency)
    if currency != site.currency:
        raise ValidationError({"currency": f"{site.name} takes {site.currency}."})
    rail = rails.prompting(site=site)
    if rail is None:
        raise Conflict(
            kind="no-rail", detail=f"{site.name} has no open rail that takes {site.currency}."
        )
    try:
        attempt = attempts.request(
            household=household,
            site=site,
            rail=rail,
            phone=_phone(household=household, wish=wish),
            amount_minor=_amount_minor(wish=wish, currency=currency),
            idempotency_key=f"api:{key}",
            at=at,
        )
    except BadAmount as error:
        raise ValidationError({"amount": _limits(rail)}) from error
    # If the broker is away, the periodic poll of open attempts takes it up.
    transaction.on_commit(lambda: celery_app.send_task(SUBMIT_TASK, args=[attempt.pk]), robust=True)
    top_up = TopUp.objects.select_related("rail").get(attempts=attempt)
    location = reverse("api:top_up", kwargs={"code": household.code, "uid": top_up.uid})
    body = bodies.top_up(code=household.code, view=TopUpView.of_prompt(top_up, payment=None))
    return Response(body, status=201, headers={"Location": location})


def _amount_minor(*, wish: dict[str, Any], currency: str) -> int:
    try:
        return minor_from_string(text=wish["amount"], currency=currency)
    except ValueError as error:
        raise ValidationError({"amount": str(error)}) from error


def _phone(*, household: Household, wish: dict[str, Any]) -> str:
    phone = wish.get("phone") or queries.phone_of(household=household)
    if not phone:
        raise ValidationError({"phone": f"{household.code} has no phone: name the one to ask."})
    return str(phone)


def _limits(rail: Rail) -> str:
    least = shapes.money(rail.min_top_up_minor, currency=rail.currency)
    most = shapes.money(rail.max_top_up_minor, currency=rail.currency)
    return f"Choose an amount from {least} to {most} {rail.currency}."
