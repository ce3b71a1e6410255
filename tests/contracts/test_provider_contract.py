"""What every provider of payments keeps to: asking, what becomes of it, the statement.

See test_refund_contract.py for money back and test_callback_contract.py for callbacks; a new
provider brings a rig (rigs/) and passes all three. docs/adding-a-provider.md
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import PaymentAttempt
from accounts.topups import ConfirmedPayment
from gateway.providers import collection
from gateway.providers.interface import (
    Movement,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
    StatementEntry,
    UnreadableRow,
)
from tests.contracts.rigs import Rig
from tests.contracts.rigs.daraja import DarajaRig
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.rig import HOOKS_URL

pytestmark = pytest.mark.django_db


def initiate(rig: Rig, attempt: PaymentAttempt) -> str:
    """Ask the payer; what the provider calls it."""
    initiated = rig.adapter.initiate(attempt=attempt, hooks_url=HOOKS_URL, at=rig.clock())
    attempt.provider_request = initiated.provider_request
    return initiated.provider_request


def statement(rig: Rig) -> list[StatementEntry]:
    """The rows of the last hour."""
    at = rig.clock()
    return list(rig.adapter.list_transactions(since=at - timedelta(hours=1), until=at))


class TestAsking:
    """`initiate`: the payer is asked once, or nothing happened, or nobody knows."""

    def test_it_returns_what_the_provider_calls_it(self, rig: Rig, attempt: PaymentAttempt) -> None:
        can = rig.adapter.capabilities
        initiated = rig.adapter.initiate(attempt=attempt, hooks_url=HOOKS_URL, at=rig.clock())
        assert 0 < len(initiated.provider_request) <= 80
        assert bool(initiated.pay_url) == can.pays_on_page
        if can.names_requests_ahead:
            assert initiated.provider_request == str(attempt.request_id)
        assert can.prompts_phone or can.pays_on_page
        assert len(rig.open_requests()) == 1

    def test_whoever_submits_it_again_asks_nobody_twice(self, rig: Rig) -> None:
        attempt = rig.submitted()
        collection.submit(attempt_id=attempt.pk, at=rig.clock())
        assert len(rig.open_requests()) == 1

    def test_our_id_sent_again_does_nothing_twice(self, rig: Rig, attempt: PaymentAttempt) -> None:
        can = rig.adapter.capabilities
        if not (can.names_requests_ahead or can.repeats_safely):
            assert rig.prompted().provider_request != str(attempt.request_id)
            return
        assert initiate(rig, attempt) == initiate(rig, attempt)
        assert len(rig.open_requests()) == 1

    def test_a_refusal_has_the_providers_code_and_does_nothing(
        self, rig: Rig, attempt: PaymentAttempt
    ) -> None:
        rig.spoil(attempt)
        with pytest.raises(ProviderRefused) as refusal:
            initiate(rig, attempt)
        assert refusal.value.code
        assert refusal.value.text
        assert rig.open_requests() == []
        assert statement(rig) == []

    def test_an_amount_the_rail_cannot_carry_is_refused(self, rig: Rig) -> None:
        attempt = rig.submitted(amount_minor=rig.odd_minor)
        assert (attempt.state, rig.open_requests()) == ("failed", [])
        assert attempt.failure_code not in ("", "unreachable")

    def test_an_answer_that_comes_too_late_leaves_it_unknown(
        self, rig: Rig, attempt: PaymentAttempt
    ) -> None:
        with rig.impatience():
            # The SDK of Stripe asks twice by itself.
            rig.fault("slow_response", seconds=0.5, count=2)
            with pytest.raises(ProviderUnavailable) as unknown:
                initiate(rig, attempt)
        assert not isinstance(unknown.value, ProviderUnreachable)

    def test_an_error_of_the_server_leaves_it_unknown(
        self, rig: Rig, attempt: PaymentAttempt
    ) -> None:
        with rig.impatience():
            rig.fault("unavailable", count=2)
            with pytest.raises(ProviderUnavailable) as unknown:
                initiate(rig, attempt)
        assert not isinstance(unknown.value, ProviderUnreachable)

    def test_a_provider_nobody_reaches_did_nothing(self, rig: Rig, attempt: PaymentAttempt) -> None:
        with rig.unreachable(), pytest.raises(ProviderUnreachable):
            initiate(rig, attempt)


class TestWhatBecameOfIt:
    """`query`: not final before the payer answers, the same every time after."""

    def test_before_the_payer_answers_nothing_is_final(self, rig: Rig) -> None:
        answer = rig.adapter.query(attempt=rig.prompted(), at=rig.clock())
        assert (answer.is_final, answer.is_paid, answer.reference) == (False, False, "")

    def test_after_a_payment_it_is_paid_every_time(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        answers = [rig.adapter.query(attempt=attempt, at=rig.clock()) for _ in range(2)]
        assert answers[0] == answers[1]
        told = answers[0]
        assert (told.is_final, told.is_paid) == (True, True)
        assert told.reference in (reference, "")
        if rig.tells_money:
            assert (told.reference, told.amount_minor, told.currency) == (
                reference,
                rig.amount_minor,
                rig.currency,
            )

    def test_after_a_refusal_it_is_final_with_a_code(self, rig: Rig) -> None:
        attempt = rig.prompted()
        rig.decline(attempt)
        answer = rig.adapter.query(attempt=attempt, at=rig.clock())
        assert (answer.is_final, answer.is_paid, answer.reference) == (True, False, "")
        assert answer.code
        assert answer.text

    def test_an_unanswered_request_that_was_carried_out_is_found_again(self, rig: Rig) -> None:
        with rig.impatience():
            rig.fault("slow_response", seconds=0.5, count=2)
            attempt = rig.submitted()
        assert attempt.state == "unknown"
        rig.pay(attempt)
        rig.pass_time(seconds=30)
        rig.look()
        attempt.refresh_from_db()
        assert attempt.state == "succeeded"
        assert rig.rail.payments.get().top_up == attempt.top_up

    def test_questions_that_are_not_answered_say_so(self, rig: Rig) -> None:
        attempt = rig.prompted()
        with rig.impatience():
            rig.fault("unavailable", count=2)
            with pytest.raises(ProviderUnavailable):
                rig.adapter.query(attempt=attempt, at=rig.clock())
            rig.fault("slow_response", seconds=0.5, count=2)
            with pytest.raises(ProviderUnavailable):
                rig.adapter.query(attempt=attempt, at=rig.clock())
        with rig.unreachable(), pytest.raises(ProviderUnavailable):
            rig.adapter.query(attempt=attempt, at=rig.clock())


class TestTheStatement:
    """`list_transactions` and `balance`: the provider's own books."""

    def test_it_shows_a_payment_the_same_every_time(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        rows = statement(rig)
        assert rows == statement(rig)
        if not rig.adapter.capabilities.has_statement:
            assert rows == []
            return
        paid = [row for row in rows if isinstance(row, ConfirmedPayment)]
        assert [row.reference for row in paid] == [reference]
        [row] = paid
        assert (row.rail, row.amount_minor, row.currency) == (
            rig.rail,
            rig.amount_minor,
            rig.currency,
        )
        assert row.account_text == rig.home.code
        assert row.paid_at.utcoffset() is not None
        assert abs(row.paid_at - rig.clock()) < timedelta(minutes=1)
        assert row.top_up is None
        assert not [row for row in rows if isinstance(row, UnreadableRow)]

    def test_what_the_statement_shows_is_credited_once_and_never_again(self, rig: Rig) -> None:
        payment = rig.paid()
        rig.look()
        rig.look()
        assert list(rig.rail.payments.all()) == [payment]

    def test_it_is_read_over_any_span(self, rig: Rig) -> None:
        rig.pay(rig.prompted())
        at = rig.clock()
        rows = list(rig.adapter.list_transactions(since=at - timedelta(days=9), until=at))
        assert bool(rows) == rig.adapter.capabilities.has_statement
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        span = {"since": long_ago, "until": long_ago + timedelta(days=1)}
        assert list(rig.adapter.list_transactions(**span)) == []

    def test_one_that_is_not_answered_says_so(self, rig: Rig) -> None:
        if not rig.adapter.capabilities.has_statement:
            assert statement(rig) == []
            return
        with rig.impatience():
            rig.fault("unavailable", count=2)
            with pytest.raises(ProviderUnavailable):
                statement(rig)
        with rig.unreachable(), pytest.raises(ProviderUnavailable):
            statement(rig)

    def test_the_balance_is_what_came_in_less_fees_and_what_was_taken_out(self, rig: Rig) -> None:
        payment = rig.paid()
        if not rig.adapter.capabilities.tells_amount:
            assert rig.adapter.balance(at=rig.clock()) is None
            return
        kept_minor = payment.amount_minor - payment.fee_minor
        assert rig.balance() == kept_minor
        rig.simulate("payout", amount="300", currency=rig.currency)
        assert rig.balance() == kept_minor - rig.minor("300")

    def test_a_payout_is_a_movement_of_its_own(self, rig: Rig) -> None:
        rig.paid()
        rig.simulate("payout", amount="300", currency=rig.currency)
        rig.pass_time(seconds=2)
        moved = [row for row in statement(rig) if isinstance(row, Movement)]
        assert {row.amount_minor for row in moved if row.kind == "payout"} <= {rig.minor("300")}
        assert not [row for row in moved if row.kind in ("refund", "reversal", "dispute")]


@pytest.mark.django_db
def test_a_paybill_shows_what_nobody_asked_for_too() -> None:
    with opened(DarajaRig) as rig:
        assert isinstance(rig, DarajaRig)
        assert rig.adapter.capabilities.takes_unasked
        unasked = rig.pay_unasked("kij 0001", "250.50")
        [row] = statement(rig)
        assert isinstance(row, ConfirmedPayment)
        assert (row.reference, row.amount_minor, row.account_text) == (unasked, 25_050, "kij 0001")
        rig.look()
        assert rig.rail.payments.get().household == rig.home
