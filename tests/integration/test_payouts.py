"""Payouts as people and pools see them: earned, proposed, approved by another, paid once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from accounts import ledger, site_rates, sites, treasury
from accounts.ledger import Leg
from settlement import payout_sending, payouts
from settlement.models import Payee, Payout, ServiceToken
from settlement.payouts import NotCovered, NotPayable, SamePerson, WrongState
from settlement.service_tokens import NotEarned, TokenDiffers
from tests.integration.sandboxed import later, today
from tests.paying_out import (
    WEI,
    approved,
    assert_all_books_hold,
    earn_revenue,
    earned,
    fill_treasury,
    fresh,
    payee,
    person,
    pool,
    proposed,
    reserve_grants,
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


class TestEarning:
    """What a payee earns is accepted once for each subject."""

    def test_a_service_token_stands_on_the_books_until_it_is_burned(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima), dai=10)
        assert (token.state, token.amount_wei) == ("earned", 10 * WEI)
        assert stands(kisima, "service_tokens", "contractor-mobile", "SVC") == 10 * WEI
        assert stands(kisima, "service_tokens_issued", asset="SVC") == -10 * WEI
        # It is a claim, not money.
        assert pool(kisima) == 50 * WEI
        assert_all_books_hold()

    def test_the_same_subject_is_accepted_once(self, kisima: Village) -> None:
        jua = payee(kisima)
        first = earned(kisima, jua, subject="uptime:jua:2026-10")
        assert earned(kisima, jua, subject=" uptime:jua:2026-10 ") == first
        assert tokens_held() == 10 * WEI

    def test_a_subject_told_with_another_amount_is_refused(self, kisima: Village) -> None:
        jua = payee(kisima)
        earned(kisima, jua, subject="uptime:jua:2026-10")
        with pytest.raises(TokenDiffers, match="accepted before"):
            earned(kisima, jua, subject="uptime:jua:2026-10", dai=11)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"amount_wei": 0}, "above zero"),
            ({"amount_wei": -1}, "above zero"),
            ({"subject": "   "}, "for something"),
            ({"subject": "x" * 121}, "too long"),
            ({"reason": "grant"}, "grants are for grantees"),
        ],
    )
    def test_what_cannot_have_been_earned_is_refused(
        self, kisima: Village, changes: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(NotEarned, match=words):
            earned(kisima, payee(kisima), **changes)
        assert tokens_held() == 0

    def test_a_closed_payee_earns_nothing(self, kisima: Village) -> None:
        with pytest.raises(NotEarned, match="is closed"):
            earned(kisima, payee(kisima, closed_at=timezone.now()))

    def test_another_operators_payee_earns_nothing(self, kisima: Village) -> None:
        other = payee(kisima)
        other.operator = sites.open_operator(slug="mbali", name="Mbali", at=kisima.founded_at)
        with pytest.raises(NotEarned, match="another operator"):
            earned(kisima, other)

    def test_what_was_earned_cannot_be_changed_or_deleted(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima))
        for change in (
            lambda: ServiceToken.objects.filter(pk=token.pk).update(amount_wei=99 * WEI),
            lambda: ServiceToken.objects.filter(pk=token.pk).delete(),
        ):
            with pytest.raises(DatabaseError, match="service token"), transaction.atomic():
                change()


class TestProposing:
    """A proposal moves nothing, and names what would be paid."""

    def test_local_money_is_rounded_down_to_what_the_rail_carries(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima), dai=10))
        # 1,292.50 shillings are 1,292 for M-Pesa; the half shilling stays in the pool.
        assert (payout.amount_minor, payout.currency) == (129_200, "KES")
        assert payout.amount_wei == 129_200 * WEI // 12_925
        assert payout.amount_wei < 10 * WEI
        assert (payout.state, pool(kisima)) == (State.PROPOSED, 50 * WEI)

    def test_a_bank_carries_cents(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima, way="bank")))
        assert (payout.amount_minor, payout.amount_wei) == (129_250, 10 * WEI)
        assert payout.destination == "KE0100010001234567890"

    def test_the_chain_carries_every_wei(self, kisima: Village, settings: Settings) -> None:
        settings.CHAIN_TREASURY_SIGNER = "local:0x01"
        token = earned(kisima, payee(kisima, way="chain"), amount_wei=10 * WEI + 1)
        payout = proposed(kisima, token)
        assert (payout.amount_minor, payout.amount_wei) == (None, 10 * WEI + 1)

    def test_nobody_is_paid_on_chain_without_a_signer(self, kisima: Village) -> None:
        with pytest.raises(NotPayable, match="CHAIN_TREASURY_SIGNER is not set"):
            proposed(kisima, earned(kisima, payee(kisima, way="chain")))

    def test_more_than_the_pool_holds_is_not_proposed(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima), dai=51)
        with pytest.raises(NotCovered, match=r"holds 50\.0"):
            proposed(kisima, token)
        assert not Payout.objects.exists()

    def test_what_is_less_than_the_rail_carries_is_not_proposed(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima), amount_wei=WEI // 1_000)
        with pytest.raises(NotPayable, match="less than"):
            proposed(kisima, token)

    def test_a_token_has_one_payout_at_a_time(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima))
        first = proposed(kisima, token)
        with pytest.raises(NotPayable, match="has a payout already"):
            proposed(kisima, token)
        payouts.reject(payout=first, text="too early", at=timezone.now())
        assert proposed(kisima, token).state == State.PROPOSED

    def test_the_grant_pool_pays_grants_alone(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima))
        with pytest.raises(NotPayable, match="what a vote funded"):
            proposed(kisima, token, pool="grant")
        grant = earned(kisima, payee(kisima, role="grantee", code="pump"))
        with pytest.raises(NotPayable, match="what a vote funded"):
            proposed(kisima, grant, pool="contractor")

    def test_a_pool_that_the_site_does_not_have_holds_nothing(self, kisima: Village) -> None:
        with pytest.raises(NotCovered, match=r"the pool party of Kisima holds 0\.0"):
            proposed(kisima, earned(kisima, payee(kisima)), pool="party")

    def test_a_rail_that_pays_nothing_out_is_refused(self, kisima: Village) -> None:
        jua = payee(kisima)
        kisima.rail.provider = "momo"
        kisima.rail.save()
        with pytest.raises(NotPayable, match="does not pay out"):
            proposed(kisima, earned(kisima, jua))

    def test_a_closed_rail_is_refused(self, kisima: Village) -> None:
        jua = payee(kisima)
        kisima.rail.closed_at = timezone.now()
        kisima.rail.save()
        with pytest.raises(NotPayable, match="is closed"):
            proposed(kisima, earned(kisima, jua))


class TestApproving:
    """Money leaves the pool when a second person agrees."""

    def test_it_is_set_aside(self, kisima: Village) -> None:
        payout = approved(kisima)
        assert payout.state == State.APPROVED
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert stands(kisima, "payout_due") == payout.amount_wei
        assert_all_books_hold()

    def test_who_proposed_it_does_not_approve_it(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        with pytest.raises(SamePerson, match="second person"):
            approve(kisima, payout, by="proposer")
        assert pool(kisima) == 50 * WEI

    def test_the_database_wants_two_people_too(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        row = Payout.objects.filter(pk=payout.pk)
        with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
            row.update(state=State.APPROVED, approved_by=payout.proposed_by)
        with pytest.raises(IntegrityError, match="two_people"), transaction.atomic():
            row.update(state=State.APPROVED)

    def test_what_was_proposed_cannot_be_changed(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        row = Payout.objects.filter(pk=payout.pk)
        stranger = person(kisima, "stranger")
        for change in (
            {"amount_wei": 1},
            {"amount_minor": 99_999_900},
            {"destination": "+254700000666"},
            {"proposed_by": stranger},
            {"pool": "operator"},
        ):
            with pytest.raises(DatabaseError, match="does not change"), transaction.atomic():
                row.update(**change)
        with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
            row.delete()
        with pytest.raises(DatabaseError, match="no way"), transaction.atomic():
            row.update(state=State.PAID, approved_by=stranger)

    def test_it_is_approved_once(self, kisima: Village) -> None:
        payout = approved(kisima)
        with pytest.raises(WrongState, match="approved"):
            approve(kisima, payout)
        assert stands(kisima, "payout_due") == payout.amount_wei

    def test_a_payee_whose_phone_changed_meanwhile_is_not_paid(self, kisima: Village) -> None:
        jua = payee(kisima)
        payout = proposed(kisima, earned(kisima, jua))
        jua.phone = "+254700000666"
        jua.save()
        with pytest.raises(NotPayable, match="paid elsewhere now"):
            approve(kisima, payout)

    def test_a_payee_who_was_closed_meanwhile_is_not_paid(self, kisima: Village) -> None:
        jua = payee(kisima)
        payout = proposed(kisima, earned(kisima, jua))
        Payee.objects.filter(pk=jua.pk).update(closed_at=timezone.now())
        with pytest.raises(NotPayable, match="is closed"):
            approve(kisima, payout)

    def test_another_rate_makes_it_another_payout(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        begins_at = later(hours=1)
        site_rates.publish(
            site=kisima.site,
            local_per_dai=Decimal(130),
            starts_at=begins_at,
            at=timezone.now(),
        )
        with pytest.raises(NotPayable, match="rate is another one"):
            payouts.approve(
                payout=payout,
                approved_by=person(kisima, "approver"),
                at=begins_at + timedelta(minutes=1),
            )

    def test_two_proposals_never_take_more_than_the_pool_holds(self, kisima: Village) -> None:
        first, second = (
            proposed(kisima, earned(kisima, payee(kisima, code=f"jua-{number}"), dai=30))
            for number in range(2)
        )
        approve(kisima, first)
        with pytest.raises(NotCovered, match="were to leave it"):
            approve(kisima, second)
        assert fresh(second).state == State.PROPOSED

    def test_an_operators_pool_below_zero_pays_nothing(self, kisima: Village) -> None:
        held = pool(kisima, "operator")
        jua = payee(kisima, role="operator")
        payout = proposed(kisima, earned(kisima, jua, dai=5), pool="operator")
        # What a net-negative batch does: the ledger lets this pool stand below zero.
        ledger.post(
            book_id=kisima.site.book.pk,
            kind="opening",
            key="opening:negative",
            legs=[
                Leg(kind="pool", name="operator", amount=-held - 1),
                Leg(kind="fx_reserve", amount=held + 1),
            ],
            occurred_at=timezone.now(),
            at=timezone.now(),
        )
        with pytest.raises(NotCovered, match=r"the pool operator of Kisima holds 0\.0"):
            approve(kisima, payout)
        assert pool(kisima, "operator") == -1

    def test_the_float_has_to_hold_it(self, kisima: Village) -> None:
        treasury.convert(
            site=kisima.site,
            rail=kisima.rail,
            sold_minor=2_500_000,
            fee_minor=0,
            bought_wei=193 * WEI,
            reference="OUT1",
            converted_at=timezone.now(),
            made_by=person(kisima, "proposer"),
            note="",
            at=timezone.now(),
        )
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        with pytest.raises(NotCovered, match=r"no more than KES 850\.00 on mpesa"):
            approve(kisima, payout)

    def test_a_bank_is_paid_out_of_the_treasury(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima, way="bank")))
        with pytest.raises(NotCovered, match="convert more of a float"):
            approve(kisima, payout)
        fill_treasury(kisima, dai=10)
        assert approve(kisima, payout).state == State.APPROVED
        # What is promised to one is not promised to another.
        second = proposed(kisima, earned(kisima, payee(kisima, way="bank", code="jua-2"), dai=1))
        with pytest.raises(NotCovered, match=r"has 0\.0"):
            approve(kisima, second)

    def test_a_grant_leaves_what_a_vote_reserved(self, kisima: Village) -> None:
        token = earned(kisima, payee(kisima, role="grantee", code="pump"))
        with pytest.raises(NotCovered, match=r"the pool grant of Kisima holds 0\.0"):
            proposed(kisima, token, pool="grant")
        reserve_grants(kisima, dai=10)
        payout = approve(kisima, proposed(kisima, token, pool="grant"))
        assert stands(kisima, "grant_reserved") == 10 * WEI - payout.amount_wei
        assert pool(kisima, "grant") == 30 * WEI
        assert_all_books_hold()

    def test_a_rejected_one_gives_back_what_was_set_aside(self, kisima: Village) -> None:
        payout = approved(kisima)
        done = payouts.reject(payout=payout, text="wrong month", at=timezone.now())
        assert (done.state, done.failure_text) == (State.REJECTED, "wrong month")
        assert (pool(kisima), stands(kisima, "payout_due")) == (50 * WEI, 0)
        assert payout_sending.claim(payout_id=payout.pk, at=timezone.now()) is None
        assert_all_books_hold()

    def test_what_was_sent_is_not_rejected(self, kisima: Village) -> None:
        with pytest.raises(WrongState, match="on its way"):
            payouts.reject(payout=sent(kisima), text="", at=timezone.now())

    def test_what_was_rejected_stays_so(self, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        payouts.reject(payout=payout, text="", at=timezone.now())
        with pytest.raises(WrongState):
            approve(kisima, payout)
