"""Hooks: store the event, answer at once, let a task do the rest."""

from __future__ import annotations

import json
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import OperationalError

from accounts.models import Household, Rail
from accounts.payees import normalise_code
from gateway.providers.daraja.callbacks import paybill_notice
from gateway.providers.interface import BadSignature, Callback, MalformedCallback
from gateway.providers.registry import by_name
from gateway.sms.redaction import mask_numbers, redact_message
from gateway.ussd.redaction import redact
from gateway.webhooks import bell, intake
from gateway.webhooks.gate import hook

log = structlog.get_logger(__name__)

ACCEPTED = {"ResultCode": "0", "ResultDesc": "Accepted"}
REFUSED_ACCOUNT = {"ResultCode": "C2B00012", "ResultDesc": "Invalid Account Number"}
REFUSED_AMOUNT = {"ResultCode": "C2B00013", "ResultDesc": "Invalid Amount"}
CODE_LENGTH = range(3, 13)


def _keep(request: HttpRequest, *, route: str, subject: str, body: str) -> None:
    """Store the event, then start its task; a broker that is away leaves it to the sweeper."""
    event_id = intake.store(
        route=route, subject=subject, body=body, request=request, at=timezone.now()
    )
    try:
        bell.ring(event_id=event_id)
    except OperationalError as error:
        log.warning("broker away, event left to the sweeper", route=route, error=str(error))


@hook("POST")
def daraja_stk(request: HttpRequest, token: str) -> HttpResponse:
    """The result of an STK prompt."""
    _keep(request, route="daraja.stk", subject=token, body=intake.body_text(request))
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
    _keep(request, route="daraja.result", subject=token, body=intake.body_text(request))
    return JsonResponse(ACCEPTED)


@hook("POST", "PUT")
def momo(request: HttpRequest, token: str) -> HttpResponse:
    """What became of a request to pay, or of a refund; may carry no id but the path's token."""
    _keep(request, route="momo", subject=token, body=intake.body_text(request))
    return HttpResponse(status=200)


@hook("POST")
def pawapay(request: HttpRequest) -> HttpResponse:
    """What became of a deposit or a refund; signed, where we asked for that."""
    body = intake.body_text(request)
    callback = _callback(request, body=body)
    try:
        by_name(Rail.Provider.PAWAPAY).verify(callback=callback, at=timezone.now())
    except BadSignature as error:
        intake.store(
            route="pawapay",
            subject="",
            body=body,
            request=request,
            at=timezone.now(),
            outcome="forged",
        )
        return _badly_signed(error, route="pawapay")
    _keep(request, route="pawapay", subject="", body=body)
    return HttpResponse(status=200)


@csrf_exempt
def stripe(request: HttpRequest) -> HttpResponse:
    """An event of Stripe. Only its signature proves it, so nothing else is kept."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    body = intake.body_text(request)
    try:
        by_name(Rail.Provider.STRIPE).verify(
            callback=_callback(request, body=body), at=timezone.now()
        )
    except BadSignature as error:
        return _badly_signed(error, route="stripe")
    _keep(request, route="stripe", subject="", body=body)
    return HttpResponse(status=200)


def _callback(request: HttpRequest, *, body: str) -> Callback:
    return Callback(
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
        method=request.method or "POST",
        url=request.build_absolute_uri(),
    )


def _badly_signed(error: BadSignature, *, route: str) -> HttpResponse:
    log.warning("callback refused", route=route, error=str(error))
    return HttpResponse(f"{error}\n", status=400, content_type="text/plain")


@hook("POST")
def sms_inbound(request: HttpRequest) -> HttpResponse:
    """A message from a phone, kept without what looks like a PIN."""
    return _keep_form(request, route="sms.inbound", subject="id", clean=redact_message)


@hook("POST")
def sms_delivery(request: HttpRequest) -> HttpResponse:
    """What became of a message we sent."""
    return _keep_form(request, route="sms.delivery", subject="id")


@hook("POST")
def sms_opt_out(request: HttpRequest) -> HttpResponse:
    """A phone wants no more messages."""
    return _keep_form(request, route="sms.optout", subject="phoneNumber")


@hook("POST")
def ussd_end(request: HttpRequest) -> HttpResponse:
    """The end of a USSD session, kept without the PINs that its input repeats."""
    body = intake.body_text(request)
    fields = intake.form_fields(body)
    is_read = "sessionId" in fields
    intake.store(
        route="ussd.end",
        subject=fields.get("sessionId", ""),
        body=json.dumps(_without_pins(fields)) if is_read else mask_numbers(body),
        request=request,
        at=timezone.now(),
        outcome="done" if is_read else "malformed",
    )
    return HttpResponse(status=200)


def _keep_form(
    request: HttpRequest, *, route: str, subject: str, clean: Callable[[str], str] = str
) -> HttpResponse:
    body = clean(intake.body_text(request))
    _keep(request, route=route, subject=intake.form_fields(body).get(subject, ""), body=body)
    return HttpResponse(status=200)


def _without_pins(fields: dict[str, str]) -> dict[str, str]:
    """Inputs of a session, under whichever of the network's names, are redacted."""
    cleaned = {
        name: redact(value) if name in {"input", "text"} else value
        for name, value in fields.items()
    }
    if "lastAppResponse" in cleaned:
        cleaned["lastAppResponse"] = cleaned["lastAppResponse"][:200]
    return cleaned
