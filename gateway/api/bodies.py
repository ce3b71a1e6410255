"""Bodies of answers, as the schema declares them: domain objects in, JSON values out."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from accounts.models import Site
from accounts.money import minor_from_wei
from dashboard.queries import PriceNow, Rate, SiteFigures, SlotSum
from gateway.api import shapes
from gateway.api.queries import HouseholdView, TopUpView
from settlement import queries
from settlement.models import Charge, Payee, Payout, Price, SlotTelemetry


def site_summary(*, site: Site, price: PriceNow | None, rate: Rate | None) -> dict[str, Any]:
    """SiteSummary."""
    return {
        "slug": site.slug,
        "name": site.name,
        "country": site.country,
        "currency": site.currency,
        "time_zone": site.time_zone,
        "slot_seconds": site.slot_seconds,
        "price_now": _price_in_force(price=price),
        "site_rate": None
        if rate is None
        else {
            "amount": f"{rate.local_per_dai:f}",
            "currency": rate.currency,
            "per": "DAI",
            "valid_from": shapes.instant(rate.valid_from),
        },
    }


def site_detail(*, site: Site, figures: SiteFigures) -> dict[str, Any]:
    """SiteDetail."""
    battery = figures.battery
    return {
        **site_summary(site=site, price=figures.price, rate=figures.rate),
        "battery": None
        if battery is None
        else {
            "state_of_charge_basis_points": battery.state_of_charge_basis_points,
            "as_of": shapes.instant(battery.as_of),
        },
        "pools": {name: shapes.dai(wei) for name, wei in figures.pools_wei.items()},
        "kwh_settled": shapes.kilowatt_hours(figures.settled_milliwatt_hours),
        "impact_tokens_minted": shapes.impact_tokens(figures.tokens_minted_wei),
        "donated": shapes.dai(figures.donated_wei),
        "funding_goal": shapes.dai(figures.funding_goal_wei),
        "as_of": shapes.instant_or_none(figures.as_of),
    }


def slot_price(price: Price) -> dict[str, Any]:
    """SlotPrice."""
    return {
        "starts_at": shapes.instant(price.starts_at),
        "price": shapes.price(price.wei_per_kwh),
        "state_of_charge_basis_points": price.state_of_charge_basis_points,
        "published_at": shapes.instant(price.published_at),
    }


def slot_readings(slot: SlotSum) -> dict[str, Any]:
    """SlotReadings."""
    return {
        "starts_at": shapes.instant(slot.starts_at),
        "ends_at": shapes.instant(slot.ends_at),
        "energy_wh": None
        if slot.energy_milliwatt_hours is None
        else shapes.watt_hours(slot.energy_milliwatt_hours),
        "meters": slot.meters,
    }


def slot_plant(slot: SlotTelemetry) -> dict[str, Any]:
    """SlotPlant."""
    return {
        "starts_at": shapes.instant(slot.starts_at),
        "ends_at": shapes.instant(slot.ends_at),
        "state_of_charge_basis_points": slot.state_of_charge_basis_points,
        "production_wh": shapes.watt_hours(slot.production_milliwatt_hours),
        "battery_in_wh": shapes.watt_hours(slot.battery_in_milliwatt_hours),
        "battery_out_wh": shapes.watt_hours(slot.battery_out_milliwatt_hours),
        "feeder_wh": shapes.watt_hours(slot.feeder_milliwatt_hours),
        "solar_share_basis_points": slot.solar_share_basis_points,
    }


def flow(flow: queries.Flow) -> dict[str, Any]:
    """The sums of Payouts."""
    return {
        "revenue": shapes.dai(flow.revenue_wei),
        "pools": [
            {
                "name": pool.name,
                "received": shapes.dai(pool.received_wei),
                "held": shapes.dai(pool.held_wei),
                "reserved": shapes.dai(pool.reserved_wei),
                "set_aside": shapes.dai(pool.due_wei),
                "paid": shapes.dai(pool.paid_wei),
            }
            for pool in flow.pools
        ],
        "paid_out": [
            {
                "pool": paid.pool,
                "role": paid.role,
                "payee": paid.public_name,
                "amount": shapes.dai(paid.amount_wei),
                "payouts": paid.payouts,
                "last_paid_at": shapes.instant(paid.last_paid_at),
            }
            for paid in flow.paid_out
        ],
    }


def payout(payout: Payout) -> dict[str, Any]:
    """PayoutDetail."""
    is_on_chain = payout.way == Payee.Way.CHAIN
    return {
        "uid": str(payout.uid),
        "pool": payout.pool,
        "role": payout.payee.role,
        "payee": payout.payee.public_name,
        "reason": payout.service_token.reason,
        "amount": shapes.dai(payout.amount_wei),
        "way": payout.way,
        # What a provider or bank calls a transfer is between it and the operator.
        "transfer": payout.reference if is_on_chain else None,
        "paid_at": shapes.instant_or_none(payout.finished_at),
    }


def household(*, view: HouseholdView, at: datetime) -> dict[str, Any]:
    """HouseholdDetail."""
    stored = view.amounts
    owner = view.household
    return {
        "code": owner.code,
        "name": view.name,
        "site": view.site.slug,
        "phone": view.phones[0] if view.phones else None,
        "phones": list(view.phones),
        "language": owner.language,
        "tier": owner.tier,
        "has_lifeline": owner.has_lifeline,
        "balance": shapes.dai(stored.funds_wei),
        "balance_local": _local(amount_wei=stored.funds_wei, rate=view.rate),
        "arrears": shapes.dai(stored.arrears_wei),
        "impact_tokens": shapes.impact_tokens(stored.impact_tokens_wei),
        "energy_today_wh": shapes.watt_hours(view.used.today_milliwatt_hours),
        "energy_30d_wh": shapes.watt_hours(view.used.month_milliwatt_hours),
        "energy_as_of": shapes.instant_or_none(view.used.as_of),
        "price_now": _price_in_force(price=view.price, wei_per_kwh=view.price_wei_per_kwh),
        "created_at": shapes.instant(owner.created_at),
        "closed_at": shapes.instant_or_none(owner.closed_at),
        "as_of": shapes.instant(at),
    }


def charged_slot(charge: Charge) -> dict[str, Any]:
    """ChargedSlot."""
    ends_at = charge.starts_at + timedelta(seconds=charge.site.slot_seconds)
    return {
        "starts_at": shapes.instant(charge.starts_at),
        "ends_at": shapes.instant(ends_at),
        "site": charge.site.slug,
        "meter": charge.meter.serial,
        "energy_wh": shapes.watt_hours(charge.energy_milliwatt_hours),
        "price": shapes.price(charge.wei_per_milliwatt_hour * 10**6),
        "charge": shapes.dai(charge.amount_wei),
        "is_late": charge.is_late,
    }


def top_up(*, code: str, view: TopUpView) -> dict[str, Any]:
    """TopUpDetail."""
    return {
        "id": str(view.uid),
        "origin": view.origin,
        "household": code,
        "amount": shapes.money(view.amount_minor, currency=view.currency),
        "currency": view.currency,
        "phone": view.phone,
        "rail": view.rail,
        "state": view.state,
        "reference": view.reference,
        "credited": None if view.credited_wei is None else shapes.dai(view.credited_wei),
        "created_at": shapes.instant(view.created_at),
        "finished_at": shapes.instant_or_none(view.finished_at),
    }


def _price_in_force(
    *, price: PriceNow | None, wei_per_kwh: int | None = None
) -> dict[str, Any] | None:
    """A price in force; wei_per_kwh where somebody pays another."""
    if price is None:
        return None
    wei = price.wei_per_kwh if wei_per_kwh is None else wei_per_kwh
    return {**shapes.price(wei), "starts_at": shapes.instant(price.starts_at)}


def _local(*, amount_wei: int, rate: Rate | None) -> dict[str, str] | None:
    if rate is None:
        return None
    minor = minor_from_wei(
        amount_wei=amount_wei,
        currency=rate.currency,
        local_per_dai=Fraction(rate.local_per_dai),
    )
    return {
        "amount": shapes.money(minor, currency=rate.currency),
        "currency": rate.currency,
    }
