"""Rows of a statement that took money back: followed once, told until they can be, never lost."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from accounts import refunds, suspense
from accounts.models import Dispute, Household, Payment, Rail, Refund, Reversal
from gateway.providers import movements, refunding, statements
from gateway.providers.interface import Movement
from gateway.providers.models import Difference, Reconciliation, StatementRow
from tests.paybacks import assert_books_hold, card_rail, donate, funds, pay
from tests.village import Village

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


@pytest.fixture
def payment(village: Village, home: Household, now: datetime) -> Payment:
    return pay(village, "KIS0001", at=now)


def seen(
    rail: Rail,
    kind: str,
    *,
    at: datetime,
    amount_minor: int = 100_000,
    reference: str = "BACK1",
    payment_reference: str = "RCP0000001",
    currency: str = "KES",
) -> list[str]:
    """A pull that shows one row; what a person is told."""
    row = Movement(
        kind=kind,
        reference=reference,
        payment_reference=payment_reference,
        amount_minor=amount_minor,
        currency=currency,
        happened_at=at,
    )
    assert statements.keep(rows=[row], rail=rail, at=at) == []
    return list(movements.follow_waiting(rail=rail, at=at))


def requested(payment: Payment, *, at: datetime, amount_minor: int = 100_000) -> Refund:
    return refunds.request(
        payment=payment,
        amount_minor=amount_minor,
        reason="",
        requested_by=None,
        idempotency_key="one",
        at=at,
    )


@pytest.mark.parametrize("kind", ["refund", "reversal"])
def test_a_row_is_followed_once(
    village: Village, home: Household, payment: Payment, now: datetime, kind: str
) -> None:
    for _ in range(2):
        assert seen(village.rail, kind, at=now) == []
    assert (Refund.objects.count(), Reversal.objects.count()) == (
        (1, 0) if kind == "refund" else (0, 1)
    )
    assert funds(home) == 0
    assert_books_hold()


@pytest.mark.parametrize("kind", ["payout", "fee", "payment"])
def test_payouts_fees_and_payments_are_only_kept(
    village: Village, payment: Payment, now: datetime, kind: str
) -> None:
    assert seen(village.rail, kind, at=now) == []
    assert StatementRow.objects.count() == 1
    assert not payment.take_backs.exists()


@pytest.mark.parametrize("kind", ["refund", "reversal", "dispute"])
def test_of_an_unknown_payment_it_is_told_until_the_payment_is_there(
    village: Village, home: Household, now: datetime, kind: str
) -> None:
    for _ in range(2):
        [told] = seen(village.rail, kind, at=now)
        assert told == f"{kind} BACK1: daraja took back of 'RCP0000001', which is not known here"
    pay(village, "KIS0001", at=now)
    # The provider shows it only once; the row was kept.
    assert list(movements.follow_waiting(rail=village.rail, at=now)) == []
    assert funds(home) == 0
    assert_books_hold()


def test_part_of_a_payment_in_suspense_waits_for_its_household(
    village: Village, home: Household, now: datetime
) -> None:
    payment = pay(village, "KIS0002", at=now)
    [told] = seen(village.rail, "reversal", at=now, amount_minor=40_000)
    assert "only all of it can go back" in told
    other = village.household("KIS0002", phone="+254711000002")
    suspense.attach_waiting(at=now)
    assert list(movements.follow_waiting(rail=village.rail, at=now)) == []
    assert funds(other) > 0
    payment.refresh_from_db()
    assert payment.taken_back_minor == 40_000


def test_what_was_resolved_by_a_person_is_not_told_again(village: Village, now: datetime) -> None:
    assert seen(village.rail, "reversal", at=now)
    day = Reconciliation.objects.create(
        rail=village.rail, begins_at=now, ends_at=now + timedelta(days=1), made_at=now
    )
    difference = Difference.objects.create(
        rail=village.rail,
        reconciliation=day,
        kind="missing_here",
        movement="reversal",
        row=StatementRow.objects.get(),
        reference="BACK1",
        currency="KES",
        found_at=now,
    )
    assert list(movements.follow_waiting(rail=village.rail, at=now))
    difference.state = Difference.State.ACCEPTED
    difference.save()
    assert list(movements.follow_waiting(rail=village.rail, at=now)) == []


class TestOurs:
    """Rows that may be a refund of ours."""

    def test_a_row_by_our_refunds_name_makes_us_ask(
        self, village: Village, payment: Payment, now: datetime
    ) -> None:
        refund = requested(payment, at=now)
        refunds.claim(refund_id=refund.pk, at=now)
        Refund.objects.update(provider_request="BACK1")
        assert seen(village.rail, "refund", at=now) == []
        [told] = seen(village.rail, "refund", at=now, amount_minor=5, reference="BACK1X")
        assert "0 minor units of it are left" in told
        assert Refund.objects.count() == 1

    def test_a_row_of_another_amount_than_our_refund_is_for_a_person(
        self, village: Village, payment: Payment, now: datetime
    ) -> None:
        requested(payment, at=now)
        Refund.objects.update(provider_request="BACK1")
        [told] = seen(village.rail, "reversal", at=now, amount_minor=99_999)
        assert told == "reversal BACK1: our refund of it is 100000 minor units"

    def test_while_our_refund_is_unknown_a_row_like_it_waits(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        refund = requested(payment, at=now, amount_minor=40_000)
        refunds.claim(refund_id=refund.pk, at=now)
        refunds.not_answered(refund=refund, text="timed out", at=now)
        [told] = seen(village.rail, "refund", at=now, amount_minor=40_000)
        assert told == f"refund BACK1: may be our refund {refund.uid}, which is unknown"
        # Another amount is certainly another one.
        assert seen(village.rail, "refund", at=now, amount_minor=30_000, reference="BACK2") == [
            told
        ]
        assert Refund.objects.filter(reference="BACK2").exists()
        # A day later Daraja says that ours was never asked for: then the row is another one too.
        later = now + timedelta(days=1)
        assert list(movements.follow_waiting(rail=village.rail, at=later)) == []
        assert refunds.load(refund_id=refund.pk).state == "failed"
        assert Refund.objects.get(reference="BACK1").requested_by is None
        payment.refresh_from_db()
        assert payment.taken_back_minor == 70_000
        assert_books_hold()

    def test_a_refund_that_was_done_is_known_by_its_reference(
        self, village: Village, payment: Payment, now: datetime
    ) -> None:
        refund = requested(payment, at=now)
        done = refunds.RefundAnswer(is_final=True, is_done=True, reference="BACK1")
        refunds.settle_answer(refund=refund, answer=done, at=now)
        for kind in ("refund", "reversal"):
            assert seen(village.rail, kind, at=now) == []
        assert not Reversal.objects.exists()
        assert refunding.ask(refund_id=refund.pk, at=now).state == "succeeded"


class TestDisputed:
    """Disputes at a provider that can't be asked about them."""

    def test_the_rows_themselves_open_and_win_it(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        assert seen(village.rail, "dispute", at=now) == []
        assert (Dispute.objects.get().state, funds(home)) == ("open", 0)
        assert seen(village.rail, "dispute_won", at=now, payment_reference="") == []
        assert (Dispute.objects.get().state, funds(home)) == ("won", payment.credited_wei)
        assert list(movements.follow_waiting(rail=village.rail, at=now)) == []
        assert_books_hold()


def test_a_provider_that_is_away_is_asked_again(
    village: Village, home: Household, now: datetime, settings: Settings
) -> None:
    settings.STRIPE_URL = "http://127.0.0.1:9/stripe"
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    gift = donate(village, at=now)
    [told] = seen(
        card_rail(village), "dispute", at=now, amount_minor=7_001, payment_reference=gift.reference,
        currency="USD",
    )  # fmt: skip
    assert told.startswith("dispute BACK1: ")
    assert not Dispute.objects.exists()
