"""One real village replayed day by day through the service and through tests.model."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from django.db import transaction

from accounts import donors_index, site_rates, sites
from accounts.models import Donor, Operator, Rail, Site
from accounts.topups import ConfirmedPayment, confirm
from benches.ground import SLUG, say
from benches.village_record import (
    CHANGED_AT,
    CHANGED_ON,
    DAY_BEGINS,
    HOUR,
    NEW_TARIFF,
    NIGHT_BEGINS,
    OLD_TARIFF,
    ZONE,
    Payment,
    Recorded,
    local,
    price_of,
)
from settlement import imports, partitions, prices, rebates, settle, splits
from settlement.long_form import Layout, Reason, lines, opened
from settlement.models import Meter, MeterAssignment, Tariff
from tests.model import Block, Charged, Model
from tests.twin import check_donors, statement
from tests.village import SPLIT, Village

SHILLINGS_PER_DAI = 2_500
"""Makes every published price a whole number of ticks: 8,000 UGX are 3.2 DAI."""
HOUSEHOLD_MAX_WATTS, MAINS_MAX_WATTS = 120, 250
"""Just below the highest hours, so that quarantine has something to hold."""
PRIORITY = ("ug01_3",)
WITHOUT_LIFELINE = ("ug01_1", "ug01_4", "ug01_5", "ug01_8", "ug03_1", "ug03_2")
"""Every rule of a household has somebody to hold for."""
LATER_SPLIT = (("tax", 1_800), ("reserve", 1_500), ("grant", 2_000), ("operator", 4_700))
DONATIONS_WEI = (1_000 * 10**18, 333 * 10**18 + 1)


@dataclass(kw_only=True)
class SwiftModel(Model):
    """The model, with its prices and charges found by bisection and key: a year is long."""

    by_block: dict[tuple[str, Block], list[Charged]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def price_at(self, at: datetime) -> tuple[int, int] | None:
        place = bisect_right(self.prices, at, key=lambda price: price[0])
        if not place:
            return None
        _, price, reference = self.prices[place - 1]
        return price // 10**6, reference // 10**6

    def rebate_of(self, code: str, block: Block) -> int:
        every, self.charges = self.charges, self.by_block[code, block]
        try:
            return super().rebate_of(code, block)
        finally:
            self.charges = every

    def _charge(self, charged: Charged) -> int:
        self.by_block[charged.house, charged.block].append(charged)
        return super()._charge(charged)


class Replay:
    """One village in the service and in the model."""

    def __init__(self, record: Recorded, *, operator: Operator, rail: Rail) -> None:
        self.record = record
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.tally = imports.Tally()
        self.days_run: set[date] = set()
        first = min(record.samples)
        self.founded_at = local(first)
        self.priced_until = first
        self.middle = sorted(record.samples)[len(record.samples) // 2]
        self.village = self._found(operator, rail)
        # The model divides by 100 minor units; the shilling of Uganda has none.
        self.model = SwiftModel(rate=Fraction(SHILLINGS_PER_DAI, 100), zone=ZONE.key, slot=HOUR)
        self.model.split(valid_from=self.founded_at, lines=list(SPLIT))
        self.later_tariff = _tariff(
            self.village.site, 2, NEW_TARIFF, local(CHANGED_ON[record.name], CHANGED_AT)
        )
        for circuit in record.circuits:
            self._circuit(circuit)
        self._publish(starts_at=self.founded_at)
        self._donate(DONATIONS_WEI[0], self.founded_at)

    def run(self, path: Path) -> None:
        """Import the file and, after each day's readings, pay, settle and give rebates."""
        layout = Layout(zone=ZONE)
        at = local(max(self.record.samples) + timedelta(days=2))
        with opened(path) as source:
            chunks = imports.take_in(
                site=self.village.site,
                lines=lines(source=source, layout=layout),
                layout=layout,
                at=at,
                by_day=True,
            )
            while True:
                with self._timed("import"):
                    chunk = next(chunks, None)
                if chunk is None:
                    break
                self.tally.add(chunk)
                if chunk.first_starts_at is not None:
                    self._end_day(chunk.first_starts_at.astimezone(ZONE).date())
        missed = set(self.record.samples) - self.days_run
        assert not missed, f"days without a chunk: {missed}"
        self._settle(at=at)

    def again(self, path: Path) -> imports.Tally:
        """Import and pay everything once more: nothing may change."""
        tally = imports.Tally()
        layout = Layout(zone=ZONE)
        at = local(max(self.record.samples) + timedelta(days=2))
        with self._timed("import_again"), opened(path) as source:
            for chunk in imports.take_in(
                site=self.village.site,
                lines=lines(source=source, layout=layout),
                layout=layout,
                at=at,
            ):
                tally.add(chunk)
        for day in sorted(self.record.payments):
            for payment in self.record.payments[day]:
                self._confirm(payment)
        settle.run_all(site_id=self.village.site.pk, at=at)
        return tally

    def figures(self) -> dict[str, int]:
        """Return the service's books in the model's words."""
        return statement(self.village)

    def expected(self) -> dict[str, int]:
        """Return the model's books, in the village's currency."""
        return {
            name.replace(" KES", " UGX"): amount for name, amount in self.model.statement().items()
        }

    def compare(self) -> None:
        """Raise unless the service and the model agree on every figure, to the wei."""
        here, there = self.figures(), self.expected()
        wrong = {
            name: f"is {here.get(name, 0)}, should be {there.get(name, 0)}"
            for name in sorted(here.keys() | there.keys())
            if here.get(name, 0) != there.get(name, 0)
        }
        assert not wrong, wrong
        check_donors(self.village, self.model)

    def counts(self) -> dict[str, float]:
        """Return what went in and what became of it, for the table."""
        here = self.figures()
        counted: dict[str, float] = {
            "file_lines": self.tally.lines,
            "refused_lines_of_the_other_village": self.tally.refused[Reason.UNKNOWN_METER],
            "refused_lines_else": self.tally.refused.total()
            - self.tally.refused[Reason.UNKNOWN_METER],
            "readings_accepted": here["readings"],
            "quarantined_readings": 0,
            "top_ups": sum(len(payments) for payments in self.record.payments.values()),
            "settled_days": len(self.days_run),
            "figures_equal_to_the_wei": len(here),
        }
        for name, amount in here.items():
            if name.startswith("quarantined "):
                counted["quarantined_readings"] += amount
                counted[name.replace(" ", "_") + "_readings"] = amount
        for name in ("charged", "paid", "arrears", "recovered", "rebate"):
            counted[f"{name}_dai"] = here.get(name, 0) / 10**18
        return counted

    # One day

    def _end_day(self, day: date) -> None:
        with self._timed("prices"), transaction.atomic():
            self._publish_until(day)
        if day == self.middle:
            self._change_course(local(day))
        for payment in self.record.payments.get(day, ()):
            with self._timed("top_ups"):
                self._confirm(payment)
            with self._timed("model"):
                self.model.pay(
                    _code(payment.circuit),
                    amount_minor=payment.shillings,
                    reference=_reference(payment),
                )
        with self._timed("model"):
            for sample in self.record.samples[day]:
                self.model.receive(sample)
        self._settle(at=local(day + timedelta(days=1)))
        self.days_run.add(day)
        if len(self.days_run) % 50 == 0:
            say(f"{self.record.name}: day {len(self.days_run)} of {len(self.record.samples)}")

    def _settle(self, *, at: datetime) -> None:
        site_id = self.village.site.pk
        with self._timed("settlement"):
            settle.run(site_id=site_id, at=at)
            rebates.run(site_id=site_id, at=at)
        with self._timed("model"):
            while self.model.settle(at=at):
                pass
            self.model.close_blocks(at=at)

    def _confirm(self, payment: Payment) -> None:
        confirm(
            payment=ConfirmedPayment(
                rail=self.village.rail,
                reference=_reference(payment),
                amount_minor=payment.shillings,
                currency="UGX",
                paid_at=payment.at,
                account_text=_code(payment.circuit),
            ),
            at=payment.at,
        )

    def _publish_until(self, day: date) -> None:
        while self.priced_until <= day:
            is_change = self.priced_until == CHANGED_ON[self.record.name]
            for begins in (DAY_BEGINS, *([CHANGED_AT] if is_change else []), NIGHT_BEGINS):
                self._publish(starts_at=local(self.priced_until, begins))
            self.priced_until += timedelta(days=1)

    def _publish(self, *, starts_at: datetime) -> None:
        begin = starts_at.astimezone(ZONE).replace(tzinfo=None)
        price, reference = price_of(self.record.name, begin)
        is_new = reference == NEW_TARIFF[0]
        prices.publish(
            site=self.village.site,
            tariff=self.later_tariff if is_new else self.village.tariff,
            starts_at=starts_at,
            wei_per_kwh=_wei(price),
            at=starts_at,
        )
        self.model.price(starts_at=starts_at, wei_per_kwh=_wei(price), reference=_wei(reference))

    def _change_course(self, at: datetime) -> None:
        """In the middle of the time: another split, and a second donor."""
        splits.publish(site=self.village.site, lines=LATER_SPLIT, valid_from=at, at=at)
        self.model.split(valid_from=at, lines=list(LATER_SPLIT))
        self._donate(DONATIONS_WEI[1], at)

    # Founding

    def _found(self, operator: Operator, rail: Rail) -> Village:
        at = self.founded_at
        site = sites.open_site(
            at=at,
            operator=operator,
            slug=f"{SLUG}-{self.record.name}",
            name=self.record.name,
            country="UG",
            currency="UGX",
            time_zone=ZONE.key,
            slot_seconds=3_600,
        )
        site.rails.add(rail)
        site_rates.publish(site=site, local_per_dai=Decimal(SHILLINGS_PER_DAI), starts_at=at, at=at)
        splits.publish(site=site, lines=SPLIT, valid_from=at, at=at)
        partitions.keep(first=at.date(), last=at.date())
        tariff = _tariff(site, 1, OLD_TARIFF, at)
        return Village(operator=operator, site=site, rail=rail, tariff=tariff, founded_at=at)

    def _circuit(self, circuit: str) -> None:
        """A household with its meter; the mains belong to nobody."""
        is_mains = circuit == self.record.mains
        watts = MAINS_MAX_WATTS if is_mains else HOUSEHOLD_MAX_WATTS
        meter = Meter.objects.create(
            site=self.village.site,
            serial=circuit,
            role=Meter.Role.FEEDER if is_mains else Meter.Role.HOUSEHOLD,
            max_power_watts=watts,
            created_at=self.founded_at,
        )
        self.model.device(circuit, max_power_watts=watts)
        if is_mains:
            return
        code = _code(circuit)
        tier = "priority" if circuit in PRIORITY else "leisure"
        has_lifeline = circuit not in WITHOUT_LIFELINE
        household = sites.open_household(
            site=self.village.site,
            code=code,
            at=self.founded_at,
            phones=(f"+2567000{code[2:]}",),
            tier=tier,
            has_lifeline=has_lifeline,
        )
        MeterAssignment.objects.create(
            meter=meter, household=household, validity=(self.founded_at, None)
        )
        self.model.house(code, tier=tier, has_lifeline=has_lifeline)
        self.model.assign(circuit, code, since=self.founded_at)

    def _donate(self, amount_wei: int, at: datetime) -> None:
        donors_index.donate(
            donor=Donor.objects.create(created_at=at),
            site=self.village.site,
            amount_wei=amount_wei,
            donated_at=at,
            vests_at=at,
        )
        self.model.donate(amount_wei)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - began


