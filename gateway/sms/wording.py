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
from gateway.ussd.facts import AccountFacts
from gateway.ussd.household_facts import PhoneFacts

FAILURES: dict[str, FailureReason] = {
    "1": "insufficient",
    "1019": "timeout",
    "1032": "cancelled",
    "1037": "timeout",
    "2001": "wrong_pin",
}


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
        "receipt": params["reference"],
        "funds_minor": then.funds_minor,
        "arrears_taken_minor": repaid.funds_minor,
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
        "receipt": params["reference"],
        "account": params["account_text"],
    }


FILLERS: dict[str, Callable[[Notice, datetime], dict[str, Any]]] = {
    "top_up_credited": _top_up_credited,
    "low_funds": _low_funds,
    "top_up_failed": _top_up_failed,
    "top_up_in_suspense": _top_up_in_suspense,
}
