"""Refunds over M-Pesa: reversed once, whatever happens to the request and its result."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import refunds
from accounts.models import Household, Payment, Rail, Refund, Reversal
from gateway.providers import collection, refunding
from gateway.providers.daraja.provider import DarajaProvider, shared_client
from gateway.providers.interface import (
    Movement,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
    UnreadableRow,
)
from gateway.providers.models import ResultRequest, StatementRow
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import World, handle_events, home, hooks, later, today, world

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db

HOOKS = "http://product.test/hooks/test-secret"


@pytest.fixture
def payment(world: World, home: Household) -> Payment:
    """500 shillings paid by paybill, beside 900 of somebody else."""
    world.paybill("KIS0777", "900", silent=True)
    receipt = world.paybill("KIS0001", "500", silent=True)
    collection.pull(rail=Rail.objects.get(), at=timezone.now())
    return Payment.objects.get(reference=receipt)


@pytest.fixture
def refund(payment: Payment) -> Refund:
    return requested(payment)


def requested(payment: Payment, *, amount_minor: int = 50_000, key: str = "one") -> Refund:
    """A refund that a worker took for submission."""
    made = refunds.request(
        payment=payment,
        amount_minor=amount_minor,
        reason="Paid twice",
        requested_by=None,
        idempotency_key=key,
        at=timezone.now(),
    )
    claimed = refunds.claim(refund_id=made.pk, at=timezone.now())
    assert claimed is not None
    return claimed


def adapter() -> DarajaProvider:
    return DarajaProvider(rail=Rail.objects.get(), client=shared_client())


def submit(refund: Refund, *, at: datetime | None = None) -> refunds.RefundAnswer:
    return adapter().refund(refund=refund, hooks_url=HOOKS, at=at or timezone.now())


def query(refund: Refund, *, at: datetime | None = None) -> refunds.RefundAnswer:
    return adapter().query_refund(refund=refund, at=at or timezone.now())


def float_of(world: World) -> str:
    return str(world.ask("GET", "daraja/simulator/statement")["float"]["amount"])


def movements(world: World) -> list[dict[str, Any]]:
    listed = world.ask("GET", "daraja/simulator/statement")["transactions"]
    return [row for row in listed if row["origin"] == "reversal"]


def answer(world: World, **changes: Any) -> InboundEvent:
    """Hand over the newest reversal's result with other fields; what became of it."""
    path, body = world.callbacks("reversal")[-1]
    world.hooks.json(path, {"Result": {**json.loads(body)["Result"], **changes}})
    handle_events()
    return InboundEvent.objects.latest("pk")


def pull(*, at: datetime | None = None) -> None:
    collection.pull(rail=Rail.objects.get(), at=at or timezone.now())


def test_a_refund_is_accepted_first_and_done_when_its_result_came(
    world: World, refund: Refund
) -> None:
    accepted = submit(refund)
    assert (accepted.is_final, float_of(world)) == (False, "900")
    asked = ResultRequest.objects.get()
    assert accepted.provider_request == asked.conversation
    assert query(refund).is_final is False
    world.call_back("reversal", times=2)
    told = query(refund)
    [back] = movements(world)
    assert (told.is_final, told.is_done, told.reference) == (True, True, back["receipt"])
    assert (told.provider_request, told.fee_minor) == (accepted.provider_request, 0)
    assert told.done_at is not None
    assert abs((told.done_at - timezone.now()).total_seconds()) < 60


def test_a_refund_asked_for_many_times_is_reversed_once(world: World, payment: Payment) -> None:
    part = requested(payment, amount_minor=20_050)
    first = submit(part)
    assert submit(part) == submit(part, at=later(hours=1)) == first
    assert len(movements(world)) == 1
    assert movements(world)[0]["amount"] == "-200.50"
    other = requested(payment, amount_minor=20_050, key="two")
    assert submit(other).provider_request != first.provider_request
    assert [row["amount"] for row in movements(world)] == ["-200.50", "-200.50"]


def test_a_refusal_says_why(world: World, refund: Refund) -> None:
    world.ask("POST", "daraja/simulator/payout", amount="1000")
    submit(refund)
    world.call_back("reversal")
    told = query(refund)
    assert (told.is_final, told.is_done, told.code) == (True, False, "1")
    assert told.text == "The balance is insufficient for the transaction."


def test_what_safaricom_reversed_before_is_refused(world: World, refund: Refund) -> None:
    world.ask("POST", "daraja/simulator/reversals", receipt=refund.payment.reference)
    submit(refund)
    world.call_back("reversal")
    told = query(refund)
    assert (told.is_final, told.is_done, told.code) == (True, False, "R000001")


