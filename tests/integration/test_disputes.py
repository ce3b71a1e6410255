"""Disputes, reversals and claims on payers: every order and repetition of notices is the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction

from accounts import claims, disputes, refunds, reversals
from accounts.claims import ClaimClosed
from accounts.models import (
    Dispute,
    Donation,
    FiscalReceipt,
    Household,
    Notice,
    PayerClaim,
    Payment,
    Reversal,
    TakeBack,
    User,
)
from accounts.reversals import NotTheSame, UnknownPayment
from accounts.take_backs import MoreThanLeft, WholeOnly
from tests.integration.fiscal_village import tax
from tests.integration.test_take_backs import spend
from tests.paybacks import DAI, assert_books_hold, donate, funds, pay, quote, standing
from tests.village import Village

pytestmark = pytest.mark.django_db

State = Dispute.State


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


@pytest.fixture
def payment(village: Village, home: Household, now: datetime) -> Payment:
    quote(at=now, local_per_dai="130")
    return pay(village, "KIS0001", at=now)


def told(payment: Payment, state: str, *, at: datetime, **changes: Any) -> Dispute:
    return disputes.follow(
        **{
            "provider": payment.provider,
            "reference": "dp_1",
            "payment_reference": payment.reference,
            "amount_minor": 100_000,
            "fee_minor": 1_300,
            "currency": payment.currency,
            "reason": "fraudulent",
            "state": state,
            "opened_at": at,
            "at": at,
            **changes,
        }
    )


def reverse(payment: Payment, amount_minor: int, *, at: datetime, **changes: Any) -> Reversal:
    return reversals.record(
        **{
            "provider": payment.provider,
            "reference": "rv_1",
            "payment_reference": payment.reference,
            "amount_minor": amount_minor,
            "currency": payment.currency,
            "reversed_at": at,
            "at": at,
            **changes,
        }
    )


class TestDisputes:
    """Inquiry, open, lost, won: only ever forward."""

    def test_an_inquiry_takes_nothing(
        self, home: Household, payment: Payment, now: datetime
    ) -> None:
        due = now + timedelta(days=7)
        dispute = told(payment, State.INQUIRY, at=now, evidence_due_at=due)
        assert (dispute.state, dispute.take_back, dispute.evidence_due_at) == ("inquiry", None, due)
        assert funds(home) == payment.credited_wei
        assert not Notice.objects.filter(kind="payment_reversed").exists()
        assert_books_hold()

    def test_an_open_one_takes_amount_and_fee_and_the_household_is_told(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        told(payment, State.INQUIRY, at=now)
        told(payment, State.OPEN, at=now)
        assert funds(home) == 0
        assert standing(village.site)["float", "mpesa", "KES"] == -98_265 + 100_000 + 1_300
        assert Notice.objects.filter(kind="payment_reversed").count() == 1
        assert_books_hold()

    @pytest.mark.parametrize("fee_kept", [0, 1_300, 2_600])
    def test_a_won_one_gives_all_back_but_the_fee_the_provider_keeps(
        self, village: Village, home: Household, payment: Payment, now: datetime, fee_kept: int
    ) -> None:
        before = standing(village.site)
        told(payment, State.OPEN, at=now)
        dispute = told(payment, State.WON, at=now, fee_minor=fee_kept)
        assert (dispute.state, dispute.fee_minor, dispute.closed_at) == ("won", fee_kept, now)
        assert funds(home) == payment.credited_wei
        after = standing(village.site)
        assert after["float", "mpesa", "KES"] == before["float", "mpesa", "KES"] + fee_kept
        kept_wei = fee_kept * DAI // 13_000
        rail_fees = ("rail_fees", "mpesa", "DAI")
        assert after[rail_fees] == before[rail_fees] - kept_wei
        assert_books_hold()

    def test_a_lost_one_stays_and_has_its_credit_note(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        tax(village.site, validity=(village.founded_at, None))
        payment = pay(village, "KIS0001", at=now)
        told(payment, State.OPEN, at=now)
        assert not FiscalReceipt.objects.filter(kind="credit_note").exists()
        told(payment, State.LOST, at=now)
        assert FiscalReceipt.objects.get(kind="credit_note").gross_minor == 100_000
        assert funds(home) == 0
        assert_books_hold()

    @pytest.mark.parametrize("last", [State.WON, State.LOST, State.OPEN])
    def test_every_order_and_repetition_ends_the_same(
        self, village: Village, home: Household, payment: Payment, now: datetime, last: str
    ) -> None:
        notices = {State.INQUIRY: 0, State.OPEN: 1_300, last: 1_900}
        ends = []
        for order in [*permutations(notices), *[tuple(notices) * 2]]:
            with transaction.atomic():
                for state in order:
                    told(payment, state, at=now, fee_minor=notices[state])
                dispute = Dispute.objects.get()
                ends.append((dispute.state, dispute.fee_minor, funds(home), standing(village.site)))
                assert_books_hold()
                transaction.set_rollback(True)
        assert all(end == ends[0] for end in ends)
        assert ends[0][0] == last

    def test_won_after_lost_is_won(self, home: Household, payment: Payment, now: datetime) -> None:
        for state in (State.OPEN, State.LOST, State.WON, State.LOST, State.OPEN):
            told(payment, state, at=now)
        assert Dispute.objects.get().state == "won"
        assert funds(home) == payment.credited_wei

    def test_a_fee_that_is_told_later_is_booked_then(
        self, village: Village, payment: Payment, now: datetime
    ) -> None:
        for fee_minor in (0, 1_300, 1_300, 0):
            told(payment, State.OPEN, at=now, fee_minor=fee_minor)
        assert Dispute.objects.get().fee_minor == 1_300
        assert standing(village.site)["float", "mpesa", "KES"] == 1_735 + 1_300
        assert_books_hold()

    def test_a_disputed_donation_leaves_the_index_until_it_is_won(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        gift = donate(village, at=now)
        told(gift, State.OPEN, at=now, amount_minor=7_001)
        assert ("donations", "", "DAI") not in standing(village.site)
        told(gift, State.WON, at=now, amount_minor=7_001)
        assert standing(village.site)["donations", "", "DAI"] == gift.credited_wei
        assert [each.amount_wei for each in Donation.objects.order_by("id")] == [
            0,
            gift.credited_wei,
        ]
        assert_books_hold()

    def test_of_a_payment_that_nobody_knows_a_person_is_told(
        self, payment: Payment, now: datetime
    ) -> None:
        with pytest.raises(UnknownPayment, match="'ch_9', which is not known here"):
            told(payment, State.OPEN, at=now, payment_reference="ch_9")
        with pytest.raises(NotTheSame, match="is in KES, taken back was USD"):
            told(payment, State.OPEN, at=now, currency="USD")
        assert not Dispute.objects.exists()

    def test_an_amount_that_changes_after_it_was_taken_is_for_a_person(
        self, payment: Payment, now: datetime
    ) -> None:
        told(payment, State.OPEN, at=now)
        with pytest.raises(NotTheSame, match="took 100000 minor units, not 99999"):
            told(payment, State.LOST, at=now, amount_minor=99_999)

    def test_what_was_refunded_already_is_taken_once(
        self, home: Household, payment: Payment, now: datetime
    ) -> None:
        refund = refunds.request(
            payment=payment, amount_minor=100_000, reason="", requested_by=None,
            idempotency_key="one", at=now,
        )  # fmt: skip
        with pytest.raises(MoreThanLeft):
            told(payment, State.OPEN, at=now)
        assert not Dispute.objects.exists()
        refunds.refused(refund=refund, code="disputed", text="charge is disputed", at=now)
        told(payment, State.OPEN, at=now)
        assert (funds(home), TakeBack.objects.filter(put_back_at=None).count()) == (0, 1)
        assert_books_hold()


class TestReversals:
    """Taken back by the provider itself."""

    def test_unspent_credit_is_taken_and_the_rest_claimed(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        spend(village, home, amount_wei=funds(home) - 2 * DAI, at=now)
        made = [reverse(payment, 100_000, at=now, fee_minor=100) for _ in range(2)]
        assert made[0] == made[1]
        taken = made[0].take_back
        assert (taken.taken_wei, taken.claim_wei) == (
            2 * DAI,
            (payment.credited_wei or 0) - 2 * DAI,
        )
        assert standing(village.site)["float", "mpesa", "KES"] == 1_735 + 100
        assert Notice.objects.filter(kind="payment_reversed").count() == 1

    def test_an_unknown_payment_is_told_and_taken_once_it_is_known(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        unknown = Payment(provider="daraja", reference="LATE1", currency="KES")
        with pytest.raises(UnknownPayment):
            reverse(unknown, 100_000, at=now)
        payment = pay(village, "KIS0001", at=now, reference="LATE1")
        reverse(payment, 100_000, at=now)
        assert funds(home) == 0
        assert_books_hold()

    def test_the_same_reversal_with_another_amount_is_for_a_person(
        self, payment: Payment, now: datetime
    ) -> None:
        reverse(payment, 40_000, at=now)
        with pytest.raises(NotTheSame):
            reverse(payment, 40_001, at=now)
        with pytest.raises(MoreThanLeft):
            reverse(payment, 60_001, at=now, reference="rv_2")
        assert Reversal.objects.count() == 1

    def test_of_suspense_only_whole(self, village: Village, now: datetime) -> None:
        payment = pay(village, "NOBODY", at=now)
        with pytest.raises(WholeOnly):
            reverse(payment, 1, at=now)
        reverse(payment, 100_000, at=now)
        assert Payment.objects.get().state == "returned"
        assert_books_hold()


class TestClaims:
    """Paid by hand, written off, or cancelled by money that came again."""

    @pytest.fixture
    def owed(self, village: Village, home: Household, payment: Payment, now: datetime) -> Payment:
        """A disputed payment of which 3 DAI were spent."""
        spend(village, home, amount_wei=3 * DAI, at=now)
        told(payment, State.OPEN, at=now)
        return payment

    @pytest.fixture
    def by(self) -> User:
        return User.objects.create_user("clerk")

    @pytest.mark.usefixtures("owed")
    @pytest.mark.parametrize("state", ["settled", "written_off"])
    def test_a_closed_claim_is_taken_off_what_the_operator_gets(
        self, village: Village, by: User, now: datetime, state: str
    ) -> None:
        close = claims.settle if state == "settled" else claims.write_off
        closed = close(claim=PayerClaim.objects.get(), note="why", by=by, at=now)
        assert (closed.state, closed.note, closed.closed_by, closed.closed_at) == (
            (state, "why", by, now)
        )
        assert ("payer_claim", "", "DAI") not in standing(village.site)
        assert standing(village.site)["pool", "operator", "DAI"] == -3 * DAI
        with pytest.raises(ClaimClosed):
            claims.settle(claim=closed, note="again", by=by, at=now)
        assert_books_hold()

    def test_money_that_comes_again_is_the_households_if_the_payer_paid_twice(
        self, village: Village, home: Household, owed: Payment, by: User, now: datetime
    ) -> None:
        claims.settle(claim=PayerClaim.objects.get(), note="cash", by=by, at=now)
        told(owed, State.WON, at=now)
        assert funds(home) == owed.credited_wei
        assert standing(village.site)["pool", "operator", "DAI"] == -3 * DAI
        assert_books_hold()

    def test_and_the_operators_if_it_bore_the_loss(
        self, village: Village, home: Household, owed: Payment, by: User, now: datetime
    ) -> None:
        claims.write_off(claim=PayerClaim.objects.get(), note="gone", by=by, at=now)
        told(owed, State.WON, at=now)
        assert funds(home) == (owed.credited_wei or 0) - 3 * DAI
        assert ("pool", "operator", "DAI") not in standing(village.site)
        assert PayerClaim.objects.get().state == "written_off"
        assert_books_hold()
