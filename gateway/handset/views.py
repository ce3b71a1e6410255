"""The phone in the browser: pages that work without a script, as plain forms.

Only in the demo; like the JSON face these views call the sandbox within the request. Nothing typed
is stored here: the session's inputs travel in the page, as a PIN may be among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from accounts.phones import BadPhone, normalise
from gateway.handset.client import Answer, Handset, SandboxAway, dial_body

HOUSEHOLDS = 30
VILLAGES = (("KIS", "+2547110000"), ("LOF", "+2217700000"))
DEMO_PHONES = [
    (f"{phone}{n:02}", f"{code}{n:04}")
    for code, phone in VILLAGES
    for n in range(1, HOUSEHOLDS + 1)
]
AGENT_PHONES = [("+254711000091", "AG01, takes cash")]
PAYBILL_COUNTRY = "+254"
NOT_A_CODE = "Connection problem or invalid MMI code."
POLL_SECONDS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """What the display shows. text: the inputs of the session so far, joined by `*`."""

    shown: str = ""
    is_open: bool = False
    text: str = ""


def choose(request: HttpRequest) -> HttpResponse:
    """`/handset/`: choose one of the demo's phones, or give any number."""
    typed = request.GET.get("phone", "").strip()
    error = ""
    if typed:
        try:
            return redirect("handset:phone", phone=normalise(text=typed))
        except BadPhone:
            error = f"{typed} is not a phone number. Write it like +254711000001."
    return render(
        request,
        "handset/choose.html",
        {"phones": DEMO_PHONES + AGENT_PHONES, "typed": typed, "error": error},
        status=400 if error else 200,
    )


@method_decorator(never_cache, name="dispatch")
class PhonePage(View):
    """`/handset/<phone>/`: display, prompts, messages, paybill."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            phone = normalise(text=kwargs["phone"])
        except BadPhone:
            return redirect("handset:choose")
        if phone != kwargs["phone"]:
            return redirect("handset:phone", phone=phone)
        self.handset = Handset(phone=phone)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, phone: str) -> HttpResponse:
        return self._page(request, Screen())

    def post(self, request: HttpRequest, phone: str) -> HttpResponse:
        """One press: `action` says of which button."""
        action = request.POST.get("action", "")
        try:
            if action in ("dial", "send"):
                return self._page(request, self._dialled(request, action))
            self._done(request, action)
        except SandboxAway as error:
            messages.error(request, str(error))
        # What pays or sends must not be repeated by a reload.
        return redirect("handset:phone", phone=self.handset.phone)

    def _dialled(self, request: HttpRequest, action: str) -> Screen:
        typed = request.POST.get("entry", "").strip()
        if action == "dial":
            body = dial_body(typed)
            if body is None:
                return Screen(shown=NOT_A_CODE)
        else:
            body = {"text": "*".join(filter(None, (request.POST.get("text", ""), typed)))}
        answer = self.handset.dial(body)
        if answer.refusal:
            messages.error(request, answer.refusal)
            return Screen()
        return Screen(
            shown=answer.body["screen"],
            is_open=answer.body["open"],
            text=str(body["text"]) if answer.body["open"] else "",
        )

    def _done(self, request: HttpRequest, action: str) -> None:
        if action in ("pay", "decline"):
            body = {"cancel": True} if action == "decline" else {"pin": request.POST.get("pin", "")}
            answer = self.handset.answer(prompt_id=request.POST.get("prompt", ""), body=body)
            _tell(request, answer, said="result")
        elif action == "paybill":
            fields = {name: request.POST.get(name, "").strip() for name in ("account", "amount")}
            answer = self.handset.paybill(fields)
            said = "reason" if answer.body.get("accepted") is False else "receipt"
            _tell(request, answer, said=said)
        elif action == "sms":
            answer = self.handset.send_sms({"text": request.POST.get("text", "")})
            _tell(request, answer, said="")

    def _page(self, request: HttpRequest, screen: Screen) -> HttpResponse:
        away = ""
        inbox: list[dict[str, Any]] = []
        prompts: list[dict[str, Any]] = []
        try:
            inbox = self.handset.messages().body
            prompts = self.handset.prompts().body
        except SandboxAway as error:
            away = str(error)
        for message in inbox:
            message["received_at"] = parse_datetime(message["at"])
        phone = self.handset.phone
        return render(
            request,
            "handset/phone.html",
            {
                "phone": phone,
                "household": dict(DEMO_PHONES).get(phone, ""),
                "code": settings.USSD_CODE,
                "short_code": settings.SMS_SHORT_CODE,
                "paybill": (
                    settings.DARAJA_SHORT_CODE if phone.startswith(PAYBILL_COUNTRY) else ""
                ),
                "screen": screen,
                "inbox": inbox,
                "prompts": prompts,
                "away": away,
                "poll_seconds": POLL_SECONDS,
            },
            status=502 if away else 200,
        )


def _tell(request: HttpRequest, answer: Answer, *, said: str) -> None:
    """Say on the next page what became of it."""
    if answer.refusal:
        messages.error(request, answer.refusal)
    elif said == "receipt":
        messages.success(request, f"Paid. Receipt {answer.body['receipt']}.")
    elif said:
        messages.info(request, str(answer.body[said]))
    else:
        messages.success(request, "Sent.")
