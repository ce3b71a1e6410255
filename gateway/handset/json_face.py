"""The phone's JSON face: bare arrays and objects, without a CSRF token; see the interface.

Only in the demo, and the one place where a web request calls out: a phone of the demo lives in the
sandbox, so these views pass each request on to it and give back what it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts.phones import BadPhone, normalise
from gateway.handset.client import Answer, Handset, SandboxAway

Ask = Callable[..., Answer]


def face(method: str) -> Callable[[Ask], Callable[..., HttpResponse]]:
    """Make a view of a function that asks the sandbox; what goes wrong is {"error": sentence}."""

    def decorate(ask: Ask) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @never_cache
        @wraps(ask)
        def view(request: HttpRequest, phone: str, **kwargs: str) -> HttpResponse:
            if request.method != method:
                refused = _json({"error": f"Use {method} here."}, status=405)
                refused["Allow"] = method
                return refused
            try:
                answer = ask(request, Handset(phone=normalise(text=phone)), **kwargs)
            except BadPhone:
                return _json({"error": f"{phone} is not a phone number."}, status=400)
            except SandboxAway as error:
                return _json({"error": str(error)}, status=502)
            return _json(answer.body, status=answer.status)

        return view

    return decorate


@face("POST")
def dial(request: HttpRequest, handset: Handset) -> Answer:
    """`{"text": "3*500*1"}` -> `{"screen", "open"}`; `""` starts a new session."""
    return handset.dial(request.body)


@face("GET")
def messages(request: HttpRequest, handset: Handset) -> Answer:
    """Messages received, newest first."""
    return handset.messages()


@face("GET")
def prompts(request: HttpRequest, handset: Handset) -> Answer:
    """Open payment prompts, newest first: `[{"id", "amount", "currency"}]`."""
    return handset.prompts()


@face("POST")
def answer_prompt(request: HttpRequest, handset: Handset, prompt_id: str) -> Answer:
    """`{"pin": "4826"}` or `{"cancel": true}`; 404 for an unknown prompt, 409 for a closed one."""
    return handset.answer(prompt_id=prompt_id, body=request.body)


@face("POST")
def paybill(request: HttpRequest, handset: Handset) -> Answer:
    """`{"account": "KIS0001", "amount": "500"}` -> `{"accepted", "receipt" or "reason", ...}`."""
    return handset.paybill(request.body)


@face("POST")
def send_sms(request: HttpRequest, handset: Handset) -> Answer:
    """`{"text": "BAL"}` to the short code."""
    return handset.send_sms(request.body)


def _json(body: Any, *, status: int) -> JsonResponse:
    return JsonResponse(body, status=status, safe=False)
