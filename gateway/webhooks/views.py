"""Hooks: store the event, answer at once, let a task do the rest."""

from __future__ import annotations

import json
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import Household
from accounts.topups import normalise_code
from gateway.providers.daraja.callbacks import MalformedCallback, paybill_notice
from gateway.ussd.redaction import redact
from gateway.webhooks import intake
from gateway.webhooks.gate import hook
from gateway.webhooks.tasks import handle_event

log = structlog.get_logger(__name__)

ACCEPTED = {"ResultCode": "0", "ResultDesc": "Accepted"}
REFUSED_ACCOUNT = {"ResultCode": "C2B00012", "ResultDesc": "Invalid Account Number"}
REFUSED_AMOUNT = {"ResultCode": "C2B00013", "ResultDesc": "Invalid Amount"}
CODE_LENGTH = range(3, 13)


def _keep(request: HttpRequest, *, route: str, subject: str, body: str | None = None) -> None:
    """Store the event, then start its task; a broker that is away leaves it to the sweeper."""
    event_id = intake.store(
        route=route,
        subject=subject,
        body=intake.body_text(request) if body is None else body,
        request=request,
        at=timezone.now(),
    )
    try:
        handle_event.delay(event_id)
    except OperationalError as error:
        log.warning("broker away, event left to the sweeper", route=route, error=str(error))


@hook("POST")
def daraja_stk(request: HttpRequest, token: str) -> HttpResponse:
    """The result of an STK prompt."""
    _keep(request, route="daraja.stk", subject=token)
    return JsonResponse(ACCEPTED)


@hook("POST")
def daraja_validation(request: HttpRequest) -> HttpResponse:
    """Whether a paybill payment may be made: refuse only what could never be anybody's.

    A well-formed code that nobody has yet is accepted: the money waits in suspense.
    """
    body = intake.body_text(request)
    intake.store(
        route="daraja.validation",
        subject="",
        body=body,
        request=request,
        at=timezone.now(),
        outcome="done",
    )
    return JsonResponse(_validation_answer(body))


def _validation_answer(body: str) -> dict[str, str]:
    try:
        notice = paybill_notice(body)
    except MalformedCallback:
        return REFUSED_ACCOUNT
    if notice.amount_minor <= 0:
        return REFUSED_AMOUNT
    code = normalise_code(notice.account_text)
    if len(code) not in CODE_LENGTH:
        return REFUSED_ACCOUNT
    if Household.objects.filter(code=code, closed_at__isnull=False).exists():
        return REFUSED_ACCOUNT
    return ACCEPTED


@hook("POST")
def daraja_confirmation(request: HttpRequest) -> HttpResponse:
    """A paybill payment was made."""
    body = intake.body_text(request)
    try:
        subject = paybill_notice(body).reference
    except MalformedCallback:
        subject = ""
    _keep(request, route="daraja.confirmation", subject=subject, body=body)
    return JsonResponse(ACCEPTED)


@hook("POST")
def daraja_result(request: HttpRequest, token: str) -> HttpResponse:
    """The result of a reversal or status query."""
    _keep(request, route="daraja.result", subject=token)
    return JsonResponse(ACCEPTED)


@hook("POST")
def sms_inbound(request: HttpRequest) -> HttpResponse:
    """A message from a phone."""
    _keep(request, route="sms.inbound", subject=_form(request, "id"))
    return HttpResponse(status=200)


@hook("POST")
def sms_delivery(request: HttpRequest) -> HttpResponse:
    """What became of a message we sent."""
    _keep(request, route="sms.delivery", subject=_form(request, "id"))
    return HttpResponse(status=200)


@hook("POST")
def sms_opt_out(request: HttpRequest) -> HttpResponse:
    """A phone wants no more messages."""
    _keep(request, route="sms.optout", subject=_form(request, "phoneNumber"))
    return HttpResponse(status=200)


@hook("POST")
def ussd_end(request: HttpRequest) -> HttpResponse:
    """The end of a USSD session, kept without the PINs that its input repeats."""
    fields: dict[str, Any] = {name: request.POST[name] for name in request.POST}
    if "input" in fields:
        fields["input"] = redact(fields["input"])
    if "lastAppResponse" in fields:
        fields["lastAppResponse"] = fields["lastAppResponse"][:200]
    intake.store(
        route="ussd.end",
        subject=str(fields.get("sessionId", "")),
        body=json.dumps(fields).replace("\\u0000", ""),
        request=request,
        at=timezone.now(),
        outcome="done",
    )
    return HttpResponse(status=200)


def _form(request: HttpRequest, name: str) -> str:
    # Reading the body first keeps it: POST then parses the kept bytes.
    intake.body_text(request)
    return str(request.POST.get(name, ""))
