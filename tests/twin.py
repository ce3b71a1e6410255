"""A village and its model side by side: each input goes to both, then their books are compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum

from accounts import donors_index
from accounts.donors_index import SCALE, Position
from accounts.models import Donation, Donor, DonorsIndex, Household, LedgerAccount, Notice
from settlement import rebates, settle, splits
from settlement.models import (
    BlockBill,
    Charge,
    HouseholdDay,
    Meter,
    MeterAssignment,
    QuarantinedReading,
    Reading,
    ReadingInbox,
    SettlementBatch,
    SlotTelemetry,
)
from settlement.settle import BATCH_LIMIT
from tests.model import Model, Sample
from tests.village import RATE, SPLIT, TICK, Village

SLOT = timedelta(minutes=15)

_HOUSEHOLD = {
    "household_funds": ("funds", 1),
    "household_repayment": ("set aside", 1),
    "household_arrears": ("owed", -1),
    "household_tokens": ("tokens", 1),
}
_SITE = {
    "pool": ("pool {name}", 1),
    "arrears_unearned": ("arrears unearned", 1),
    "float": ("float {asset}", 1),
    "fx_position": ("fx_position {asset}", 1),
    "fx_reserve": ("fx_reserve", 1),
    "tokens_minted": ("minted", -1),
    "donors_pool": ("donors", 1),
    "unallocated_tokens": ("unallocated", 1),
}
_SUMS = {
    "repeated": "repeated_count",
    "charged": "charged_wei",
    "paid": "paid_wei",
    "arrears": "arrears_wei",
    "borne": "borne_wei",
    "recovered": "recovered_wei",
    "rebate": "rebate_wei",
}


@dataclass(kw_only=True)
class Twin:
    """One village with its model. Codes are KIS0001 and so on, serials SM0001."""

    village: Village
    model: Model
    households: dict[str, Household] = field(default_factory=dict)
    paid: list[tuple[str, str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, village: Village, *, months: tuple[tuple[int, int], tuple[int, int]]) -> Twin:
        """A model of a village as it was founded; months are those that have partitions."""
        model = Model(rate=Fraction(RATE), months=months)
        model.split(valid_from=village.founded_at, lines=list(SPLIT))
        return cls(village=village, model=model)

    @classmethod
    def found(cls, *, at: datetime) -> Twin:
        village = Village.found(at=at)
        last = at + timedelta(days=93)
        founded = village.founded_at
        months = ((founded.year, founded.month), (last.year, last.month))
        return cls.of(village, months=months)

    # Inputs

    def household(
        self, code: str, *, tier: str = "leisure", has_lifeline: bool = True, meters: int = 1
    ) -> Household:
        """Open a household; its first meter is SM + number, further ones get B, C, ..."""
        number = code[3:]
        household = self.village.household(
            code, phone=f"+25471100{number}", tier=tier, has_lifeline=has_lifeline
        )
        self.households[code] = household
        self.model.house(code, tier=tier, has_lifeline=has_lifeline)
        self.model.device(f"SM{number}")
        self.model.assign(f"SM{number}", code, since=self.village.founded_at)
        for extra in range(1, meters):
            self.meter(f"SM{number}{'ABCDEFGH'[extra]}")
            self.assign(f"SM{number}{'ABCDEFGH'[extra]}", code, since=self.village.founded_at)
        return household

    def meter(self, serial: str) -> None:
        """Register a meter that belongs to nobody yet."""
        Meter.objects.create(
            site=self.village.site, serial=serial, created_at=self.village.founded_at
        )
        self.model.device(serial)

    def assign(
        self, serial: str, code: str, *, since: datetime, until: datetime | None = None
    ) -> None:
        MeterAssignment.objects.create(
            meter=Meter.objects.get(site=self.village.site, serial=serial),
            household=self.households[code],
            validity=(since, until),
        )
        self.model.assign(serial, code, since=since, until=until)

    def move_out(self, serial: str, *, at: datetime) -> None:
        """End the running assignment of a meter."""
        assignment = MeterAssignment.objects.get(
            meter__site=self.village.site, meter__serial=serial, validity__endswith__isnull=True
        )
        assignment.validity = (assignment.validity.lower, at)
        assignment.save()
        tenants = self.model.devices[serial].tenants
        since, _, code = tenants[-1]
        tenants[-1] = (since, at, code)

    def close_meter(self, serial: str, *, at: datetime) -> None:
        Meter.objects.filter(site=self.village.site, serial=serial).update(closed_at=at)
        self.model.devices[serial].closed_at = at

    def price(self, *, ticks: int, starts_at: datetime) -> None:
        self.village.price(ticks=ticks, starts_at=starts_at)
        self.model.price(
            starts_at=starts_at,
            wei_per_kwh=ticks * TICK,
            reference=self.village.tariff.reference_wei_per_kwh,
        )

    def split(self, *, lines: list[tuple[str, int]], valid_from: datetime) -> None:
        splits.publish(site=self.village.site, lines=lines, valid_from=valid_from, at=valid_from)
        self.model.split(valid_from=valid_from, lines=lines)

    def fund(self, code: str, *, amount_wei: int, at: datetime) -> None:
        self.village.fund(self.households[code], amount_wei=amount_wei, at=at)
        self.model.fund(code, amount_wei=amount_wei)

    def pay(self, code: str, *, amount_minor: int, at: datetime, reference: str = "") -> None:
        reference = reference or f"PAY{len(self.model.references):07d}"
        self.village.pay(code, amount_minor=amount_minor, at=at, reference=reference)
        self.model.pay(code, amount_minor=amount_minor, reference=reference)
        self.paid.append((reference, code, amount_minor))

    def donate(self, *, amount_wei: int, at: datetime) -> None:
        donors_index.donate(
            donor=Donor.objects.create(created_at=at),
            site=self.village.site,
            amount_wei=amount_wei,
            donated_at=at,
            vests_at=at,
        )
        self.model.donate(amount_wei)

    def sun(self, *, starts_at: datetime, share_basis_points: int) -> None:
        """Say how much of a slot's energy was solar."""
        SlotTelemetry.objects.create(
            site=self.village.site,
            starts_at=starts_at,
            ends_at=starts_at + SLOT,
            state_of_charge_basis_points=5_000,
            production_milliwatt_hours=0,
            solar_share_basis_points=share_basis_points,
            received_at=starts_at + SLOT,
        )
        self.model.solar_shares[starts_at] = share_basis_points

    def receive(self, *samples: Sample) -> None:
        """Put readings straight into the inbox, as pullers that race would."""
        ReadingInbox.objects.bulk_create(
            ReadingInbox(
                site=self.village.site,
                source="test",
                serial=sample.serial,
                starts_at=sample.starts_at,
                ends_at=sample.ends_at,
                energy_milliwatt_hours=sample.energy,
                received_at=sample.received_at,
                is_vouched=sample.is_vouched,
            )
            for sample in samples
        )
        for sample in samples:
            self.model.receive(sample)

    def read(
        self, serial: str, energy: int, *, starts_at: datetime, received_at: datetime | None = None
    ) -> None:
        """Put one reading of a slot into the inbox, received at the slot's end or later."""
        self.receive(reading(serial, energy, starts_at=starts_at, received_at=received_at))

    # What happens

    def settle(self, *, at: datetime, limit: int = BATCH_LIMIT) -> None:
        """Settle one batch in both and compare."""
        batch = settle.run(site_id=self.village.site.pk, at=at, limit=limit)
        assert self.model.settle(at=at, limit=limit) == (batch is not None)
        self.check()

    def settle_all(self, *, at: datetime, limit: int = BATCH_LIMIT) -> None:
        while self.model.settle(at=at, limit=limit):
            assert settle.run(site_id=self.village.site.pk, at=at, limit=limit) is not None
        assert settle.run(site_id=self.village.site.pk, at=at, limit=limit) is None
        self.check()

    def close_blocks(self, *, at: datetime) -> None:
        """Close blocks in both and compare."""
        rebates.run(site_id=self.village.site.pk, at=at)
        self.model.close_blocks(at=at)
        self.check()

    def check(self) -> None:
        """Raise unless every figure agrees to the wei."""
        found, expected = statement(self.village), self.model.statement()
        wrong = {
            name: f"is {found.get(name, 0)}, should be {expected.get(name, 0)}"
            for name in sorted({*found, *expected})
            if found.get(name) != expected.get(name)
        }
        assert not wrong, wrong
        check_donors(self.village, self.model)


