"""Sites and households in bulk: many villages, set up in a few statements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from django.db import connection

from accounts import ledger, site_rates, sites
from accounts.ledger import Leg
from accounts.models import Household, Operator, Rail, Site
from benches.ground import SLUG, as_owner
from settlement import partitions, prices, splits
from settlement.models import Tariff

FIRST_SLOT_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SLOT = timedelta(seconds=900)
BEFORE = timedelta(days=40)
TICK = 10**14
SPLIT = (
    ("tax", 1_600),
    ("levies", 150),
    ("reserve", 1_000),
    ("grant", 2_000),
    ("contractor", 2_500),
    ("operator", 2_750),
)
PRICE_TICKS = (2_500, 1_800, 3_100, 2_200)
FUNDS_WEI = 500 * 10**18
"""Enough for every round, so that all rounds do the same work."""

PEOPLE = """
WITH home AS (
    INSERT INTO accounts_household (uid, code, tier, has_lifeline, language, pin_hash, created_at)
    SELECT uuidv7(), %(prefix)s || lpad(n::text, 6, '0'), 'leisure', true, 'en', '', %(at)s
    FROM generate_series(%(first)s, %(last)s) AS n
    RETURNING id, code
), numbered AS MATERIALIZED (
    SELECT id, code, right(code, 6)::integer AS n FROM home
), at_site AS (
    INSERT INTO accounts_householdsite (household_id, site_id, validity)
    SELECT id, %(site)s, tstzrange(%(at)s, NULL) FROM numbered
), phone AS (
    INSERT INTO accounts_householdphone (household_id, phone, is_notified, created_at)
    SELECT id, '+2547' || %(series)s || lpad(n::text, 6, '0'), true, %(at)s FROM numbered
), meter AS (
    INSERT INTO settlement_meter (uid, site_id, serial, role, max_power_watts, created_at)
    SELECT uuidv7(), %(site)s, 'SM' || code, 'household', 5000, %(at)s FROM numbered
    RETURNING id, serial
)
INSERT INTO settlement_meterassignment (meter_id, household_id, validity)
SELECT m.id, n.id, tstzrange(%(at)s, NULL) FROM meter m JOIN numbered n ON m.serial = 'SM' || n.code
"""

Row = tuple[int, str, str, datetime, datetime, int, datetime, bool]


@dataclass(frozen=True, kw_only=True)
class Country:
    """Founded sites, each with as many households; codes are the prefix and six digits."""

    prefix: str
    sites: tuple[Site, ...]
    households_per_site: int

    def code(self, number: int) -> str:
        """The account code of a household; numbers count from 1 through all sites."""
        return f"{self.prefix}{number:06d}"

    def serials(self, index: int) -> list[str]:
        """Meters of the site at the index."""
        first = index * self.households_per_site + 1
        return [f"SM{self.code(n)}" for n in range(first, first + self.households_per_site)]

    def readings(
        self, index: int, *, starts_at: datetime, slots: int, rng: Random
    ) -> Iterator[Row]:
        """One site's inbox rows, slot by slot; energy of 1 to 50 Wh, in milliwatt-hours."""
        serials = self.serials(index)
        for slot in range(slots):
            begin = starts_at + slot * SLOT
            end = begin + SLOT
            for serial in serials:
                energy = rng.randrange(1_000, 50_000)
                yield (self.sites[index].pk, "bench", serial, begin, end, energy, end, False)


def found(
    *,
    prefix: str,
    sites_count: int,
    households_per_site: int,
    phone_series: str = "99",
    first_slot_at: datetime = FIRST_SLOT_AT,
) -> Country:
    """Found a country whose books opened BEFORE the first slot.

    prefix: three letters that codes begin with; phones are +2547, two digits of phone_series and
    six digits.
    """
    at = first_slot_at - BEFORE
    name = f"{SLUG}-{prefix.lower()}"
    operator = sites.open_operator(slug=name, name=name, at=at)
    rail = Rail.objects.create(
        operator=operator,
        provider=Rail.Provider.DARAJA,
        code=name,
        merchant_account=f"bench {prefix}",
        currency="KES",
        min_top_up_minor=1_000,
        max_top_up_minor=15_000_000,
    )
    partitions.keep(first=at.date(), last=(first_slot_at + timedelta(days=62)).date())
    made = tuple(
        _site(operator=operator, rail=rail, slug=f"{name}-{index}", at=at)
        for index in range(sites_count)
    )
    country = Country(prefix=prefix, sites=made, households_per_site=households_per_site)
    for index, site in enumerate(made):
        _people(country=country, index=index, site=site, series=phone_series, at=at)
    as_owner("VACUUM ANALYZE")
    return country


def _site(*, operator: Operator, rail: Rail, slug: str, at: datetime) -> Site:
    site = sites.open_site(
        at=at,
        operator=operator,
        slug=slug,
        name=slug,
        country="KE",
        currency="KES",
        time_zone="Africa/Nairobi",
    )
    site.rails.add(rail)
    site_rates.publish(site=site, local_per_dai=Decimal("129.25"), starts_at=at, at=at)
    tariff = Tariff.objects.create(
        site=site,
        revision=1,
        currency="KES",
        reference_wei_per_kwh=2_500 * TICK,
        floor_wei_per_kwh=1_000 * TICK,
        cap_wei_per_kwh=5_000 * TICK,
        valid_from=at,
        created_at=at,
    )
    splits.publish(site=site, lines=SPLIT, valid_from=at, at=at)
    for number, ticks in enumerate(PRICE_TICKS):
        starts_at = at if number == 0 else at + BEFORE + number * timedelta(hours=1)
        prices.publish(
            site=site, tariff=tariff, starts_at=starts_at, wei_per_kwh=ticks * TICK, at=starts_at
        )
    return site


def _people(*, country: Country, index: int, site: Site, series: str, at: datetime) -> None:
    first = index * country.households_per_site + 1
    last = first + country.households_per_site - 1
    with connection.cursor() as cursor:
        cursor.execute(
            PEOPLE,
            {
                "prefix": country.prefix,
                "series": series,
                "first": first,
                "last": last,
                "site": site.pk,
                "at": at,
            },
        )
    ids = Household.objects.filter(
        code__range=(country.code(first), country.code(last))
    ).values_list("pk", flat=True)
    legs = [Leg(kind="household_funds", household_id=pk, amount=FUNDS_WEI) for pk in ids]
    ledger.post(
        book_id=site.book.pk,
        kind="opening",
        key="opening",
        legs=[*legs, Leg(kind="fx_position", amount=-FUNDS_WEI * len(legs))],
        occurred_at=at,
        at=at,
    )
