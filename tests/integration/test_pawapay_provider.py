"""pawaPay's adapter over the sandbox: deposits, what is unknown, refunds, statement, balance."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import attempts
from accounts.models import Payment, PaymentAttempt, Refund
from accounts.refunds import RefundAnswer
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
from gateway.providers.models import StatementRow
from gateway.providers.pawapay.client import shared_client
from gateway.providers.pawapay.provider import GRACE
from gateway.webhooks.models import InboundEvent
from tests.integration.pawapay_rail import PAYER, PIN, PawapayRail, pawapay
from tests.integration.sandboxed import handle_events, hooks, later, today, world

__all__ = ["hooks", "pawapay", "today", "world"]

pytestmark = pytest.mark.django_db

RATE = 600


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives up after 0.3 s."""
    monkeypatch.setattr("gateway.providers.pawapay.client.TIMEOUT_SECONDS", (1, 0.3))


def credited(attempt: PaymentAttempt) -> list[Payment]:
    attempt.refresh_from_db()
    return list(Payment.objects.filter(top_up=attempt.top_up))


def initiate(rail: PawapayRail, attempt: PaymentAttempt) -> str:
    return rail.adapter.initiate(
        attempt=attempt, hooks_url="http://product.test/hooks/s", at=timezone.now()
    ).provider_request


class TestDeposits:
    """Prompts, paid and not."""

    def test_a_paid_prompt_is_credited_under_our_own_id(self, pawapay: PawapayRail) -> None:
        attempt = pawapay.prompted()
        deposit_id = str(attempt.request_id)
        assert attempt.provider_request == deposit_id
        assert pawapay.prompts() == [{"id": deposit_id, "amount": "5000", "currency": "XOF"}]
        pawapay.answer(pin=PIN)
        pawapay.call_back()
        [payment] = credited(attempt)
        assert attempt.state == "succeeded"
        assert (payment.reference, payment.amount_minor, payment.state) == (
            deposit_id,
            5_000,
            "credited",
        )
        assert payment.credited_wei == 5_000 * 10**18 // RATE
        assert abs(payment.paid_at - timezone.now()) < timedelta(minutes=1)

    def test_amounts_with_needless_decimals_are_the_same_amounts(
        self, pawapay: PawapayRail
    ) -> None:
        attempt = pawapay.prompted()
        pawapay.fault("long_decimals", count=2)
        pawapay.answer(pin=PIN)
        assert json.loads(pawapay.callback())["amount"] == "5000.0000"
        pawapay.call_back(times=2)
        assert [payment.amount_minor for payment in credited(attempt)] == [5_000]
        assert not attempt.has_mismatch

    def test_without_a_callback_the_janitor_asks(self, pawapay: PawapayRail) -> None:
        attempt = pawapay.prompted()
        pawapay.answer(pin=PIN)
        assert collection.poll_due(clock=lambda: later(seconds=30)) == 1
        assert len(credited(attempt)) == 1

    @pytest.mark.parametrize(
        ("fault", "answer", "code"),
        [
            ("", {"cancel": True}, "PAYMENT_NOT_APPROVED"),
            ("", {"pin": "0000"}, "PAYMENT_NOT_APPROVED"),
            ("insufficient_funds", {"pin": PIN}, "INSUFFICIENT_BALANCE"),
            ("limit_reached", {"pin": PIN}, "PAYER_LIMIT_REACHED"),
        ],
    )
    def test_what_does_not_succeed_fails_with_pawapays_code(
        self, pawapay: PawapayRail, fault: str, answer: dict[str, Any], code: str
    ) -> None:
        attempt = pawapay.prompted()
        if fault:
            pawapay.fault(fault)
        pawapay.answer(**answer)
        pawapay.call_back()
        attempt.refresh_from_db()
        assert (attempt.state, attempt.failure_code) == ("failed", code)
        assert attempt.failure_text
        assert credited(attempt) == []

    def test_reconciliation_takes_its_time(self, pawapay: PawapayRail) -> None:
        attempt = pawapay.prompted()
        pawapay.fault("in_reconciliation")
        pawapay.answer(pin=PIN)
        collection.ask(attempt_id=attempt.pk, at=later(hours=2))
        attempt.refresh_from_db()
        assert attempt.state == "pending"
        pawapay.simulate(f"deposits/{attempt.request_id}/outcome", status="COMPLETED")
        pawapay.call_back()
        assert len(credited(attempt)) == 1

    def test_paid_before_our_request_was_answered(self, pawapay: PawapayRail) -> None:
        pawapay.fault("before_response", topic="deposit")
        attempt = pawapay.prompted()
        collection.ask(attempt_id=attempt.pk, at=later())
        assert len(credited(attempt)) == 1

    def test_the_operator_is_the_one_that_gave_out_the_number(self, pawapay: PawapayRail) -> None:
        free = "+221760000001"
        pawapay.prompted(phone=free)
        assert [prompt["amount"] for prompt in pawapay.prompts(phone=free)] == ["5000"]
        pawapay.rail.merchant_account = "SEN/WAVE_SEN"
        pawapay.rail.save()
        other = "+221700000001"
        pawapay.prompted(phone=other, key="key-2")
        assert len(pawapay.prompts(phone=other)) == 1

    def test_a_forged_callback_only_makes_us_ask(self, pawapay: PawapayRail) -> None:
        attempt = pawapay.prompted()
        pawapay.answer(cancel=True)
        failed = json.loads(pawapay.callback())
        forged = failed | {"status": "COMPLETED", "amount": "9000"}
        assert pawapay.send(json.dumps(forged)).status_code == 200
        stranger = forged | {"depositId": str(uuid.uuid4())}
        assert pawapay.send(json.dumps(stranger)).status_code == 200
        assert pawapay.send("{").status_code == 200
        assert pawapay.send('{"remittanceId": "x", "status": "COMPLETED"}').status_code == 200
        handle_events()
        assert credited(attempt) == []
        assert attempt.state == "failed"
        outcomes = InboundEvent.objects.order_by("id").values_list("outcome", flat=True)
        assert list(outcomes) == ["done", "ignored", "malformed", "ignored"]

    def test_a_callback_that_contradicts_the_query_flags_the_attempt(
        self, pawapay: PawapayRail
    ) -> None:
        attempt = pawapay.prompted()
        pawapay.answer(pin=PIN)
        lying = json.loads(pawapay.callback()) | {"amount": "9000"}
        pawapay.call_back(json.dumps(lying))
        [payment] = credited(attempt)
        assert (payment.amount_minor, attempt.has_mismatch) == (5_000, True)


