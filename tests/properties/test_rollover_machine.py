"""However late rates are rolled over, households have what they would have had in time.

Beside the service stands a model in plain Python that compensates at the very instant of a change.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from accounts import amounts, ledger, rollover, site_rates, topups
from accounts.audit import run
from accounts.audit.rates import CHECKS
from accounts.ledger import Leg
from accounts.models import Household, JournalEntry, SiteRate
from accounts.topups import ConfirmedPayment
from tests.village import RATE, Village

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SAVERS, DEBTOR = ("KIS0001", "KIS0002"), "KIS0003"
WEI = 10**18

savers = st.sampled_from(SAVERS)
rates = st.one_of(
    st.sampled_from(("129.25", "129.24999999", "100", "140", "0.5", "604.50")),
    st.decimals("0.00000001", "1000000", places=8, allow_nan=False).map(str),
)


class Model:
    """What everybody has, in wei, if every change were compensated in its instant."""

    def __init__(self, *, at: datetime) -> None:
        self.at = at
        self.rates = [(at - timedelta(days=90), Fraction(RATE))]
        self.funds = dict.fromkeys(SAVERS, 0)
        self.owed = 0

    def pass_to(self, at: datetime) -> None:
        """Let time pass, and rates change meanwhile; a rate counts from its instant on."""
        for (_, before), (begins_at, after) in zip(self.rates, self.rates[1:], strict=False):
            if self.at < begins_at <= at:
                for saver, wei in self.funds.items():
                    self.funds[saver] = max(wei, -(-wei * before // after))
                self.owed = min(self.owed, int(self.owed * before // after))
        self.at = at

    def worth(self, *, amount_minor: int, paid_at: datetime) -> int:
        """Wei that an amount paid then is worth now, had it been there all the time."""
        begun = [pair for pair in self.rates if pair[0] <= paid_at]
        rate = before = begun[-1][1]
        for begins_at, after in self.rates[len(begun) :]:
            if begins_at <= self.at:
                rate, before = rate * min(Fraction(1), after / before), after
        return int(Fraction(amount_minor, 100) / rate * WEI // 1)


class Rollover(RuleBasedStateMachine):
    """Two households with funds, one with a debt, payments that come late, rates that change."""

    village: ClassVar[Village]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.model = Model(at=FOUNDED)
        self.count = 0

    def teardown(self) -> None:
        try:
            self.everything_is_rolled_over()
            assert [f.detail for result in run(checks=CHECKS) for f in result.findings] == []
        finally:
            transaction.set_rollback(False)
            transaction.savepoint_rollback(self.savepoint)

    @property
    def at(self) -> datetime:
        return self.model.at

    @rule(minutes=st.sampled_from((1, 10, 60, 600)))
    def time_goes_by(self, minutes: int) -> None:
        self.model.pass_to(self.at + timedelta(minutes=minutes))

    @rule(rate=rates, minutes=st.integers(1, 30))
    def a_rate_is_published(self, rate: str, minutes: int) -> None:
        starts_at = self.at + timedelta(minutes=minutes)
        if starts_at > self.model.rates[-1][0]:
            self.model.rates.append((starts_at, Fraction(rate)))
            site_rates.publish(
                site=self.village.site,
                local_per_dai=Decimal(rate),
                starts_at=starts_at,
                at=self.at,
            )

    @rule(
        code=savers,
        amount_minor=st.integers(1, 200_000),
        delay=st.sampled_from((0, 0, 5, 30, 120, 1_000)),
    )
    def a_payment_comes_in(self, code: str, amount_minor: int, delay: int) -> None:
        paid_at = self.at - timedelta(minutes=delay)
        self.count += 1
        payment = topups.confirm(
            payment=ConfirmedPayment(
                rail=self.village.rail,
                reference=f"RCP{self.count:07d}",
                amount_minor=amount_minor,
                currency="KES",
                paid_at=paid_at,
                account_text=code,
            ),
            at=self.at,
        )
        worth = self.model.worth(amount_minor=amount_minor, paid_at=paid_at)
        assert payment.credited_wei == worth
        self.model.funds[code] += worth

    @rule(
        rate=rates,
        code=savers,
        amount_minor=st.integers(1, 200_000),
        is_rolled_over=st.booleans(),
        delay=st.sampled_from((1, 19, 21, 100)),
    )
    def a_payment_comes_in_across_a_change(
        self, rate: str, code: str, amount_minor: int, is_rolled_over: bool, delay: int
    ) -> None:
        self.a_rate_is_published(rate, 10)
        self.time_goes_by(30)
        if is_rolled_over:
            rollover.run_due(at=self.at)
        self.a_payment_comes_in(code, amount_minor, delay)

    @rule(code=savers, share=st.fractions(0, 1))
    def funds_are_spent(self, code: str, share: Fraction) -> None:
        there = amounts.of_household(household=self._home(code)).funds_wei
        if spent := int(there * share):
            self._post(
                Leg(kind="household_funds", household_id=self._home(code).pk, amount=-spent),
                Leg(kind="pool", name="operator", amount=spent),
            )
            self.model.funds[code] -= spent

    @rule(wei=st.one_of(st.integers(1, 10), st.integers(10**16, 10**20)))
    def the_debt_grows(self, wei: int) -> None:
        self._post(
            Leg(kind="household_arrears", household_id=self._home(DEBTOR).pk, amount=-wei),
            Leg(kind="arrears_unearned", amount=wei),
        )
        self.model.owed += wei

    @rule()
    def what_is_due_is_rolled_over(self) -> None:
        rollover.run_due(at=self.at)

    @rule()
    def everything_is_rolled_over(self) -> None:
        rollover.run_due(at=self.at)
        begun = SiteRate.objects.filter(validity__startswith__lte=self.at)
        assert not begun.filter(compensated_at=None).exists()
        for code, wei in self.model.funds.items():
            assert amounts.of_household(household=self._home(code)).funds_wei == wei
        owed = amounts.of_household(household=self._home(DEBTOR)).arrears_wei
        assert owed == self.model.owed
        compensations = JournalEntry.objects.filter(kind="rate_compensation")
        assert compensations.count() <= begun.count()

    def _home(self, code: str) -> Household:
        return Household.objects.get(code=code)

    def _post(self, *legs: Leg) -> None:
        self.count += 1
        ledger.post(
            book_id=self.village.site.book.pk,
            kind="opening",
            key=f"opening:{self.count}",
            legs=legs,
            occurred_at=self.at,
            at=self.at,
        )


@pytest.mark.django_db
def test_the_books_agree_with_the_model() -> None:
    village = Village.found(at=FOUNDED)
    for number, code in enumerate((*SAVERS, DEBTOR)):
        village.household(code, phone=f"+25471100000{number}")
    Rollover.village = village
    run_state_machine_as_test(
        Rollover,
        settings=settings(
            max_examples=settings().max_examples // 4,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
