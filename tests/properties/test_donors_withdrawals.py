"""The database's donors' index beside the arithmetic in Python: equal to the last part of a wei."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import donors_index
from accounts.donors_index import SCALE, Index, Position, rewarded, touched, withdrawn
from accounts.models import Donation, Donor, DonorsIndex
from settlement import settle
from tests.village import Village

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VESTING = timedelta(days=120)

pytestmark = pytest.mark.django_db

amounts = st.integers(1, 7) | st.integers(10**15, 10**24)
places = st.integers(0, 5)
steps = st.lists(
    st.tuples(st.just("donate"), amounts, places)
    | st.tuples(st.just("reward"), st.integers(0, 3) | st.integers(4, 1_250_000), places)
    | st.tuples(st.just("withdraw"), amounts, places)
    | st.tuples(st.just("withdraw whole"), st.just(10**30), places)
    | st.tuples(st.just("touch"), st.just(1), places)
    | st.tuples(st.just("days go by"), st.integers(1, 80), places),
    min_size=1,
    max_size=14,
)


class Both:
    """A village's index in the database, and the same in Python."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.donor = Donor.objects.create(created_at=FOUNDED)
        self.at = FOUNDED
        self.slots = 0
        self.index = Index()
        self.positions: list[tuple[int, datetime, Position]] = []

    def donate(self, amount_wei: int) -> None:
        vests_at = self.at + VESTING
        made = donors_index.donate(
            donor=self.donor,
            site=self.village.site,
            amount_wei=amount_wei,
            donated_at=self.at,
            vests_at=vests_at,
        )
        position = Position(amount_wei=amount_wei, paid_index=self.index.accumulated)
        self.positions.append((made.pk, vests_at, position))
        self.index = Index(
            **{
                **{name: getattr(self.index, name) for name in Index.__slots__},
                "donated_wei": self.index.donated_wei + amount_wei,
            }
        )

    def reward(self, energy_milliwatt_hours: int) -> None:
        """Settle a reading: only settlement rewards donors, with half a token for a kWh."""
        self.slots += 1
        self.village.read(
            "SM0001",
            starts_at=FOUNDED - self.slots * timedelta(minutes=15),
            energy_milliwatt_hours=energy_milliwatt_hours,
            at=FOUNDED,
        )
        settle.run_all(site_id=self.village.site.pk, at=FOUNDED)
        reward_wei = energy_milliwatt_hours * 10**12 // 2
        if reward_wei:
            self.index = rewarded(index=self.index, reward_wei=reward_wei)

    def touch(self, place: int) -> None:
        pk, vests_at, position = self.positions[place]
        donors_index.touch(donation=Donation.objects.get(pk=pk))
        # One that was withdrawn is worth the same whenever it was touched: it is left as it is.
        if position.amount_wei:
            self.positions[place] = (pk, vests_at, touched(index=self.index, position=position))

    def withdraw(self, place: int, amount_wei: int) -> None:
        pk, vests_at, position = self.positions[place]
        amount_wei = min(amount_wei, position.amount_wei)
        if not amount_wei:
            return
        gave = donors_index.withdraw(
            donation=Donation.objects.get(pk=pk), amount_wei=amount_wei, at=self.at
        )
        self.index, position, expected = withdrawn(
            index=self.index,
            position=position,
            amount_wei=amount_wei,
            is_vested=self.at >= vests_at,
        )
        self.positions[place] = (pk, vests_at, position)
        assert gave == expected

    def check(self) -> None:
        stored = DonorsIndex.objects.get(site=self.village.site)
        assert self.index == Index(
            donated_wei=stored.donated_wei,
            accumulated=stored.accumulated,
            remainder=stored.remainder,
            rewarded_wei=stored.rewarded_wei,
            unallocated_wei=stored.unallocated_wei,
        )
        worth = stored.remainder
        for (_, _, position), row in zip(
            self.positions, Donation.objects.order_by("id"), strict=True
        ):
            assert position == Position(
                amount_wei=row.amount_wei,
                paid_index=row.paid_index,
                fraction=row.fraction,
                claimed_wei=row.claimed_wei,
            )
            assert (row.withdrawn_at is not None) == (row.amount_wei == 0)
            worth += row.claimed_wei * SCALE + row.fraction
            worth += row.amount_wei * (stored.accumulated - row.paid_index)
        assert worth == SCALE * (stored.rewarded_wei - stored.unallocated_wei)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(steps)
def test_the_database_withdraws_as_the_arithmetic_does(
    founded: Village, history: list[tuple[str, int, int]]
) -> None:
    with transaction.atomic():
        both = Both(founded)
        for what, number, place in history:
            if what == "donate":
                both.donate(number)
            elif what == "reward":
                both.reward(number)
            elif what == "days go by":
                both.at += timedelta(days=number)
            elif both.positions:
                one = place % len(both.positions)
                if what == "touch":
                    both.touch(one)
                else:
                    both.withdraw(one, number)
            both.check()
        transaction.set_rollback(True)


@pytest.fixture
def founded(db: None) -> Village:
    village = Village.found(at=FOUNDED)
    village.household("KIS0001")
    village.price(ticks=3_000, starts_at=village.founded_at)
    return village