def test_a_success_with_code_21_is_made_sure_of_by_its_status(world: World, refund: Refund) -> None:
    world.fault("success_code_21")
    submit(refund)
    world.call_back("reversal")
    assert query(refund).is_final is False
    world.call_back("status")
    told = query(refund)
    assert (told.is_done, told.reference) == (True, movements(world)[0]["receipt"])


def test_a_refusal_with_code_21_is_one(world: World, refund: Refund) -> None:
    submit(refund)
    answer(world, ResultCode="21", ResultDesc="The initiator is not allowed to initiate.")
    told = query(refund)
    assert (told.is_final, told.is_done, told.code) == (True, False, "21")


def test_a_result_that_never_comes_is_made_good_by_the_status(world: World, refund: Refund) -> None:
    submit(refund)
    assert query(refund).is_final is False
    assert query(refund, at=later(seconds=30)).is_final is False
    assert len(world.callbacks("status")) == 1
    world.call_back("status")
    told = query(refund)
    assert (told.is_done, told.reference) == (True, movements(world)[0]["receipt"])


def test_a_result_that_never_comes_is_made_good_by_the_statement(
    world: World, refund: Refund
) -> None:
    submit(refund)
    pull(at=later(seconds=2))
    told = query(refund)
    assert (told.is_done, told.reference) == (True, movements(world)[0]["receipt"])


def test_a_reversal_that_found_no_time_failed_after_a_while(world: World, refund: Refund) -> None:
    world.fault("queue_timeout", topic="reversal")
    submit(refund)
    world.call_back("reversal")
    assert ResultRequest.objects.get(kind="reversal").state == "timed_out"
    assert query(refund).is_final is False
    world.call_back("status")
    assert query(refund).is_final is False
    told = query(refund, at=later(minutes=11))
    assert (told.is_final, told.is_done, told.text) == (
        True,
        False,
        "The service request timed out.",
    )
    assert movements(world) == []


