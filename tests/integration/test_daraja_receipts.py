"""Whose a receipt is that a callback named: nobody is credited on the callback's word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import amounts
from accounts.models import Household, Payment, PaymentAttempt, Rail
from gateway.providers import collection
from gateway.providers.daraja.provider import shared_client
from gateway.providers.models import ResultRequest
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import (
    World,
    handle_events,
    home,
    hooks,
    later,
    prompted,
    today,
    world,
)
from tests.village import Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db


def of(attempt: PaymentAttempt) -> PaymentAttempt:
    return PaymentAttempt.objects.select_related("top_up").get(pk=attempt.pk)


def claim(world: World, attempt: PaymentAttempt, *, receipt: str) -> None:
    """A callback that fits in all but perhaps its receipt."""
    items = [
        {"Name": "Amount", "Value": 500},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "PhoneNumber", "Value": 254711000001},
    ]
    callback = {
        "MerchantRequestID": "1-1-1",
        "CheckoutRequestID": attempt.provider_request,
        "ResultCode": 0,
        "ResultDesc": "ok",
        "CallbackMetadata": {"Item": items},
    }
    world.hooks.json(f"daraja/stk/{attempt.token}", {"Body": {"stkCallback": callback}})
    handle_events()


def lag(world: World, *, seconds: int = 600) -> None:
    """The statement shows nothing that is younger."""
    world.ask("POST", "daraja/simulator/settings", statement_delay_seconds=seconds)


def answer_status(world: World, **changes: Any) -> None:
    """Hand over the newest result of a status query, with other parameters or fields."""
    path, body = world.callbacks("status")[-1]
    result = json.loads(body)["Result"]
    for item in result.get("ResultParameters", {}).get("ResultParameter", []):
        if item["Key"] in changes and item["Key"] not in result:
            item["Value"] = changes.pop(item["Key"])
    world.hooks.json(path, {"Result": {**result, **changes}})
    handle_events()


def settle_by_statement(world: World) -> None:
    """The statement catches up, and the janitor comes by."""
    lag(world, seconds=0)
    collection.pull(rail=Rail.objects.get(), at=timezone.now())
    collection.poll_due(clock=lambda: later(minutes=5))


def test_the_statement_tells_at_once_whose_a_receipt_is(world: World, home: Household) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    world.call_back("stk")
    assert of(attempt).state == "succeeded"
    payment = Payment.objects.get()
    assert (payment.reference, payment.top_up) == (receipt, of(attempt).top_up)
    assert not ResultRequest.objects.exists()


def test_where_the_statement_lags_the_receipts_status_tells(world: World, home: Household) -> None:
    lag(world)
    attempt = prompted(home)
    receipt = world.pay()
    world.call_back("stk")
    assert of(attempt).state == "awaiting_reference"
    assert not Payment.objects.exists()

    world.call_back("status", times=2)
    assert (of(attempt).state, of(attempt).has_mismatch) == ("succeeded", False)
    payment = Payment.objects.get()
    assert (payment.reference, payment.amount_minor) == (receipt, 50_000)
    asked = ResultRequest.objects.get()
    assert (asked.kind, asked.reference, asked.state) == ("status", receipt, "answered")

    settle_by_statement(world)
    assert Payment.objects.count() == 1
    funds = amounts.of_household(household=home).funds_wei
    assert funds == Payment.objects.get().credited_wei


def test_a_made_up_receipt_credits_nothing_and_the_true_one_is_credited_once(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    claim(world, attempt, receipt="FAKE000001")
    assert of(attempt).state == "awaiting_reference"
    world.call_back("status")
    assert (of(attempt).claimed_reference, of(attempt).has_mismatch) == ("", True)
    world.call_back("stk")
    assert not Payment.objects.exists()

    settle_by_statement(world)
    assert Payment.objects.get().reference == receipt
    assert of(attempt).state == "succeeded"


def test_a_made_up_receipt_is_not_waited_for(world: World, home: Household) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    claim(world, attempt, receipt="FAKE000001")
    settle_by_statement(world)
    assert of(attempt).state == "succeeded"
    assert Payment.objects.get().reference == receipt


@pytest.mark.parametrize(("amount", "phone"), [("500", "+254711000002"), ("300", "+254711000001")])
def test_the_status_of_somebody_elses_receipt_is_not_ours(
    world: World, home: Household, today: Village, amount: str, phone: str
) -> None:
    today.household("KIS0002", phone="+254711000002")
    lag(world)
    theirs = world.paybill("KIS0002", amount, phone=phone)
    attempt = prompted(home)
    ours = world.pay()
    claim(world, attempt, receipt=theirs)
    world.call_back("status")
    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", True)
    assert not Payment.objects.exists()

    settle_by_statement(world)
    assert Payment.objects.get(reference=theirs).top_up is None
    assert Payment.objects.get(reference=ours).top_up == of(attempt).top_up


@pytest.mark.parametrize(
    "changes",
    [
        {"ReceiptNo": "SKE52PAWR9"},
        {"TransactionStatus": "Declined"},
        {"Amount": 501},
        {"Amount": "much"},
        {"DebitPartyName": "0711000002 - Grace"},
        {"CreditPartyName": "600000 - Somebody"},
        {"FinalisedTime": 20200101000000},
        {"ResultCode": 2032},
    ],
)
def test_a_status_that_does_not_fit_is_not_believed(
    world: World, home: Household, changes: dict[str, Any]
) -> None:
    lag(world)
    attempt = prompted(home)
    world.pay()
    world.call_back("stk")
    answer_status(world, **changes)
    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", True)
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"DebitPartyName": "2547 ***** 001 - Amina"},
        {"FinalisedTime": "yesterday"},
        {"ResultCode": 2001},
    ],
)
def test_a_status_that_says_too_little_leaves_it_to_the_statement(
    world: World, home: Household, changes: dict[str, Any]
) -> None:
    lag(world)
    attempt = prompted(home)
    receipt = world.pay()
    world.call_back("stk")
    answer_status(world, **changes)
    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", False)
    collection.poll_due(clock=lambda: later(minutes=2))
    assert len(world.callbacks("status")) == 1
    settle_by_statement(world)
    assert of(attempt).state == "succeeded"
    assert Payment.objects.get().reference == receipt


def test_without_an_operator_the_statement_decides(
    world: World, home: Household, settings: Settings
) -> None:
    settings.DARAJA_INITIATOR_NAME = ""
    shared_client.cache_clear()
    lag(world)
    attempt = prompted(home)
    world.pay()
    world.call_back("stk")
    assert of(attempt).state == "awaiting_reference"
    assert not ResultRequest.objects.exists()
    settle_by_statement(world)
    assert of(attempt).state == "succeeded"


def test_a_question_that_found_no_time_is_asked_again(world: World, home: Household) -> None:
    lag(world)
    attempt = prompted(home)
    world.pay()
    world.fault("queue_timeout", topic="status")
    world.call_back("stk")
    world.call_back("status")
    assert ResultRequest.objects.get().state == "timed_out"
    assert of(attempt).state == "awaiting_reference"
    collection.poll_due(clock=lambda: later(seconds=30))
    assert ResultRequest.objects.count() == 1
    collection.poll_due(clock=lambda: later(minutes=2))
    assert ResultRequest.objects.count() == 2
    world.call_back("status")
    assert of(attempt).state == "succeeded"


def test_a_provider_that_is_away_while_a_receipt_is_checked_loses_nothing(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    PaymentAttempt.objects.filter(pk=attempt.pk).update(
        state="awaiting_reference", claimed_reference=receipt, next_poll_at=timezone.now()
    )
    world.fault("unavailable", count=2)
    collection.poll_due(clock=later)
    assert of(attempt).state == "awaiting_reference"
    collection.poll_due(clock=lambda: later(minutes=5))
    assert of(attempt).state == "succeeded"


class TestResults:
    """Who may answer a question."""

    def test_a_result_of_another_conversation_is_refused(
        self, world: World, home: Household
    ) -> None:
        lag(world)
        attempt = prompted(home)
        world.pay()
        world.call_back("stk")
        answer_status(world, OriginatorConversationID="1-2-3")
        assert of(attempt).state == "awaiting_reference"
        assert ResultRequest.objects.get().state == "pending"
        event = InboundEvent.objects.latest("pk")
        assert (event.outcome, event.outcome_text) == (
            "malformed",
            "the result names another conversation",
        )

    def test_the_first_result_stands(self, world: World, home: Household) -> None:
        lag(world)
        attempt = prompted(home)
        world.pay()
        world.call_back("stk")
        answer_status(world, Amount=501)
        answer_status(world)
        assert of(attempt).state == "awaiting_reference"
        assert ResultRequest.objects.get().result["Amount"] == "501"

    def test_a_result_that_overtakes_its_acknowledgement_waits(
        self, world: World, home: Household
    ) -> None:
        lag(world)
        attempt = prompted(home)
        world.pay()
        world.call_back("stk")
        asked = ResultRequest.objects.get()
        ResultRequest.objects.update(conversation="", state="submitting")
        answer_status(world)
        assert InboundEvent.objects.latest("pk").outcome == "failed"
        ResultRequest.objects.update(conversation=asked.conversation, state="pending")
        InboundEvent.objects.filter(outcome="failed").update(outcome="")
        handle_events()
        assert of(attempt).state == "succeeded"

    def test_nobody_asked(self, world: World) -> None:
        world.hooks.json("daraja/result/abc", {"Result": {"OriginatorConversationID": "1"}})
        handle_events()
        event = InboundEvent.objects.get()
        assert (event.outcome, event.outcome_text) == ("ignored", "no question has this token")