def open_operator(*, at: datetime) -> tuple[Operator, Rail]:
    """Open the operator of both villages and the rail that their payments come by."""
    operator = sites.open_operator(slug=f"{SLUG}-villages", name="SharedSolar", at=at)
    rail = Rail.objects.create(
        operator=operator,
        provider=Rail.Provider.DARAJA,
        code=f"{SLUG}-villages",
        merchant_account="600100",
        currency="UGX",
        min_top_up_minor=500,
        max_top_up_minor=10_000_000,
    )
    return operator, rail


def _tariff(site: Site, revision: int, shillings: tuple[int, int], valid_from: datetime) -> Tariff:
    day, night = shillings
    return Tariff.objects.create(
        site=site,
        revision=revision,
        currency="UGX",
        reference_wei_per_kwh=_wei(day),
        floor_wei_per_kwh=_wei(day),
        cap_wei_per_kwh=_wei(night),
        cap_minor_per_kwh=night,
        valid_from=valid_from,
        created_at=valid_from,
    )


def _wei(shillings: int) -> int:
    return shillings * 10**18 // SHILLINGS_PER_DAI


def _code(circuit: str) -> str:
    """ug01_7 -> UG0107."""
    village, number = circuit.split("_")
    return f"{village.upper()}{int(number):02d}"


def _reference(payment: Payment) -> str:
    return f"{payment.circuit}-{payment.at:%Y%m%d%H}"
