"""The state machine of attempts: what is unknown has a name, and nothing is asked twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts import amounts, attempts
from accounts.attempts import Answer, BadAmount
from accounts.models import Household, Notice, Payment, PaymentAttempt, Rail, TopUp
from gateway.providers import collection
from gateway.providers.daraja.client import Daraja
from gateway.providers.daraja.provider import shared_client
from gateway.providers.tasks import poll_attempts, submit_attempt
from tests.integration.sandboxed import (
    PHONE,
    World,
    asked,
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Daraja has a third of a second to answer."""
    monkeypatch.setattr("gateway.providers.daraja.client.TIMEOUT_SECONDS", (1, 0.3))
    yield


def test_our_id_is_stored_before_the_provider_is_called(world: World, home: Household) -> None:
    attempt = asked(home)
    assert (attempt.state, attempt.intent.state) == ("created", "created")
    assert len(attempt.token) == 64
    assert not world.prompts()
    submit_attempt(attempt.pk)
    submit_attempt(attempt.pk)
    assert (of(attempt).state, of(attempt).intent.state) == ("pending", "pending")
    assert len(world.prompts()) == 1


def test_a_lost_task_is_made_good_by_the_janitor(world: World, home: Household) -> None:
    attempt = asked(home)
    poll_attempts()
    assert of(attempt).state == "pending"
    assert len(world.prompts()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_time_out_is_unknown_and_the_callback_resolves_it(world: World, home: Household) -> None:
    attempt = asked(home)
    world.fault("slow_response", seconds=0.8)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    assert (of(attempt).state, of(attempt).intent.state) == ("unknown", "unknown")
    assert not Notice.objects.exists()

    receipt = world.pay()
    world.call_back("stk")
    assert (of(attempt).state, of(attempt).is_late_success) == ("succeeded", False)
    assert Payment.objects.get().reference == receipt


@pytest.mark.usefixtures("impatient")
def test_a_time_out_whose_callback_is_lost_is_resolved_by_the_statement(
    world: World, home: Household
) -> None:
    attempt = asked(home)
    world.fault("slow_response", seconds=0.8)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    receipt = world.pay()
    collection.poll_due(clock=lambda: later(seconds=30))
    assert of(attempt).state == "unknown"

    collection.pull(rail=Rail.objects.get(), at=timezone.now())
    collection.poll_due(clock=lambda: later(minutes=5))
    assert (of(attempt).state, of(attempt).intent.state) == ("succeeded", "succeeded")
    assert Payment.objects.get().reference == receipt


@pytest.mark.usefixtures("impatient")
def test_a_query_that_is_not_answered_is_asked_again(world: World, home: Household) -> None:
    attempt = prompted(home)
    receipt = world.pay()
    PaymentAttempt.objects.update(claimed_reference=receipt)
    world.fault("slow_response", seconds=0.8)
    collection.ask(attempt_id=attempt.pk, at=timezone.now())
    assert (of(attempt).state, of(attempt).poll_count) == ("pending", 1)
    collection.ask(attempt_id=attempt.pk, at=timezone.now())
    assert of(attempt).state == "succeeded"


def test_a_server_error_leaves_a_push_unknown(world: World, home: Household) -> None:
    attempt = asked(home)
    world.fault("unavailable")
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    assert of(attempt).state == "unknown"


def test_a_push_that_is_refused_fails_and_says_so(
    world: World, home: Household, settings: Settings
) -> None:
    attempt = asked(home)
    settings.PUBLIC_URL = "http://pay.mpesa.test"
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    now = of(attempt)
    assert (now.state, now.failure_code, now.intent.state) == ("failed", "400.002.02", "failed")
    assert "CallBackURL" in now.failure_text
    assert Notice.objects.get().kind == "top_up_failed"


def test_a_cent_is_no_prompt(world: World, home: Household) -> None:
    attempt = asked(home, amount_minor=50_050)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    assert (of(attempt).state, of(attempt).failure_text) == (
        "failed",
        "M-Pesa takes whole shillings",
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/daraja", "http://no-such-host.invalid/daraja"])
def test_a_provider_that_cannot_be_reached_did_nothing_so_the_push_failed(
    home: Household, settings: Settings, url: str
) -> None:
    settings.DARAJA_URL = url
    shared_client.cache_clear()
    attempt = asked(home)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    shared_client.cache_clear()
    assert (of(attempt).state, of(attempt).failure_code) == ("failed", "unreachable")
    assert Notice.objects.get().kind == "top_up_failed"


def test_a_token_that_ended_early_is_fetched_again_and_the_push_repeated(
    world: World, home: Household
) -> None:
    client = shared_client()
    client._token, client._token_ends_at = "ended", later(hours=1)
    assert prompted(home).state == "pending"
    assert len(world.prompts()) == 1


def test_wrong_credentials_refuse_the_push(
    world: World, home: Household, settings: Settings
) -> None:
    settings.DARAJA_PASSKEY = "wrong"
    shared_client.cache_clear()
    attempt = asked(home)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    assert (of(attempt).state, of(attempt).failure_code) == ("failed", "500.001.1001")


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("500.001.1001", "failed"),
        ("500.003.02", "failed"),
        ("400.002.02", "failed"),
        ("404.001.03", "failed"),
        ("500.003.1001", "unknown"),
        ("503.001.01", "unknown"),
    ],
)
def test_only_codes_that_surely_say_no_fail_a_push(
    world: World, home: Household, monkeypatch: pytest.MonkeyPatch, code: str, state: str
) -> None:
    original = Daraja._sent

    def sent(self: Daraja, path: str, body: dict[str, object], **rest: object) -> object:
        response, _ = original(self, path, body, **rest)  # type: ignore[arg-type]
        return response, {"errorCode": code, "errorMessage": "said Daraja"}

    attempt = asked(home)
    monkeypatch.setattr(Daraja, "_sent", sent)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    assert of(attempt).state == state


