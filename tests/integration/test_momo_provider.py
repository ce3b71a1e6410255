"""MoMo's adapter over the sandbox: payments, what is unknown, refunds, the balance."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta

import pytest
import requests
from django.utils import timezone
from pytest_django import Settings

from accounts import attempts
from accounts.models import Payment, PaymentAttempt, Refund
from accounts.refunds import RefundAnswer
from gateway.providers import collection
from gateway.providers.interface import ProviderRefused, ProviderUnavailable
from gateway.providers.momo.provider import GRACE, MomoProvider, shared_client
from gateway.webhooks.models import InboundEvent
from tests.integration.momo_rail import MomoRail, momo
from tests.integration.sandboxed import handle_events, hooks, later, today, world

__all__ = ["hooks", "momo", "today", "world"]

pytestmark = pytest.mark.django_db

RATE = 3_700


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives up after 0.3 s."""
    monkeypatch.setattr("gateway.providers.momo.client.TIMEOUT_SECONDS", (1, 0.3))


def credited(attempt: PaymentAttempt) -> list[Payment]:
    attempt.refresh_from_db()
    return list(Payment.objects.filter(top_up=attempt.top_up))


class TestPayments:
    """Prompts, paid and not."""

    def test_a_paid_prompt_is_credited_under_momos_own_transaction_id(self, momo: MomoRail) -> None:
        attempt = momo.prompted()
        assert attempt.provider_request == str(attempt.request_id)
        assert momo.prompts() == [
            {"id": str(attempt.request_id), "amount": "5000", "currency": "UGX"}
        ]
        receipt = momo.pay()
        assert momo.call_back().status_code == 200
        [payment] = credited(attempt)
        assert attempt.state == "succeeded"
        assert (payment.reference, payment.amount_minor, payment.state) == (
            receipt,
            5_000,
            "credited",
        )
        assert payment.provider_request == str(attempt.request_id)
        assert payment.credited_wei == 5_000 * 10**18 // RATE

    def test_callbacks_come_by_put_too_and_twice(self, momo: MomoRail) -> None:
        attempt = momo.prompted()
        momo.pay()
        for method in ("PUT", "POST", "PUT"):
            assert momo.call_back(method=method).status_code == 200
        assert len(credited(attempt)) == 1
        assert momo.send(momo.callback()[0], "", method="PATCH").status_code == 405

    def test_a_callback_that_names_the_reference_id_is_read_too(self, momo: MomoRail) -> None:
        form = {"method": "PUT", "reference_id": True}
        url = f"{momo.world.url}/momo/simulator/callback-form"
        assert requests.post(url, json=form, timeout=5).ok
        attempt = momo.prompted()
        momo.pay()
        momo.call_back(method="PUT")
        assert len(credited(attempt)) == 1
        assert not attempt.has_mismatch

    def test_without_a_callback_the_janitor_asks(self, momo: MomoRail) -> None:
        attempt = momo.prompted()
        momo.pay()
        assert collection.poll_due(clock=lambda: later(seconds=30)) == 1
        assert len(credited(attempt)) == 1

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            ({"cancel": True}, "APPROVAL_REJECTED"),
            ({"pin": "0000"}, "INTERNAL_PROCESSING_ERROR"),
        ],
    )
    def test_what_the_payer_refuses_fails_with_momos_code(
        self, momo: MomoRail, answer: dict[str, object], code: str
    ) -> None:
        attempt = momo.prompted()
        momo.fault("reason_object")
        momo.answer(**answer)
        momo.call_back()
        attempt.refresh_from_db()
        assert (attempt.state, attempt.failure_code) == ("failed", code)
        assert attempt.failure_text
        assert credited(attempt) == []

    def test_paid_before_our_request_was_answered(self, momo: MomoRail) -> None:
        momo.fault("before_response", topic="requesttopay")
        attempt = momo.prompted()
        collection.ask(attempt_id=attempt.pk, at=later())
        assert len(credited(attempt)) == 1

    def test_a_forged_callback_only_makes_us_ask(self, momo: MomoRail) -> None:
        attempt = momo.prompted()
        forged = {
            "financialTransactionId": "1",
            "amount": "5000",
            "currency": "UGX",
            "payer": {"partyIdType": "MSISDN", "partyId": "256772000001"},
            "status": "SUCCESSFUL",
        }
        assert momo.send(f"momo/{attempt.token}", json.dumps(forged)).status_code == 200
        assert momo.send(f"momo/{'0' * 64}", json.dumps(forged)).status_code == 200
        assert momo.send(f"momo/{attempt.token}", "{").status_code == 200
        handle_events()
        assert credited(attempt) == []
        outcomes = InboundEvent.objects.order_by("id").values_list("outcome", flat=True)
        assert list(outcomes) == ["done", "ignored", "malformed"]
        receipt = momo.pay()
        momo.call_back()
        assert [payment.reference for payment in credited(attempt)] == [receipt]

    def test_a_callback_that_contradicts_the_query_flags_the_attempt(self, momo: MomoRail) -> None:
        attempt = momo.prompted()
        momo.pay()
        lying = json.loads(momo.callback()[1]) | {"amount": "9000"}
        momo.call_back(json.dumps(lying))
        [payment] = credited(attempt)
        assert (payment.amount_minor, attempt.has_mismatch) == (5_000, True)


