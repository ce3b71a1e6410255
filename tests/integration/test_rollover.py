"""The change of period: nobody loses local value, exactly once, however the work comes about."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from accounts import amounts, ledger, rollover, site_rates, topups
from accounts.audit import run
from accounts.audit.rates import CHECKS
from accounts.ledger import Leg
from accounts.models import Household, JournalEntry, Notice, SiteRate
from accounts.money import minor_from_wei
from accounts.topups import ConfirmedPayment
from gateway.rates.tasks import roll_over_rates
from gateway.sms import wording
from tests.integration.test_concurrency import run_together
from tests.village import RATE, Village

pytestmark = pytest.mark.django_db

DAI = 10**18
HOUR = timedelta(hours=1)


@pytest.fixture
def village(now: datetime) -> Village:
    """Kisima at 129.25 KES per DAI; KIS0001 and KIS0002 live there."""
    village = Village.found(at=now)
    for number in (1, 2):
        village.household(f"KIS000{number}", phone=f"+25471100000{number}")
    return village


def publish(village: Village, rate: str, *, starts_at: datetime, at: datetime) -> SiteRate:
    return site_rates.publish(
        site=village.site, local_per_dai=Decimal(rate), starts_at=starts_at, at=at
    )


def home(code: str = "KIS0001") -> Household:
    return Household.objects.get(code=code)


def funds(code: str = "KIS0001") -> int:
    return amounts.of_household(household=home(code)).funds_wei


def reserve(village: Village) -> int:
    return amounts.of_site(site=village.site).get(("fx_reserve", "", "DAI"), 0)


def owe(village: Village, code: str, *, amount_wei: int, at: datetime) -> None:
    """Put arrears on a household, as settlement books them."""
    ledger.post(
        book_id=village.site.book.pk,
        kind="opening",
        key=f"arrears:{code}:{at.isoformat()}",
        legs=[
            Leg(kind="household_arrears", household_id=home(code).pk, amount=-amount_wei),
            Leg(kind="arrears_unearned", amount=amount_wei),
        ],
        occurred_at=at,
        at=at,
    )


def shown(amount_wei: int, rate: str) -> int:
    return minor_from_wei(amount_wei=amount_wei, currency="KES", local_per_dai=Fraction(rate))


def entries() -> list[JournalEntry]:
    return list(JournalEntry.objects.filter(kind="rate_compensation").order_by("id"))


def audited() -> list[str]:
    return [finding.detail for result in run(checks=CHECKS) for finding in result.findings]


class TestFunds:
    """A rate of fewer shillings for a DAI."""

    def test_funds_keep_their_local_value(self, village: Village, now: datetime) -> None:
        village.fund(home(), amount_wei=7 * DAI + 1, at=now)
        village.fund(home("KIS0002"), amount_wei=1, at=now)
        rate = publish(village, "117.5", starts_at=now + HOUR, at=now)
        assert rollover.run_due(at=now + HOUR) == 2
        lost = Fraction(7 * DAI + 1) * (Fraction(RATE) / Fraction("117.5") - 1)
        assert funds() == 7 * DAI + 1 + -(-lost // 1)
        assert funds("KIS0002") == 2
        rate.refresh_from_db()
        assert rate.compensated_at == now + HOUR
        assert rate.compensation_wei == funds() + funds("KIS0002") - (7 * DAI + 2)
        assert reserve(village) == -rate.compensation_wei
        assert shown(funds(), "117.5") == shown(7 * DAI + 1, "129.25") == 904_75
        (entry,) = entries()
        assert (entry.key, entry.occurred_at) == (f"rate_compensation:{rate.pk}", now + HOUR)
        assert audited() == []

    def test_nobody_loses_what_a_change_gives(self, village: Village, now: datetime) -> None:
        village.fund(home(), amount_wei=7 * DAI, at=now)
        rate = publish(village, "140", starts_at=now + HOUR, at=now)
        rollover.run_due(at=now + HOUR)
        rate.refresh_from_db()
        assert (funds(), rate.compensation_wei, entries()) == (7 * DAI, 0, [])
        assert rate.compensated_at is not None
        assert not Notice.objects.filter(kind="rate_compensation").exists()
        assert audited() == []

    def test_nothing_happens_before_the_period_begins(
        self, village: Village, now: datetime
    ) -> None:
        village.fund(home(), amount_wei=DAI, at=now)
        publish(village, "100", starts_at=now + HOUR, at=now)
        assert rollover.run_due(at=now) == 1  # the first rate of the site, with nobody to give to
        assert rollover.run_due(at=now + HOUR - timedelta(microseconds=1)) == 0
        assert funds() == DAI

    def test_the_first_rate_compensates_nobody(self, village: Village, now: datetime) -> None:
        village.fund(home(), amount_wei=DAI, at=now)
        assert rollover.run_due(at=now) == 1
        assert funds() == DAI
        assert SiteRate.objects.get().compensated_at == now

    def test_a_rate_published_after_its_begin_counts_from_its_publication(
        self, village: Village, now: datetime
    ) -> None:
        village.pay("KIS0001", amount_minor=1_000_00, at=now - HOUR)
        before = funds()
        publish(village, "100", starts_at=now - 2 * HOUR, at=now)
        rollover.run_due(at=now)
        assert funds() == -(-before * 12925 // 10000)
        assert audited() == []


class TestArrears:
    """A rate of more shillings for a DAI: what is owed in DAI would grow."""

    def test_the_reserve_pays_what_the_debt_would_grow_by(
        self, village: Village, now: datetime
    ) -> None:
        owe(village, "KIS0001", amount_wei=2 * DAI + 1, at=now)
        rate = publish(village, "140", starts_at=now + HOUR, at=now)
        rollover.run_due(at=now + HOUR)
        after = amounts.of_household(household=home()).arrears_wei
        assert after == (2 * DAI + 1) * 12925 // 14000
        rate.refresh_from_db()
        assert rate.compensation_wei == 2 * DAI + 1 - after == -reserve(village)
        assert shown(after, "140") <= shown(2 * DAI + 1, "129.25")
        assert audited() == []

    def test_a_debt_that_shrinks_is_left_alone(self, village: Village, now: datetime) -> None:
        owe(village, "KIS0001", amount_wei=2 * DAI, at=now)
        publish(village, "100", starts_at=now + HOUR, at=now)
        rollover.run_due(at=now + HOUR)
        assert amounts.of_household(household=home()).arrears_wei == 2 * DAI
        assert entries() == []

    def test_funds_and_debts_of_several_households_are_one_entry(
        self, village: Village, now: datetime
    ) -> None:
        village.fund(home(), amount_wei=DAI, at=now)
        owe(village, "KIS0002", amount_wei=DAI, at=now)
        publish(village, "140", starts_at=now + HOUR, at=now)
        publish(village, "129.25", starts_at=now + 2 * HOUR, at=now)
        rollover.run_due(at=now + 2 * HOUR)
        assert [entry.occurred_at for entry in entries()] == [now + HOUR, now + 2 * HOUR]
        assert funds() == -(-DAI * 14000 // 12925)
        assert amounts.of_household(household=home("KIS0002")).arrears_wei == DAI * 12925 // 14000
        assert audited() == []


class TestOnce:
    """Late, twice, at once, or after periods that nobody dealt with."""

    def test_running_twice_changes_nothing(self, village: Village, now: datetime) -> None:
        village.fund(home(), amount_wei=DAI, at=now)
        publish(village, "100", starts_at=now, at=now - HOUR)
        SiteRate.objects.update(compensated_at=None)
        at = now + HOUR
        publish(village, "90", starts_at=at, at=now)
        assert rollover.run_due(at=at) == 3
        before = (funds(), reserve(village), len(entries()))
        assert rollover.run_due(at=at) == 0
        roll_over_rates()
        assert (funds(), reserve(village), len(entries())) == before
        assert audited() == []

    def test_a_late_run_gives_what_was_due_at_the_change(
        self, village: Village, now: datetime
    ) -> None:
        village.fund(home(), amount_wei=10 * DAI, at=now)
        change = now + HOUR
        publish(village, "100", starts_at=change, at=now)
        village.pay("KIS0001", amount_minor=500_00, at=change + HOUR)
        _spend(village, "KIS0001", amount_wei=6 * DAI, at=change + 2 * HOUR)
        rollover.run_due(at=change + 3 * HOUR)
        given = -(-10 * DAI * 12925 // 10000) - 10 * DAI
        assert funds() == 10 * DAI + 5 * DAI - 6 * DAI + given
        (entry,) = entries()
        assert (entry.occurred_at, entry.recorded_at) == (change, change + 3 * HOUR)
        assert audited() == []

    def test_what_was_spent_before_a_late_run_is_given_back_all_the_same(
        self, village: Village, now: datetime
    ) -> None:
        village.fund(home(), amount_wei=10 * DAI, at=now)
        publish(village, "100", starts_at=now + HOUR, at=now)
        _spend(village, "KIS0001", amount_wei=10 * DAI, at=now + 2 * HOUR)
        rollover.run_due(at=now + 3 * HOUR)
        assert funds() == -(-10 * DAI * 12925 // 10000) - 10 * DAI
        assert audited() == []

    def test_periods_that_were_skipped_are_made_up_for_in_order(
        self, village: Village, now: datetime
    ) -> None:
        village.fund(home(), amount_wei=DAI, at=now)
        for hours, rate in ((1, "120"), (2, "150"), (3, "110")):
            publish(village, rate, starts_at=now + hours * HOUR, at=now)
        rollover.run_due(at=now + 4 * HOUR)
        late = funds()
        assert [entry.occurred_at for entry in entries()] == [now + HOUR, now + 3 * HOUR]
        assert audited() == []

        assert not SiteRate.objects.filter(compensated_at=None).exists()
        kept = -(-DAI * 12925 // 12000)
        assert late == -(-kept * 150 // 110)

    def test_two_rates_published_for_the_past_at_once_build_on_each_other(
        self, village: Village, now: datetime
    ) -> None:
        village.fund(home(), amount_wei=DAI, at=now - 3 * HOUR)
        for hours, rate in ((2, "120"), (1, "110")):
            publish(village, rate, starts_at=now - hours * HOUR, at=now)
        rollover.run_due(at=now)
        kept = -(-DAI * 12925 // 12000)
        assert funds() == -(-kept * 120 // 110)
        assert audited() == []

    def test_every_site_is_dealt_with(self, village: Village, now: datetime) -> None:
        other = Village.found(at=now, slug="other", beside=village)
        away = other.household("KIS0009", phone="+254711000009")
        other.fund(away, amount_wei=DAI, at=now)
        village.fund(home(), amount_wei=DAI, at=now)
        publish(village, "100", starts_at=now + HOUR, at=now)
        publish(other, "50", starts_at=now + HOUR, at=now)
        rollover.run_due(at=now + HOUR)
        assert (funds(), funds("KIS0009")) == (DAI * 12925 // 10000, DAI * 12925 // 5000)
        assert audited() == []


class TestLatePayments:
    """Paid before a change, credited after it: worth as much as if credited in time."""

    @pytest.mark.parametrize("is_done", [True, False])
    def test_a_payment_that_comes_in_late_loses_no_local_value(
        self, village: Village, now: datetime, is_done: bool
    ) -> None:
        change = now + HOUR
        publish(village, "100", starts_at=change, at=now)
        if is_done:
            rollover.run_due(at=change)
        payment = _late(village, paid_at=change - HOUR / 2, at=change + HOUR)
        assert payment == 500_00 * DAI // 100_00
        rollover.run_due(at=change + 2 * HOUR)
        assert funds() == payment
        assert audited() == []

    def test_a_better_rate_of_the_past_is_kept(self, village: Village, now: datetime) -> None:
        publish(village, "140", starts_at=now + HOUR, at=now)
        credited = _late(village, paid_at=now, at=now + 2 * HOUR)
        assert credited == 500_00 * DAI * 100 // 12925_00
        rollover.run_due(at=now + 2 * HOUR)
        assert audited() == []

    def test_several_changes_count_one_after_the_other(
        self, village: Village, now: datetime
    ) -> None:
        for hours, rate in ((1, "100"), (2, "150"), (3, "120")):
            publish(village, rate, starts_at=now + hours * HOUR, at=now)
        rollover.run_due(at=now + 2 * HOUR)
        credited = _late(village, paid_at=now, at=now + 4 * HOUR)
        assert credited == 500_00 * DAI * 150 // (100_00 * 120)
        rollover.run_due(at=now + 5 * HOUR)
        assert funds() == credited
        assert audited() == []

    def test_a_credit_that_waited_for_the_book_is_not_forgotten(
        self, village: Village, now: datetime
    ) -> None:
        """It took its instant before the change, and got the lock after the compensation."""
        change = now + HOUR
        village.fund(home("KIS0002"), amount_wei=DAI, at=now)
        publish(village, "100", starts_at=change, at=now)
        rollover.run_due(at=change)
        credited = _late(village, paid_at=now, at=change - timedelta(seconds=1))
        assert credited == 5 * DAI
        assert rollover.run_due(at=change + HOUR) == 0
        assert audited() == []


class TestNotices:
    """Who is told, and what."""

    def test_those_who_were_given_something_are_told(self, village: Village, now: datetime) -> None:
        village.fund(home(), amount_wei=DAI, at=now)
        publish(village, "100", starts_at=now + HOUR, at=now)
        rollover.run_due(at=now + HOUR)
        notice = Notice.objects.get(kind="rate_compensation")
        assert (notice.phone, notice.household) == ("+254711000001", home())
        assert wording.words(notice=notice, at=now + HOUR) == (
            "The exchange rate of the month has changed. The balance of KIS0001 is still KES 129: "
            "you lose nothing."
        )

    def test_debtors_are_told_what_they_owe(self, village: Village, now: datetime) -> None:
        owe(village, "KIS0001", amount_wei=DAI, at=now)
        publish(village, "140", starts_at=now + HOUR, at=now)
        rollover.run_due(at=now + HOUR)
        notice = Notice.objects.get(kind="rate_compensation")
        assert "You owe KES 129." in wording.words(notice=notice, at=now + HOUR)

    def test_hundreds_of_households_take_a_bounded_number_of_queries(
        self, village: Village, now: datetime, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(3, 203):
            village.household(f"KIS{number:04d}", phone=f"+2547110{number:05d}")
        legs = [
            Leg(kind="household_funds", household_id=household.pk, amount=DAI + household.pk)
            for household in Household.objects.all()
        ]
        ledger.post(
            book_id=village.site.book.pk,
            kind="opening",
            key="opening:all",
            legs=[*legs, Leg(kind="fx_position", amount=-sum(leg.amount for leg in legs))],
            occurred_at=now,
            at=now,
        )
        rollover.run_due(at=now)
        publish(village, "100", starts_at=now + HOUR, at=now)
        with django_assert_max_num_queries(25):
            rollover.run_due(at=now + HOUR)
        assert Notice.objects.filter(kind="rate_compensation").count() == 202
        assert audited() == []


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_several_runners_and_payers_at_once_give_each_their_due(now: datetime) -> None:
    village = Village.found(at=now)
    village.household("KIS0001")
    village.fund(home(), amount_wei=DAI, at=now)
    change = now + HOUR
    publish(village, "100", starts_at=change, at=now)

    def pay(minute: int) -> None:
        village.pay(
            "KIS0001",
            amount_minor=100_00,
            at=change + timedelta(minutes=minute),
            reference=f"RCPT{minute + 100}",
        )

    def run() -> None:
        rollover.run_due(at=change)

    def roll() -> None:
        rollover.roll_over(site=village.site, at=change)

    run_together(run, run, roll, roll, *(partial(pay, minute) for minute in (-2, -1, 0, 1, 2)))
    rollover.run_due(at=change)
    assert len(entries()) == 1
    early = 2 * (100_00 * DAI * 100 // 12925_00)
    # What was credited at the old rate was there in time; the rest came at the new one.
    assert funds() in {
        total + 3 * DAI
        for total in (
            -(-(DAI + early) * 12925 // 10000),
            -(-(DAI + early // 2) * 12925 // 10000) + DAI,
            -(-DAI * 12925 // 10000) + 2 * DAI,
        )
    }
    assert audited() == []


def _late(village: Village, *, paid_at: datetime, at: datetime) -> int:
    """Confirm 500 KES paid at one instant and credited at another; wei credited."""
    payment = topups.confirm(
        payment=ConfirmedPayment(
            rail=village.rail,
            reference="RCPLATE",
            amount_minor=500_00,
            currency="KES",
            paid_at=paid_at,
            account_text="KIS0001",
        ),
        at=at,
    )
    assert payment.credited_wei is not None
    return payment.credited_wei


def _spend(village: Village, code: str, *, amount_wei: int, at: datetime) -> None:
    ledger.post(
        book_id=village.site.book.pk,
        kind="opening",
        key=f"spend:{at.isoformat()}",
        legs=[
            Leg(kind="household_funds", household_id=home(code).pk, amount=-amount_wei),
            Leg(kind="pool", name="operator", amount=amount_wei),
        ],
        occurred_at=at,
        at=at,
    )
