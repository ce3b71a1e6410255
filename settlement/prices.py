"""Publishing prices: for each slot, at its start, from the state of charge known by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from django.db import IntegrityError, transaction

from accounts import ledger
from accounts.models import Site
from settlement import pricing
from settlement.models import Price, Reading, SlotTelemetry, Tariff
from settlement.pricing import Rule

STATE_OF_CHARGE_LIFE = timedelta(hours=2)
"""Older than this, a state of charge says nothing: the last price is held."""


class AlreadySettled(Exception):
    """Slots that the price would be for are charged already."""


class NoTariff(LookupError):
    """No tariff of the site is in force at the instant."""


def slot_start(*, at: datetime, slot_seconds: int) -> datetime:
    """Return the start of the slot that holds the instant (slots count from the epoch)."""
    second = int(at.timestamp())
    return at.replace(microsecond=0) - timedelta(seconds=second % slot_seconds)


def tariff_at(*, site: Site, at: datetime) -> Tariff:
    """Return the tariff in force. Raises NoTariff."""
    tariff = Tariff.objects.filter(site=site, valid_from__lte=at).order_by("-valid_from").first()
    if tariff is None:
        raise NoTariff(f"site {site.slug} has no tariff in force: publish one")
    return tariff


def price_at(*, site: Site, at: datetime) -> Price | None:
    """Return the price in force at an instant: the last one published for it or before it."""
    return (
        Price.objects.filter(site=site, starts_at__lte=at)
        .order_by("-starts_at", "-revision")
        .first()
    )


def publish_slot(*, site: Site, at: datetime) -> Price:
    """Publish the price of the slot that holds the instant; publishing again changes nothing.

    Raises NoTariff, and AlreadySettled where the slot ended and was charged meanwhile.
    """
    starts_at = slot_start(at=at, slot_seconds=site.slot_seconds)
    last = price_at(site=site, at=starts_at)
    if last is not None and last.starts_at == starts_at:
        return last
    tariff = tariff_at(site=site, at=starts_at)
    telemetry = (
        SlotTelemetry.objects.filter(
            site=site, ends_at__lte=at, ends_at__gt=at - STATE_OF_CHARGE_LIFE
        )
        .order_by("-ends_at")
        .first()
    )
    charge = None if telemetry is None else telemetry.state_of_charge_basis_points
    return publish(
        site=site,
        tariff=tariff,
        starts_at=starts_at,
        wei_per_kwh=_wei_per_kwh(tariff=tariff, charge_basis_points=charge, last=last),
        at=at,
        state_of_charge_basis_points=charge,
    )


def publish_span(*, site: Site, since: datetime, until: datetime) -> int:
    """Publish every slot that starts in [since, until) as `publish_slot` would have at its start.

    For a span that nothing was published for, at a site that begins with a past: one lock and one
    insert for all slots. Returns how many are new. Raises NoTariff, and AlreadySettled where a
    reading from the first new slot on was charged.
    """
    slot = timedelta(seconds=site.slot_seconds)
    first = slot_start(at=since, slot_seconds=site.slot_seconds)
    starts_at = first if first >= since else first + slot
    tariffs = list(Tariff.objects.filter(site=site, valid_from__lt=until).order_by("valid_from"))
    states = list(
        SlotTelemetry.objects.filter(
            site=site, ends_at__gt=starts_at - STATE_OF_CHARGE_LIFE, ends_at__lt=until
        ).order_by("ends_at")
    )
    with transaction.atomic():
        ledger.lock(book_id=site.book.pk)
        last = price_at(site=site, at=starts_at)
        known = {
            price.starts_at: price
            for price in Price.objects.filter(
                site=site, starts_at__gte=starts_at, starts_at__lt=until
            ).order_by("revision")
        }
        new: list[Price] = []
        position = 0
        while starts_at < until:
            while position < len(states) and states[position].ends_at <= starts_at:
                position += 1
            state = states[position - 1] if position else None
            if starts_at not in known:
                last = _price_of_slot(
                    site=site, tariffs=tariffs, state=state, last=last, starts_at=starts_at
                )
                new.append(last)
            else:
                last = known[starts_at]
            starts_at += slot
        if new and Reading.objects.filter(site=site, starts_at__gte=new[0].starts_at).exists():
            raise AlreadySettled(
                f"slots of {site.slug} from {new[0].starts_at:%Y-%m-%d %H:%M} on are settled"
            )
        Price.objects.bulk_create(new)
    return len(new)


def _price_of_slot(
    *,
    site: Site,
    tariffs: Sequence[Tariff],
    state: SlotTelemetry | None,
    last: Price | None,
    starts_at: datetime,
) -> Price:
    """The price of one slot, not stored. tariffs and state are in order of time."""
    tariff = next((each for each in reversed(tariffs) if each.valid_from <= starts_at), None)
    if tariff is None:
        raise NoTariff(f"site {site.slug} has no tariff in force: publish one")
    is_fresh = state is not None and state.ends_at > starts_at - STATE_OF_CHARGE_LIFE
    charge = state.state_of_charge_basis_points if state is not None and is_fresh else None
    return Price(
        site=site,
        tariff=tariff,
        starts_at=starts_at,
        wei_per_kwh=_wei_per_kwh(tariff=tariff, charge_basis_points=charge, last=last),
        reference_wei_per_kwh=tariff.reference_wei_per_kwh,
        state_of_charge_basis_points=charge,
        published_at=starts_at,
    )


def _wei_per_kwh(*, tariff: Tariff, charge_basis_points: int | None, last: Price | None) -> int:
    return pricing.price(
        rule=rule_of(tariff=tariff),
        state_of_charge=(
            None
            if charge_basis_points is None
            else Fraction(charge_basis_points, pricing.BASIS_POINTS)
        ),
        last_wei_per_kwh=None if last is None else last.wei_per_kwh,
    )


def publish(
    *,
    site: Site,
    tariff: Tariff,
    starts_at: datetime,
    wei_per_kwh: int,
    at: datetime,
    state_of_charge_basis_points: int | None = None,
) -> Price:
    """Publish one price; where the slot has one already, that one stays and is returned.

    Raises AlreadySettled where a reading from `starts_at` on was charged at the price before: the
    book's lock, which settlement holds too, keeps the two from passing each other.
    """
    try:
        with transaction.atomic():
            ledger.lock(book_id=site.book.pk)
            if Reading.objects.filter(site=site, starts_at__gte=starts_at).exists():
                known = Price.objects.filter(site=site, starts_at=starts_at)
                if known.exists():
                    return known.latest("revision")
                raise AlreadySettled(
                    f"slots of {site.slug} from {starts_at:%Y-%m-%d %H:%M} on are settled"
                )
            return Price.objects.create(
                site=site,
                tariff=tariff,
                starts_at=starts_at,
                wei_per_kwh=wei_per_kwh,
                reference_wei_per_kwh=tariff.reference_wei_per_kwh,
                state_of_charge_basis_points=state_of_charge_basis_points,
                published_at=at,
            )
    except IntegrityError:
        return Price.objects.filter(site=site, starts_at=starts_at).latest("revision")


def rule_of(*, tariff: Tariff) -> Rule:
    """Return the numbers of a tariff as the pure rule takes them."""
    return Rule(
        reference_wei_per_kwh=tariff.reference_wei_per_kwh,
        floor_wei_per_kwh=tariff.floor_wei_per_kwh,
        cap_wei_per_kwh=tariff.cap_wei_per_kwh,
        tick_wei_per_kwh=tariff.tick_wei_per_kwh,
        slope_basis_points=tariff.slope_basis_points,
        target_charge_basis_points=tariff.target_charge_basis_points,
        forecast_weight_basis_points=tariff.forecast_weight_basis_points,
        dead_band_basis_points=tariff.dead_band_basis_points,
        ramp_wei_per_kwh=tariff.ramp_wei_per_kwh,
    )
