"""Which household a meter measures: handed over at an instant, never for slots that were read."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import ledger, sites
from accounts.models import Household
from settlement.models import Meter, MeterAssignment, Reading


class BadAssignment(ValueError):
    """The meter can't measure the household from that instant on; the message says why."""


def assign(*, meter: Meter, household: Household | None, starts_at: datetime) -> None:
    """Let a meter measure a household from an instant on (None: nobody); ends what was before.

    Raises BadAssignment where slots from then on were read: their charges would be somebody
    else's.
    """
    if household is not None:
        site = sites.site_of(household=household, at=starts_at)
        if site is None or site.pk != meter.site_id:
            raise BadAssignment(f"household {household.code} is not at the meter's site then")
    if household is not None and meter.role != Meter.Role.HOUSEHOLD:
        raise BadAssignment("a feeder measures nobody: it is not charged")
    with transaction.atomic():
        # Settlement holds the same lock while it looks up whom a slot belongs to.
        ledger.lock(book_id=meter.site.book.pk)
        if Reading.objects.filter(
            site_id=meter.site_id, starts_at__gte=starts_at, meter=meter
        ).exists():
            raise BadAssignment("slots from that instant on were read already: choose a later one")
        later = MeterAssignment.objects.filter(meter=meter, validity__startswith__gte=starts_at)
        if later.exists():
            raise BadAssignment("the meter is assigned from a later instant on already")
        for before in MeterAssignment.objects.filter(meter=meter, validity__contains=starts_at):
            before.validity = (before.validity.lower, starts_at)
            before.save(update_fields=["validity"])
        if household is not None:
            MeterAssignment.objects.create(
                meter=meter, household=household, validity=(starts_at, None)
            )
