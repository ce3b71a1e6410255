"""Whatever happens to a provider's callbacks, what was paid is credited once, and nothing else is.

A callback only makes us ask. After each of these the audit of payments (invariant 4) is green.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from accounts import amounts, audit
from accounts.models import Household, LedgerAccount, Payment, PaymentAttempt
from gateway.providers import collection
from gateway.webhooks import events
from gateway.webhooks.models import InboundEvent
from tests.contracts.rigs import Rig
from tests.contracts.rigs.rig import cut
from tests.integration.test_concurrency import run_together

pytestmark = pytest.mark.django_db

OTHER_CURRENCY = "GHS"
ROTTEN = (" ", "{", "[1]", "null", "7", '"paid"', "[" * 5_000, '{"data": {"object": "\\ud800"}}')


@pytest.fixture(autouse=True)
def audited(rig: Rig) -> Iterator[None]:
    """Whatever a test did, the payments' part of the audit finds nothing afterwards."""
    yield
    checks = [check for check in audit.CHECKS if check.invariant == 4]
    found = [finding.detail for result in audit.run(checks=checks) for finding in result.findings]
    assert checks
    assert found == []


def of(attempt: PaymentAttempt) -> PaymentAttempt:
    """The attempt as it is now."""
    return PaymentAttempt.objects.select_related("top_up", "pledge").get(pk=attempt.pk)


def funds(household: Household) -> int:
    return amounts.of_household(household=household).funds_wei


def assert_credited_once(rig: Rig, attempt: PaymentAttempt, reference: str) -> Payment:
    """The payment is there under its reference, and its household has exactly that."""
    payment = Payment.objects.get(top_up=attempt.top_up)
    assert (payment.reference, payment.amount_minor, payment.currency, payment.state) == (
        reference,
        attempt.intent.amount_minor,
        attempt.intent.currency,
        "credited",
    )
    assert payment.household is not None
    assert funds(payment.household) == payment.credited_wei
    now = of(attempt)
    assert (now.state, now.intent.state) == ("succeeded", "succeeded")
    return payment


def assert_nothing_credited(rig: Rig) -> None:
    """Nobody has anything, in no book."""
    assert not Payment.objects.exists()
    assert not LedgerAccount.objects.exclude(amount=0).exists()


def outcomes() -> list[str]:
    """What became of the stored events, oldest first."""
    return list(InboundEvent.objects.order_by("id").values_list("outcome", flat=True))