class TestTheUnknown:
    """A request that was not answered is asked after by our own id."""

    def test_a_request_that_was_carried_out_and_answered_too_late(
        self, pawapay: PawapayRail, impatient: None
    ) -> None:
        pawapay.fault("slow_response", seconds=0.7)
        attempt = pawapay.submitted()
        assert attempt.state == "unknown"
        time.sleep(0.6)
        pawapay.answer(pin=PIN)
        collection.ask(attempt_id=attempt.pk, at=later())
        assert len(credited(attempt)) == 1

    def test_a_request_that_never_arrived_fails_after_a_grace_time(
        self, pawapay: PawapayRail
    ) -> None:
        pawapay.fault("unavailable")
        attempt = pawapay.submitted()
        assert attempt.state == "unknown"
        collection.ask(attempt_id=attempt.pk, at=later(minutes=9))
        attempt.refresh_from_db()
        assert attempt.state == "unknown"
        collection.ask(attempt_id=attempt.pk, at=timezone.now() + GRACE + timedelta(seconds=5))
        attempt.refresh_from_db()
        assert (attempt.state, attempt.failure_code) == ("failed", "NOT_FOUND")

    def test_a_confirmed_request_that_is_not_found_is_never_called_failed(
        self, pawapay: PawapayRail
    ) -> None:
        attempt = attempts.load(attempt_id=pawapay.prompted().pk)
        attempt.request_id = uuid.uuid4()
        answer = pawapay.adapter.query(attempt=attempt, at=later(hours=20))
        assert (answer.is_final, answer.is_paid) == (False, False)

    def test_asking_twice_with_one_id_puts_up_one_prompt(self, pawapay: PawapayRail) -> None:
        attempt = attempts.load(attempt_id=pawapay.asked().pk)
        assert {initiate(pawapay, attempt) for _ in range(2)} == {str(attempt.request_id)}
        assert len(pawapay.prompts()) == 1

    def test_nobody_there(self, pawapay: PawapayRail, settings: Settings) -> None:
        settings.PAWAPAY_URL = "http://127.0.0.1:9/pawapay"
        shared_client.cache_clear()
        attempt = attempts.load(attempt_id=pawapay.asked().pk)
        with pytest.raises(ProviderUnreachable):
            initiate(pawapay, attempt)
        with pytest.raises(ProviderUnavailable):
            pawapay.adapter.balance(at=timezone.now())


