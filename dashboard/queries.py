"""What public pages and the public API read of a site: its figures, and series by slot.

No personal data: sums over households only, and none over so few that it would tell of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum

from accounts import amounts, campaigns, site_rates
from accounts.amounts import Kind
from accounts.fields import WeiField
from accounts.ledger import DAI, IMPACT_TOKEN
from accounts.models import JournalEntry, Site
from dashboard.memory import remember
from settlement.models import (
    Meter,
    Price,
    Reading,
    SettlementBatch,
    SlotTelemetry,
    SplitLine,
    SplitProgress,
    SplitVersion,
)
from settlement.prices import price_at

FEWEST_METERS = 5
"""A sum over fewer meters than this is withheld: it would tell of single households."""
REVENUE = "revenue"
_SETTLED_SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceNow:
    """The price in force: wei of DAI per kWh, since when; the reference price beside it."""

    wei_per_kwh: int
    reference_wei_per_kwh: int
    starts_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """The site rate: units of the currency (not minor ones) per DAI, since when."""

    local_per_dai: Decimal
    currency: str
    valid_from: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Battery:
    """Usable state of charge, 0 to 10,000, at the end of the last slot that the plant told of."""

    state_of_charge_basis_points: int
    as_of: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteFigures:
    """A site's public sums. Money and tokens in wei, energy in milliwatt-hours.

    pools_wei are balances in the order of the split, but for `revenue`, which is everything ever
    collected; booked_at is when the site's books last moved, settled_at when they last settled.
    """

    price: PriceNow | None
    rate: Rate | None
    battery: Battery | None
    pools_wei: dict[str, int]
    settled_milliwatt_hours: int
    settled_at: datetime | None
    tokens_minted_wei: int
    donated_wei: int
    funding_goal_wei: int
    booked_at: datetime | None

    @property
    def as_of(self) -> datetime | None:
        """When the newest of the sums last changed."""
        known = [instant for instant in (self.settled_at, self.booked_at) if instant]
        return max(known, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteCard:
    """One site in a list, with the price in force."""

    site: Site
    price: PriceNow | None
    rate: Rate | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotSum:
    """What households used in one slot, together; None if fewer than FEWEST_METERS reported."""

    starts_at: datetime
    ends_at: datetime
    meters: int
    energy_milliwatt_hours: int | None


def open_site(*, slug: str) -> Site | None:
    """Return the site, if it is not closed, with its book and donors' index."""
    return (
        Site.objects.filter(slug=slug, closed_at__isnull=True)
        .select_related("book", "donors_index")
        .first()
    )


def open_sites() -> QuerySet[Site]:
    """Return the sites that are not closed, by name."""
    return Site.objects.filter(closed_at__isnull=True).order_by("name", "pk")


def cards(*, sites: Iterable[Site], at: datetime) -> list[SiteCard]:
    """Return the sites with their price in force; the number of queries does not depend on it."""
    listed = list(sites)
    prices = prices_in_force(sites=listed, at=at)
    rates = rates_in_force(sites=listed, at=at)
    return [
        SiteCard(site=site, price=prices.get(site.pk), rate=rates.get(site.pk)) for site in listed
    ]


def prices_in_force(*, sites: Iterable[Site], at: datetime) -> dict[int, PriceNow]:
    """Return the price in force at the instant by the site's id, where there is one."""
    newest = Price.objects.filter(site=OuterRef("pk"), starts_at__lte=at).order_by(
        "-starts_at", "-revision"
    )
    keys = _of(sites).values_list(Subquery(newest.values("pk")[:1]), flat=True)
    return {
        price.site_id: _price(price) for price in Price.objects.filter(pk__in=[*filter(None, keys)])
    }


def rates_in_force(*, sites: Iterable[Site], at: datetime) -> dict[int, Rate]:
    """Return the rate each site credits at by the site's id."""
    return {
        site_id: Rate(
            local_per_dai=rate.local_per_dai,
            currency=rate.currency,
            valid_from=rate.validity.lower,
        )
        for site_id, rate in site_rates.in_force(sites=sites, at=at).items()
    }


def figures(*, site: Site, at: datetime) -> SiteFigures:
    """Return the public sums of a site that came from `open_site`."""
    price = price_at(site=site, at=at)
    telemetry = last_telemetry(site=site, at=at)
    batch = SettlementBatch.objects.filter(site=site).order_by("-id").first()
    entry = JournalEntry.objects.filter(book_id=site.book.pk).order_by("-sequence").first()
    stored = amounts.of_site(site=site)
    return SiteFigures(
        price=None if price is None else _price(price),
        rate=rates_in_force(sites=[site], at=at).get(site.pk),
        battery=None
        if telemetry is None
        else Battery(
            state_of_charge_basis_points=telemetry.state_of_charge_basis_points,
            as_of=telemetry.ends_at,
        ),
        pools_wei=_pools(site=site, stored=stored, at=at),
        settled_milliwatt_hours=_settled(site=site, batch=batch),
        settled_at=None if batch is None else batch.settled_at,
        tokens_minted_wei=-stored.get((Kind.TOKENS_MINTED, "", IMPACT_TOKEN), 0),
        donated_wei=site.donors_index.donated_wei,
        funding_goal_wei=campaigns.goal_wei(site=site),
        booked_at=None if entry is None else entry.recorded_at,
    )


