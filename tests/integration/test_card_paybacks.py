"""Refunds and disputes over the sandbox Stripe: events in every order, none, or too many."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.utils import timezone

from accounts import attempts
from accounts.models import Dispute, Household, LedgerAccount, Payment, Rail, Refund
from gateway.providers import collection, refunding
from gateway.providers.models import StatementRow
from gateway.providers.registry import provider
from gateway.providers.stripe.client import shared_client
from gateway.webhooks import events as handling
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import World, home, hooks, later, today, world
from tests.integration.test_stripe_provider import (
    cards,
    charged,
    deliver,
    dollars,
    donation,
    events,
    pay,
    soon,
    stripe_there,
    top_up,
)
from tests.paybacks import assert_books_hold, funds

__all__ = ["cards", "dollars", "home", "hooks", "stripe_there", "today", "world"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(world: World, home: Household, cards: Rail) -> Payment:
    """2,500 KES by card for KIS0001."""
    return charged(world, top_up(home, cards))


def request(payment: Payment, amount_minor: int = 250_000, *, key: str = "one") -> Refund:
    return refunding.request(
        payment=payment,
        amount_minor=amount_minor,
        reason="paid twice",
        requested_by=None,
        idempotency_key=key,
        at=timezone.now(),
    )


def submitted(payment: Payment, amount_minor: int = 250_000, *, key: str = "one") -> Refund:
    refund = request(payment, amount_minor, key=key)
    refunding.submit(refund_id=refund.pk, at=timezone.now())
    refund.refresh_from_db()
    return refund


def of(refund: Refund) -> Refund:
    return Refund.objects.get(pk=refund.pk)


def pull(rail: Rail) -> None:
    collection.pull(rail=rail, at=timezone.now())


def on_float(rail: Rail) -> int:
    return -LedgerAccount.objects.get(kind="float", name=rail.code).amount


def balance(world: World, rail: Rail) -> int:
    """What the sandbox Stripe holds for us in the rail's currency."""
    told = provider(rail=rail).balance(at=timezone.now())
    assert told is not None
    return told.amount_minor


