"""Stripe by its official SDK against the sandbox: pages, events, refunds, disputes, statement."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.http import HttpResponse
from django.utils import timezone
from pytest_django import Settings

from accounts import attempts, pledges
from accounts.models import (
    Donation,
    Household,
    LedgerAccount,
    Payment,
    PaymentAttempt,
    Rail,
    RateQuote,
)
from accounts.topups import ConfirmedPayment
from gateway.providers import collection
from gateway.providers.interface import Movement, ProviderRefused, UnreadableRow
from gateway.providers.registry import provider
from gateway.providers.stripe.client import shared_client
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import World, handle_events, home, hooks, today, world

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db

SECRET = "whsec_sandbox"


@pytest.fixture(autouse=True)
def stripe_there(world: World, settings: Settings) -> Iterator[None]:
    """The sandbox Stripe; its events are handed over by the tests."""
    settings.STRIPE_URL = f"{world.url}/stripe"
    settings.STRIPE_SECRET_KEY = "sk_test_sandbox"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_old", SECRET]
    world.fault("never", service="stripe", count=100_000)
    shared_client.cache_clear()
    yield
    shared_client.cache_clear()


@pytest.fixture
def cards(home: Household) -> Rail:
    """Cards in the household's own currency."""
    site = home.sites.get().site
    rail = Rail.objects.create(
        operator=site.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-kes",
        merchant_account="acct_sandbox",
        currency="KES",
        min_top_up_minor=10_000,
        max_top_up_minor=10_000_000,
    )
    site.rails.add(rail)
    return rail


@pytest.fixture
def dollars(cards: Rail) -> Rail:
    """Cards in dollars, for donors."""
    return Rail.objects.create(
        operator=cards.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-usd",
        merchant_account="acct_sandbox",
        currency="USD",
        min_top_up_minor=100,
        max_top_up_minor=100_000_00,
    )


def top_up(home: Household, rail: Rail, *, amount_minor: int = 250_000) -> PaymentAttempt:
    """Somebody abroad opened the card page for a household."""
    attempt = attempts.request(
        household=home,
        site=home.sites.get().site,
        rail=rail,
        phone="",
        amount_minor=amount_minor,
        idempotency_key=f"card:{amount_minor}",
        at=timezone.now(),
    )
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    attempt.refresh_from_db()
    return attempt


def donation(home: Household, rail: Rail, *, amount_minor: int = 5_000) -> PaymentAttempt:
    """A donor opened the card page."""
    attempt = pledges.request(
        site=home.sites.get().site,
        rail=rail,
        amount_minor=amount_minor,
        idempotency_key=f"donate:{amount_minor}",
        name="Ada",
        email="ada@example.org",
        at=timezone.now(),
    )
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    attempt.refresh_from_db()
    return attempt


def pay(world: World, attempt: PaymentAttempt, card: str = "4242424242424242") -> dict[str, Any]:
    """The payer fills the page in."""
    answer = requests.post(
        f"{world.url}/stripe/simulator/checkout/{attempt.provider_request}",
        json={"card": card, "expiry": "12/34", "cvc": "123"},
        timeout=10,
    )
    told: dict[str, Any] = answer.json()
    return told


def soon(condition: Callable[[], bool], *, seconds: float = 8.0) -> None:
    """Wait for what the sandbox does by its clock."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


def events(world: World, topic: str) -> list[str]:
    """Bodies of the events of a type, oldest first."""
    listed = world.ask("GET", "stripe/simulator/callbacks")
    return [
        row["body"]
        for row in sorted(listed, key=lambda row: int(row["id"]))
        if row["topic"] == topic
    ]


def signed(body: str, *, secret: str = SECRET, age_seconds: int = 0) -> str:
    """Stripe's header for a body, as their documentation describes it."""
    at = int(time.time()) - age_seconds
    word = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={word}"


def deliver(world: World, body: str, *, header: str | None = None) -> HttpResponse:
    """Post an event to the hook, signed unless told otherwise, and let the workers act on it."""
    answer = world.hooks.client.generic(
        "POST",
        "/hooks/stripe",
        body.encode(),
        content_type="application/json",
        headers={"stripe-signature": signed(body) if header is None else header},
    )
    handle_events()
    assert isinstance(answer, HttpResponse)
    return answer