def test_a_worker_killed_between_claim_and_call_leaves_an_unknown_that_expires(
    world: World, home: Household
) -> None:
    attempt = asked(home)
    assert attempts.claim(attempt_id=attempt.pk, at=timezone.now()) is not None
    assert collection.poll_due(clock=lambda: later(seconds=30)) == 0
    assert of(attempt).state == "submitting"
    collection.poll_due(clock=lambda: later(seconds=61))
    assert (of(attempt).state, of(attempt).failure_text) == (
        "unknown",
        "the worker that submitted it died",
    )

    collection.poll_due(clock=lambda: later(hours=25))
    assert (of(attempt).state, of(attempt).intent.state) == ("expired", "expired")
    assert of(attempt).next_poll_at is None
    # Nobody knows for certain that nothing was taken, so nothing is claimed.
    assert not Notice.objects.exists()


def test_a_prompt_the_provider_never_decides_expires_and_a_success_after_it_is_late(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    never = Answer(is_final=False)
    attempts.settle_answer(attempt=of(attempt), answer=never, at=later(hours=25))
    assert of(attempt).state == "expired"
    world.pay()
    world.call_back("stk")
    assert (of(attempt).state, of(attempt).is_late_success) == ("succeeded", True)


def test_what_was_paid_is_never_given_up(world: World, home: Household) -> None:
    attempt = prompted(home)
    world.pay()
    collection.poll_due(clock=lambda: later(seconds=30))
    assert of(attempt).state == "awaiting_reference"
    for hours in (25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36):
        collection.poll_due(clock=lambda hours=hours: later(hours=hours))  # type: ignore[misc]
    now = of(attempt)
    assert now.state == "awaiting_reference"
    # It is looked for once an hour, not at every turn.
    assert now.next_poll_at is not None
    assert now.next_poll_at >= later(hours=36, minutes=50)


def test_waits_between_questions_double_up_to_an_hour(world: World, home: Household) -> None:
    attempt = prompted(home)
    submitted_at = of(attempt).submitted_at
    assert submitted_at is not None
    at, waits = submitted_at + attempts.FIRST_POLL, []
    for _ in range(12):
        attempts.postpone(attempt=of(attempt), at=at)
        next_poll_at = of(attempt).next_poll_at
        assert next_poll_at is not None
        waits.append((next_poll_at - at).total_seconds())
        at = next_poll_at
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] == 3_600


def test_several_events_at_once_make_no_long_wait(world: World, home: Household) -> None:
    attempt = prompted(home)
    submitted_at = of(attempt).submitted_at
    assert submitted_at is not None
    for _ in range(4):
        attempts.postpone(attempt=of(attempt), at=submitted_at)
    assert of(attempt).next_poll_at == submitted_at + attempts.FIRST_POLL