class TestRefusals:
    """pawaPay says no, and did nothing."""

    @pytest.mark.parametrize(
        ("phone", "code"),
        [
            ("+254711000001", "operator"),
            ("+2217700000012", "INVALID_PHONE_NUMBER"),
            ("", "phone"),
        ],
    )
    def test_a_number_nobody_can_ask(self, pawapay: PawapayRail, phone: str, code: str) -> None:
        attempt = attempts.load(attempt_id=pawapay.asked().pk)
        assert attempt.top_up is not None
        attempt.top_up.phone = phone
        with pytest.raises(ProviderRefused) as refusal:
            initiate(pawapay, attempt)
        assert refusal.value.code == code

    def test_what_pawapay_refuses(self, pawapay: PawapayRail, settings: Settings) -> None:
        pawapay.fault("provider_closed")
        closed = pawapay.submitted(key="key-2")
        assert closed.failure_code == "PROVIDER_TEMPORARILY_UNAVAILABLE"
        settings.PAWAPAY_API_TOKEN = "guess"
        shared_client.cache_clear()
        unknown = pawapay.submitted(key="key-3")
        assert (unknown.state, unknown.failure_code) == ("failed", "AUTHENTICATION_ERROR")
        assert pawapay.prompts() == []
        with pytest.raises(ProviderUnavailable, match="AUTHENTICATION_ERROR"):
            pawapay.adapter.query(attempt=attempts.load(attempt_id=closed.pk), at=later())


class TestMoneyBack:
    """Refunds, and the wallet's balance."""

    def refunded(self, pawapay: PawapayRail, refund: Refund) -> RefundAnswer:
        """The refund once it is final."""
        hooks_url = "http://product.test/hooks/s"
        accepted = pawapay.adapter.refund(refund=refund, hooks_url=hooks_url, at=timezone.now())
        assert (accepted.is_final, accepted.provider_request) == (False, str(refund.request_id))
        return self.ended(pawapay, refund)

    def ended(self, pawapay: PawapayRail, refund: Refund) -> RefundAnswer:
        deadline = time.monotonic() + 5
        while not (answer := pawapay.adapter.query_refund(refund=refund, at=later())).is_final:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return answer

    def balance(self, pawapay: PawapayRail) -> int:
        told = pawapay.adapter.balance(at=timezone.now())
        assert told is not None
        assert told.currency == "XOF"
        return told.amount_minor

    def test_part_of_a_payment_and_then_the_rest(self, pawapay: PawapayRail) -> None:
        payment = pawapay.paid()
        assert self.balance(pawapay) == 5_000
        first = pawapay.refund_of(payment, amount_minor=1_500)
        answer = self.refunded(pawapay, first)
        assert (answer.is_done, answer.reference) == (True, str(first.request_id))
        assert self.balance(pawapay) == 3_500
        assert self.refunded(pawapay, pawapay.refund_of(payment, amount_minor=3_500)).is_done
        assert self.balance(pawapay) == 0

    def test_the_same_refund_gives_once(self, pawapay: PawapayRail) -> None:
        refund = pawapay.refund_of(pawapay.paid(), amount_minor=1_000)
        first = self.refunded(pawapay, refund)
        assert self.refunded(pawapay, refund) == first
        assert self.balance(pawapay) == 4_000

    def test_more_than_was_paid_is_refused(self, pawapay: PawapayRail) -> None:
        refund = pawapay.refund_of(pawapay.paid(), amount_minor=5_001)
        with pytest.raises(ProviderRefused) as refusal:
            self.refunded(pawapay, refund)
        assert refusal.value.code == "AMOUNT_OUT_OF_BOUNDS"
        assert self.balance(pawapay) == 5_000

    def test_a_refund_that_fails_says_why(self, pawapay: PawapayRail) -> None:
        pawapay.fault("refund_fails")
        answer = self.refunded(pawapay, pawapay.refund_of(pawapay.paid()))
        assert (answer.is_done, answer.code, answer.reference) == (
            False,
            "RECIPIENT_NOT_FOUND",
            "",
        )

    def test_a_refund_that_was_answered_too_late_is_found_again(
        self, pawapay: PawapayRail, impatient: None
    ) -> None:
        refund = pawapay.refund_of(pawapay.paid())
        pawapay.fault("slow_response", seconds=0.7)
        with pytest.raises(ProviderUnavailable):
            pawapay.adapter.refund(refund=refund, hooks_url="http://p.test", at=timezone.now())
        time.sleep(0.6)
        assert self.ended(pawapay, refund).is_done

    def test_a_refund_that_never_arrived_is_final_after_a_grace_time(
        self, pawapay: PawapayRail
    ) -> None:
        refund = pawapay.refund_of(pawapay.paid())
        refund.state = Refund.State.UNKNOWN
        assert not pawapay.adapter.query_refund(refund=refund, at=later(minutes=9)).is_final
        gone = pawapay.adapter.query_refund(refund=refund, at=later(minutes=11))
        assert (gone.is_final, gone.is_done, gone.code) == (True, False, "NOT_FOUND")
        refund.state = Refund.State.PENDING
        assert not pawapay.adapter.query_refund(refund=refund, at=later(hours=20)).is_final


