"""The demo's village: Kisima, its people, its rules. Made once; making it again changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from rest_framework.authtoken.models import Token

from accounts import donors_index, pins, site_rates, sites
from accounts.fields import uuid7
from accounts.models import (
    Donor,
    DonorContact,
    Household,
    HouseholdSite,
    Operator,
    Rail,
    Site,
    User,
)
from settlement import prices, splits
from settlement.models import Meter, MeterAssignment, Tariff

SLUG = "kisima"
HOUSEHOLDS = 30
DEMO_PIN = "4826"
LANGUAGES = {1: "en", 2: "sw", 3: "fr"}
TIERS = {
    26: Household.Tier.BUSINESS,
    27: Household.Tier.BUSINESS,
    28: Household.Tier.BUSINESS,
    29: Household.Tier.PRIORITY,
    30: Household.Tier.PRIORITY,
}
NAMES = (
    "Amina Wanjiru",
    "Juma Mutua",
    "Claire Nzambi",
    "Peter Kilonzo",
    "Grace Mwende",
    "Hassan Abdi",
    "Mary Nduku",
    "Joseph Musyoka",
    "Fatuma Ali",
    "Daniel Kioko",
)
SPLIT = (
    ("tax", 1_600),
    ("levies", 150),
    ("reserve", 1_000),
    ("grant", 2_000),
    ("contractor", 2_500),
    ("operator", 2_750),
)
TICK = 10**14
SITE_RATE = Decimal("129.25")
DONATIONS_DAI = (5_000, 1_250, 333)


@transaction.atomic
def found(*, at: datetime) -> Site:
    """Make the operator, its log-in, the rail, the site, households, meters and donors."""
    known = Site.objects.filter(slug=SLUG).first()
    if known is not None:
        return known
    operator = sites.open_operator(slug="jua", name="Jua Power", at=at)
    _make_log_in(operator=operator)
    rail = Rail.objects.create(
        operator=operator,
        provider=Rail.Provider.DARAJA,
        code="mpesa",
        merchant_account=settings.DARAJA_SHORT_CODE,
        currency="KES",
        min_top_up_minor=1_000,
        max_top_up_minor=15_000_000,
    )
    site = sites.open_site(
        at=at,
        operator=operator,
        slug=SLUG,
        name="Kisima",
        country="KE",
        currency="KES",
        time_zone="Africa/Nairobi",
        latitude=Decimal("-1.75"),
        longitude=Decimal("37.6"),
        slot_seconds=60,
        head_end=Site.HeadEnd.KOIOS,
        head_end_account="jua/kisima",
        plant_account="kisima",
        funding_goal_wei=80_000 * 10**18,
    )
    site.rails.add(rail)
    site_rates.publish(
        site=site,
        local_per_dai=SITE_RATE,
        starts_at=at,
        at=at,
        sources=[{"source": "demo", "local_per_dai": str(SITE_RATE)}],
    )
    tariff = Tariff.objects.create(
        site=site,
        revision=1,
        currency="KES",
        reference_wei_per_kwh=2_500 * TICK,
        floor_wei_per_kwh=1_200 * TICK,
        cap_wei_per_kwh=4_500 * TICK,
        cap_minor_per_kwh=6_000,
        valid_from=at,
        created_at=at,
    )
    # Holds until the first state of charge is known.
    prices.publish(
        site=site, tariff=tariff, starts_at=at, wei_per_kwh=tariff.reference_wei_per_kwh, at=at
    )
    splits.publish(site=site, lines=SPLIT, valid_from=at, at=at)
    pin_hash = pins.hash_pin(pin=DEMO_PIN, pepper=settings.PIN_PEPPER)
    for number in range(1, HOUSEHOLDS + 1):
        _open_household(site=site, number=number, pin_hash=pin_hash, at=at)
    _donate(site=site, at=at)
    return site


def household_codes(*, site: Site) -> list[str]:
    """Return the codes of the site's households."""
    return list(
        HouseholdSite.objects.filter(site=site)
        .order_by("household__code")
        .values_list("household__code", flat=True)
    )


def _make_log_in(*, operator: Operator) -> None:
    user = User.objects.create_superuser(
        username="operator",
        password="demo",  # noqa: S106 - the demo's
        operator=operator,
    )
    Token.objects.create(user=user, key="demo-operator-token")


def _open_household(*, site: Site, number: int, pin_hash: str, at: datetime) -> None:
    household = sites.open_household(
        site=site,
        code=f"KIS{number:04d}",
        at=at,
        phones=(f"+2547110000{number:02d}",),
        name=NAMES[(number - 1) % len(NAMES)],
        language=LANGUAGES.get(number, "sw"),
        tier=TIERS.get(number, Household.Tier.LEISURE),
        has_lifeline=number not in TIERS,
        pin_hash=pin_hash,
    )
    meter = Meter.objects.create(site=site, serial=f"SM{number:04d}", created_at=at)
    MeterAssignment.objects.create(meter=meter, household=household, validity=(at, None))


def _donate(*, site: Site, at: datetime) -> None:
    for number, dai in enumerate(DONATIONS_DAI, start=1):
        donor = Donor.objects.create(uid=uuid7(), created_at=at)
        DonorContact.objects.create(donor=donor, name=f"Demo donor {number}")
        donors_index.donate(
            donor=donor,
            site=site,
            amount_wei=dai * 10**18,
            donated_at=at,
            vests_at=at + timedelta(days=120),
        )