class TestRefunds:
    """Back to the card that paid, once."""

    def test_a_part_and_then_the_rest_go_back_to_the_card(
        self, world: World, home: Household, cards: Rail, payment: Payment
    ) -> None:
        credited = payment.credited_wei or 0
        assert submitted(payment, 100_001).state == "succeeded"
        assert funds(home) == credited - credited * 100_001 // 250_000
        assert submitted(payment, 149_999, key="two").state == "succeeded"
        assert funds(home) == 0
        assert on_float(cards) == balance(world, cards) == -payment.fee_minor
        pull(cards)
        assert Refund.objects.count() == StatementRow.objects.filter(kind="refund").count() == 2
        assert payment.top_up is not None
        payment.top_up.refresh_from_db()
        assert payment.top_up.state == "refunded"
        assert_books_hold()

    def test_a_refund_that_was_not_answered_is_made_once(
        self, world: World, cards: Rail, payment: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.providers.stripe.client.TIMEOUT_SECONDS", (1.0, 0.4))
        shared_client.cache_clear()
        world.fault("slow_response", service="stripe", seconds=1.2, count=2)
        refund = submitted(payment)
        assert (refund.state, refund.provider_request) == ("unknown", "")
        time.sleep(1.3)
        world.fault("unavailable", service="stripe", count=2)
        pull(cards)
        # Which one the statement shows is not known yet: it waits for the answer.
        assert Refund.objects.count() == 1
        refunding.poll_due(clock=lambda: later(minutes=5))
        pull(cards)
        assert (of(refund).state, Refund.objects.count()) == ("succeeded", 1)
        assert on_float(cards) == balance(world, cards)
        assert_books_hold()

    def test_one_made_in_the_dashboard_is_found_by_its_event(
        self, world: World, home: Household, cards: Rail, payment: Payment
    ) -> None:
        path = f"stripe/simulator/charges/{payment.reference}/refund"
        world.ask("POST", path, amount_minor=50_000)
        soon(lambda: bool(events(world, "charge.refunded")))
        for topic in ("charge.refunded", "refund.created", "refund.created", "charge.refunded"):
            assert deliver(world, events(world, topic)[-1]).status_code == 200
        made = Refund.objects.get()
        assert (made.requested_by, made.amount_minor, made.state) == (None, 50_000, "succeeded")
        assert on_float(cards) == balance(world, cards)
        pull(cards)
        assert Refund.objects.count() == 1
        assert_books_hold()

    def test_one_that_bounces_is_put_back(self, world: World, home: Household, cards: Rail) -> None:
        # Stripe's test card whose refunds fail after they seemed done.
        payment = charged(world, top_up(home, cards), card="4000000000005126")
        refund = submitted(payment)
        assert refund.state in ("succeeded", "pending")
        soon(lambda: bool(events(world, "refund.failed")))
        for _ in range(2):
            deliver(world, events(world, "refund.failed")[-1])
        pull(cards)
        assert (of(refund).state, Refund.objects.count()) == ("failed", 1)
        assert funds(home) == payment.credited_wei
        assert on_float(cards) == balance(world, cards)
        assert_books_hold()

    def test_a_refusal_puts_back_at_once(
        self, world: World, home: Household, cards: Rail, payment: Payment
    ) -> None:
        refund = request(payment)
        world.ask("POST", f"stripe/simulator/charges/{payment.reference}/refund")
        refunding.submit(refund_id=refund.pk, at=timezone.now())
        assert of(refund).state == "failed"
        assert "refunded" in of(refund).failure_text
        pull(cards)
        made = Refund.objects.exclude(pk=refund.pk).get()
        assert (made.requested_by, made.state, funds(home)) == (None, "succeeded", 0)
        assert_books_hold()

    def test_a_duplicate_given_back_leaves_the_good_one(
        self, world: World, home: Household, cards: Rail, payment: Payment
    ) -> None:
        assert payment.top_up is not None
        again = attempts.open_for(intent=payment.top_up, at=timezone.now())
        collection.submit(attempt_id=again.pk, at=timezone.now())
        again.refresh_from_db()
        known = len(events(world, "charge.updated"))
        pay(world, again)
        soon(lambda: len(events(world, "charge.updated")) > known)
        collection.ask(attempt_id=again.pk, at=timezone.now())
        good, twice = payment.top_up.payments.order_by("pk")
        assert submitted(twice).state == "succeeded"
        payment.top_up.refresh_from_db()
        assert payment.top_up.state == "succeeded"
        assert funds(home) == good.credited_wei
        assert_books_hold()


class TestDisputes:
    """The bank takes the money until it is decided."""

    def disputed(self, world: World, payment: Payment, **body: Any) -> str:
        answer = world.ask("POST", f"stripe/simulator/charges/{payment.reference}/dispute", **body)
        soon(lambda: bool(events(world, "charge.dispute.created")))
        return str(answer["id"])

    def close(self, world: World, dispute: str, status: str) -> None:
        world.ask("POST", f"stripe/simulator/disputes/{dispute}/close", status=status)
        soon(lambda: bool(events(world, "charge.dispute.closed")))

    @pytest.mark.parametrize("status", ["won", "lost"])
    def test_events_in_any_order_end_as_the_bank_decided(
        self, world: World, home: Household, cards: Rail, payment: Payment, status: str
    ) -> None:
        dispute = self.disputed(world, payment)
        deliver(world, events(world, "charge.dispute.created")[-1])
        assert (Dispute.objects.get().state, funds(home)) == ("open", 0)
        assert Dispute.objects.get().evidence_due_at is not None
        assert on_float(cards) == balance(world, cards)
        self.close(world, dispute, status)
        pull(cards)
        topics = ["closed", "funds_withdrawn", "created", "closed"]
        for topic in topics:
            deliver(world, events(world, f"charge.dispute.{topic}")[-1])
        assert (Dispute.objects.get().state, Dispute.objects.get().reference) == (status, dispute)
        assert funds(home) == (payment.credited_wei if status == "won" else 0)
        assert on_float(cards) == balance(world, cards)
        assert_books_hold()

    def test_without_any_event_the_statement_tells(
        self, world: World, home: Household, cards: Rail, payment: Payment
    ) -> None:
        dispute = self.disputed(world, payment)
        pull(cards)
        assert (Dispute.objects.get().state, funds(home)) == ("open", 0)
        self.close(world, dispute, "won")
        pull(cards)
        assert (Dispute.objects.get().state, funds(home)) == ("won", payment.credited_wei)
        assert on_float(cards) == balance(world, cards)

    def test_an_inquiry_takes_nothing(
        self, world: World, home: Household, payment: Payment
    ) -> None:
        self.disputed(world, payment, inquiry=True)
        deliver(world, events(world, "charge.dispute.created")[-1])
        assert (Dispute.objects.get().state, funds(home)) == ("inquiry", payment.credited_wei)

    def test_a_dispute_of_a_payment_that_was_missed_waits_until_it_is_there(
        self, world: World, home: Household, cards: Rail
    ) -> None:
        attempt = top_up(home, cards)
        known = len(events(world, "charge.updated"))
        pay(world, attempt)
        soon(lambda: len(events(world, "charge.updated")) > known)
        intent = json.loads(events(world, "checkout.session.completed")[-1])
        world.ask(
            "POST",
            f"stripe/simulator/charges/{intent['data']['object']['payment_intent']}/dispute",
        )
        soon(lambda: bool(events(world, "charge.dispute.created")))
        world.fault("unavailable", service="stripe", count=100)
        deliver(world, events(world, "charge.dispute.created")[-1])
        event = InboundEvent.objects.latest("pk")
        assert (event.outcome, Dispute.objects.count()) == ("failed", 0)
        world.ask("DELETE", "stripe/simulator/faults")
        handling.handle(event_id=event.pk, at=later(minutes=1))
        event.refresh_from_db()
        assert event.outcome == "done"
        assert Dispute.objects.get().state == "open"
        assert Payment.objects.get().left_minor == 0

    def test_a_disputed_donation_leaves_the_index(
        self, world: World, home: Household, dollars: Rail
    ) -> None:
        gift = charged(world, donation(home, dollars))
        dispute = self.disputed(world, gift)
        pull(dollars)
        assert gift.donations.get().amount_wei == 0
        self.close(world, dispute, "won")
        pull(dollars)
        assert sum(each.amount_wei for each in gift.donations.all()) == gift.credited_wei
        assert gift.pledge is not None
        gift.pledge.refresh_from_db()
        assert gift.pledge.state == "succeeded"
        assert_books_hold()
