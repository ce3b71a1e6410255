"""The state machine of refunds: taken at once, paid out once, put back if it came to nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts import refunds, suspense, take_backs, topups
from accounts.models import (
    FiscalReceipt,
    Household,
    Notice,
    Payment,
    Refund,
    TakeBack,
    User,
)
from accounts.payees import AmountMismatch
from accounts.refunds import RefundAnswer, RefundKeyReused
from accounts.take_backs import MoreThanLeft, NotEnoughUnspent, NotTaken
from gateway.providers import refunding
from gateway.providers.refunding import NotRefundable
from tests.cash_village import hire
from tests.integration.fiscal_village import tax
from tests.integration.test_take_backs import spend
from tests.paybacks import DAI, assert_books_hold, confirmed, funds, pay, standing
from tests.village import Village

pytestmark = pytest.mark.django_db

DONE = RefundAnswer(is_final=True, is_done=True, reference="RF1")
FAILED = RefundAnswer(is_final=True, code="closed", text="the account is closed")
GOING_ON = RefundAnswer(is_final=False)


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


@pytest.fixture
def payment(village: Village, home: Household, now: datetime) -> Payment:
    return pay(village, "KIS0001", at=now)


def request(payment: Payment, *, at: datetime, **changes: Any) -> Refund:
    return refunds.request(
        **{
            "payment": payment,
            "amount_minor": 40_000,
            "reason": "paid twice",
            "requested_by": None,
            "idempotency_key": "one",
            "at": at,
            **changes,
        }
    )


def answered(refund: Refund, answer: RefundAnswer, *, at: datetime) -> Refund:
    refunds.settle_answer(refund=refunds.load(refund_id=refund.pk), answer=answer, at=at)
    return refunds.load(refund_id=refund.pk)


def of(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


def payback_due(village: Village) -> int:
    return standing(village.site).get(("payback_due", "mpesa", "KES"), 0)


class TestRequests:
    """Stored and taken before anybody is asked."""

    def test_what_is_given_back_can_not_be_spent_meanwhile(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        by = User.objects.create_user("clerk")
        refund = request(payment, at=now, requested_by=by)
        credited = payment.credited_wei or 0
        assert (refund.state, refund.requested_by, refund.next_poll_at) == ("created", by, now)
        assert funds(home) == credited - credited * 40 // 100
        assert (payback_due(village), of(payment).taken_back_minor) == (40_000, 40_000)
        assert not Notice.objects.filter(kind="payment_refunded").exists()
        assert_books_hold()

    def test_one_key_is_one_refund(self, payment: Payment, now: datetime) -> None:
        assert request(payment, at=now) == request(payment, at=now)
        with pytest.raises(RefundKeyReused):
            request(payment, at=now, amount_minor=40_001)
        assert of(payment).taken_back_minor == 40_000

    def test_what_was_spent_is_not_given_back(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        spend(village, home, amount_wei=funds(home) - DAI, at=now)
        with pytest.raises(NotEnoughUnspent) as refusal:
            request(payment, at=now)
        assert refusal.value.unspent_minor == 12_925
        assert not Refund.objects.exists()
        assert not TakeBack.objects.exists()

    def test_no_more_is_given_back_than_was_paid(self, payment: Payment, now: datetime) -> None:
        request(payment, at=now, amount_minor=60_000)
        with pytest.raises(MoreThanLeft):
            request(payment, at=now, amount_minor=40_001, idempotency_key="two")
        assert Refund.objects.count() == 1

    def test_a_refund_is_submitted_by_one_worker(self, payment: Payment, now: datetime) -> None:
        refund = request(payment, at=now)
        assert list(refunds.take_due(at=now)) == [refund.pk]
        assert list(refunds.take_due(at=now)) == []
        claimed = refunds.claim(refund_id=refund.pk, at=now)
        assert claimed is not None
        assert (claimed.state, claimed.submitted_at) == ("submitting", now)
        assert refunds.claim(refund_id=refund.pk, at=now) is None


class TestAnswers:
    """Done, failed or unknown, in any order."""

    def test_done_is_paid_out_once_and_told(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        tax(village.site, validity=(village.founded_at, None))
        payment = pay(village, "KIS0001", at=now)
        refund = request(payment, at=now)
        for _ in range(3):
            refund = answered(refund, DONE, at=now)
        assert (refund.state, refund.reference, refund.next_poll_at) == ("succeeded", "RF1", None)
        assert payback_due(village) == 0
        assert standing(village.site)["float", "mpesa", "KES"] == -98_265 + 40_000
        assert Notice.objects.filter(kind="payment_refunded").count() == 1
        note = FiscalReceipt.objects.get(kind="credit_note")
        assert (note.take_back, note.gross_minor) == (refund.take_back, 40_000)
        assert_books_hold()

    def test_failed_is_put_back_once_and_nobody_is_told(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        refund = request(payment, at=now)
        for _ in range(2):
            refund = answered(refund, FAILED, at=now)
        assert (refund.state, refund.failure_code) == ("failed", "closed")
        assert (funds(home), payback_due(village)) == (payment.credited_wei, 0)
        assert not Notice.objects.filter(kind__startswith="payment_").exists()
        assert_books_hold()

    def test_what_is_not_known_yet_is_asked_after_as_long_as_it_takes(
        self, village: Village, payment: Payment, now: datetime
    ) -> None:
        refund = request(payment, at=now)
        refunds.claim(refund_id=refund.pk, at=now)
        refunds.not_answered(refund=refund, text="timed out", at=now)
        waits = []
        for _ in range(12):
            at = refunds.load(refund_id=refund.pk).next_poll_at or now
            refund = answered(refund, GOING_ON, at=at)
            waits.append((refund.next_poll_at or at) - at)
        assert waits[:4] == [timedelta(seconds=10 * 2**n) for n in range(4)]
        assert waits[-1] == timedelta(hours=1)
        assert (refund.state, payback_due(village)) == ("unknown", 40_000)

    def test_a_success_after_a_failure_is_taken_again_and_flagged(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        refund = answered(request(payment, at=now), FAILED, at=now)
        spend(village, home, amount_wei=funds(home), at=now)
        refund = answered(refund, DONE, at=now)
        assert (refund.state, of(payment).taken_back_minor) == ("succeeded", 40_000)
        assert refund.failure_text == "given back after all; before: the account is closed"
        assert refund.take_back is not None
        assert refund.take_back.claim.amount_wei == refund.take_back.claim_wei > 0
        assert payback_due(village) == 0

    def test_a_success_that_can_not_be_taken_any_more_waits_for_a_person(
        self, payment: Payment, now: datetime
    ) -> None:
        refund = answered(request(payment, at=now), FAILED, at=now)
        request(payment, at=now, idempotency_key="two", amount_minor=100_000)
        refund = answered(refund, DONE, at=now)
        assert refund.state == "failed"
        assert refund.failure_text.startswith("given back after all, not taken: RCP0000001: 0")
        assert_books_hold()

    def test_a_failure_after_a_success_puts_back_if_it_means_that_movement(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        refund = answered(request(payment, at=now), DONE, at=now)
        assert answered(refund, FAILED, at=now).state == "succeeded"
        bounced = RefundAnswer(is_final=True, code="bounced", reference="RF1")
        assert answered(refund, bounced, at=now).state == "failed"
        assert funds(home) == payment.credited_wei
        assert standing(village.site)["float", "mpesa", "KES"] == -98_265
        assert_books_hold()
        assert answered(refund, DONE, at=now).state == "succeeded"
        assert_books_hold()

    def test_money_that_goes_to_and_fro_has_one_credit_note(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        tax(village.site, validity=(village.founded_at, None))
        payment = pay(village, "KIS0001", at=now)
        refund = answered(request(payment, at=now), DONE, at=now)
        answered(refund, RefundAnswer(is_final=True, code="x", reference="RF1"), at=now)
        refund = answered(refund, DONE, at=now)
        assert FiscalReceipt.objects.get(kind="credit_note").take_back == refund.take_back
        assert_books_hold()

    def test_a_person_gives_up_what_nobody_knows_of(
        self, home: Household, payment: Payment, now: datetime
    ) -> None:
        refund = request(payment, at=now)
        refunds.claim(refund_id=refund.pk, at=now)
        refunds.not_answered(refund=refund, text="timed out", at=now)
        refunds.give_up(refund=refund, text="the bank says so", at=now)
        refund = refunds.load(refund_id=refund.pk)
        assert (refund.state, refund.failure_code) == ("failed", "given up")
        assert funds(home) == payment.credited_wei


class TestElsewhere:
    """Refunds that somebody made at the provider."""

    def test_it_is_recorded_once_without_anybody_who_asked(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        spend(village, home, amount_wei=funds(home) - DAI, at=now)
        made = [
            refunds.made_elsewhere(
                payment=payment, reference="RF9", amount_minor=100_000, made_at=now, at=now,
                fee_minor=50,
            )
            for _ in range(2)
        ]  # fmt: skip
        assert made[0] == made[1]
        assert (made[0].requested_by, made[0].state, made[0].reference) == (
            None,
            "succeeded",
            "RF9",
        )
        assert made[0].take_back is not None
        assert made[0].take_back.taken_wei == DAI
        assert standing(village.site)["float", "mpesa", "KES"] == -98_265 + 100_050

    def test_of_a_payment_in_suspense_only_whole(self, village: Village, now: datetime) -> None:
        payment = pay(village, "NOBODY", at=now)
        with pytest.raises(NotTaken, match="only all of it"):
            refunds.made_elsewhere(
                payment=payment, reference="RF9", amount_minor=1, made_at=now, at=now
            )
        assert not Refund.objects.exists()


class TestGateway:
    """What a rail can give back."""

    def ask(self, payment: Payment, *, at: datetime, amount_minor: int = 40_000) -> Refund:
        return refunding.request(
            payment=payment,
            amount_minor=amount_minor,
            reason="paid twice",
            requested_by=None,
            idempotency_key="one",
            at=at,
        )

    def test_m_pesa_gives_back_no_part_of_a_shilling(self, payment: Payment, now: datetime) -> None:
        with pytest.raises(NotRefundable, match="no part of one KES"):
            self.ask(payment, at=now, amount_minor=40_050)
        assert not Refund.objects.exists()

    def test_cash_is_handed_back_at_once(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        agent = hire(village, at=now)
        before = standing(village.site)
        payment = pay(
            village, "KIS0001", at=now, rail=agent.rail, agent=agent, amount_minor=5_000,
            fee_minor=0, reference="CASH1",
        )  # fmt: skip
        refund = self.ask(payment, at=now, amount_minor=5_000)
        assert refunds.load(refund_id=refund.pk).state == "succeeded"
        assert standing(village.site) == before
        assert refunding.poll_due(clock=lambda: now) == 0


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestRaces:
    """Several workers at the same instant."""

    def test_two_clerks_give_back_once(self, payment: Payment, now: datetime) -> None:
        done = at_once(
            lambda: request(payment, at=now, amount_minor=100_000, idempotency_key="a"),
            lambda: request(payment, at=now, amount_minor=100_000, idempotency_key="b"),
        )
        assert sorted(type(each).__name__ for each in done) == ["MoreThanLeft", "Refund"]
        assert_books_hold()

    def test_an_answer_told_by_many_workers_counts_once(
        self, payment: Payment, now: datetime
    ) -> None:
        refund = request(payment, at=now)
        at_once(*[lambda: answered(refund, DONE, at=now)] * 4)
        at_once(*[lambda: answered(refund, FAILED, at=now)] * 2)
        assert refunds.load(refund_id=refund.pk).state == "succeeded"
        assert_books_hold()

    def test_attaching_and_giving_back_at_once_does_one_of_them(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "TYPO", at=now)
        at_once(
            lambda: suspense.attach(payment=payment, household=home, at=now),
            lambda: request(payment, at=now, amount_minor=100_000),
        )
        # Whichever was first: attached and taken from the household, or returned.
        assert (of(payment).state, of(payment).left_minor) in [("credited", 0), ("returned", 0)]
        assert funds(home) == 0
        assert_books_hold()

    def test_a_payment_confirmed_again_while_it_is_taken_back_is_credited_once(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        again = confirmed(village, "KIS0001", at=now)
        at_once(
            lambda: topups.confirm(payment=again, at=now),
            lambda: request(payment, at=now, amount_minor=100_000),
            lambda: topups.confirm(payment=again, at=now),
        )
        assert funds(home) == 0
        assert Payment.objects.count() == 1
        assert_books_hold()


def at_once(*works: Any) -> list[Any]:
    """Do each piece of work at the same instant; what each returned, or what it raised of ours."""
    barrier = Barrier(len(works))

    def run(work: Any) -> Any:
        barrier.wait(timeout=10)
        try:
            return work()
        except (NotTaken, AmountMismatch) as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [each.result(timeout=30) for each in [pool.submit(run, work) for work in works]]


def test_what_is_left_can_be_taken_by_a_reversal(payment: Payment, now: datetime) -> None:
    request(payment, at=now)
    assert take_backs.unspent_minor(payment=of(payment)) == 60_000