def booked_at(*, site: Site) -> datetime | None:
    """Return when the site's books last moved."""
    entries = JournalEntry.objects.filter(book_id=site.book.pk).order_by("-sequence")
    return entries.values_list("recorded_at", flat=True).first()


def last_telemetry(*, site: Site, at: datetime) -> SlotTelemetry | None:
    """Return what the plant said of the last slot that has ended."""
    return (
        SlotTelemetry.objects.filter(site=site, starts_at__lt=at, ends_at__lte=at)
        .order_by("-starts_at")
        .first()
    )


def prices_between(*, site: Site, since: datetime, until: datetime) -> QuerySet[Price]:
    """Return the prices that start in [since, until), the last revision of each, by start."""
    return (
        Price.objects.filter(site=site, starts_at__gte=since, starts_at__lt=until)
        .order_by("starts_at", "-revision")
        .distinct("starts_at")
    )


def readings_between(*, site: Site, since: datetime, until: datetime) -> list[SlotSum]:
    """Return sums over household meters of each slot that starts in [since, until), by start."""
    slots = (
        household_readings(site=site, since=since, until=until)
        .values("starts_at")
        .annotate(
            last_ends_at=Max("ends_at"), meters=Count("pk"), energy=Sum("energy_milliwatt_hours")
        )
        .order_by("starts_at")
    )
    return [
        SlotSum(
            starts_at=slot["starts_at"],
            ends_at=slot["last_ends_at"],
            meters=slot["meters"],
            energy_milliwatt_hours=int(slot["energy"]) if slot["meters"] >= FEWEST_METERS else None,
        )
        for slot in slots
    ]


def household_readings(*, site: Site, since: datetime, until: datetime) -> QuerySet[Reading]:
    """Return the readings of households' meters (no feeder's) of slots in [since, until)."""
    return Reading.objects.filter(
        site=site, starts_at__gte=since, starts_at__lt=until, meter__role=Meter.Role.HOUSEHOLD
    ).order_by()


def telemetry_between(*, site: Site, since: datetime, until: datetime) -> QuerySet[SlotTelemetry]:
    """Return what the plant said of the slots that start in [since, until), by start."""
    return SlotTelemetry.objects.filter(
        site=site, starts_at__gte=since, starts_at__lt=until
    ).order_by("starts_at")


def _of(sites: Iterable[Site]) -> QuerySet[Site]:
    return Site.objects.filter(pk__in=[site.pk for site in sites]).order_by()


def _price(price: Price) -> PriceNow:
    return PriceNow(
        wei_per_kwh=price.wei_per_kwh,
        reference_wei_per_kwh=price.reference_wei_per_kwh,
        starts_at=price.starts_at,
    )


def _pools(*, site: Site, stored: dict[tuple[str, str, str], int], at: datetime) -> dict[str, int]:
    """Cumulative revenue, then the balance of each line of the split in force, then older lines."""
    collected = SplitProgress.objects.filter(site=site).aggregate(
        paid=Sum("paid_wei", output_field=WeiField())
    )["paid"]
    version = SplitVersion.objects.filter(site=site, valid_from__lte=at).order_by("-valid_from")
    lines = (
        SplitLine.objects.filter(version=Subquery(version.values("pk")[:1]))
        .order_by("position")
        .values_list("name", flat=True)
    )
    pools = dict.fromkeys(lines, 0)
    for (kind, name, asset), amount in sorted(stored.items()):
        if kind == Kind.POOL and asset == DAI:
            pools[name] = amount
    return {REVENUE: collected or 0, **pools}


def _settled(*, site: Site, batch: SettlementBatch | None) -> int:
    """Energy charged so far. Batches of a site come one after the other, behind its book's lock:
    the last one's id names the sum."""
    if batch is None:
        return 0

    def add_up() -> int:
        total = SettlementBatch.objects.filter(site=site, pk__lte=batch.pk).aggregate(
            energy=Sum("energy_milliwatt_hours")
        )
        return int(total["energy"] or 0)

    return remember(key=f"settled:{site.uid}:{batch.uid}", compute=add_up, seconds=_SETTLED_SECONDS)