class TestOnTheWay:
    """Lost, late, twice, in any order, cut."""

    def test_one_that_comes_as_it_should_credits_once(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        rig.deliver(*rig.waiting())
        assert_credited_once(rig, attempt, reference)
        assert set(outcomes()) <= {"done", "ignored"}
        assert not of(attempt).has_mismatch

    def test_copies_credit_nothing_more(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        sent = rig.waiting()
        copies = [replace(each, method=method) for each in sent for method in rig.methods * 2]
        rig.deliver(*copies, *sent)
        rig.look()
        assert_credited_once(rig, attempt, reference)
        assert not of(attempt).has_mismatch

    def test_copies_that_lie_there_together_credit_once(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        for sent in rig.waiting() * 2:
            assert rig.hand_over(sent).status_code == 200
        rig.work()
        assert_credited_once(rig, attempt, reference)

    def test_the_order_in_which_they_come_does_not_matter(self, rig: Rig) -> None:
        tries = [rig.prompted(household=who) for who in (rig.home, rig.neighbour)]
        references = [rig.pay(attempt) for attempt in tries]
        rig.deliver(*reversed(rig.waiting()))
        for attempt, reference in zip(tries, references, strict=True):
            assert_credited_once(rig, attempt, reference)

    def test_one_of_another_attempts_failure_changes_nothing(self, rig: Rig) -> None:
        """The payer says no first, asks again, and pays; the failure is told last."""
        refused = rig.prompted()
        rig.decline(refused)
        late = rig.waiting()
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        rig.deliver(*rig.waiting(), *late)
        assert_credited_once(rig, attempt, reference)
        rig.look()
        assert (of(refused).state, Payment.objects.count()) == ("failed", 1)

    def test_none_at_all_is_made_good_by_the_janitor(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        rig.pass_time(seconds=30)
        rig.look()
        assert_credited_once(rig, attempt, reference)
        assert outcomes() == []
        rig.deliver(*rig.waiting())
        assert_credited_once(rig, attempt, reference)
        assert (of(attempt).is_late_success, of(attempt).has_mismatch) == (False, False)

    def test_one_after_the_attempt_expired_credits_once_and_is_flagged(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        rig.pass_time(hours=25)
        rig.fault("unavailable", count=2)
        collection.ask(attempt_id=attempt.pk, at=rig.clock())
        assert (of(attempt).state, of(attempt).intent.state) == ("expired", "expired")
        assert_nothing_credited(rig)
        rig.recover()
        sent = rig.waiting()
        rig.deliver(*sent, *sent)
        rig.look()
        assert_credited_once(rig, attempt, reference)
        assert of(attempt).is_late_success

    def test_one_that_overtook_the_answer_to_our_request_counts(self, rig: Rig) -> None:
        attempt = rig.prompted()
        named = attempt.provider_request
        # As it was while the request was on its way.
        ahead = rig.adapter.capabilities.names_requests_ahead
        PaymentAttempt.objects.filter(pk=attempt.pk).update(
            state="submitting", provider_request=named if ahead else ""
        )
        reference = rig.pay(attempt)
        rig.deliver(*rig.waiting())
        assert_credited_once(rig, attempt, reference)
        assert of(attempt).provider_request == named

    def test_one_that_was_cut_is_kept_and_credits_nothing(self, rig: Rig) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        sent = rig.waiting()
        rig.deliver(*(cut(each) for each in sent))
        assert set(outcomes()) == {"malformed"}
        assert_nothing_credited(rig)
        assert of(attempt).state == "pending"
        rig.deliver(*sent)
        assert_credited_once(rig, attempt, reference)

    def test_one_that_was_cut_under_the_signature_of_the_whole_is_refused(self, rig: Rig) -> None:
        attempt = rig.prompted()
        rig.pay(attempt)
        answers = {
            rig.hand_over(cut(each), signed_body=each.body).status_code for each in rig.waiting()
        }
        rig.work()
        assert answers == {400 if rig.signer else 200}
        assert set(outcomes()) <= {"forged", "malformed"}
        assert_nothing_credited(rig)

    def test_what_is_no_callback_is_kept_and_does_nothing(self, rig: Rig) -> None:
        attempt = rig.prompted()
        genuine = rig.claim(attempt)
        rig.deliver(*(replace(genuine, body=body) for body in ROTTEN))
        assert outcomes() == ["malformed"] * len(ROTTEN)
        assert (of(attempt).state, of(attempt).claimed_reference) == ("pending", "")
        assert_nothing_credited(rig)

    def test_what_nobody_asked_for_is_kept_and_ignored(self, rig: Rig) -> None:
        rig.prompted()
        sent = rig.unasked()
        rig.deliver(sent)
        event = InboundEvent.objects.get()
        assert (event.outcome, event.body) == ("ignored", sent.body)
        assert event.outcome_text
        assert_nothing_credited(rig)


class TestForgeries:
    """Whoever sends it, and whatever it says: only the provider's own answer credits."""

    def test_a_stranger_is_told_nothing(self, rig: Rig) -> None:
        """A wrong secret in the path is 404; a wrong signature 400. Neither reaches a worker."""
        attempt = rig.prompted()
        rig.pay(attempt)
        genuine = rig.waiting()[-1]
        if "test-secret" in genuine.path:
            for secret in ("guess", "test-secre", "TEST-SECRET"):
                wrong = replace(genuine, path=genuine.path.replace("test-secret", secret))
                assert rig.hand_over(wrong).status_code == 404
            assert outcomes() == []
        for signer in rig.bad_signers:
            assert rig.hand_over(genuine, signer=signer).status_code == 400, signer
        assert rig.bad_signers or not rig.adapter.capabilities.signs_callbacks
        rig.work()
        assert set(outcomes()) <= {"forged"}
        assert_nothing_credited(rig)

    def test_a_body_changed_under_its_signature_is_refused(self, rig: Rig) -> None:
        attempt = rig.prompted()
        genuine, lie = rig.claim(attempt), rig.claim(attempt, amount_minor=rig.amount_minor * 2)
        answer = rig.hand_over(lie, signed_body=genuine.body)
        rig.work()
        assert answer.status_code == (400 if rig.signer else 200)
        assert_nothing_credited(rig)

    def test_a_success_that_the_provider_knows_nothing_of_credits_nothing(self, rig: Rig) -> None:
        attempt = rig.prompted()
        forged = rig.claim(attempt)
        rig.deliver(forged, forged)
        assert of(attempt).state == "pending"
        assert_nothing_credited(rig)
        rig.decline(attempt)
        rig.deliver(forged)
        assert of(attempt).state == "failed"
        assert_nothing_credited(rig)

    def test_an_attempt_that_nobody_made_is_kept_and_ignored(self, rig: Rig) -> None:
        real = rig.prompted()
        stranger = PaymentAttempt(
            top_up=real.top_up,
            token="f" * 64,
            request_id=uuid.uuid4(),
            provider_request=f"{real.provider_request[:-4]}0000",
        )
        rig.pay(real)
        rig.deliver(rig.claim(stranger))
        assert outcomes() == ["ignored"]
        assert of(real).state == "pending"
        assert_nothing_credited(rig)

    @pytest.mark.parametrize("lie", ["amount", "currency", "receipt", "request"])
    def test_a_lie_about_what_was_paid_credits_what_was_paid(self, rig: Rig, lie: str) -> None:
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        changes = {
            "amount": {"amount_minor": rig.amount_minor * 100},
            "currency": {"currency": OTHER_CURRENCY},
            "receipt": {"reference": "0" * 10},
            "request": {"request": str(uuid.uuid4())},
        }[lie]
        forged = rig.claim(attempt, **changes)  # type: ignore[arg-type]
        rig.deliver(forged, *rig.waiting(), forged)
        rig.pass_time(seconds=30)
        rig.look()
        assert_credited_once(rig, attempt, reference)

    @pytest.mark.parametrize("is_paid", [False, True])
    def test_somebody_elses_payment_stays_theirs(self, rig: Rig, is_paid: bool) -> None:
        theirs = rig.paid(household=rig.neighbour)
        attempt = rig.prompted()
        if is_paid:
            rig.pay(attempt)
        their_attempt = PaymentAttempt.objects.get(top_up=theirs.top_up)
        rig.deliver(
            rig.claim(attempt, reference=theirs.reference),
            rig.claim(attempt, request=their_attempt.provider_request),
            rig.claim(their_attempt, reference=theirs.reference),
            *(rig.waiting() if is_paid else ()),
        )
        rig.pass_time(seconds=30)
        rig.look()
        theirs.refresh_from_db()
        assert (theirs.household, theirs.top_up) == (rig.neighbour, their_attempt.top_up)
        assert funds(rig.neighbour) == theirs.credited_wei
        ours = Payment.objects.filter(top_up=attempt.top_up)
        assert ours.count() == int(is_paid)
        assert funds(rig.home) == sum(payment.credited_wei or 0 for payment in ours)


class TestOtherMoney:
    """What the provider itself says was paid counts, and a person sees that it was not asked."""

    def test_another_amount_is_credited_as_it_was_paid_and_flagged(self, rig: Rig) -> None:
        if not rig.tells_money:
            return
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        less = rig.amount_minor // 2
        rig.tell(attempt, amount_minor=less, currency=rig.currency)
        rig.deliver(*rig.waiting())
        payment = Payment.objects.get()
        assert (payment.reference, payment.amount_minor, payment.state) == (
            reference,
            less,
            "credited",
        )
        assert funds(rig.home) == payment.credited_wei
        assert of(attempt).has_mismatch

    def test_another_currency_is_kept_for_a_person_and_credits_nobody(self, rig: Rig) -> None:
        if not rig.tells_money:
            return
        attempt = rig.prompted()
        reference = rig.pay(attempt)
        rig.tell(attempt, amount_minor=rig.amount_minor, currency=OTHER_CURRENCY)
        sent = rig.waiting()
        rig.deliver(*sent, *sent)
        rig.pass_time(seconds=30)
        collection.poll_due(clock=rig.clock)
        payment = Payment.objects.get()
        assert (payment.reference, payment.currency, payment.state) == (
            reference,
            OTHER_CURRENCY,
            "mismatch",
        )
        assert f"paid in {OTHER_CURRENCY}" in payment.reason
        assert of(attempt).has_mismatch
        assert funds(rig.home) == 0
        in_suspense = LedgerAccount.objects.get(kind="suspense", asset=OTHER_CURRENCY)
        assert in_suspense.amount == rig.amount_minor


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_two_workers_at_once_credit_once(rig: Rig) -> None:
    """Copies of each callback, the janitor and the statement, all in the same moment."""
    attempt = rig.prompted()
    reference = rig.pay(attempt)
    for sent in rig.waiting() * 2:
        assert rig.hand_over(sent).status_code == 200
    stored = list(InboundEvent.objects.values_list("pk", flat=True))
    at = rig.clock() + timedelta(seconds=30)

    def work() -> None:
        for event_id in stored:
            events.handle(event_id=event_id, at=at)

    def ask() -> None:
        collection.ask(attempt_id=attempt.pk, at=at)

    def pull() -> None:
        if rig.adapter.capabilities.has_statement:
            collection.pull(rail=rig.rail, at=at)

    run_together(work, ask, work, pull, ask)
    connection.close()
    rig.pass_time(seconds=30)
    rig.look()
    assert Payment.objects.count() == 1
    assert_credited_once(rig, attempt, reference)
