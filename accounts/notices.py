"""Telling people: a Notice is written in the transaction of the event it tells of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.models import Household, Notice


def tell_household(
    *, household: Household, kind: str, key: str, params: dict[str, Any], at: datetime
) -> int:
    """Queue one message to each phone of the household that wants them; return how many.

    The same key never tells a phone twice.
    """
    phones = household.phones.filter(is_notified=True, closed_at__isnull=True)
    notices = [
        Notice(
            kind=kind,
            params=params,
            household=household,
            phone=phone.phone,
            language=household.language,
            key=f"{key}:{phone.pk}",
            next_attempt_at=at,
            created_at=at,
        )
        for phone in phones
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
