"""How much of a month a site had power, as far as anybody told: what an uptime period rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Site
from accounts.money import BASIS_POINTS

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Uptime:
    """Slots of a month that have ended, by what is known of them.

    up: the plant produced, fed the village, or a meter read energy; down: the plant told of the
    slot, and none of these; the rest is not known.
    """

    month: date
    slots: int
    up: int
    down: int

    @property
    def unknown(self) -> int:
        """Slots that nobody told of: no telemetry, and no meter that read energy."""
        return self.slots - self.up - self.down

    @property
    def least_basis_points(self) -> int:
        """Slots that were up against all, as if all that is not known had been down."""
        return self.up * BASIS_POINTS // self.slots if self.slots else 0

    @property
    def most_basis_points(self) -> int:
        """As if all that is not known had been up."""
        return (self.up + self.unknown) * BASIS_POINTS // self.slots if self.slots else 0


def of_month(*, site: Site, month: date, at: datetime) -> Uptime:
    """Return a site's uptime in the local month that begins on `month`, as known by now."""
    begins_at, ends_at = span(site=site, month=month)
    ends_at = min(ends_at, at)
    slots = _slots(begins_at=begins_at, ends_at=ends_at, slot_seconds=site.slot_seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH told AS (
                SELECT starts_at, production_milliwatt_hours > 0
                    OR feeder_milliwatt_hours > 0 AS is_up
                FROM settlement_slottelemetry
                WHERE site_id = %(site)s AND starts_at >= %(begin)s AND ends_at <= %(end)s
            ), read AS (
                SELECT DISTINCT starts_at FROM reading
                WHERE site_id = %(site)s AND starts_at >= %(begin)s AND starts_at < %(end)s
                    AND ends_at <= %(end)s AND energy_milliwatt_hours > 0
            )
            SELECT count(*) FILTER (WHERE t.is_up OR r.starts_at IS NOT NULL),
                count(*) FILTER (WHERE NOT t.is_up AND r.starts_at IS NULL)
            FROM told t FULL JOIN read r ON r.starts_at = t.starts_at
            """,
            {"site": site.pk, "begin": begins_at, "end": ends_at},
        )
        up, down = cursor.fetchone()
    return Uptime(month=month, slots=slots, up=up, down=down)


def span(*, site: Site, month: date) -> tuple[datetime, datetime]:
    """Return the begin and end of a month where the site is."""
    zone = ZoneInfo(site.time_zone)
    first = month.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    begins_at, ends_at = (
        datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC) for day in (first, following)
    )
    return begins_at, ends_at


def last_months(*, at: datetime, count: int = 3) -> list[date]:
    """Return the first days of this month and of those before it, newest first."""
    months = [at.date().replace(day=1)]
    while len(months) < count:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def _slots(*, begins_at: datetime, ends_at: datetime, slot_seconds: int) -> int:
    """Slots, which are aligned to 1970, that lie in the span as a whole."""
    slot = timedelta(seconds=slot_seconds)
    first, end = -((UNIX_EPOCH - begins_at) // slot), (ends_at - UNIX_EPOCH) // slot
    return max(0, end - first)