def reading(
    serial: str, energy: int, *, starts_at: datetime, received_at: datetime | None = None
) -> Sample:
    """A reading of one quarter of an hour."""
    return Sample(
        serial=serial,
        starts_at=starts_at,
        ends_at=starts_at + SLOT,
        energy=energy,
        received_at=received_at or starts_at + SLOT,
    )


def statement(village: Village) -> dict[str, int]:
    """The service's books in the words of `Model.statement`."""
    figures: Counter[str] = Counter()
    _accounts(village, figures)
    _bills(village, figures)
    site = village.site
    for charge in Charge.objects.filter(site=site).select_related("meter", "household"):
        local = charge.starts_at.astimezone(ZoneInfo(site.time_zone))
        figures[f"{charge.meter.serial} {local:%m-%d %H:%M} {charge.household.code}"] += (
            charge.amount_wei
        )
    quarantine = QuarantinedReading.objects.filter(site=site).order_by().values_list("reason")
    for reason, count in quarantine.annotate(count=Count("id")):
        figures[f"quarantined {reason}"] = count
    warned = Notice.objects.filter(kind="low_funds", household__sites__site=site).order_by()
    for code, count in warned.values_list("household__code").annotate(count=Count("id")):
        figures[f"{code} warnings"] = count
    figures["donated"] = DonorsIndex.objects.get(site=site).donated_wei
    figures["readings"] = Reading.objects.filter(site=site).count()
    figures["readings energy"] = int(
        Reading.objects.filter(site=site).aggregate(sum=Sum("energy_milliwatt_hours"))["sum"] or 0
    )
    figures["inbox"] = ReadingInbox.objects.filter(site=site).count()
    for batch in SettlementBatch.objects.filter(site=site):
        for name, column in _SUMS.items():
            figures[name] += getattr(batch, column)
    return {name: amount for name, amount in figures.items() if amount}


