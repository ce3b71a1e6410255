"""Payouts once they are sent: what they do when they arrive, fail, and arrive after all."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Alarm, Posting
from settlement import payout_sending, payouts
from settlement.models import Payout, ServiceToken
from settlement.payouts import NotPayable, WrongState
from tests.integration.sandboxed import later, today
from tests.paying_out import (
    WEI,
    approved,
    assert_all_books_hold,
    earn_revenue,
    fill_treasury,
    fresh,
    person,
    pool,
    proposed,
    stands,
    tokens_held,
)
from tests.village import Village

__all__ = ["today"]

pytestmark = pytest.mark.django_db

State = Payout.State


@pytest.fixture
def kisima(today: Village) -> Village:
    """Kisima with 200 DAI of revenue in its pools."""
    earn_revenue(today)
    assert pool(today) == 50 * WEI
    return today


def approve(village: Village, payout: Payout, *, by: str = "approver") -> Payout:
    return payouts.approve(payout=payout, approved_by=person(village, by), at=timezone.now())


def sent(village: Village, **fields: Any) -> Payout:
    """A payout that the provider took."""
    payout = payout_sending.claim(payout_id=approved(village, **fields).pk, at=timezone.now())
    assert payout is not None
    payout_sending.submitted(payout=payout, at=timezone.now())
    return payout


def arrive(payout: Payout, *, reference: str = "B2C0000001", fee_minor: int = 0) -> Payout:
    answer = payout_sending.PayoutAnswer(
        is_final=True, is_done=True, reference=reference, fee_minor=fee_minor
    )
    payout_sending.settle_answer(payout=payout, answer=answer, at=timezone.now())
    return fresh(payout)


def fail(payout: Payout, *, reference: str = "") -> Payout:
    payout_sending.failed(
        payout=payout, code="2040", text="no wallet", reference=reference, at=timezone.now()
    )
    return fresh(payout)


class TestArriving:
    """What left, by which way, and the token burned for it."""

    def test_a_mobile_payout_leaves_the_float_at_cost(self, kisima: Village) -> None:
        float_before = stands(kisima, "float", "mpesa", "KES")
        payout = arrive(sent(kisima))
        assert (payout.state, payout.reference) == (State.PAID, "B2C0000001")
        assert payout.service_token.state == "burned"
        assert stands(kisima, "float", "mpesa", "KES") == float_before + 129_200
        assert stands(kisima, "payout_due") == tokens_held() == 0
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert_all_books_hold()

    def test_its_result_is_what_the_shillings_had_cost(self, kisima: Village) -> None:
        payout = arrive(sent(kisima))
        legs = {
            (leg.account.kind, leg.asset): leg.amount
            for leg in Posting.objects.filter(entry_id=payout.paid_entry_id).select_related(
                "account"
            )
        }
        assert legs["payout_due", "DAI"] == -payout.amount_wei
        cost = legs["fx_position", "DAI"]
        assert legs.get(("fx_result", "DAI"), 0) == payout.amount_wei - cost
        assert legs["fx_position", "KES"] == -129_200
        assert legs["service_tokens", "SVC"] == -10 * WEI

    def test_the_rails_fee_is_an_expense_of_its_own(self, kisima: Village) -> None:
        float_before = stands(kisima, "float", "mpesa", "KES")
        arrive(sent(kisima), fee_minor=1_300)
        assert stands(kisima, "float", "mpesa", "KES") == float_before + 130_500
        assert stands(kisima, "rail_fees", "mpesa") < 0
        assert_all_books_hold()

    def test_a_bank_payout_leaves_the_treasury(self, kisima: Village) -> None:
        fill_treasury(kisima, dai=15)
        payout = approved(kisima, way="bank")
        Payout.objects.filter(pk=payout.pk).update(state=State.SENT)
        payout_sending.paid(
            payout=payout, reference="FT1", paid_at=timezone.now(), at=timezone.now()
        )
        assert stands(kisima, "treasury") == -5 * WEI
        assert stands(kisima, "payout_due") == tokens_held() == 0
        assert_all_books_hold()

    def test_it_arrives_once_however_often_it_is_told(self, kisima: Village) -> None:
        payout = sent(kisima)
        entries = [arrive(payout).paid_entry_id for _ in range(3)]
        assert len(set(entries)) == 1
        assert_all_books_hold()

    def test_a_burned_token_is_not_paid_again(self, kisima: Village) -> None:
        payout = arrive(sent(kisima))
        with pytest.raises(NotPayable, match="was paid already"):
            proposed(kisima, ServiceToken.objects.get(pk=payout.service_token_id))

    def test_what_was_never_sent_cannot_arrive_or_fail(self, kisima: Village) -> None:
        payout = approved(kisima)
        for told in (arrive, fail):
            with pytest.raises(WrongState, match="never sent"):
                told(payout)


class TestFailing:
    """Money that did not arrive is in the pool again, whatever is told later."""

    def test_it_is_in_the_pool_again_and_the_token_stands(self, kisima: Village) -> None:
        payout = fail(sent(kisima))
        assert (payout.state, payout.failure_text) == (State.FAILED, "no wallet")
        assert payout.service_token.state == "earned"
        assert (pool(kisima), stands(kisima, "payout_due")) == (50 * WEI, 0)
        assert_all_books_hold()

    def test_its_token_may_be_proposed_again(self, kisima: Village) -> None:
        failed = fail(sent(kisima))
        again = approve(kisima, proposed(kisima, failed.service_token))
        assert stands(kisima, "payout_due") == again.amount_wei

    def test_a_success_that_comes_late_takes_it_again(self, kisima: Village) -> None:
        payout = fail(sent(kisima))
        late = arrive(payout)
        assert late.state == State.PAID
        assert late.failure_text == "arrived after all; before: no wallet"
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert late.service_token.state == "burned"
        assert_all_books_hold()

    def test_a_late_success_withdraws_the_next_proposal(self, kisima: Village) -> None:
        payout = fail(sent(kisima))
        again = approve(kisima, proposed(kisima, payout.service_token))
        assert arrive(payout).state == State.PAID
        assert fresh(again).state == State.REJECTED
        assert stands(kisima, "payout_due") == 0
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert_all_books_hold()

    def test_a_late_success_beside_another_that_was_sent_is_an_alarm(self, kisima: Village) -> None:
        payout = fail(sent(kisima))
        again = approve(kisima, proposed(kisima, payout.service_token))
        assert payout_sending.claim(payout_id=again.pk, at=timezone.now())
        late = arrive(payout)
        assert late.state == State.FAILED
        assert "arrived after all, not booked" in late.failure_text
        assert late.reference == "B2C0000001"
        alarm = Alarm.objects.get(key=f"payout:{payout.uid}")
        assert "not booked" in alarm.text
        # One token, one payout on the books: the other is a difference of the statement.
        assert arrive(again, reference="B2C0000002").state == State.PAID
        assert_all_books_hold()

    def test_a_late_success_that_the_pool_cannot_bear_is_an_alarm(self, kisima: Village) -> None:
        payout = fail(sent(kisima, dai=30))
        other = approved(kisima, dai=30)
        late = arrive(payout)
        assert late.state == State.FAILED
        assert "not booked: the pool contractor" in late.failure_text
        assert pool(kisima) == 50 * WEI - other.amount_wei
        # Once the pool can bear it, the next answer books it, and the alarm is over.
        earn_revenue(kisima, dai=100)
        assert arrive(payout).state == State.PAID
        assert Alarm.objects.get(key=f"payout:{payout.uid}").cleared_at is not None
        assert_all_books_hold()

    def test_a_failure_after_a_success_is_of_that_very_movement(self, kisima: Village) -> None:
        payout = arrive(sent(kisima))
        assert fail(payout).state == State.PAID
        assert fail(payout, reference="SOMETHING").state == State.PAID
        back = fail(payout, reference="B2C0000001")
        assert (back.state, back.service_token.state) == (State.FAILED, "earned")
        assert pool(kisima) == 50 * WEI
        assert stands(kisima, "fx_result", "KES") == 0
        assert tokens_held() == 10 * WEI
        assert_all_books_hold()

    def test_it_may_come_and_go_any_number_of_times(self, kisima: Village) -> None:
        payout = sent(kisima)
        for _ in range(3):
            assert fail(payout, reference="B2C0000001").state == State.FAILED
            assert arrive(payout).state == State.PAID
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert_all_books_hold()


class TestSending:
    """Each step is a conditional update: nobody takes it twice."""

    def test_it_is_claimed_once(self, kisima: Village) -> None:
        payout = approved(kisima)
        assert payout_sending.claim(payout_id=payout.pk, at=timezone.now())
        assert payout_sending.claim(payout_id=payout.pk, at=timezone.now()) is None

    def test_no_answer_is_unknown_and_never_failed(self, kisima: Village) -> None:
        payout = payout_sending.claim(payout_id=approved(kisima).pk, at=timezone.now())
        assert payout is not None
        payout_sending.not_answered(payout=payout, text="timed out", at=timezone.now())
        assert fresh(payout).state == State.UNKNOWN
        assert stands(kisima, "payout_due") == payout.amount_wei
        payout_sending.postpone(payout=payout, at=timezone.now())
        assert fresh(payout).poll_count == 1

    def test_due_ones_are_given_to_one_worker(self, kisima: Village) -> None:
        payout, at = approved(kisima), later(seconds=1)
        assert list(payout_sending.take_due(way="mobile", at=at)) == [payout.pk]
        assert list(payout_sending.take_due(way="mobile", at=at)) == []
        assert list(payout_sending.take_due(way="chain", at=later(hours=1))) == []
