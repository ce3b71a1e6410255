"""Signing with a wallet on a page, in two steps that need no script: the wallet's address, then
the message and its signature. Where only the wallet's contract can tell, the page waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views import View
from kombu.exceptions import OperationalError

from gateway.wallet.limits import is_too_often
from gateway.wallet.wording import refusal
from tokens import wallets
from tokens.chain.sign_in import Refused
from tokens.models import SignIn
from tokens.tasks import decide_sign_in
from tokens.wallets import NotAllowed

log = structlog.get_logger(__name__)

TRIES_A_MINUTE = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What a signature is for: heading and lead of the page, what the wallet shows, where to next.

    statement is printable ASCII.
    """

    purpose: str
    heading: str
    lead: str
    statement: str
    done_url: str


class SignPage(View):
    """One page per purpose; a subclass says what it is for."""

    def goal(self, request: HttpRequest, **names: Any) -> Goal:
        """Return what the signature is for; Http404 where nobody may give one."""
        raise NotImplementedError

    def accepted(self, request: HttpRequest, sign_in: SignIn) -> None:
        """Do what concerns this browser, once the wallet has signed."""

    def get(self, request: HttpRequest, **names: Any) -> HttpResponse:
        goal = self.goal(request, **names)
        if "answer" in request.GET:
            return self._answered(request, goal, uid=request.GET["answer"])
        return shown(request, "wallet/address.html", {"goal": goal})

    def post(self, request: HttpRequest, **names: Any) -> HttpResponse:
        goal = self.goal(request, **names)
        if is_too_often(request, what="sign", times_a_minute=TRIES_A_MINUTE):
            return self._refused(request, goal, code="too_often", status=429)
        try:
            if "signature" in request.POST:
                return self._take(request, goal)
            return self._ask(request, goal)
        except (Refused, NotAllowed) as error:
            return self._refused(request, goal, code=error.code)

    def _ask(self, request: HttpRequest, goal: Goal) -> HttpResponse:
        asked = wallets.challenge(
            purpose=goal.purpose,
            address=request.POST.get("address", ""),
            uri=settings.PUBLIC_URL + request.path,
            statement=goal.statement,
            at=timezone.now(),
        )
        return shown(request, "wallet/message.html", {"goal": goal, "asked": asked})

    def _take(self, request: HttpRequest, goal: Goal) -> HttpResponse:
        sign_in = wallets.answer(
            purpose=goal.purpose,
            message=request.POST.get("message", ""),
            signature=request.POST["signature"],
            at=timezone.now(),
        )
        request.session["sign_in"] = str(sign_in.uid)
        if sign_in.state == SignIn.State.ACCEPTED:
            self.accepted(request, sign_in)
            return redirect(goal.done_url)
        transaction.on_commit(lambda: _start(sign_in.pk))
        return redirect(f"{request.get_full_path()}{_joint(request)}answer={sign_in.uid}")

    def _answered(self, request: HttpRequest, goal: Goal, *, uid: str) -> HttpResponse:
        """What became of a sign-in of this browser."""
        sign_in = _sign_in(uid)
        is_own = request.session.get("sign_in") == uid
        if sign_in is None or not is_own or sign_in.nonce.purpose != goal.purpose:
            raise Http404(uid)
        if sign_in.state == SignIn.State.ACCEPTED:
            self.accepted(request, sign_in)
            return redirect(goal.done_url)
        if sign_in.state == SignIn.State.REFUSED:
            return self._refused(request, goal, code=sign_in.reason)
        return shown(request, "wallet/waiting.html", {"goal": goal, "sign_in": sign_in})

    def _refused(
        self, request: HttpRequest, goal: Goal, *, code: str, status: int = 422
    ) -> HttpResponse:
        words = {"goal": goal, "refusal": refusal(code), "address": request.POST.get("address", "")}
        return shown(request, "wallet/address.html", words, status=status)


def shown(
    request: HttpRequest, template: str, words: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A private page: never kept, never indexed, its address told to nobody else."""
    response = render(request, template, {"at": timezone.now(), **words}, status=status)
    add_never_cache_headers(response)
    response["X-Robots-Tag"] = "noindex, nofollow"
    # "no-referrer" would also hide who posts the form: browsers then send `Origin: null`, which
    # the check against forged requests refuses. Other sites learn nothing either way.
    response["Referrer-Policy"] = "same-origin"
    return response


def _joint(request: HttpRequest) -> str:
    return "&" if request.GET else "?"


def _sign_in(uid: str) -> SignIn | None:
    try:
        return SignIn.objects.select_related("nonce").filter(uid=UUID(uid)).first()
    except ValueError:
        return None


def _start(sign_in_id: int) -> None:
    try:
        decide_sign_in.delay(sign_in_id)
    except OperationalError as error:
        log.warning("broker away, sign-in left to the sweep", error=str(error))