def check_donors(village: Village, model: Model) -> None:
    """Each donation is owed its exact share; the index loses no more than 10^-12 wei of it."""
    index = DonorsIndex.objects.get(site=village.site)
    assert index.rewarded_wei == model.totals["donors"] + model.totals["unallocated"]
    assert index.unallocated_wei == model.totals["unallocated"]
    owed = 0
    donations = Donation.objects.filter(site=village.site).order_by("id")
    for donation, (amount_wei, tokens) in zip(donations, model.gifts, strict=True):
        position = Position(
            amount_wei=donation.amount_wei,
            paid_index=donation.paid_index,
            fraction=donation.fraction,
            claimed_wei=donation.claimed_wei,
        )
        scaled = (
            position.claimed_wei * SCALE
            + position.fraction
            + position.amount_wei * (index.accumulated - position.paid_index)
        )
        assert donation.amount_wei == amount_wei
        assert abs(Fraction(scaled, SCALE) - tokens) < Fraction(1, 10**12)
        owed += scaled
    assert owed + index.remainder == SCALE * (index.rewarded_wei - index.unallocated_wei)


def _accounts(village: Village, figures: Counter[str]) -> None:
    rows = LedgerAccount.objects.filter(book_id=village.site.book.pk).select_related("household")
    for account in rows:
        if account.household is not None:
            word, sign = _HOUSEHOLD[account.kind]
            figures[f"{account.household.code} {word}"] = sign * account.amount
        else:
            word, sign = _SITE[account.kind]
            name = word.format(name=account.name, asset=account.asset)
            figures[name] += sign * account.amount


def _bills(village: Village, figures: Counter[str]) -> None:
    zone = ZoneInfo(village.site.time_zone)
    for bill in BlockBill.objects.filter(site=village.site).select_related("household"):
        place = f"{bill.household.code} block {bill.block_starts_at.astimezone(zone):%m-%d %H}"
        figures[f"{place} owed"] = bill.arrears_wei
        figures[f"{place} cancelled"] = bill.cancelled_wei
        figures[f"{place} rebate"] = bill.rebate_wei
        figures[f"{place} charged"] = bill.charged_wei
        figures[f"{place} energy"] = bill.energy_milliwatt_hours
    for day in HouseholdDay.objects.filter(site=village.site).select_related("household"):
        figures[f"{day.household.code} {day.day:%m-%d} charged"] = day.charged_wei
        figures[f"{day.household.code} {day.day:%m-%d} energy"] = day.energy_milliwatt_hours