def charged(world: World, attempt: PaymentAttempt, card: str = "4242424242424242") -> Payment:
    """Pay, hand over the events, and return the payment."""
    known = len(events(world, "charge.updated"))
    pay(world, attempt, card=card)
    soon(lambda: len(events(world, "charge.updated")) > known)
    for topic in ("checkout.session.completed", "charge.updated"):
        assert deliver(world, events(world, topic)[-1]).status_code == 200
    return Payment.objects.get(
        **({"top_up": attempt.top_up} if attempt.top_up else {"pledge": attempt.pledge})
    )


def test_a_top_up_by_card_is_credited_once_with_stripes_own_fee(
    world: World, home: Household, cards: Rail
) -> None:
    attempt = top_up(home, cards)
    assert (attempt.state, attempt.pay_url.startswith(world.url)) == ("pending", True)
    payment = charged(world, attempt)
    for topic in ("charge.updated", "checkout.session.completed"):
        deliver(world, events(world, topic)[-1])
    attempt.refresh_from_db()
    assert (attempt.state, attempt.intent.state) == ("succeeded", "succeeded")
    assert Payment.objects.count() == 1
    assert payment.reference.startswith("ch_")
    assert (payment.household, payment.amount_minor, payment.currency) == (home, 250_000, "KES")
    assert 0 < payment.fee_minor < 250_000
    on_float = LedgerAccount.objects.get(kind="float", name="cards-kes")
    assert on_float.amount == -(250_000 - payment.fee_minor)
    assert LedgerAccount.objects.get(kind="rail_fees", name="cards-kes").amount < 0


def test_a_page_that_is_asked_for_again_is_the_same_page(
    world: World, home: Household, cards: Rail
) -> None:
    attempt = top_up(home, cards)
    again = provider(rail=cards).initiate(
        attempt=attempts.load(attempt_id=attempt.pk), hooks_url="", at=timezone.now()
    )
    assert (again.provider_request, again.pay_url) == (attempt.provider_request, attempt.pay_url)


