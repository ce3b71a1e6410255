"""M-Pesa both ways against the sandbox's Daraja: what is credited, when, and how often."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import amounts, attempts
from accounts.models import Household, Payment, PaymentAttempt, Rail
from gateway.providers import collection
from gateway.providers.daraja.provider import DarajaProvider
from gateway.providers.models import StatementCursor
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import (
    World,
    handle_events,
    home,
    hooks,
    later,
    prompted,
    texts,
    today,
    world,
)
from tests.village import Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db

DAI = 10**18


def funds(household: Household) -> int:
    return amounts.of_household(household=household).funds_wei


def pull(*, at: Any = None) -> int:
    return collection.pull(rail=Rail.objects.get(), at=at or timezone.now())


def of(attempt: PaymentAttempt) -> PaymentAttempt:
    return PaymentAttempt.objects.select_related("top_up").get(pk=attempt.pk)


def test_a_paid_prompt_credits_the_amount_asked_under_its_receipt(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    assert world.prompt()["amount"] == "500"
    receipt = world.pay()
    world.call_back("stk")

    payment = Payment.objects.get()
    assert (payment.reference, payment.amount_minor) == (receipt, 50_000)
    # 500 KES at 129.25 KES per DAI, rounded down to the wei.
    assert payment.credited_wei == 500 * DAI * 100 // 12_925
    assert funds(home) == payment.credited_wei
    assert (of(attempt).state, of(attempt).intent.state) == ("succeeded", "succeeded")


def test_a_callback_that_comes_three_times_credits_once(world: World, home: Household) -> None:
    prompted(home)
    world.pay()
    world.call_back("stk", times=3)

    assert Payment.objects.count() == 1
    assert set(InboundEvent.objects.values_list("outcome", flat=True)) == {"done"}
    assert funds(home) == Payment.objects.get().credited_wei


def test_result_codes_are_read_as_strings_too(world: World, home: Household) -> None:
    attempt = prompted(home)
    world.fault("string_codes")
    world.pay()
    world.call_back("stk")
    assert '"ResultCode": "0"' in world.callbacks("stk")[-1][1]
    assert of(attempt).state == "succeeded"


@pytest.mark.parametrize(("pin", "code"), [("0000", "2001"), (None, "1032")])
def test_a_prompt_that_is_not_paid_fails_and_tells_its_phone_once(
    world: World, home: Household, pin: str | None, code: str
) -> None:
    attempt = prompted(home)
    if pin is None:
        world.cancel()
    else:
        world.pay(pin=pin)
    world.call_back("stk", times=2)

    assert (of(attempt).state, of(attempt).failure_code) == ("failed", code)
    assert of(attempt).intent.state == "failed"
    assert not Payment.objects.exists()
    assert len(texts("top_up_failed")) == 1


def test_a_missing_callback_is_made_good_by_the_janitor_and_the_statement(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    assert collection.poll_due(clock=lambda: later(seconds=5)) == 0
    assert collection.poll_due(clock=lambda: later(seconds=30)) == 1
    assert of(attempt).state == "awaiting_reference"
    assert not Payment.objects.exists()

    assert pull() == 1
    collection.poll_due(clock=lambda: later(minutes=5))
    assert of(attempt).state == "succeeded"
    payment = Payment.objects.get()
    assert (payment.reference, payment.top_up_id) == (receipt, attempt.top_up_id)


def test_the_callback_after_the_statement_credits_nothing_more(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    world.pay()
    assert pull() == 1
    credited = funds(home)
    world.call_back("stk")

    assert (funds(home), Payment.objects.count()) == (credited, 1)
    assert Payment.objects.get().top_up_id == attempt.top_up_id
    assert (of(attempt).state, of(attempt).has_mismatch) == ("succeeded", False)


@pytest.mark.parametrize("order", [("stk", "confirmation"), ("confirmation", "stk")])
def test_a_payment_seen_both_as_stk_and_as_c2b_credits_once(
    world: World, home: Household, order: tuple[str, str]
) -> None:
    attempt = prompted(home)
    world.fault("stk_as_c2b")
    receipt = world.pay()
    for topic in order:
        world.call_back(topic)
    pull()

    assert Payment.objects.get().reference == receipt
    assert funds(home) == Payment.objects.get().credited_wei
    assert of(attempt).state == "succeeded"
    assert InboundEvent.objects.filter(outcome="done").count() == 2


def test_a_callback_before_the_response_is_handled_and_the_response_changes_nothing(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    checkout = attempt.provider_request
    # As it was while the request was on its way.
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state="submitting", provider_request="")
    world.pay()
    world.call_back("stk")
    assert of(attempt).state == "succeeded"

    attempts.submitted(attempt=of(attempt), provider_request=checkout, at=timezone.now())
    assert (of(attempt).state, of(attempt).has_mismatch) == ("succeeded", False)
    assert Payment.objects.count() == 1


def test_a_forged_success_credits_nothing_while_the_query_says_otherwise(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    forged = _callback(attempt, receipt="FAKE000001")
    world.hooks.json(f"daraja/stk/{attempt.token}", forged)
    handle_events()
    assert (of(attempt).state, funds(home)) == ("pending", 0)

    world.cancel()
    world.hooks.json(f"daraja/stk/{attempt.token}", forged)
    handle_events()
    assert (of(attempt).state, funds(home)) == ("failed", 0)
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    "forgery", [{"amount": 5}, {"phone": 254711000099}, {"checkout": "ws_CO_9"}]
)
def test_a_callback_that_contradicts_the_ask_is_flagged_and_the_statement_decides(
    world: World, home: Household, forgery: dict[str, Any]
) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    world.hooks.json(f"daraja/stk/{attempt.token}", _callback(attempt, receipt="X1Y2Z3", **forgery))
    handle_events()
    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", True)
    assert not Payment.objects.exists()

    assert pull() == 1
    collection.poll_due(clock=lambda: later(minutes=5))
    assert of(attempt).state == "succeeded"
    assert Payment.objects.get().reference == receipt


def test_two_callbacks_that_name_different_receipts_are_both_disbelieved(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    world.hooks.json(f"daraja/stk/{attempt.token}", _callback(attempt, receipt="FORGED0001"))
    handle_events()
    receipt = world.pay()
    world.call_back("stk")
    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", True)
    pull()
    collection.poll_due(clock=lambda: later(minutes=5))
    assert Payment.objects.get().reference == receipt


@pytest.mark.parametrize("amount", ["500", "300"])
def test_somebody_elses_receipt_stays_theirs(
    world: World, home: Household, today: Village, amount: str
) -> None:
    neighbour = today.household("KIS0002", phone="+254711000002")
    theirs = world.paybill("KIS0002", amount, phone="+254711000002")
    pull()
    attempt = prompted(home)
    ours = world.pay()
    world.hooks.json(f"daraja/stk/{attempt.token}", _callback(attempt, receipt=theirs))
    handle_events()

    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", True)
    stolen = Payment.objects.get(reference=theirs)
    assert (stolen.household_id, stolen.top_up_id) == (neighbour.pk, None)
    assert funds(home) == 0
    pull()
    collection.poll_due(clock=lambda: later(minutes=5))
    assert Payment.objects.get(top_up=attempt.top_up).reference == ours
    assert of(attempt).state == "succeeded"


def test_a_receipt_that_nobody_was_credited_for_yet_is_not_taken_from_its_payer(
    world: World, home: Household, today: Village
) -> None:
    neighbour = today.household("KIS0002", phone="+254711000002")
    theirs = world.paybill("KIS0002", "500", phone="+254711000002")
    attempt = prompted(home)
    ours = world.pay()
    world.hooks.json(f"daraja/stk/{attempt.token}", _callback(attempt, receipt=theirs))
    handle_events()
    assert (of(attempt).state, of(attempt).has_mismatch) == ("awaiting_reference", True)
    assert not Payment.objects.exists()

    pull()
    collection.poll_due(clock=lambda: later(minutes=5))
    assert Payment.objects.get(reference=theirs).household == neighbour
    assert Payment.objects.get(reference=ours).top_up == of(attempt).top_up
    assert StatementCursor.objects.get().last_failure == ""


def test_a_request_of_another_attempt_is_not_taken_for_ours(world: World, home: Household) -> None:
    cheap = prompted(home, amount_minor=1_000, key="cheap")
    world.pay()
    world.call_back("stk")
    PaymentAttempt.objects.filter(pk=cheap.pk).update(created_at=later(minutes=-5))
    dear = prompted(home, amount_minor=500_000, key="dear")
    PaymentAttempt.objects.filter(pk=dear.pk).update(state="unknown", provider_request="")
    credited = funds(home)

    world.hooks.json(f"daraja/stk/{dear.token}", _callback(cheap, receipt="CHEAP00001"))
    handle_events()
    assert (of(dear).state, of(dear).has_mismatch) == ("unknown", True)
    assert funds(home) == credited


def test_a_late_success_after_a_failure_credits_once_and_is_flagged(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    timed_out = attempts.Answer(is_final=True, code="1037", text="DS timeout")
    attempts.settle_answer(attempt=of(attempt), answer=timed_out, at=timezone.now())
    assert of(attempt).state == "failed"

    world.pay()
    world.call_back("stk", times=2)
    pull()
    now = of(attempt)
    assert (now.state, now.is_late_success, now.intent.state) == ("succeeded", True, "succeeded")
    assert funds(home) == Payment.objects.get().credited_wei


def test_a_late_success_without_a_receipt_waits_for_the_statement(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    timed_out = attempts.Answer(is_final=True, code="1037", text="DS timeout")
    attempts.settle_answer(attempt=of(attempt), answer=timed_out, at=timezone.now())
    world.pay()
    world.hooks.json(f"daraja/stk/{attempt.token}", _callback(attempt, receipt=None))
    handle_events()
    now = of(attempt)
    assert (now.state, now.intent.state) == ("awaiting_reference", "pending")
    pull()
    collection.poll_due(clock=lambda: later(minutes=5))
    assert (of(attempt).state, of(attempt).is_late_success) == ("succeeded", True)


def test_paybill_money_is_credited_by_the_statement_not_by_the_confirmation(
    world: World, home: Household
) -> None:
    receipt = world.paybill("kis 0001", "250.50")
    path, body = world.callbacks("confirmation")[-1]
    inflated = {**json.loads(body), "TransAmount": "99999"}
    world.hooks.json(path, inflated)
    handle_events()

    payment = Payment.objects.get()
    assert (payment.reference, payment.amount_minor) == (receipt, 25_050)
    assert payment.credited_wei == 25_050 * DAI // 12_925
    event = InboundEvent.objects.get()
    assert (event.outcome, event.subject) == ("done", receipt)
    assert event.outcome_text == "names 9999900 minor units, not 25050"


def test_a_confirmation_of_what_the_statement_does_not_show_is_asked_again_later(
    world: World, home: Household
) -> None:
    receipt = world.paybill("KIS0001", "100", silent=True)
    body = json.loads(_confirmation(receipt="ZZZ0000001"))
    world.hooks.json("daraja/confirmation", body)
    handle_events()
    event = InboundEvent.objects.get()
    assert (event.outcome, Payment.objects.get().reference) == ("failed", receipt)
    assert "ZZZ0000001" in event.outcome_text


def test_a_payment_nobody_was_told_of_is_found_in_the_statement(
    world: World, home: Household
) -> None:
    receipt = world.paybill("KIS0001", "80", silent=True)
    assert not world.callbacks("confirmation")
    assert pull() == 1
    assert pull() == 0
    assert Payment.objects.get().reference == receipt


def test_a_statement_of_many_pages_is_read_to_its_end(
    world: World, home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.daraja.pull.PAGE_ROWS", 3)
    monkeypatch.setattr("gateway.providers.daraja.statement.PULL_PAGE_ROWS", 3)
    receipts = {world.paybill("KIS0001", "10", silent=True) for _ in range(9)}
    assert pull() == 9
    assert set(Payment.objects.values_list("reference", flat=True)) == receipts
    assert funds(home) == sum(payment.credited_wei or 0 for payment in Payment.objects.all())


def test_a_confirmation_does_not_move_the_cursor_over_what_was_not_read(
    world: World, home: Household
) -> None:
    old = later(hours=-5)
    StatementCursor.objects.create(rail=Rail.objects.get(), read_until=old - timedelta(hours=1))
    missed = world.paybill("KIS0001", "70", silent=True, at=old.isoformat())
    world.paybill("KIS0001", "80")
    world.call_back("confirmation")
    assert Payment.objects.filter(reference=missed).exists()


def test_a_confirmation_with_an_absurd_time_reads_thirty_days_at_most(
    world: World, home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[timedelta] = []
    original = DarajaProvider.list_transactions

    def payments(self: DarajaProvider, **span: Any) -> Any:
        read.append(span["until"] - span["since"])
        return original(self, **span)

    monkeypatch.setattr(DarajaProvider, "list_transactions", payments)
    for time in ("00010101000000", "99991231235959"):
        world.hooks.json("daraja/confirmation", _confirmation(receipt="ABC0000001", time=time))
    handle_events()
    assert set(InboundEvent.objects.values_list("outcome", flat=True)) == {"failed"}
    assert max(read) <= timedelta(days=31)


def test_a_provider_that_is_away_leaves_the_cursor_and_is_noted(
    world: World, home: Household
) -> None:
    world.paybill("KIS0001", "80", silent=True)
    pull()
    before = StatementCursor.objects.get().read_until
    world.fault("unavailable", count=2)
    assert pull() == 0
    assert pull() == 0
    cursor = StatementCursor.objects.get()
    assert (cursor.read_until, cursor.failures_in_a_row) == (before, 2)
    assert "503" in cursor.last_failure
    pull()
    assert StatementCursor.objects.get().failures_in_a_row == 0


ROWS = [
    {"transactionId": "GOOD000001", "amount": "10.00"},
    {"transactionId": "NEGATIVE01", "amount": "-10.00"},
    {"transactionId": "NOTHING001", "amount": "0"},
    {"transactionId": "HUGE000001", "amount": "1e999999999"},
    {"transactionId": "WRONG00001", "amount": "ten"},
    {"transactionId": "TIMELESS01", "amount": "10", "trxDate": "yesterday"},
    {"amount": "10.00"},
    "not a row",
    {"transactionId": "GOOD000002", "amount": 20, "billreference": "KIS\x000001\ud800"},
]


def test_a_row_that_cannot_be_read_does_not_hold_up_the_others(
    world: World, home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = {"trxDate": "2026-11-20T10:00:00Z", "billreference": "KIS0001", "msisdn": 254711000001}
    rows = [{**usual, **row} if isinstance(row, dict) else row for row in ROWS]
    monkeypatch.setattr("gateway.providers.daraja.statement.page", lambda **_: rows)
    assert pull() == 2
    assert set(Payment.objects.values_list("reference", "amount_minor", "household__code")) == {
        ("GOOD000001", 1_000, "KIS0001"),
        ("GOOD000002", 2_000, "KIS0001"),
    }
    cursor = StatementCursor.objects.get()
    assert "NEGATIVE01 unreadable" in cursor.last_failure
    assert cursor.last_success_at is not None


def _callback(
    attempt: PaymentAttempt,
    *,
    receipt: str | None,
    amount: int = 500,
    phone: int = 254711000001,
    checkout: str = "",
) -> dict[str, Any]:
    """A success callback, whoever sends it."""
    items: list[dict[str, Any]] = [
        {"Name": "Amount", "Value": amount},
        {"Name": "Balance"},
        {"Name": "PhoneNumber", "Value": phone},
    ]
    if receipt is not None:
        items.append({"Name": "MpesaReceiptNumber", "Value": receipt})
    return {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": "1-1-1",
                "CheckoutRequestID": checkout or attempt.provider_request,
                "ResultCode": 0,
                "ResultDesc": "ok",
                "CallbackMetadata": {"Item": items},
            }
        }
    }


def _confirmation(*, receipt: str, time: str = "20261120100000") -> str:
    body = {"TransID": receipt, "TransTime": time, "TransAmount": "100", "BillRefNumber": "KIS0001"}
    return json.dumps(body)
