"""Dismissing what was quarantined; releasing it is settlement.readings.release."""

from __future__ import annotations

from datetime import datetime

from settlement.models import QuarantinedReading


def dismiss(*, quarantined: QuarantinedReading, by_id: int | None, at: datetime) -> None:
    """Note that a person decided the reading is never to be charged.

    Raises ValueError where it was resolved before.
    """
    taken = QuarantinedReading.objects.filter(pk=quarantined.pk, resolution="").update(
        resolution=QuarantinedReading.Resolution.DISMISSED, resolved_at=at, resolved_by_id=by_id
    )
    if not taken:
        raise ValueError("the reading was resolved before")
