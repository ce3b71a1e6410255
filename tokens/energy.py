"""Where an epoch's energy came from and went: the part of the proof that covers the sun.

Sums over the slots that begin in the epoch. What the plant did not tell counts as nothing, so that
a slot without telemetry can make an epoch unbalanced, never balanced; how many were told stands
beside. Solar energy only: what a generator burns is in no sum but the feeder's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, Sum

from accounts.models import Site
from settlement.models import Meter, Reading, SlotTelemetry

TOLERANCE_PERCENT = 2
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """Milliwatt-hours of one epoch, the share of them that mints, and how many slots were told."""

    generation_milliwatt_hours: int = 0
    battery_in_milliwatt_hours: int = 0
    battery_out_milliwatt_hours: int = 0
    feeder_milliwatt_hours: int = 0
    households_milliwatt_hours: int = 0
    paid_milliwatt_hours: int = 0
    solar_share_basis_points: int = 0
    slots: int = 0
    slots_reported: int = 0

    @property
    def supply_milliwatt_hours(self) -> int:
        """What sun and battery gave."""
        return (
            self.generation_milliwatt_hours
            + self.battery_out_milliwatt_hours
            - self.battery_in_milliwatt_hours
        )

    @property
    def losses_milliwatt_hours(self) -> int:
        """What was lost between sun and households; below zero where something else fed in."""
        return self.supply_milliwatt_hours - self.households_milliwatt_hours

    @property
    def is_balanced(self) -> bool:
        """Whether generation + discharge - charge >= feeder >= households, within 2 %."""
        return (
            self.slots_reported > 0
            and _covers(self.supply_milliwatt_hours, self.feeder_milliwatt_hours)
            and _covers(self.feeder_milliwatt_hours, self.households_milliwatt_hours)
        )

    def as_published(self) -> dict[str, str | bool]:
        """Return the data set's `energy`: integers as strings."""
        names = (
            "generation_milliwatt_hours",
            "battery_in_milliwatt_hours",
            "battery_out_milliwatt_hours",
            "feeder_milliwatt_hours",
            "households_milliwatt_hours",
            "losses_milliwatt_hours",
            "paid_milliwatt_hours",
            "solar_share_basis_points",
            "slots",
            "slots_reported",
        )
        told: dict[str, str | bool] = {name: str(getattr(self, name)) for name in names}
        return told | {"is_balanced": self.is_balanced}


def balance(*, site: Site, starts_at: datetime, ends_at: datetime) -> Balance:
    """Return the balance of the slots that begin in [starts_at, ends_at), as settled by now.

    The feeder is its meter, where the site has one, else what the plant says. Energy is paid as
    far as the batch that settled it was; arrears paid later do not count.
    """
    told = SlotTelemetry.objects.filter(
        site=site, starts_at__gte=starts_at, starts_at__lt=ends_at
    ).aggregate(
        generation=Sum("production_milliwatt_hours", default=0),
        battery_in=Sum("battery_in_milliwatt_hours", default=0),
        battery_out=Sum("battery_out_milliwatt_hours", default=0),
        feeder=Sum("feeder_milliwatt_hours", default=0),
        reported=Count("pk"),
    )
    feeder, is_metered = _metered(site, Meter.Role.FEEDER, starts_at=starts_at, ends_at=ends_at)
    households, _ = _metered(site, Meter.Role.HOUSEHOLD, starts_at=starts_at, ends_at=ends_at)
    charged, minting, paid = _charged(site, starts_at=starts_at, ends_at=ends_at)
    return Balance(
        generation_milliwatt_hours=int(told["generation"]),
        battery_in_milliwatt_hours=int(told["battery_in"]),
        battery_out_milliwatt_hours=int(told["battery_out"]),
        feeder_milliwatt_hours=feeder if is_metered else int(told["feeder"]),
        households_milliwatt_hours=households,
        paid_milliwatt_hours=paid,
        solar_share_basis_points=minting * 10_000 // charged if charged else 0,
        slots=slots_between(starts_at=starts_at, ends_at=ends_at, slot_seconds=site.slot_seconds),
        slots_reported=told["reported"],
    )


def slots_between(*, starts_at: datetime, ends_at: datetime, slot_seconds: int) -> int:
    """Return how many slots begin in [starts_at, ends_at); slots are aligned to 1970."""
    slot = timedelta(seconds=slot_seconds)
    first, end = (-((UNIX_EPOCH - at) // slot) for at in (starts_at, ends_at))
    return max(0, end - first)


def _covers(source: int, use: int) -> bool:
    return source * (100 + TOLERANCE_PERCENT) >= use * 100


def _metered(
    site: Site, role: Meter.Role, *, starts_at: datetime, ends_at: datetime
) -> tuple[int, bool]:
    """Return what a kind of meters read, and whether any of them did."""
    meters = Meter.objects.filter(site=site, role=role)
    read = Reading.objects.filter(
        site=site, starts_at__gte=starts_at, starts_at__lt=ends_at, meter__in=meters
    ).aggregate(energy=Sum("energy_milliwatt_hours", default=0), counted=Count("starts_at"))
    return int(read["energy"]), read["counted"] > 0


def _charged(site: Site, *, starts_at: datetime, ends_at: datetime) -> tuple[int, int, int]:
    """Return what was charged, what of it mints, and what of it was paid when it was settled."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(c.energy), 0), coalesce(sum(c.minting), 0),
                coalesce(sum(CASE WHEN b.charged_wei = 0 THEN c.energy
                    ELSE div(c.energy * b.paid_wei, b.charged_wei) END), 0)
            FROM (
                SELECT batch_id, sum(energy_milliwatt_hours) AS energy,
                    sum(minting_milliwatt_hours) AS minting
                FROM charge WHERE site_id = %s AND starts_at >= %s AND starts_at < %s
                GROUP BY batch_id
            ) c JOIN settlement_settlementbatch b ON b.id = c.batch_id
            """,
            [site.pk, starts_at, ends_at],
        )
        charged, minting, paid = cursor.fetchone()
    return int(charged), int(minting), int(paid)
