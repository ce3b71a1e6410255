"""What the list of sites shows of each one's last 24 hours; the queries do not grow with sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Count, Max, Sum

from accounts.models import Site
from dashboard.memory import remember
from dashboard.queries import FEWEST_METERS, prices_in_force
from settlement.models import Meter, Price, Reading, SlotTelemetry

SPAN = timedelta(hours=24)
_USED_SECONDS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """A site's last 24 hours. None: nothing is known of it (or, of use, too few meters).

    The price is a mean over time in wei of DAI per kWh, energy in milliwatt-hours, charge in basis
    points; plant_until and read_until are ends of the last slots that plant and meters told of.
    """

    mean_wei_per_kwh: int | None = None
    charge_basis_points: int | None = None
    produced_milliwatt_hours: int | None = None
    plant_until: datetime | None = None
    used_milliwatt_hours: int | None = None
    read_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Used:
    energy_milliwatt_hours: int
    read_until: datetime


def outlooks(*, sites: Sequence[Site], at: datetime) -> dict[int, Outlook]:
    """Return each site's last 24 hours by its id."""
    found = {site.pk: Outlook() for site in sites}
    for site_id, mean in _mean_prices(sites=sites, at=at).items():
        found[site_id] = replace(found[site_id], mean_wei_per_kwh=mean)
    told = SlotTelemetry.objects.filter(
        site__in=found, starts_at__gte=at - SPAN, starts_at__lt=at, ends_at__lte=at
    )
    sums = told.order_by().values("site_id").annotate(total=Sum("production_milliwatt_hours"))
    for row in sums:
        produced = int(row["total"])
        found[row["site_id"]] = replace(found[row["site_id"]], produced_milliwatt_hours=produced)
    for last in told.order_by("site_id", "-starts_at").distinct("site_id"):
        found[last.site_id] = replace(
            found[last.site_id],
            charge_basis_points=last.state_of_charge_basis_points,
            plant_until=last.ends_at,
        )
    for site_id, used in _used(sites=sites, at=at).items():
        found[site_id] = replace(
            found[site_id],
            used_milliwatt_hours=used.energy_milliwatt_hours,
            read_until=used.read_until,
        )
    return found


def mean_over_time(
    changes: Iterable[tuple[datetime, int]], *, since: datetime, until: datetime
) -> int | None:
    """Return the mean of what holds from each instant to the next, weighted by how long it held
    between since and until, to the nearest; None where nothing did."""
    seconds = total = 0
    ends_at = until
    for starts_at, value in sorted(changes, reverse=True):
        held = int((ends_at - max(starts_at, since)).total_seconds())
        ends_at = starts_at
        if held > 0:
            seconds, total = seconds + held, total + held * value
    return None if not seconds else (2 * total + seconds) // (2 * seconds)


def _mean_prices(*, sites: Sequence[Site], at: datetime) -> dict[int, int]:
    since = at - SPAN
    changes: dict[int, list[tuple[datetime, int]]] = {}
    for site_id, price in prices_in_force(sites=sites, at=since).items():
        changes[site_id] = [(price.starts_at, price.wei_per_kwh)]
    published = (
        Price.objects.filter(
            site__in=[site.pk for site in sites], starts_at__gt=since, starts_at__lte=at
        )
        .order_by("site_id", "starts_at", "-revision")
        .distinct("site_id", "starts_at")
    )
    for each in published:
        changes.setdefault(each.site_id, []).append((each.starts_at, each.wei_per_kwh))
    means = {
        site_id: mean_over_time(known, since=since, until=at) for site_id, known in changes.items()
    }
    return {site_id: mean for site_id, mean in means.items() if mean is not None}


def _used(*, sites: Sequence[Site], at: datetime) -> dict[int, _Used]:
    """Households' use where enough meters told of it; remembered for minutes, since every reading
    of a day is in it."""

    def add_up() -> dict[int, _Used]:
        rows = (
            Reading.objects.filter(
                site__in=[site.pk for site in sites],
                starts_at__gte=at - SPAN,
                starts_at__lt=at,
                meter__role=Meter.Role.HOUSEHOLD,
            )
            .order_by()
            .values("site_id")
            .annotate(
                energy=Sum("energy_milliwatt_hours"),
                meters=Count("meter", distinct=True),
                read_until=Max("ends_at"),
            )
        )
        return {
            row["site_id"]: _Used(
                energy_milliwatt_hours=int(row["energy"]), read_until=row["read_until"]
            )
            for row in rows
            if row["meters"] >= FEWEST_METERS
        }

    stretch = int(at.timestamp()) // _USED_SECONDS
    names = sha256(b"".join(sorted(site.uid.bytes for site in sites))).hexdigest()
    return remember(key=f"used:{stretch}:{names}", compute=add_up, seconds=2 * _USED_SECONDS)
