"""What comes from phones by SMS: words, delivery reports, opt-outs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from accounts import agents, notices, sites
from accounts.models import Household, Notice, SmsOptOut
from accounts.money import minor_per_major
from accounts.phones import BadPhone, normalise
from gateway.sms import replies, votes
from gateway.sms import words as spoken
from gateway.ussd.actions import start_top_up
from gateway.ussd.household_facts import NoAccount, PhoneFacts
from gateway.webhooks.intake import form_fields
from tokens import wallets

log = structlog.get_logger(__name__)

FINAL_STATUSES = {"Success"}
FAILED_STATUSES = {"Failed", "Rejected", "AbsentSubscriber", "Expired"}


class MalformedMessage(ValueError):
    """The body lacks what a message needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One message: who asked, what about, when; key makes its answers unique."""

    phone: str
    household: Household
    facts: PhoneFacts
    key: str
    at: datetime


Reply = tuple[str, dict[str, Any]]


def answer(*, body: str, event_uid: str, at: datetime) -> None:
    """Read an inbound message and queue its answer. Raises MalformedMessage."""
    fields = _fields(body, "from", "text")
    phone = _phone(fields["from"])
    # The network delivers a message again under its id; another phone's id is another message.
    key = f"sms:{phone}:{fields.get('id') or event_uid}"[:100]
    command = spoken.parse(fields["text"])
    try:
        kind, params = _reply(command=command, phone=phone, key=key, at=at)
    except NoAccount as error:
        log.warning("no account", error=str(error))
        kind, params = "try_later", {}
    household = sites.households_of(phone=phone)
    notices.tell_phone(
        phone=phone,
        kind=kind,
        key=key,
        params=params,
        at=at,
        language=household[0].language if household else PhoneFacts(phone=phone, at=at).language,
        household=household[0] if len(household) == 1 else None,
    )


def note_delivery(*, body: str) -> bool:
    """Note what became of a message; False where its send has not been stored yet.

    Success is never taken back; unknown words of the network are kept as they are.
    """
    fields = _fields(body, "id", "status")
    if not fields["id"]:
        raise MalformedMessage("the report names no message")
    notice = Notice.objects.filter(provider_id=fields["id"]).first()
    if notice is None:
        return False
    status = fields["status"][:40]
    changes: dict[str, Any] = {"delivery_status": status}
    if status in FINAL_STATUSES:
        changes["state"] = Notice.State.DELIVERED
    elif status in FAILED_STATUSES:
        changes |= {"state": Notice.State.FAILED, "failure": fields.get("failureReason", "")[:200]}
    Notice.objects.filter(pk=notice.pk).exclude(state=Notice.State.DELIVERED).update(**changes)
    return True


def opt_out(*, body: str, at: datetime) -> None:
    """Send this phone nothing any more."""
    fields = _fields(body, "phoneNumber")
    SmsOptOut.objects.get_or_create(
        phone=_phone(fields["phoneNumber"]), defaults={"opted_out_at": at}
    )


def _reply(*, command: spoken.Command, phone: str, key: str, at: datetime) -> Reply:
    if isinstance(command, spoken.Stop | spoken.Start | spoken.Help | spoken.Unknown):
        return _reply_to_anybody(command=command, phone=phone, at=at)
    if isinstance(command, spoken.Float):
        return _float(phone=phone)
    households = sites.households_of(phone=phone)
    if not households:
        return "not_registered", {}
    household = _chosen(households, command.household_code)
    if household is None:
        return "which_account", {"household_codes": [each.code for each in households]}
    asked = Asked(
        phone=phone, household=household, facts=PhoneFacts(phone=phone, at=at), key=key, at=at
    )
    return ANSWERS[type(command)](command, asked)


def _reply_to_anybody(
    *,
    command: spoken.Stop | spoken.Start | spoken.Help | spoken.Unknown,
    phone: str,
    at: datetime,
) -> Reply:
    if isinstance(command, spoken.Stop):
        SmsOptOut.objects.get_or_create(phone=phone, defaults={"opted_out_at": at})
        return "stopped", {}
    if isinstance(command, spoken.Start):
        SmsOptOut.objects.filter(phone=phone).delete()
        return "started", {}
    if isinstance(command, spoken.Help):
        return "help_reply", {"ussd_code": settings.USSD_CODE}
    return "unknown_word", {}


def _float(*, phone: str) -> Reply:
    agent = agents.of_phone(phone=phone)
    if agent is None:
        return "unknown_word", {}
    return "float_reply", {
        "agent_code": agent.code,
        "currency": agent.rail.currency,
        "float_minor": agents.float_minor(agent=agent),
    }


def _chosen(households: list[Household], code: str) -> Household | None:
    if not code:
        return households[0] if len(households) == 1 else None
    return next((each for each in households if each.code == code), None)


def _balance(_command: spoken.Balance, asked: Asked) -> Reply:
    return "balance_reply", dict(replies.balance(asked.facts.account(asked.household.code)))


def _use(_command: spoken.Use, asked: Asked) -> Reply:
    code = asked.household.code
    return "usage_reply", dict(replies.usage(code, asked.facts.usage(code)))


def _last(_command: spoken.Last, asked: Asked) -> Reply:
    code = asked.household.code
    payments = asked.facts.last_payments(code, at_most=3)
    return "last_payments_reply", dict(replies.last_payments(code, payments))


def _receipt(_command: spoken.Receipt, asked: Asked) -> Reply:
    code = asked.household.code
    return "fiscal_receipt_reply", dict(
        replies.fiscal_receipt(code, asked.facts.last_receipt(code))
    )


def _proof(command: spoken.Proof, asked: Asked) -> Reply:
    code = asked.household.code
    if command.is_refusal:
        is_refused = wallets.object_to(household=asked.household, at=asked.at)
        return "wallet_refused" if is_refused else "wallet_none", {"household_code": code}
    leaf = wallets.leaf_of(household=asked.household)
    if leaf is None:
        return "proof_none", {"household_code": code}
    return "proof_reply", dict(
        replies.proof(code, leaf_key=leaf.key, secret=wallets.code_of(leaf=leaf))
    )


def _top_up(command: spoken.TopUp, asked: Asked) -> Reply:
    account = asked.facts.account(asked.household.code)
    units = command.amount_units
    is_ours = command.currency in (None, "", account.currency)
    amount_minor = 0 if units is None else units * minor_per_major(currency=account.currency)
    if not is_ours or not account.min_top_up_minor <= amount_minor <= account.max_top_up_minor:
        return "amount_wrong", dict(replies.amount_wrong(account))
    reason = start_top_up(
        household=asked.household,
        phone=asked.phone,
        amount_minor=amount_minor,
        key=asked.key,
        at=asked.at,
    )
    if reason is not None or not account.rail_available:
        paybill = account.paybill
        return "pay_by_paybill", {
            "household_code": account.code,
            "service": None if paybill is None else paybill.service,
            "business_number": None if paybill is None else paybill.business_number,
        }
    return "top_up_prompt_sent", {
        "household_code": account.code,
        "currency": account.currency,
        "amount_minor": amount_minor,
    }


def _language(command: spoken.SetLanguage, asked: Asked) -> Reply:
    if command.language is None:
        return "unknown_word", {}
    asked.household.language = command.language
    asked.household.save(update_fields=["language"])
    return "language_set", {}


def _vote(command: spoken.Vote, asked: Asked) -> Reply:
    return votes.reply(
        household=asked.household,
        round_number=command.round_number,
        options=command.options,
        phone=asked.phone,
        key=asked.key,
        at=asked.at,
    )


ANSWERS: dict[type, Callable[[Any, Asked], Reply]] = {
    spoken.Balance: _balance,
    spoken.Use: _use,
    spoken.Last: _last,
    spoken.Receipt: _receipt,
    spoken.Proof: _proof,
    spoken.TopUp: _top_up,
    spoken.SetLanguage: _language,
    spoken.Vote: _vote,
}


def _fields(body: str, *needed: str) -> dict[str, str]:
    fields = form_fields(body)
    missing = [name for name in needed if name not in fields]
    if missing:
        raise MalformedMessage(f"the message lacks {', '.join(missing)}")
    return fields


def _phone(text: str) -> str:
    try:
        return normalise(text=text)
    except BadPhone as error:
        raise MalformedMessage(str(error)) from error