class TestTheUnknown:
    """A request that was not answered can be asked after by our own id."""

    def test_a_request_that_was_carried_out_and_answered_too_late(
        self, momo: MomoRail, impatient: None
    ) -> None:
        momo.adapter.balance(at=timezone.now())
        momo.fault("slow_response", seconds=0.7)
        attempt = momo.submitted()
        assert attempt.state == "unknown"
        time.sleep(0.6)
        momo.pay()
        collection.ask(attempt_id=attempt.pk, at=later())
        assert len(credited(attempt)) == 1

    def test_a_request_that_never_arrived_fails_after_a_grace_time(self, momo: MomoRail) -> None:
        momo.adapter.balance(at=timezone.now())
        momo.fault("unavailable")
        attempt = momo.submitted()
        assert attempt.state == "unknown"
        collection.ask(attempt_id=attempt.pk, at=later(minutes=9))
        attempt.refresh_from_db()
        assert attempt.state == "unknown"
        collection.ask(attempt_id=attempt.pk, at=timezone.now() + GRACE + timedelta(seconds=5))
        attempt.refresh_from_db()
        assert (attempt.state, attempt.failure_code) == ("failed", "RESOURCE_NOT_FOUND")

    def test_a_confirmed_request_that_is_not_found_is_never_called_failed(
        self, momo: MomoRail
    ) -> None:
        attempt = attempts.load(attempt_id=momo.prompted().pk)
        attempt.request_id = uuid.uuid4()
        answer = momo.adapter.query(attempt=attempt, at=later(hours=20))
        assert (answer.is_final, answer.is_paid) == (False, False)

    def test_asking_twice_with_one_id_puts_up_one_prompt(self, momo: MomoRail) -> None:
        attempt = attempts.load(attempt_id=momo.asked().pk)
        names = {
            momo.adapter.initiate(
                attempt=attempt, hooks_url="http://product.test/hooks/s", at=timezone.now()
            ).provider_request
            for _ in range(2)
        }
        assert names == {str(attempt.request_id)}
        assert len(momo.prompts()) == 1

    def test_a_number_momo_answers_500_to_stays_unknown(
        self, momo: MomoRail, settings: Settings
    ) -> None:
        settings.MOMO_ENVIRONMENT = "sandbox"
        shared_client.cache_clear()
        attempt = attempts.load(attempt_id=momo.asked().pk)
        top_up = attempt.top_up
        assert top_up is not None
        top_up.phone, top_up.currency = "+46733123461", "EUR"
        with pytest.raises(ProviderUnavailable, match="INTERNAL_PROCESSING_ERROR"):
            momo.adapter.initiate(attempt=attempt, hooks_url="http://p.test", at=timezone.now())

    def test_a_payment_that_stays_pending_is_not_final(
        self, momo: MomoRail, settings: Settings
    ) -> None:
        settings.MOMO_ENVIRONMENT = "sandbox"
        shared_client.cache_clear()
        attempt = attempts.load(attempt_id=momo.asked().pk)
        top_up = attempt.top_up
        assert top_up is not None
        top_up.currency = "EUR"
        for phone in ("+46733123453", "+46733123454"):
            top_up.phone, attempt.request_id = phone, uuid.uuid4()
            momo.adapter.initiate(attempt=attempt, hooks_url="http://p.test", at=timezone.now())
            answer = momo.adapter.query(attempt=attempt, at=later())
            assert (answer.is_final, answer.is_paid) == (False, False)


class TestRefusals:
    """MoMo says no, and did nothing."""

    def test_a_currency_of_another_country(self, momo: MomoRail, settings: Settings) -> None:
        settings.MOMO_ENVIRONMENT = "mtnghana"
        shared_client.cache_clear()
        attempt = momo.submitted()
        assert (attempt.state, attempt.failure_code) == ("failed", "INVALID_CURRENCY")
        assert momo.prompts() == []

    def test_a_wrong_key_of_the_api_user(self, momo: MomoRail, settings: Settings) -> None:
        settings.MOMO_API_KEY = "guess"
        shared_client.cache_clear()
        attempt = momo.submitted()
        assert (attempt.state, attempt.failure_code) == ("failed", "unreachable")

    def test_nobody_to_ask(self, momo: MomoRail) -> None:
        attempt = attempts.load(attempt_id=momo.asked().pk)
        assert attempt.top_up is not None
        attempt.top_up.phone = ""
        with pytest.raises(ProviderRefused, match="phone"):
            momo.adapter.initiate(attempt=attempt, hooks_url="http://p.test", at=timezone.now())


