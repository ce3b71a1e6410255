"""From a Notice's parameters, which are in wei and minor units, to what its text shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import Notice
from gateway.sms.params import FailureReason
from gateway.sms.texts import render
from gateway.texts.receipts import shown
from gateway.ussd.facts import AccountFacts
from gateway.ussd.household_facts import PhoneFacts

FAILURES: dict[str, FailureReason] = {
    "1": "insufficient",
    "1019": "timeout",
    "1032": "cancelled",
    "1037": "timeout",
    "2001": "wrong_pin",
    # MTN MoMo
    "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED": "insufficient",
    "EXPIRED": "timeout",
    "APPROVAL_REJECTED": "cancelled",
    # pawaPay, whose PAYMENT_NOT_APPROVED may be a refusal, a wrong PIN or no answer
    "INSUFFICIENT_BALANCE": "insufficient",
}

HASH_CHARACTERS_SHOWN = 10
"""Of a transfer's hash: 0x and four bytes, which its sender recognises."""


def words(*, notice: Notice, at: datetime) -> str:
    """Return the text of a notice in its language."""
    fill = FILLERS.get(notice.kind)
    params = notice.params if fill is None else fill(notice, at)
    return render(notice.kind, params, notice.language)


def _account(notice: Notice, at: datetime) -> AccountFacts:
    assert notice.household is not None  # noqa: S101 - these kinds are about a household
    return PhoneFacts(phone=notice.phone, at=at).account(notice.household.code)


def _top_up_credited(notice: Notice, at: datetime) -> dict[str, Any]:
    params = notice.params
    now = _account(notice, at)
    then = replace(now, funds_wei=int(params["funds_wei"]))
    repaid = replace(now, funds_wei=int(params["repaid_wei"]))
    return {
        "household_code": now.code,
        "currency": params["currency"],
        "amount_minor": params["amount_minor"],
        "receipt": shown(params["reference"]),
        "funds_minor": then.funds_minor,
        "arrears_taken_minor": repaid.funds_minor,
        "days_left": then.days_left,
        "energy_milliwatt_hours": then.energy_left_milliwatt_hours,
    }


def _deposit_credited(notice: Notice, at: datetime) -> dict[str, Any]:
    params = notice.params
    now = _account(notice, at)
    then = replace(now, funds_wei=int(params["funds_wei"]))
    credited, repaid = (
        replace(now, funds_wei=int(params[name])) for name in ("credited_wei", "repaid_wei")
    )
    return {
        "household_code": now.code,
        "currency": now.currency,
        "amount_minor": credited.funds_minor,
        "asset": params["asset"],
        "asset_units": int(params["units"]),
        "asset_decimals": params["decimals"],
        "receipt": params["reference"][:HASH_CHARACTERS_SHOWN],
        "funds_minor": then.funds_minor,
        "arrears_taken_minor": repaid.funds_minor,
        "days_left": then.days_left,
        "energy_milliwatt_hours": then.energy_left_milliwatt_hours,
    }


def _payment_taken(notice: Notice, at: datetime) -> dict[str, Any]:
    params = notice.params
    now = _account(notice, at)
    then = replace(now, funds_wei=int(params["funds_wei"]))
    return {
        "household_code": now.code,
        "currency": params["currency"],
        "amount_minor": params["amount_minor"],
        "receipt": shown(params["reference"]),
        "funds_minor": then.funds_minor,
        "days_left": then.days_left,
        "energy_milliwatt_hours": then.energy_left_milliwatt_hours,
    }


def _low_funds(notice: Notice, at: datetime) -> dict[str, Any]:
    then = replace(_account(notice, at), funds_wei=int(notice.params["funds_wei"]))
    return {
        "household_code": then.code,
        "currency": then.currency,
        "funds_minor": then.funds_minor,
        "days_left": then.days_left,
        "energy_milliwatt_hours": then.energy_left_milliwatt_hours,
        "ussd_code": settings.USSD_CODE,
    }


def _top_up_failed(notice: Notice, _at: datetime) -> dict[str, Any]:
    params = notice.params
    return {
        "household_code": "" if notice.household is None else notice.household.code,
        "currency": params["currency"],
        "amount_minor": params["amount_minor"],
        "reason": FAILURES.get(params["code"], "other"),
        "ussd_code": settings.USSD_CODE,
    }


def _top_up_in_suspense(notice: Notice, _at: datetime) -> dict[str, Any]:
    params = notice.params
    return {
        "currency": params["currency"],
        "amount_minor": params["amount_minor"],
        "receipt": shown(params["reference"]),
        "account": params["account_text"],
    }


def _rate_compensation(notice: Notice, at: datetime) -> dict[str, Any]:
    now = _account(notice, at)
    return {
        "household_code": now.code,
        "currency": now.currency,
        "funds_minor": now.funds_minor,
        "arrears_minor": now.arrears_minor,
    }


def _rate_published(notice: Notice, at: datetime) -> dict[str, Any]:
    params = notice.params
    return {
        "household_code": _account(notice, at).code,
        "currency": params["currency"],
        "local_per_dai": params["local_per_dai"],
        "day": params["day"],
    }


def _round_opened(notice: Notice, _at: datetime) -> dict[str, Any]:
    return {**notice.params, "ussd_code": settings.USSD_CODE}


def _payout_told(notice: Notice, _at: datetime) -> dict[str, Any]:
    params = notice.params
    return {
        **params,
        "amount_wei": int(params["amount_wei"]),
        "receipt": shown(params["reference"]),
    }


FILLERS: dict[str, Callable[[Notice, datetime], dict[str, Any]]] = {
    "top_up_credited": _top_up_credited,
    "deposit_credited": _deposit_credited,
    "payment_refunded": _payment_taken,
    "payment_reversed": _payment_taken,
    "low_funds": _low_funds,
    "top_up_failed": _top_up_failed,
    "top_up_in_suspense": _top_up_in_suspense,
    "rate_compensation": _rate_compensation,
    "rate_published": _rate_published,
    "round_opened": _round_opened,
    "payout_paid": _payout_told,
    "payout_returned": _payout_told,
}
