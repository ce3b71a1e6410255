"""Raising and clearing alarms. An alarm lasts from its first notice until the cause is gone."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.models import Alarm, Operator


def raise_alarm(
    *, kind: Alarm.Kind, key: str, text: str, at: datetime, operator: Operator | None = None
) -> Alarm:
    """Note that something is wrong; while it lasts, the same key is one alarm with new words."""
    with transaction.atomic():
        alarm, is_new = Alarm.objects.select_for_update().get_or_create(
            key=key,
            cleared_at=None,
            defaults={
                "kind": kind,
                "text": text[:400],
                "operator": operator,
                "raised_at": at,
                "seen_at": at,
            },
        )
        if not is_new:
            alarm.text, alarm.seen_at = text[:400], at
            alarm.save(update_fields=["text", "seen_at"])
    return alarm


def clear(*, key: str, at: datetime) -> bool:
    """Note that it is over; return whether there was an alarm."""
    return bool(Alarm.objects.filter(key=key, cleared_at=None).update(cleared_at=at))
