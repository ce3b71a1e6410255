"""Villages of the demo: what there is to know of one, and how it is made.

Made once; making it again changes nothing, so a later release adds its villages to a demo that is
there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

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
    TaxLine,
    User,
)
from settlement import prices, splits
from settlement.models import Meter, MeterAssignment, Tariff

HOUSEHOLDS = 30
DEMO_PIN = "4826"
TICK = 10**14
OPERATOR = "jua"
VESTING = timedelta(days=120)
TIERS = {
    26: Household.Tier.BUSINESS,
    27: Household.Tier.BUSINESS,
    28: Household.Tier.BUSINESS,
    29: Household.Tier.PRIORITY,
    30: Household.Tier.PRIORITY,
}


@dataclass(frozen=True, kw_only=True)
class DemoVillage:
    """One village. Amounts of money are minor units of its currency.

    rail and site are fields of those models; opening_minor is what each household pays before the
    history begins, by its number; others_minor what those pay in turn whom it does not name. taxes
    are name, code and basis points of the net, contained in what is paid.
    """

    slug: str
    code_prefix: str
    phone_prefix: str
    serial_prefix: str
    names: tuple[str, ...]
    language: str
    languages: Mapping[int, str] = field(default_factory=dict)
    rail: Mapping[str, Any]
    site: Mapping[str, Any]
    local_per_dai: Decimal
    reference_ticks: int
    floor_ticks: int
    cap_ticks: int
    cap_minor_per_kwh: int
    split: tuple[tuple[str, int], ...]
    donations_dai: tuple[int, ...]
    opening_minor: Mapping[int, int]
    others_minor: tuple[int, ...]
    taxes: tuple[tuple[str, str, int], ...] = ()

    def code(self, number: int) -> str:
        """The account code of a household, 1 to 30."""
        return f"{self.code_prefix}{number:04d}"

    def phone(self, number: int) -> str:
        """The phone of a household, 1 to 30 (E.164)."""
        return f"{self.phone_prefix}{number:02d}"

    def opening_of(self, number: int) -> int:
        """What a household pays before the history begins."""
        return self.opening_minor.get(number, self.others_minor[number % len(self.others_minor)])


@transaction.atomic
def found(*, village: DemoVillage, at: datetime, pepper: str) -> Site:
    """Make the operator and its log-in, the rail, the site, households, meters and donors."""
    known = Site.objects.filter(slug=village.slug).first()
    if known is not None:
        return known
    operator = _operator(at=at)
    rail = Rail.objects.create(operator=operator, **village.rail)
    site = sites.open_site(
        at=at,
        operator=operator,
        slug=village.slug,
        currency=rail.currency,
        slot_seconds=60,
        head_end=Site.HeadEnd.KOIOS,
        head_end_account=f"jua/{village.slug}",
        plant_account=village.slug,
        funding_goal_wei=80_000 * 10**18,
        **village.site,
    )
    site.rails.add(rail)
    site_rates.publish(
        site=site,
        local_per_dai=village.local_per_dai,
        starts_at=at,
        at=at,
        sources=[{"source": "demo", "local_per_dai": str(village.local_per_dai)}],
    )
    TaxLine.objects.bulk_create(
        TaxLine(
            site=site,
            kind=TaxLine.Kind.TAX,
            name=name,
            code=code,
            rate_basis_points=rate,
            validity=(at, None),
        )
        for name, code, rate in village.taxes
    )
    _set_prices(village=village, site=site, at=at)
    pin_hash = pins.hash_pin(pin=DEMO_PIN, pepper=pepper)
    for number in range(1, HOUSEHOLDS + 1):
        _open_household(village=village, site=site, number=number, pin_hash=pin_hash, at=at)
    _donate(village=village, site=site, at=at)
    return site


def household_codes(*, site: Site) -> list[str]:
    """Return the codes of the site's households."""
    return list(
        HouseholdSite.objects.filter(site=site)
        .order_by("household__code")
        .values_list("household__code", flat=True)
    )


def _operator(*, at: datetime) -> Operator:
    """The operator of every village, with its log-in."""
    known = Operator.objects.filter(slug=OPERATOR).first()
    if known is not None:
        return known
    operator = sites.open_operator(slug=OPERATOR, name="Jua Power", at=at)
    user = User.objects.create_superuser(
        username="operator",
        password="demo",  # noqa: S106 - the demo's
        operator=operator,
    )
    Token.objects.create(user=user, key="demo-operator-token")
    return operator


def _set_prices(*, village: DemoVillage, site: Site, at: datetime) -> None:
    tariff = Tariff.objects.create(
        site=site,
        revision=1,
        currency=site.currency,
        reference_wei_per_kwh=village.reference_ticks * TICK,
        floor_wei_per_kwh=village.floor_ticks * TICK,
        cap_wei_per_kwh=village.cap_ticks * TICK,
        cap_minor_per_kwh=village.cap_minor_per_kwh,
        valid_from=at,
        created_at=at,
    )
    # Holds until the first state of charge is known.
    prices.publish(
        site=site, tariff=tariff, starts_at=at, wei_per_kwh=tariff.reference_wei_per_kwh, at=at
    )
    splits.publish(site=site, lines=village.split, valid_from=at, at=at)


def _open_household(
    *, village: DemoVillage, site: Site, number: int, pin_hash: str, at: datetime
) -> None:
    household = sites.open_household(
        site=site,
        code=village.code(number),
        at=at,
        phones=(village.phone(number),),
        name=village.names[(number - 1) % len(village.names)],
        language=village.languages.get(number, village.language),
        tier=TIERS.get(number, Household.Tier.LEISURE),
        has_lifeline=number not in TIERS,
        pin_hash=pin_hash,
    )
    serial = f"{village.serial_prefix}{number:04d}"
    meter = Meter.objects.create(site=site, serial=serial, created_at=at)
    MeterAssignment.objects.create(meter=meter, household=household, validity=(at, None))


def _donate(*, village: DemoVillage, site: Site, at: datetime) -> None:
    for number, dai in enumerate(village.donations_dai, start=1):
        donor = Donor.objects.create(uid=uuid7(), created_at=at)
        DonorContact.objects.create(donor=donor, name=f"Demo donor {number} of {site.name}")
        donors_index.donate(
            donor=donor,
            site=site,
            amount_wei=dai * 10**18,
            donated_at=at,
            vests_at=at + VESTING,
        )
