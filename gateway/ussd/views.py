"""Africa's Talking's USSD hook: one hop a request."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.phones import BadPhone, normalise
from gateway.texts.languages import language_of
from gateway.ussd import sessions
from gateway.ussd.actions import carry_out
from gateway.ussd.engine import Step, advance, refusal
from gateway.ussd.facts import Context
from gateway.ussd.household_facts import NoAccount, PhoneFacts
from gateway.ussd.page import Page
from gateway.ussd.sessions import Session
from gateway.webhooks.gate import hook
from gateway.webhooks.intake import body_text, form_fields

log = structlog.get_logger(__name__)

MAX_SESSION_CHARACTERS = 80


@hook("POST")
def ussd(request: HttpRequest) -> HttpResponse:
    """Answer one hop with `CON ...` or `END ...`; the same text again gets the same answer."""
    fields = form_fields(body_text(request))
    session_id = fields.get("sessionId", "")
    try:
        phone = normalise(text=fields.get("phoneNumber", ""))
    except BadPhone:
        phone = ""
    if not phone or not 0 < len(session_id) <= MAX_SESSION_CHARACTERS:
        return _plain("END This request names no session or no phone.")
    text = fields.get("text", "")
    return _plain(answer(session_id=session_id, phone=phone, text=text, at=timezone.now()))


def answer(*, session_id: str, phone: str, text: str, at: datetime) -> str:
    """Take a session one hop on and return the body to answer."""
    stored = sessions.load(session_id=session_id, phone=phone)
    text_digest = sessions.digest(text)
    if stored is not None and stored.text_digest == text_digest:
        return stored.answer
    facts = PhoneFacts(phone=phone, at=at)
    try:
        step = advance(stored.state if stored else None, text, Context(facts=facts, now=at))
    except NoAccount as error:
        log.warning("no account", error=str(error))
        return refusal("try_later", language_of(facts.language)).body
    page = _carried_out(step=step, session_id=session_id, phone=phone, at=at)
    sessions.save(
        session_id=session_id,
        phone=phone,
        session=Session(state=step.state, text_digest=text_digest, answer=page.body),
    )
    return page.body


def _carried_out(*, step: Step, session_id: str, phone: str, at: datetime) -> Page:
    """Effects come with the last page only; their key makes a repeated hop do nothing.

    The phone is part of the key: nobody gets at another's session by naming it.
    """
    for effect in step.effects:
        told = carry_out(effect=effect, phone=phone, key=f"ussd:{phone}:{session_id}", at=at)
        if isinstance(told, Page):
            return told
        if told is not None:
            return refusal(told, language_of(step.state.language))
    return step.page


def _plain(body: str) -> HttpResponse:
    return HttpResponse(body, content_type="text/plain; charset=utf-8")
