"""The few shapes that all answers are made of. Pure: integers in, JSON values out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

from accounts.ledger import DAI, IMPACT_TOKEN
from accounts.money import dai_string, decimal_string, minor_per_major, wh_string


class Amount(TypedDict):
    """An amount with all eighteen decimals and what it is of."""

    amount: str
    asset: str


class PerKwh(TypedDict):
    """A price."""

    amount: str
    asset: str
    per: str


def dai(amount_wei: int) -> Amount:
    """Wei of DAI."""
    return {"amount": dai_string(amount_wei), "asset": DAI}


def impact_tokens(amount_wei: int) -> Amount:
    """Wei of impact tokens."""
    return {"amount": dai_string(amount_wei), "asset": IMPACT_TOKEN}


def price(wei_per_kwh: int) -> PerKwh:
    """Wei of DAI per kWh."""
    return {"amount": dai_string(wei_per_kwh), "asset": DAI, "per": "kWh"}


def watt_hours(energy_milliwatt_hours: int) -> str:
    """Milliwatt-hours as Wh with three decimals."""
    return wh_string(energy_milliwatt_hours)


def kilowatt_hours(energy_milliwatt_hours: int) -> str:
    """Milliwatt-hours as kWh with six decimals."""
    return decimal_string(amount=energy_milliwatt_hours, decimals=6)


def money(amount_minor: int, *, currency: str) -> str:
    """Minor units as units with the currency's decimals: (50000, KES) -> "500.00"."""
    decimals = len(str(minor_per_major(currency=currency))) - 1
    return decimal_string(amount=amount_minor, decimals=decimals)


def instant(at: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def instant_or_none(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z, or null."""
    return None if at is None else instant(at)
