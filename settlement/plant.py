"""The plant's telemetry: battery, production and flows, slot by slot."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import requests
from django.conf import settings

from accounts.models import Site
from settlement.models import SlotTelemetry
from settlement.prices import slot_start

TIMEOUT_SECONDS = (5, 30)
FIRST_SPAN = timedelta(hours=2)
LONGEST_SPAN = timedelta(hours=12)


class PlantUnavailable(Exception):
    """The plant's service did not answer, or not in its form; ask again later."""


def pull(*, site: Site, at: datetime, since: datetime | None = None) -> int:
    """Store the slots that ended since the last stored one; return how many are new.

    Raises PlantUnavailable.
    """
    if not site.plant_account:
        return 0
    until = slot_start(at=at, slot_seconds=site.slot_seconds)
    if since is None:
        last = SlotTelemetry.objects.filter(site=site).order_by("-starts_at").first()
        since = until - FIRST_SPAN if last is None else last.ends_at
        since = max(since, until - LONGEST_SPAN)
    if since >= until:
        return 0
    rows = _rows(site=site, since=since, until=until)
    known = SlotTelemetry.objects.filter(site=site).count()
    SlotTelemetry.objects.bulk_create(
        (_telemetry(site=site, row=row, at=at) for row in rows), ignore_conflicts=True
    )
    return SlotTelemetry.objects.filter(site=site).count() - known


def _rows(*, site: Site, since: datetime, until: datetime) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        parameters = {"start": since.isoformat(), "end": until.isoformat()}
        if cursor:
            parameters["cursor"] = cursor
        try:
            response = requests.get(
                f"{settings.PLANT_URL}/api/v1/sites/{site.plant_account}/telemetry",
                params=parameters,
                headers={"X-API-KEY": settings.PLANT_API_KEY},
                timeout=TIMEOUT_SECONDS,
            )
            response.raise_for_status()
            page = json.loads(response.text, parse_float=Decimal)
            rows.extend(page["data"])
            pagination = page.get("pagination") or {}
            cursor = pagination.get("cursor") if pagination.get("has_more") else None
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise PlantUnavailable(f"plant of {site.slug}: {error}") from error
        if not cursor:
            return rows


def _telemetry(*, site: Site, row: dict[str, Any], at: datetime) -> SlotTelemetry:
    try:
        starts_at = datetime.fromisoformat(row["slot_starts_at"])
        charge = int(Decimal(str(row["soc_percent"])) * 100)
        production = _milliwatt_hours(row["pv_wh"])
        battery_out = _milliwatt_hours(row.get("battery_discharge_wh", 0))
        generator = _milliwatt_hours(row.get("generator_wh", 0))
        return SlotTelemetry(
            site=site,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(seconds=int(row["slot_seconds"])),
            state_of_charge_basis_points=min(max(charge, 0), 10_000),
            production_milliwatt_hours=production,
            battery_in_milliwatt_hours=_milliwatt_hours(row.get("battery_charge_wh", 0)),
            battery_out_milliwatt_hours=battery_out,
            feeder_milliwatt_hours=_milliwatt_hours(row.get("feeder_wh", 0)),
            solar_share_basis_points=_solar_share(
                solar=production + battery_out, generator=generator
            ),
            received_at=at,
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise PlantUnavailable(f"plant of {site.slug}: {error!r} in {row!r}"[:400]) from error


def _solar_share(*, solar: int, generator: int) -> int:
    """The part of a slot's supply that is no diesel, in basis points, rounded down."""
    supply = solar + generator
    return 10_000 if supply <= 0 else solar * 10_000 // supply


def _milliwatt_hours(watt_hours: Any) -> int:
    return int(Decimal(str(watt_hours)) * 1000)
