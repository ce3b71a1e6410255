"""Several people and workers at once: a pool is never overdrawn, a token never paid twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from django.utils import timezone

from settlement import payout_sending, payouts
from settlement.models import Payout
from settlement.payouts import NotCovered, NotPayable
from tests.integration.test_concurrency import run_together
from tests.paying_out import (
    WEI,
    approved,
    assert_all_books_hold,
    earn_revenue,
    earned,
    fresh,
    payee,
    person,
    pool,
    proposed,
    stands,
)
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

PEOPLE = 4


@pytest.fixture
def kisima(transactional_db: None) -> Village:
    """Kisima with 50 DAI in the contractor's pool."""
    village = Village.found(at=timezone.now())
    earn_revenue(village)
    for number in range(PEOPLE):
        person(village, f"approver-{number}")
    person(village, "proposer")
    person(village, "approver")
    return village


def tried(job: Callable[[], object], outcomes: Counter[str]) -> Callable[[], None]:
    def attempt() -> None:
        try:
            done = job()
        except (NotPayable, NotCovered):
            done = None
        outcomes["done" if done else "refused"] += 1

    return attempt


def test_approvals_at_once_take_no_more_than_the_pool_holds(kisima: Village) -> None:
    made = [
        proposed(kisima, earned(kisima, payee(kisima, code=f"jua-{number}"), dai=20))
        for number in range(PEOPLE)
    ]
    outcomes: Counter[str] = Counter()

    def approve(number: int) -> Callable[[], object]:
        return lambda: payouts.approve(
            payout=made[number],
            approved_by=person(kisima, f"approver-{number}"),
            at=timezone.now(),
        )

    run_together(*(tried(approve(number), outcomes) for number in range(PEOPLE)))
    assert outcomes == {"done": 2, "refused": 2}
    assert pool(kisima) == 50 * WEI - 2 * made[0].amount_wei
    assert stands(kisima, "payout_due") == 2 * made[0].amount_wei
    assert_all_books_hold()


def test_a_token_proposed_by_many_at_once_has_one_payout(kisima: Village) -> None:
    token = earned(kisima, payee(kisima))
    outcomes: Counter[str] = Counter()
    propose = tried(lambda: proposed(kisima, token), outcomes)
    run_together(*[propose] * PEOPLE)
    assert outcomes == {"done": 1, "refused": PEOPLE - 1}
    assert Payout.objects.count() == 1


def test_a_rejection_and_a_worker_that_sends_never_both_win(kisima: Village) -> None:
    for _ in range(3):
        payout = approved(kisima, dai=1)
        outcomes: Counter[str] = Counter()
        at = timezone.now()
        run_together(
            tried(lambda: payouts.reject(payout=payout, text="no", at=at), outcomes),  # noqa: B023
            tried(lambda: payout_sending.claim(payout_id=payout.pk, at=at), outcomes),  # noqa: B023
            tried(lambda: payout_sending.claim(payout_id=payout.pk, at=at), outcomes),  # noqa: B023
        )
        assert outcomes["done"] == 1
        assert fresh(payout).state in ("rejected", "sending")
    assert_all_books_hold()


def test_answers_at_once_book_one_arrival(kisima: Village) -> None:
    payout = payout_sending.claim(payout_id=approved(kisima).pk, at=timezone.now())
    assert payout is not None

    def arrive() -> None:
        payout_sending.paid(
            payout=fresh(payout), reference="B2C1", paid_at=timezone.now(), at=timezone.now()
        )

    run_together(*[arrive] * PEOPLE)
    assert stands(kisima, "payout_due") == 0
    assert stands(kisima, "float", "mpesa", "KES") == -2_585_000 + 129_200
    assert_all_books_hold()
