"""The gap ledger: which slots of a meter and day never came, asked for until they do.

A rolling window heals only young gaps; a day's gaps stay open here for as long as they last.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.db.models import Count, F, Q

from accounts.models import Site
from settlement import readings
from settlement.models import Meter, MeterGap, Reading
from settlement.prices import slot_start

SETTLING_SLOTS = 20
"""Younger slots may still come by themselves."""
DAYS_BACK = 14


def find(*, site: Site, day: date, at: datetime) -> int:
    """Bring the gap ledger of one day (UTC) up to date; return how many meters have gaps."""
    begin = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
    young = timedelta(seconds=site.slot_seconds * SETTLING_SLOTS)
    end = min(begin + timedelta(days=1), slot_start(at=at - young, slot_seconds=site.slot_seconds))
    if end <= begin:
        return 0
    meters = Meter.objects.filter(Q(closed_at__isnull=True) | Q(closed_at__gt=begin), site=site)
    counted = dict(
        Reading.objects.filter(site=site, starts_at__gte=begin, starts_at__lt=end)
        .order_by()
        .values_list("meter_id")
        .annotate(slots=Count("id"))
    )
    with_gaps = 0
    for meter in meters:
        since = max(begin, meter.created_at)
        until = end if meter.closed_at is None else min(end, meter.closed_at)
        expected = max(0, int((until - since).total_seconds()) // site.slot_seconds)
        missing = expected - counted.get(meter.pk, 0)
        if missing > 0:
            with_gaps += 1
            MeterGap.objects.update_or_create(
                meter=meter,
                day=day,
                defaults={"missing_slots": missing, "closed_at": None},
                create_defaults={"missing_slots": missing, "found_at": at},
            )
        else:
            MeterGap.objects.filter(meter=meter, day=day, closed_at__isnull=True).update(
                missing_slots=0, closed_at=at
            )
    return with_gaps


def ask(*, site: Site, at: datetime) -> int:
    """Ask the head-end again for the days with open gaps, each less and less often.

    Returns how many intervals came in.
    """
    taken = 0
    for day in _days_to_ask(site=site, at=at):
        begin = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        cursor = begin
        while cursor < min(begin + timedelta(days=1), at):
            taken += readings.pull(site=site, at=at, since=cursor)
            cursor += readings.LONGEST_SPAN
        MeterGap.objects.filter(meter__site=site, day=day, closed_at__isnull=True).update(
            asked_at=at, asked_count=F("asked_count") + 1
        )
    return taken


def _days_to_ask(*, site: Site, at: datetime) -> list[date]:
    gaps = MeterGap.objects.filter(
        meter__site=site, closed_at__isnull=True, day__gte=(at - timedelta(days=DAYS_BACK)).date()
    )
    days = {
        gap.day
        for gap in gaps
        if gap.asked_at is None
        or gap.asked_at < at - timedelta(minutes=10) * 2 ** min(gap.asked_count, 7)
    }
    return sorted(days)
