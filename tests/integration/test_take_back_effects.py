"""What taking money back does to donations, and to the top-up or pledge that was paid."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accounts import donations, donors_index, ledger, take_backs
from accounts.intents import Reason
from accounts.ledger import KeyReused, Leg
from accounts.models import (
    Donation,
    DonorsIndex,
    Household,
    JournalEntry,
    Payment,
    TakeBack,
    TopUp,
)
from settlement import settle
from tests.paybacks import (
    DAI,
    assert_books_hold,
    donate,
    funds,
    pay,
    standing,
)
from tests.village import Village

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


def take(
    payment: Payment,
    amount_minor: int,
    *,
    at: datetime,
    key: str = "1",
    reason: Reason = Reason.REVERSAL,
    only_unspent: bool = False,
) -> TakeBack:
    return take_backs.take(
        payment=payment,
        amount_minor=amount_minor,
        reason=reason,
        key=key,
        occurred_at=at,
        at=at,
        only_unspent=only_unspent,
    )


def pay_out(take_back: TakeBack, *, at: datetime, fee_minor: int = 0) -> TakeBack:
    return take_backs.paid_out(take_back=take_back, fee_minor=fee_minor, occurred_at=at, at=at)


def put_back(take_back: TakeBack, *, at: datetime) -> TakeBack:
    return take_backs.put_back(take_back=take_back, occurred_at=at, at=at)


def spend(village: Village, household: Household, *, amount_wei: int, at: datetime) -> None:
    """Let a household use up an amount, outside of settlement."""
    ledger.post(
        book_id=village.site.book.pk,
        kind="test",
        key=f"spent:{JournalEntry.objects.count()}",
        legs=[
            Leg(kind="household_funds", household_id=household.pk, amount=-amount_wei),
            Leg(kind="fx_result", amount=amount_wei),
        ],
        occurred_at=at,
        at=at,
    )


def of(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


class TestDonations:
    """A donation leaves the index by the rule of the economy; unvested tokens go to the others."""

    def sunshine(self, village: Village, *, at: datetime) -> None:
        """Two kWh are settled: one token for the household, one for the donors."""
        for slot in (1, 2):
            starts_at = at - timedelta(hours=slot)
            village.read("SM0001", starts_at=starts_at, energy_milliwatt_hours=10**6, at=at)
        settle.run_all(site_id=village.site.pk, at=at)

    def tokens(self, village: Village) -> dict[str, int]:
        return {
            kind: amount
            for (kind, _, asset), amount in standing(village.site).items()
            if asset == "IT" and kind in ("donors_pool", "unallocated_tokens")
        }

    @pytest.fixture
    def sunny(self, village: Village, home: Household) -> Village:
        village.price(ticks=3_000, starts_at=village.founded_at)
        return village

    def test_unvested_tokens_go_to_the_donations_that_remain(
        self, sunny: Village, now: datetime
    ) -> None:
        first = donate(sunny, at=now - timedelta(days=2), amount_minor=3_000, reference="ch_1")
        donate(sunny, at=now - timedelta(days=2), amount_minor=1_000, reference="ch_2")
        self.sunshine(sunny, at=now)
        taken = pay_out(take(first, 3_000, at=now), at=now)
        assert taken.taken_wei == first.credited_wei == 30 * DAI
        gone, stays = Donation.objects.order_by("id")
        stays = donors_index.touch(donation=stays)
        assert (gone.amount_wei, gone.claimed_wei, gone.withdrawn_at) == (0, 0, now)
        assert (stays.amount_wei, stays.claimed_wei) == (10 * DAI, DAI)
        assert standing(sunny.site)["donations", "", "DAI"] == 10 * DAI
        assert self.tokens(sunny) == {"donors_pool": DAI}
        assert_books_hold()

    def test_the_last_donations_tokens_are_parked(self, sunny: Village, now: datetime) -> None:
        payment = donate(sunny, at=now - timedelta(days=2))
        self.sunshine(sunny, at=now)
        take(payment, 7_000, at=now, key="1")
        assert self.tokens(sunny) == {"donors_pool": DAI}
        taken = take(payment, 1, at=now, key="2")
        assert self.tokens(sunny) == {"unallocated_tokens": DAI}
        assert ("donations", "", "DAI") not in standing(sunny.site)
        put_back(taken, at=now)
        assert self.tokens(sunny) == {"unallocated_tokens": DAI}
        assert DonorsIndex.objects.get(site=sunny.site).donated_wei == DAI // 100
        assert_books_hold()

    def test_vested_tokens_stay(self, sunny: Village, now: datetime) -> None:
        payment = donate(sunny, at=now - donations.VESTING)
        self.sunshine(sunny, at=now)
        take(payment, 7_001, at=now)
        # A third of a wei is not lost: it stays with the position.
        assert Donation.objects.get().claimed_wei == DAI - 1
        assert self.tokens(sunny) == {"donors_pool": DAI}
        assert_books_hold()

    def test_put_back_it_counts_again_and_vests_as_before(
        self, sunny: Village, now: datetime
    ) -> None:
        payment = donate(sunny, at=now - timedelta(days=100))
        taken = pay_out(take(payment, 5_000, at=now), at=now, fee_minor=1_500)
        put_back(taken, at=now + timedelta(days=10))
        first, again = Donation.objects.order_by("id")
        assert first.amount_wei + again.amount_wei == payment.credited_wei
        assert (again.payment, again.vests_at) == (payment, first.vests_at)
        # The next one takes from both.
        take(payment, 7_001, at=now + timedelta(days=11), key="2")
        assert DonorsIndex.objects.get(site=sunny.site).donated_wei == 0
        assert_books_hold()


class TestIntents:
    """The charge is refunded, not the order."""

    def top_up(self, village: Village, household: Household, *, at: datetime) -> TopUp:
        return TopUp.objects.create(
            household=household,
            site=village.site,
            rail=village.rail,
            phone="+254711000001",
            amount_minor=100_000,
            currency="KES",
            state=TopUp.State.SUCCEEDED,
            idempotency_key="1",
            created_at=at,
        )

    @pytest.mark.parametrize(
        ("reason", "state"),
        [
            (Reason.REFUND, "refunded"),
            (Reason.REVERSAL, "reversed"),
            (Reason.DISPUTE, "disputed"),
        ],
    )
    def test_a_top_up_follows_its_payment(
        self, village: Village, home: Household, now: datetime, reason: Reason, state: str
    ) -> None:
        top_up = self.top_up(village, home, at=now)
        payment = pay(village, "KIS0001", at=now, top_up=top_up)
        take(payment, 99_999, at=now, key="1", reason=reason)
        assert TopUp.objects.get().state == "succeeded"
        taken = take(payment, 1, at=now, key="2", reason=reason)
        assert TopUp.objects.get().state == state
        put_back(taken, at=now)
        assert TopUp.objects.get().state == "succeeded"

    def test_a_duplicate_given_back_leaves_the_good_one_alone(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        top_up = self.top_up(village, home, at=now)
        good = pay(village, "KIS0001", at=now, top_up=top_up)
        twice = pay(village, "KIS0001", at=now, top_up=top_up, reference="RCP0000002")
        take(twice, 100_000, at=now)
        with pytest.raises(KeyReused):
            take(good, 100_000, at=now)
        assert TopUp.objects.get().state == "succeeded"
        assert (of(good).taken_back_minor, funds(home)) == (0, good.credited_wei)
        take(good, 100_000, at=now, key="2")
        assert TopUp.objects.get().state == "reversed"
        assert_books_hold()

    def test_a_pledge_follows_its_payment(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = donate(village, at=now)
        take(payment, 7_001, at=now, reason=Reason.DISPUTE)
        assert payment.pledge is not None
        payment.pledge.refresh_from_db()
        assert payment.pledge.state == "disputed"
