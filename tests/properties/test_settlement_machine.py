"""Whatever happens to a village, in whatever order, its books agree with the model's to the wei."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from settlement.models import Meter
from tests.model import Sample
from tests.twin import SLOT, Twin
from tests.village import Village

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CODES = ("KIS0001", "KIS0002", "KIS0003")
SERIALS = ("SM0001", "SM0001B", "SM0002", "SM0003", "SM0009")
LINES = ("tax", "reserve", "grant")

codes = st.sampled_from(CODES)
serials = st.sampled_from(SERIALS)
days_ago = st.sampled_from((0, 0, 0, 0, 1, 20))
slots_ago = st.integers(1, 24)
energies = st.sampled_from((0, 1, 9_999, 20_000, 33_333, 60_000, 777_777, 1_250_000))
delays = st.sampled_from((timedelta(), timedelta(days=14), timedelta(days=14, seconds=1)))


class Settlement(RuleBasedStateMachine):
    """A village of three households, five meters and a clock."""

    village: ClassVar[Village]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.at = FOUNDED
        self.seen: list[Sample] = []
        first, last = self.village.founded_at, FOUNDED + timedelta(days=93)
        self.twin = Twin.of(
            self.village, months=((first.year, first.month), (last.year, last.month))
        )
        self.twin.household("KIS0001", meters=2)
        self.twin.household("KIS0002", tier="priority")
        self.twin.household("KIS0003", has_lifeline=False)
        self.twin.meter("SM0009")
        self.twin.price(ticks=3_000, starts_at=self.village.founded_at + timedelta(days=69))

    def teardown(self) -> None:
        transaction.set_rollback(False)
        transaction.savepoint_rollback(self.savepoint)

    def slot(self, days: int, slots: int) -> datetime:
        since = timedelta(seconds=self.at.timestamp() % SLOT.total_seconds())
        return self.at - since - timedelta(days=days) - slots * SLOT

    @initialize(code=codes, amount_minor=st.integers(0, 50_000))
    def some_have_funds(self, code: str, amount_minor: int) -> None:
        if amount_minor:
            self.twin.pay(code, amount_minor=amount_minor, at=self.at)

    @rule(minutes=st.sampled_from((1, 15, 45, 240, 1_440)))
    def time_goes_by(self, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)

    # Readings

    @rule(serial=serials, days=days_ago, slots=slots_ago, energy=energies, delay=delays)
    def a_reading_comes_in(
        self, serial: str, days: int, slots: int, energy: int, delay: timedelta
    ) -> None:
        self._receive(serial, self.slot(days, slots), SLOT, energy, delay)

    @rule(code=codes, slots=slots_ago, energy=st.lists(energies, min_size=2, max_size=8))
    def a_day_comes_in_at_once(self, code: str, slots: int, energy: list[int]) -> None:
        for number, each in enumerate(energy):
            self._receive(f"SM{code[3:]}", self.slot(0, slots + number), SLOT, each, timedelta())

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), more=st.sampled_from((0, 0, 1)))
    def a_reading_comes_in_again(self, data: st.DataObject, more: int) -> None:
        known = data.draw(st.sampled_from(self.seen))
        delay = self.at - known.ends_at
        self._receive(known.serial, known.starts_at, SLOT, known.energy + more, delay)

    @rule(
        serial=st.sampled_from(("SM0001", "SM7777")),
        shift=st.sampled_from((timedelta(), timedelta(minutes=5), timedelta(hours=8))),
        length=st.sampled_from((SLOT, 2 * SLOT)),
        energy=st.sampled_from((-5, 40_000, 1_250_001)),
    )
    def nonsense_comes_in(
        self, serial: str, shift: timedelta, length: timedelta, energy: int
    ) -> None:
        self._receive(serial, self.slot(0, 1) + shift, length, energy, timedelta())

    @rule(slots=slots_ago, share=st.sampled_from((0, 1, 3_333, 9_999)))
    def the_sun_did_not_shine_all_along(self, slots: int, share: int) -> None:
        starts_at = self.slot(0, slots)
        if starts_at not in self.twin.model.solar_shares:
            self.twin.sun(starts_at=starts_at, share_basis_points=share)

    def _receive(
        self, serial: str, starts_at: datetime, length: timedelta, energy: int, delay: timedelta
    ) -> None:
        sample = Sample(
            serial=serial,
            starts_at=starts_at,
            ends_at=starts_at + length,
            energy=energy,
            received_at=starts_at + length + delay,
        )
        self.seen.append(sample)
        self.twin.receive(sample)

    # Money

    @rule(code=codes, amount_minor=st.one_of(st.integers(1, 3_000), st.integers(1, 200_000)))
    def somebody_pays(self, code: str, amount_minor: int) -> None:
        self.twin.pay(code, amount_minor=amount_minor, at=self.at)

    @precondition(lambda self: self.twin.paid)
    @rule(data=st.data())
    def a_payment_is_confirmed_again(self, data: st.DataObject) -> None:
        reference, code, amount_minor = data.draw(st.sampled_from(self.twin.paid))
        self.twin.pay(code, amount_minor=amount_minor, at=self.at, reference=reference)

    @rule(amount_wei=st.one_of(st.integers(1, 10**6), st.integers(10**17, 10**23)))
    def somebody_donates(self, amount_wei: int) -> None:
        self.twin.donate(amount_wei=amount_wei, at=self.at)

    # Rules change

    @rule(ticks=st.sampled_from((0, 1_000, 2_500, 2_501, 3_333, 5_000)), slots=st.integers(0, 3))
    def a_price_is_published(self, ticks: int, slots: int) -> None:
        self.twin.price(ticks=ticks, starts_at=self.slot(0, -slots))

    @rule(shares=st.lists(st.integers(0, 3_333), min_size=3, max_size=3))
    def a_split_is_published(self, shares: list[int]) -> None:
        if self.at > self.twin.model.splits[-1][0]:
            lines = [*zip(LINES, shares, strict=True), ("operator", 10_000 - sum(shares))]
            self.twin.split(lines=lines, valid_from=self.at)

    @rule(serial=serials, code=codes)
    def a_meter_changes_hands(self, serial: str, code: str) -> None:
        tenants = self.twin.model.devices[serial].tenants
        if tenants and tenants[-1][0] >= self.at:
            return
        if tenants:
            self.twin.move_out(serial, at=self.at)
        self.twin.assign(serial, code, since=self.at)

    @rule(serial=serials)
    def a_meter_is_closed(self, serial: str) -> None:
        if Meter.objects.filter(serial=serial, closed_at=None).exists() and serial != "SM0001":
            self.twin.close_meter(serial, at=self.at)

    # Work

    @rule(limit=st.sampled_from((1, 3, 1_000)))
    def a_batch_is_settled(self, limit: int) -> None:
        self.twin.settle(at=self.at, limit=limit)

    @rule()
    def everything_is_settled(self) -> None:
        self.twin.settle_all(at=self.at)

    @rule()
    def blocks_are_closed(self) -> None:
        self.twin.close_blocks(at=self.at)


@pytest.mark.django_db
def test_the_books_agree_with_the_model() -> None:
    Settlement.village = Village.found(at=FOUNDED)
    run_state_machine_as_test(
        Settlement,
        settings=settings(
            max_examples=settings().max_examples // 2,
            stateful_step_count=50,
            suppress_health_check=list(HealthCheck),
        ),
    )