@pytest.mark.parametrize("fault", ["slow_response", "unavailable"])
def test_a_lost_acknowledgement_is_never_asked_again(
    world: World, payment: Payment, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("gateway.providers.daraja.client.TIMEOUT_SECONDS", (1, 0.3))
    part = requested(payment, amount_minor=20_000)
    # The token is there already, so that the fault meets the reversal.
    shared_client()._access_token(timezone.now())
    world.fault(fault, seconds=0.7)
    with pytest.raises(ProviderUnavailable) as unknown:
        submit(part)
    assert not isinstance(unknown.value, ProviderUnreachable)
    assert submit(part).is_final is False
    made = len(movements(world))
    assert made == (1 if fault == "slow_response" else 0)
    assert query(part, at=later(hours=1)).is_final is False
    pull(at=later(seconds=2))
    assert query(part).is_done is bool(made)


def test_a_lost_acknowledgement_is_adopted_from_the_result_and_made_sure_of(
    world: World, refund: Refund
) -> None:
    submit(refund)
    ResultRequest.objects.update(
        conversation="", state="submitting", requested_at=later(minutes=-2)
    )
    world.call_back("reversal")
    assert query(refund).is_final is False
    world.call_back("status")
    assert query(refund).is_done is True


def test_a_provider_that_cannot_be_reached_did_nothing(
    world: World, refund: Refund, settings: Settings
) -> None:
    settings.DARAJA_URL = "http://127.0.0.1:9/daraja"
    shared_client.cache_clear()
    with pytest.raises(ProviderUnreachable):
        submit(refund)
    told = query(refund)
    assert (told.is_final, told.is_done, told.code) == (True, False, "unreachable")
    settings.DARAJA_URL = f"{world.url}/daraja"
    shared_client.cache_clear()
    assert submit(refund).is_final is False
    assert len(movements(world)) == 1


def test_without_an_operator_there_are_no_refunds(
    world: World, refund: Refund, settings: Settings
) -> None:
    settings.DARAJA_SECURITY_CREDENTIAL = ""
    shared_client.cache_clear()
    able = adapter().capabilities
    assert (able.refunds, able.partial_refunds, able.tells_amount) == (False, False, False)
    with pytest.raises(ProviderRefused, match="DARAJA_INITIATOR_NAME"):
        submit(refund)
    assert adapter().balance(at=timezone.now()) is None


def test_a_result_nobody_can_have_sent_is_not_believed(world: World, refund: Refund) -> None:
    submit(refund)
    event = answer(world, OriginatorConversationID="1-2-3")
    assert event.outcome == "malformed"
    assert answer(world, OriginatorConversationID="").outcome == "malformed"
    assert ResultRequest.objects.get().state == "pending"
    # That of another payment's reversal.
    path, body = world.callbacks("reversal")[-1]
    result = json.loads(body)["Result"]
    for item in result["ResultParameters"]["ResultParameter"]:
        if item["Key"] == "OriginalTransactionID":
            item["Value"] = "SKE52PAWR9"
    world.hooks.json(path, {"Result": result})
    handle_events()
    assert query(refund).is_final is False


def test_a_refund_that_was_never_asked_for_failed_after_a_while(
    world: World, refund: Refund
) -> None:
    assert query(refund).is_final is False
    told = query(refund, at=later(minutes=11))
    assert (told.is_final, told.is_done, told.code) == (True, False, "unsent")


class TestWhole:
    """From the wish to the books, through the hooks."""

    def wished(self, payment: Payment, *, amount_minor: int = 50_000) -> Refund:
        made = refunding.request(
            payment=payment,
            amount_minor=amount_minor,
            reason="Paid twice",
            requested_by=None,
            idempotency_key="whole",
            at=timezone.now(),
        )
        refunding.submit(refund_id=made.pk, at=timezone.now())
        made.refresh_from_db()
        return made

    def test_the_result_ends_it(self, world: World, payment: Payment) -> None:
        made = self.wished(payment)
        assert made.state == "pending"
        world.call_back("reversal", times=2)
        made.refresh_from_db()
        assert (made.state, made.reference) == ("succeeded", movements(world)[0]["receipt"])
        payment.refresh_from_db()
        assert payment.taken_back_minor == 50_000
        pull(at=later(seconds=2))
        assert not Reversal.objects.exists()

    def test_a_refusal_puts_it_back(self, world: World, payment: Payment) -> None:
        world.ask("POST", "daraja/simulator/payout", amount="1000")
        made = self.wished(payment)
        world.call_back("reversal")
        made.refresh_from_db()
        assert (made.state, made.failure_code) == ("failed", "1")
        payment.refresh_from_db()
        assert payment.taken_back_minor == 0

    def test_the_statement_may_tell_before_the_result(self, world: World, payment: Payment) -> None:
        made = self.wished(payment, amount_minor=20_000)
        pull(at=later(seconds=2))
        made.refresh_from_db()
        assert (made.state, made.reference) == ("succeeded", movements(world)[0]["receipt"])
        world.call_back("reversal")
        payment.refresh_from_db()
        assert payment.taken_back_minor == 20_000
        assert not Reversal.objects.exists()

    def test_the_statement_tells_of_what_was_reversed_behind_our_back(
        self, world: World, payment: Payment
    ) -> None:
        made = world.ask(
            "POST", "daraja/simulator/reversals", receipt=payment.reference, amount="300"
        )
        pull(at=later(seconds=2))
        pull(at=later(seconds=3))
        taken = Reversal.objects.get()
        assert (taken.reference, taken.amount_minor) == (made["receipt"], 30_000)
        payment.refresh_from_db()
        assert payment.taken_back_minor == 30_000


class TestStatement:
    """Reversals among the pulled rows."""

    @pytest.mark.parametrize("form", ["negative", "typed"])
    def test_a_reversal_is_a_movement_of_its_payment(
        self, world: World, payment: Payment, form: str
    ) -> None:
        world.ask("POST", "daraja/simulator/settings", reversal_rows=form)
        made = world.ask(
            "POST", "daraja/simulator/reversals", receipt=payment.reference, amount="120"
        )
        rows = list(adapter().list_transactions(since=later(hours=-1), until=later(seconds=2)))
        [moved] = [row for row in rows if isinstance(row, Movement)]
        assert (moved.kind, moved.reference) == ("reversal", made["receipt"])
        assert (moved.payment_reference, moved.amount_minor) == (payment.reference, 12_000)
        pull(at=later(seconds=2))
        kept = StatementRow.objects.get(kind="reversal")
        assert (kept.reference, kept.payment_reference) == (made["receipt"], payment.reference)

    def test_a_reversal_of_no_receipt_is_for_a_person(
        self, world: World, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = {
            "transactionId": "SKE52PAWR9",
            "trxDate": "2026-11-20T10:00:00Z",
            "amount": "20.00",
            "billreference": "KIS0001",
            "transactiontype": "Pay Bill Reversal",
        }
        monkeypatch.setattr("gateway.providers.daraja.statement.page", lambda **_: [row])
        [read] = adapter().list_transactions(since=later(hours=-1), until=timezone.now())
        assert isinstance(read, UnreadableRow)
        assert read.reference == "SKE52PAWR9"