def test_a_page_whose_making_was_not_answered_is_made_once(
    world: World, home: Household, cards: Rail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.providers.stripe.client.TIMEOUT_SECONDS", (1.0, 0.4))
    shared_client.cache_clear()
    world.fault("slow_response", service="stripe", seconds=1.2, count=2)
    attempt = top_up(home, cards)
    assert (attempt.state, attempt.provider_request) == ("unknown", "")
    time.sleep(1.3)
    collection.ask(attempt_id=attempt.pk, at=timezone.now())
    attempt.refresh_from_db()
    assert attempt.state == "pending"
    assert len(world.ask("GET", "stripe/simulator/checkout")) == 1


def test_a_declined_card_leaves_the_page_open(world: World, home: Household, cards: Rail) -> None:
    attempt = top_up(home, cards)
    refusal = pay(world, attempt, card="4000000000009995")
    assert refusal["error"]["decline_code"] == "insufficient_funds"
    collection.ask(attempt_id=attempt.pk, at=timezone.now())
    attempt.refresh_from_db()
    assert (attempt.state, Payment.objects.count()) == ("pending", 0)


def test_a_donation_opens_a_position_that_vests_after_the_chargeback_window(
    world: World, home: Household, dollars: Rail
) -> None:
    RateQuote.objects.create(
        source="test",
        currency="USD",
        local_per_dai="0.99",
        quoted_at=timezone.now() - timedelta(minutes=1),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    payment = charged(world, donation(home, dollars))
    given = Donation.objects.get(payment=payment)
    assert given.amount_wei == 50 * 10**18 * 100 // 99
    assert given.vests_at - given.donated_at == timedelta(days=120)
    assert LedgerAccount.objects.get(kind="donations").amount == given.amount_wei
    assert payment.state == "credited"


@pytest.mark.parametrize(
    "header",
    ["", "t=1,v1=00", "nonsense"],
    ids=["none", "wrong", "unreadable"],
)
def test_an_event_that_stripe_did_not_sign_is_refused_and_not_kept(
    world: World, header: str
) -> None:
    assert deliver(world, '{"type": "charge.refunded"}', header=header).status_code == 400
    assert InboundEvent.objects.count() == 0


def test_an_old_event_is_refused(world: World) -> None:
    body = '{"type": "charge.refunded"}'
    assert deliver(world, body, header=signed(body, age_seconds=301)).status_code == 400
    assert deliver(world, body, header=signed(body, secret="whsec_other")).status_code == 400


def test_an_event_signed_with_the_older_secret_is_taken(world: World) -> None:
    body = '{"type": "product.created", "data": {"object": {}}}'
    assert deliver(world, body, header=signed(body, secret="whsec_old")).status_code == 200


def test_an_event_of_an_unknown_type_is_kept_and_ignored(world: World) -> None:
    body = json.dumps({"type": "moon.risen", "data": {"object": {"id": "moon_1"}}})
    assert deliver(world, body).status_code == 200
    event = InboundEvent.objects.get()
    assert (event.outcome, event.body) == ("ignored", body)


def test_a_truncated_event_is_kept_as_malformed(world: World) -> None:
    assert deliver(world, '{"type": "checkout.session.comp').status_code == 200
    assert InboundEvent.objects.get().outcome == "malformed"


def test_the_statement_shows_payment_refund_dispute_and_payout(
    world: World, home: Household, cards: Rail
) -> None:
    # Its money is there at once, so that some of it can be paid out.
    payment = charged(world, top_up(home, cards, amount_minor=5_000_000), card="4000000000000077")
    world.ask("POST", f"stripe/simulator/charges/{payment.reference}/refund", amount_minor=50_000)
    disputed = charged(world, top_up(home, cards, amount_minor=90_000))
    world.ask("POST", f"stripe/simulator/charges/{disputed.reference}/dispute")
    soon(lambda: bool(events(world, "charge.dispute.funds_withdrawn")))
    world.ask("POST", "stripe/simulator/payout", amount_minor=10_000, currency="KES")
    span = {"since": timezone.now() - timedelta(hours=1), "until": timezone.now()}
    rows = list(provider(rail=cards).list_transactions(**span))
    assert not [row for row in rows if isinstance(row, UnreadableRow)]
    paid = {row.reference: row for row in rows if isinstance(row, ConfirmedPayment)}
    assert paid[payment.reference].fee_minor == payment.fee_minor
    assert paid[payment.reference].account_text == home.code
    moved = {row.kind: row for row in rows if isinstance(row, Movement)}
    assert moved["refund"].payment_reference == payment.reference
    assert (moved["refund"].amount_minor, moved["payout"].amount_minor) == (50_000, 10_000)
    assert (moved["dispute"].payment_reference, moved["dispute"].amount_minor) == (
        disputed.reference,
        90_000,
    )
    assert moved["dispute"].fee_minor > 0
    assert rows == list(provider(rail=cards).list_transactions(**span))


def test_the_balance_is_what_came_in_less_fees(world: World, home: Household, cards: Rail) -> None:
    payment = charged(world, top_up(home, cards))
    told = provider(rail=cards).balance(at=timezone.now())
    assert told is not None
    assert (told.amount_minor, told.currency) == (250_000 - payment.fee_minor, "KES")


def test_an_amount_below_stripes_least_is_refused_with_its_code(
    world: World, home: Household, cards: Rail
) -> None:
    cards.min_top_up_minor = 1
    cards.save()
    attempt = top_up(home, cards, amount_minor=1)
    assert attempt.state == "failed"
    assert attempt.failure_code == "amount_too_small"


def test_a_key_that_stripe_does_not_know_is_a_refusal(
    settings: Settings, home: Household, cards: Rail
) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_wrong"
    shared_client.cache_clear()
    attempt = attempts.load(attempt_id=top_up(home, cards).pk)
    with pytest.raises(ProviderRefused):
        provider(rail=cards).initiate(attempt=attempt, hooks_url="", at=timezone.now())


def test_a_statement_is_read_seldom_where_nobody_pays_unasked(world: World, cards: Rail) -> None:
    now = timezone.now()
    assert collection.is_pull_due(rail=cards, at=now)
    collection.pull(rail=cards, at=now)
    assert not collection.is_pull_due(rail=cards, at=now + timedelta(minutes=14))
    assert collection.is_pull_due(rail=cards, at=now + timedelta(minutes=16))