class TestMoneyBack:
    """Refunds by the Disbursement product, and the wallet's balance."""

    def refunded(self, momo: MomoRail, refund: Refund) -> RefundAnswer:
        """The refund once it is final."""
        hooks_url = "http://product.test/hooks/s"
        accepted = momo.adapter.refund(refund=refund, hooks_url=hooks_url, at=timezone.now())
        assert (accepted.is_final, accepted.provider_request) == (False, str(refund.request_id))
        return self.ended(momo, refund)

    def ended(self, momo: MomoRail, refund: Refund) -> RefundAnswer:
        deadline = time.monotonic() + 5
        while not (answer := momo.adapter.query_refund(refund=refund, at=later())).is_final:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return answer

    def balance(self, momo: MomoRail) -> int:
        told = momo.adapter.balance(at=timezone.now())
        assert told is not None
        assert told.currency == "UGX"
        return told.amount_minor

    def test_part_of_a_payment_and_then_the_rest(self, momo: MomoRail) -> None:
        payment = momo.paid()
        assert self.balance(momo) == 5_000
        first = self.refunded(momo, momo.refund_of(payment, amount_minor=1_500))
        assert first.is_done
        assert first.reference not in ("", payment.reference)
        assert self.balance(momo) == 3_500
        assert self.refunded(momo, momo.refund_of(payment, amount_minor=3_500)).is_done
        assert self.balance(momo) == 0

    def test_the_same_refund_gives_once(self, momo: MomoRail) -> None:
        refund = momo.refund_of(momo.paid(), amount_minor=1_000)
        first = self.refunded(momo, refund)
        assert self.refunded(momo, refund) == first
        assert self.balance(momo) == 4_000

    def test_more_than_was_paid_is_not_given(self, momo: MomoRail) -> None:
        answer = self.refunded(momo, momo.refund_of(momo.paid(), amount_minor=5_001))
        assert (answer.is_done, answer.code, answer.reference) == (False, "NOT_ALLOWED", "")
        assert answer.text
        assert self.balance(momo) == 5_000

    def test_a_refund_that_was_answered_too_late_is_found_again(
        self, momo: MomoRail, impatient: None
    ) -> None:
        refund = momo.refund_of(momo.paid())
        momo.adapter.client.refund_status(reference=str(uuid.uuid4()), at=timezone.now())
        momo.fault("slow_response", seconds=0.7)
        with pytest.raises(ProviderUnavailable):
            momo.adapter.refund(refund=refund, hooks_url="http://p.test", at=timezone.now())
        time.sleep(0.6)
        assert self.ended(momo, refund).is_done

    def test_a_refund_that_never_arrived_is_final_after_a_grace_time(self, momo: MomoRail) -> None:
        refund = momo.refund_of(momo.paid())
        refund.state = Refund.State.UNKNOWN
        assert not momo.adapter.query_refund(refund=refund, at=later(minutes=9)).is_final
        gone = momo.adapter.query_refund(refund=refund, at=later(minutes=11))
        assert (gone.is_final, gone.is_done, gone.code) == (True, False, "RESOURCE_NOT_FOUND")
        refund.state = Refund.State.PENDING
        assert not momo.adapter.query_refund(refund=refund, at=later(hours=20)).is_final

    def test_a_refunds_callback_goes_to_its_own_token(self, momo: MomoRail) -> None:
        refund = momo.refund_of(momo.paid())
        hooks_url = "http://product.test/hooks/test-secret"
        momo.adapter.refund(refund=refund, hooks_url=hooks_url, at=timezone.now())
        self.ended(momo, refund)
        path, body = momo.callback("refund")
        assert path == f"momo/{refund.token}"
        assert json.loads(body)["status"] == "SUCCESSFUL"

    def test_without_the_disbursement_product_nothing_is_given_back(
        self, momo: MomoRail, settings: Settings
    ) -> None:
        assert momo.adapter.capabilities.refunds
        refund = momo.refund_of(momo.paid())
        settings.MOMO_DISBURSEMENT_KEY = ""
        shared_client.cache_clear()
        assert not momo.adapter.capabilities.refunds
        with pytest.raises(ProviderRefused, match="MOMO_DISBURSEMENT_KEY"):
            momo.adapter.refund(refund=refund, hooks_url="http://p.test", at=timezone.now())

    def test_a_payment_without_a_request_is_not_given_back(self, momo: MomoRail) -> None:
        payment = momo.paid()
        payment.provider_request = ""
        with pytest.raises(ProviderRefused, match="no request to pay"):
            momo.adapter.refund(
                refund=momo.refund_of(payment), hooks_url="http://p.test", at=timezone.now()
            )

    def test_the_balance_tells_what_was_moved_out_behind_our_back(self, momo: MomoRail) -> None:
        momo.paid()
        momo.world.ask("POST", "momo/simulator/payout", amount="1200", currency="UGX")
        assert self.balance(momo) == 3_800

    def test_there_is_no_statement(self, momo: MomoRail) -> None:
        momo.paid()
        adapter: MomoProvider = momo.adapter
        assert not adapter.capabilities.has_statement
        now = timezone.now()
        assert list(adapter.list_transactions(since=now - timedelta(days=1), until=now)) == []
