"""A village to test with: Kisima, its operator, rail, rate, tariff, split, and its people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts import ledger, site_rates, sites, topups
from accounts.ledger import Leg
from accounts.models import Household, Operator, Payment, Rail, Site
from accounts.topups import ConfirmedPayment
from settlement import partitions, prices, readings, splits
from settlement.meters.samples import MeterSample
from settlement.models import Meter, MeterAssignment, Tariff

SPLIT = (
    ("tax", 1_600),
    ("levies", 150),
    ("reserve", 1_000),
    ("grant", 2_000),
    ("contractor", 2_500),
    ("operator", 2_750),
)
TICK = 10**14
RATE = Decimal("129.25")


@dataclass(kw_only=True)
class Village:
    """A founded site and what tests do to it."""

    operator: Operator
    site: Site
    rail: Rail
    tariff: Tariff
    founded_at: datetime
    receipts: int = field(default=0)

    @classmethod
    def found(
        cls,
        *,
        at: datetime,
        slug: str = "kisima",
        slot_seconds: int = 900,
        beside: Village | None = None,
    ) -> Village:
        """Found a site whose books open 90 days before `at`; beside: of that village's operator."""
        founded_at = at - timedelta(days=90)
        operator = (
            beside.operator
            if beside
            else sites.open_operator(slug=f"{slug}-operator", name="Jua Power", at=founded_at)
        )
        rail = (
            beside.rail
            if beside
            else Rail.objects.create(
                operator=operator,
                provider=Rail.Provider.DARAJA,
                code="mpesa",
                merchant_account="174379",
                currency="KES",
                min_top_up_minor=1_000,
                max_top_up_minor=15_000_000,
            )
        )
        site = sites.open_site(
            at=founded_at,
            operator=operator,
            slug=slug,
            name="Kisima",
            country="KE",
            currency="KES",
            time_zone="Africa/Nairobi",
            slot_seconds=slot_seconds,
        )
        site.rails.add(rail)
        site_rates.publish(site=site, local_per_dai=RATE, starts_at=founded_at, at=founded_at)
        tariff = Tariff.objects.create(
            site=site,
            revision=1,
            currency="KES",
            reference_wei_per_kwh=2_500 * TICK,
            floor_wei_per_kwh=1_000 * TICK,
            cap_wei_per_kwh=5_000 * TICK,
            valid_from=founded_at,
            created_at=founded_at,
        )
        splits.publish(site=site, lines=SPLIT, valid_from=founded_at, at=founded_at)
        partitions.keep(first=founded_at.date(), last=(at + timedelta(days=93)).date())
        return cls(operator=operator, site=site, rail=rail, tariff=tariff, founded_at=founded_at)

    def household(
        self, code: str = "KIS0001", *, phone: str = "+254711000001", **fields: Any
    ) -> Household:
        """Open a household with a meter of its own (serial SM + the code's number)."""
        household = sites.open_household(
            site=self.site, code=code, at=self.founded_at, phones=(phone,), **fields
        )
        meter = Meter.objects.create(
            site=self.site, serial=f"SM{code[3:]}", created_at=self.founded_at
        )
        MeterAssignment.objects.create(
            meter=meter, household=household, validity=(self.founded_at, None)
        )
        return household

    def price(self, *, ticks: int, starts_at: datetime) -> None:
        """Publish a price in ticks of 0.0001 DAI per kWh from an instant on."""
        prices.publish(
            site=self.site,
            tariff=self.tariff,
            starts_at=starts_at,
            wei_per_kwh=ticks * TICK,
            at=starts_at,
        )

    def pay(self, code: str, *, amount_minor: int, at: datetime, reference: str = "") -> Payment:
        """Confirm a paybill payment to an account."""
        self.receipts += 1
        return topups.confirm(
            payment=ConfirmedPayment(
                rail=self.rail,
                reference=reference or f"RCP{self.receipts:07d}",
                amount_minor=amount_minor,
                currency="KES",
                paid_at=at,
                account_text=code,
            ),
            at=at,
        )

    def fund(self, household: Household, *, amount_wei: int, at: datetime) -> None:
        """Put an exact amount of wei on a household's funds, outside any rail."""
        self.receipts += 1
        ledger.post(
            book_id=self.site.book.pk,
            kind="opening",
            key=f"opening:{self.receipts}",
            legs=[
                Leg(kind="fx_position", amount=-amount_wei),
                Leg(kind="household_funds", household_id=household.pk, amount=amount_wei),
            ],
            occurred_at=at,
            at=at,
        )

    def read(
        self, serial: str, *, starts_at: datetime, energy_milliwatt_hours: int, at: datetime
    ) -> int:
        """Take one reading into the inbox."""
        sample = MeterSample(
            serial=serial,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(seconds=self.site.slot_seconds),
            energy_milliwatt_hours=energy_milliwatt_hours,
        )
        return readings.take_in(site=self.site, samples=[sample], source="test", at=at)