def test_one_attempt_that_breaks_does_not_keep_the_others_waiting(
    world: World, home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = prompted(home, key="broken"), None
    PaymentAttempt.objects.update(created_at=later(minutes=-5), next_poll_at=later(minutes=-5))
    world.cancel()
    fine = prompted(home, key="fine")
    world.cancel()
    original = collection.ask

    def ask(*, attempt_id: int, at: object) -> None:
        if attempt_id == broken.pk:
            raise LookupError("no provider of this name")
        original(attempt_id=attempt_id, at=at)  # type: ignore[arg-type]

    monkeypatch.setattr(collection, "ask", ask)
    assert collection.poll_due(clock=lambda: later(minutes=1)) == 2
    assert (of(broken).state, of(fine).state) == ("pending", "failed")
    assert collection.poll_due(clock=lambda: later(minutes=1)) == 0


def test_one_round_of_the_janitor_ends_after_a_minute(world: World, home: Household) -> None:
    for number in range(3):
        asked(home, key=f"key-{number}")
        PaymentAttempt.objects.update(created_at=later(minutes=-5))
    begin, calls = timezone.now(), iter(range(1_000))
    assert collection.poll_due(clock=lambda: begin + timedelta(seconds=40 * next(calls))) == 1


def test_one_key_is_one_wish(home: Household, today: Village) -> None:
    first, again = (
        attempts.request(
            household=home,
            site=today.site,
            rail=today.rail,
            phone=PHONE,
            amount_minor=amount_minor,
            idempotency_key="same",
            at=timezone.now(),
        )
        for amount_minor in (10_000, 20_000)
    )
    assert first == again
    assert TopUp.objects.get().amount_minor == 10_000


@pytest.mark.parametrize("amount_minor", [-100, 0, 999, 15_000_001, 10**30])
def test_amounts_outside_the_rails_limits_are_refused(
    home: Household, today: Village, amount_minor: int
) -> None:
    with pytest.raises(BadAmount, match="1000 to 15000000"):
        attempts.request(
            household=home,
            site=today.site,
            rail=today.rail,
            phone=PHONE,
            amount_minor=amount_minor,
            idempotency_key="key",
            at=timezone.now(),
        )
    assert not TopUp.objects.exists()


def test_a_query_answered_while_a_callback_was_handled_takes_nothing_back(
    world: World, home: Household
) -> None:
    attempt = prompted(home)
    stale = of(attempt)
    world.pay()
    world.call_back("stk")
    paid, failed = Answer(is_final=True, is_paid=True), Answer(is_final=True, code="1037")
    for answer in (paid, failed):
        attempts.settle_answer(attempt=stale, answer=answer, at=timezone.now())
        stale.state, stale.claimed_reference = PaymentAttempt.State.PENDING, ""
    assert (of(attempt).state, of(attempt).intent.state) == ("succeeded", "succeeded")
    assert not of(attempt).has_mismatch


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestRaces:
    """Two workers at the same instant."""

    def test_two_workers_put_one_prompt_on_the_phone(self, world: World, home: Household) -> None:
        attempt = asked(home)
        _at_once(lambda: collection.submit(attempt_id=attempt.pk, at=timezone.now()))
        assert len(world.prompts()) == 1
        assert of(attempt).state == "pending"

    def test_two_handlers_and_two_pulls_credit_once(self, world: World, home: Household) -> None:
        attempt = prompted(home)
        receipt = world.pay()
        PaymentAttempt.objects.update(claimed_reference=receipt)
        rail = Rail.objects.select_related("operator__book").get()
        _at_once(
            lambda: collection.ask(attempt_id=attempt.pk, at=timezone.now()),
            lambda: collection.pull(rail=rail, at=timezone.now()),
        )
        payment = Payment.objects.get()
        assert payment.reference == receipt
        assert amounts.of_household(household=home).funds_wei == payment.credited_wei
        assert of(attempt).state == "succeeded"
        assert not of(attempt).has_mismatch

    def test_two_janitors_ask_once(self, world: World, home: Household) -> None:
        prompted(home)
        at = later(minutes=1)
        taken: list[int] = []
        _at_once(lambda: taken.extend(attempts.take_due(at=at)))
        assert len(taken) == 1


def _at_once(*works: object) -> None:
    """Do each piece of work twice, all at the same instant."""
    barrier = Barrier(2 * len(works))

    def run(work: object) -> None:
        barrier.wait(timeout=10)
        try:
            work()  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(2 * len(works)) as pool:
        for done in [pool.submit(run, work) for work in (*works, *works)]:
            done.result(timeout=30)
