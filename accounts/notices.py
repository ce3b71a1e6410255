"""Telling people: a Notice is written in the transaction of the event it tells of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Household, HouseholdPhone, Notice


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What one household is told: its own parameters of a notice's kind."""

    household: Household
    params: dict[str, Any]


def tell_household(
    *, household: Household, kind: str, key: str, params: dict[str, Any], at: datetime
) -> int:
    """Queue one message to each phone of the household that wants them; return how many.

    The same key never tells a phone twice.
    """
    message = Message(household=household, params=params)
    return tell_households(messages=[message], kind=kind, key=key, at=at)


def tell_households(*, messages: Iterable[Message], kind: str, key: str, at: datetime) -> int:
    """Queue the messages of one event to each phone that wants them; return how many."""
    by_household = {message.household.pk: message for message in messages}
    phones = HouseholdPhone.objects.filter(
        household__in=by_household, is_notified=True, closed_at__isnull=True
    )
    notices = [
        Notice(
            kind=kind,
            params=by_household[phone.household_id].params,
            household=by_household[phone.household_id].household,
            phone=phone.phone,
            language=by_household[phone.household_id].household.language,
            key=f"{key}:{phone.pk}",
            next_attempt_at=at,
            created_at=at,
        )
        for phone in phones.order_by("household_id", "id")
    ]
    return len(Notice.objects.bulk_create(notices, ignore_conflicts=True))


def tell_phone(
    *,
    phone: str,
    kind: str,
    key: str,
    params: dict[str, Any],
    at: datetime,
    language: str = "en",
    household: Household | None = None,
) -> None:
    """Queue one message to one phone (E.164)."""
    Notice.objects.bulk_create(
        [
            Notice(
                kind=kind,
                params=params,
                household=household,
                phone=phone,
                language=language,
                key=key,
                next_attempt_at=at,
                created_at=at,
            )
        ],
        ignore_conflicts=True,
    )
