"""A site's last 24 hours in at most 96 buckets: what the charts show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import (
    Avg,
    Count,
    DateTimeField,
    DurationField,
    F,
    Func,
    Sum,
    Value,
)

from accounts.models import Site
from dashboard.memory import remember
from dashboard.queries import (
    FEWEST_METERS,
    household_readings,
    last_telemetry,
    prices_between,
    telemetry_between,
)
from settlement.models import Price, Reading, SlotTelemetry
from settlement.prices import price_at, slot_start

SPAN = timedelta(hours=24)
SHORTEST_BUCKET_SECONDS = 900
_KEPT_SECONDS = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """One stretch of the day. None: nothing is known of it (or, of consumption, too few meters).

    price is the last one in force in it (wei of DAI per kWh), state of charge the mean.
    """

    starts_at: datetime
    ends_at: datetime
    price_wei_per_kwh: int | None = None
    production_milliwatt_hours: int | None = None
    consumption_milliwatt_hours: int | None = None
    state_of_charge_basis_points: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The buckets of the last 24 hours; until when meters and plant have reported.

    version names everything that went into it.
    """

    version: str

    starts_at: datetime
    ends_at: datetime
    bucket_seconds: int
    buckets: tuple[Bucket, ...]
    read_until: datetime | None
    plant_until: datetime | None

    @property
    def production_milliwatt_hours(self) -> int:
        return sum(bucket.production_milliwatt_hours or 0 for bucket in self.buckets)

    @property
    def consumption_milliwatt_hours(self) -> int | None:
        """The sum over the day, or None where no bucket may be told."""
        told = [
            bucket.consumption_milliwatt_hours
            for bucket in self.buckets
            if bucket.consumption_milliwatt_hours is not None
        ]
        return sum(told) if told else None


def last_day(*, site: Site, at: datetime) -> Day:
    """Return the 24 hours up to the last slot that meters and plant reported."""
    reading = (
        Reading.objects.filter(site=site, starts_at__lt=at)
        .order_by("-starts_at")
        .only("starts_at", "ends_at", "batch_id")
        .first()
    )
    telemetry = last_telemetry(site=site, at=at)
    price = price_at(site=site, at=at)
    ends_at = _end(site=site, reading=reading, telemetry=telemetry, at=at)
    version = ":".join(
        str(part)
        for part in (
            site.uid,
            int(ends_at.timestamp()),
            _last_batch(site=site),
            _newest_telemetry(site=site),
            price and price.pk,
        )
    )

    def gather() -> Day:
        return _gather(
            site=site, version=version, ends_at=ends_at, reading=reading, telemetry=telemetry
        )

    return remember(key=f"day:{version}", compute=gather, seconds=_KEPT_SECONDS)


def _last_batch(*, site: Site) -> int | None:
    """Late readings come in older slots: the batch tells of them, the last reading does not."""
    return site.settlement_batches.order_by("-id").values_list("pk", flat=True).first()


def _newest_telemetry(*, site: Site) -> int | None:
    """The last row that came, be it of a slot long ago."""
    return site.telemetry.order_by("-id").values_list("pk", flat=True).first()


def _end(
    *, site: Site, reading: Reading | None, telemetry: SlotTelemetry | None, at: datetime
) -> datetime:
    """The end of the last slot known to both meters and plant, if that was just now: whole buckets
    only. Where something is silent, the end is now: the gap has to show."""
    now = slot_start(at=at, slot_seconds=site.slot_seconds)
    fresh = now - timedelta(seconds=_bucket_seconds(site=site))
    known = [row.ends_at for row in (reading, telemetry) if row is not None]
    return min(known) if known and min(known) >= fresh else now


def _bucket_seconds(*, site: Site) -> int:
    return max(SHORTEST_BUCKET_SECONDS, site.slot_seconds)


def _gather(
    *,
    site: Site,
    version: str,
    ends_at: datetime,
    reading: Reading | None,
    telemetry: SlotTelemetry | None,
) -> Day:
    seconds = _bucket_seconds(site=site)
    starts_at = ends_at - SPAN
    bucket = Func(
        Value(timedelta(seconds=seconds), output_field=DurationField()),
        F("starts_at"),
        Value(starts_at, output_field=DateTimeField()),
        function="date_bin",
        output_field=DateTimeField(),
    )
    span: dict[str, Any] = {"site": site, "since": starts_at, "until": ends_at}
    plant: dict[datetime, dict[str, Any]] = {
        row["bucket"]: {**row}
        for row in telemetry_between(**span)
        .order_by()
        .annotate(bucket=bucket)
        .values("bucket")
        .annotate(
            production=Sum("production_milliwatt_hours"),
            charge=Avg("state_of_charge_basis_points"),
        )
    }
    used = _used(
        household_readings(**span)
        .annotate(bucket=bucket)
        .values("bucket", "starts_at")
        .annotate(energy=Sum("energy_milliwatt_hours"), meters=Count("pk"))
    )
    instants = [
        starts_at + timedelta(seconds=second)
        for second in range(0, int(SPAN.total_seconds()), seconds)
    ]
    prices = _prices(site=site, instants=instants, ends_at=ends_at)
    return Day(
        version=version,
        starts_at=starts_at,
        ends_at=ends_at,
        bucket_seconds=seconds,
        buckets=tuple(
            Bucket(
                starts_at=instant,
                ends_at=instant + timedelta(seconds=seconds),
                price_wei_per_kwh=price,
                production_milliwatt_hours=_whole(plant.get(instant, {}).get("production")),
                consumption_milliwatt_hours=used.get(instant),
                state_of_charge_basis_points=_whole(plant.get(instant, {}).get("charge")),
            )
            for instant, price in zip(instants, prices, strict=True)
        ),
        read_until=None if reading is None else reading.ends_at,
        plant_until=None if telemetry is None else telemetry.ends_at,
    )


def _used(slots: Iterable[Mapping[str, Any]]) -> dict[datetime, int]:
    """What households used in each bucket, over the slots in which enough meters reported: slots of
    fewer are withheld by the API, and must not be what is left of a bucket."""
    found: dict[datetime, int] = {}
    for slot in slots:
        if slot["meters"] >= FEWEST_METERS:
            found[slot["bucket"]] = found.get(slot["bucket"], 0) + int(slot["energy"])
    return found


def _prices(*, site: Site, instants: list[datetime], ends_at: datetime) -> list[int | None]:
    """The price in force at the end of each bucket; a price holds until the next one."""
    before = price_at(site=site, at=instants[0])
    current = None if before is None else before.wei_per_kwh
    published: list[Price] = list(
        prices_between(site=site, since=instants[0], until=ends_at).only("starts_at", "wei_per_kwh")
    )
    prices: list[int | None] = []
    position = 0
    for end in [*instants[1:], ends_at]:
        while position < len(published) and published[position].starts_at < end:
            current = published[position].wei_per_kwh
            position += 1
        prices.append(current)
    return prices


def _whole(value: Decimal | float | None) -> int | None:
    return None if value is None else round(value)