class TestTheStatement:
    """A file that is asked for, waited for and fetched."""

    def rows(self, pawapay: PawapayRail, **span: float) -> list[StatementEntry]:
        since = timezone.now() - timedelta(**(span or {"hours": 1}))
        return list(pawapay.adapter.list_transactions(since=since, until=later()))

    def test_it_shows_payments_with_their_fees_refunds_and_what_was_taken_out(
        self, pawapay: PawapayRail
    ) -> None:
        pawapay.simulate("fee", basis_points=150)
        payment = pawapay.paid()
        refund = pawapay.refund_of(payment, amount_minor=1_000)
        TestMoneyBack().refunded(pawapay, refund)
        taken = pawapay.simulate("payout", amount="2000", currency="XOF")
        pawapay.simulate("adjustment", amount="7", currency="XOF")
        paid, back, out, odd = self.rows(pawapay)
        assert self.rows(pawapay) == [paid, back, out, odd]
        assert isinstance(paid, ConfirmedPayment)
        assert (paid.reference, paid.amount_minor, paid.fee_minor) == (
            payment.reference,
            5_000,
            75,
        )
        assert (paid.account_text, paid.payer_phone, paid.currency) == ("LOF0001", PAYER, "XOF")
        assert (paid.rail, paid.top_up) == (pawapay.rail, None)
        assert paid.paid_at.utcoffset() == timedelta()
        assert isinstance(back, Movement)
        assert (back.kind, back.reference, back.amount_minor) == (
            StatementRow.Kind.REFUND,
            str(refund.request_id),
            1_000,
        )
        assert back.payment_reference == payment.reference
        assert isinstance(out, Movement)
        assert (out.kind, out.reference, out.amount_minor) == (
            StatementRow.Kind.PAYOUT,
            taken["id"],
            2_000,
        )
        assert isinstance(odd, UnreadableRow)
        assert "ADJUSTMENT: 7 minor units of XOF into it" in odd.detail

    def test_a_payment_seen_there_first_is_credited_to_its_household_once(
        self, pawapay: PawapayRail
    ) -> None:
        attempt = pawapay.prompted()
        pawapay.answer(pin=PIN)
        assert collection.pull(rail=pawapay.rail, at=later()) == 1
        collection.ask(attempt_id=attempt.pk, at=later())
        [payment] = credited(attempt)
        assert (payment.household, attempt.state) == (pawapay.household, "succeeded")
        assert collection.pull(rail=pawapay.rail, at=later()) == 0

    def test_spans_longer_than_a_month_take_several_files(self, pawapay: PawapayRail) -> None:
        pawapay.prompted()
        old = timezone.now() - timedelta(days=40)
        pawapay.answer(pin=PIN, at=old.isoformat())
        pawapay.prompted(key="key-2")
        pawapay.answer(pin=PIN)
        rows = self.rows(pawapay, days=50)
        assert len(rows) == 2
        assert len({row.reference for row in rows}) == 2

    def test_a_file_that_is_not_made_in_time_is_asked_for_again_another_time(
        self, pawapay: PawapayRail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.providers.pawapay.statement.PATIENCE_SECONDS", 0.3)
        pawapay.paid()
        pawapay.fault("statement_waits", seconds=30)
        with pytest.raises(ProviderUnavailable, match="not made yet"):
            self.rows(pawapay)
        monkeypatch.undo()
        assert len(self.rows(pawapay)) == 1
        pawapay.fault("unavailable")
        with pytest.raises(ProviderUnavailable):
            self.rows(pawapay)
