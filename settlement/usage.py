"""What a household used and was charged: sums over the bills of its days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Max, Sum

from accounts.fields import WeiField
from accounts.models import Household, Site
from settlement.models import HouseholdDay


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Energy and charge over some local days, the last of them today; until when it is known."""

    energy_milliwatt_hours: int
    charged_wei: int
    as_of: datetime | None


def of_days(
    *, household: Household, site: Site, at: datetime, days: int, ending_days_ago: int = 0
) -> Usage:
    """Return the usage of `days` local days that end `ending_days_ago` days before today."""
    last = (at.astimezone(ZoneInfo(site.time_zone)) - timedelta(days=ending_days_ago)).date()
    sums = HouseholdDay.objects.filter(
        household=household, day__gt=last - timedelta(days=days), day__lte=last
    ).aggregate(
        energy=Sum("energy_milliwatt_hours"),
        charged=Sum("charged_wei", output_field=WeiField()),
        as_of=Max("last_slot_ends_at"),
    )
    return Usage(
        energy_milliwatt_hours=int(sums["energy"] or 0),
        charged_wei=sums["charged"] or 0,
        as_of=sums["as_of"],
    )
