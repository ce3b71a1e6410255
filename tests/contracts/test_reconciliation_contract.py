"""Every rail reconciles: its statement (or answers) with our books, its balance with our float."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts import floats as books
from accounts import refunds
from accounts.models import Payment, PaymentAttempt, User
from gateway.providers import floats, reconciliation, refunding, resolutions
from gateway.providers.models import Difference, Reconciliation
from tests.contracts.rigs import Rig

pytestmark = pytest.mark.django_db


def today(rig: Rig) -> date:
    return rig.clock().astimezone(ZoneInfo(rig.time_zone)).date()


def reconcile(rig: Rig, *, day: date, at: datetime) -> Reconciliation:
    return reconciliation.run(rail=rig.rail, day=day, at=at)


def settled(rig: Rig) -> tuple[date, datetime]:
    """The day it is, and an instant at which its statement is complete; the clock moves there."""
    day = today(rig)
    end = reconciliation.span(rail=rig.rail, day=day)[1] + Reconciliation.SETTLES_AFTER
    return day, rig.pass_time(seconds=(end - rig.clock()).total_seconds() + 60)


def check(rig: Rig) -> None:
    """Ask for the balance until it is told; what else would be told waits."""
    rig.pass_time(minutes=6)
    floats.check(rail=rig.rail, at=rig.clock())
    rig.deliver(*(sent for sent in rig.callbacks() if sent.topic == "balance"))


def test_a_payment_that_both_know_matches(rig: Rig) -> None:
    rig.paid()
    day, at = settled(rig)
    made = reconcile(rig, day=day, at=at)
    assert (made.matched, made.failure, made.is_young) == (1, "", False)
    assert not Difference.objects.exists()
    assert reconcile(rig, day=day, at=at).matched == 1


def test_a_payment_that_never_reached_us_is_found_and_taken_in_once(rig: Rig) -> None:
    attempt = rig.prompted()
    reference = rig.pay(attempt)
    # The prompt is given up before anybody hears that it was paid.
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state="expired", next_poll_at=None)
    day, at = settled(rig)
    assert reconcile(rig, day=day, at=at).missing_here == 1
    difference = Difference.objects.get()
    assert (difference.reference, difference.kind) == (reference, "missing_here")

    resolutions.resolve(
        difference=difference,
        name="take_in",
        by=User.objects.create_user("clerk"),
        note="",
        at=at,
    )
    payment = Payment.objects.get()
    assert (payment.reference, payment.household) == (reference, rig.home)
    assert payment.amount_minor == rig.amount_minor
    made = reconcile(rig, day=day, at=at)
    assert (made.matched, made.missing_here) == (1, 0)
    check(rig)
    assert rig.rail.told_amounts.get().difference_minor == 0


def test_a_payment_that_the_provider_does_not_know_is_found(rig: Rig) -> None:
    known = rig.paid()
    Payment.objects.create(
        rail=rig.rail,
        provider=rig.rail.provider,
        reference="NOBODY0001",
        amount_minor=rig.amount_minor,
        currency=rig.currency,
        paid_at=known.paid_at,
        recorded_at=known.recorded_at,
        state=Payment.State.SUSPENSE,
    )
    day, at = settled(rig)
    made = reconcile(rig, day=day, at=at)
    assert (made.matched, made.missing_there) == (1, 1)
    assert Difference.objects.get().reference == "NOBODY0001"


def test_a_refund_matches_on_both_sides(rig: Rig) -> None:
    payment = rig.paid()
    refund = refunds.request(
        payment=payment,
        amount_minor=payment.amount_minor,
        reason="paid twice",
        requested_by=None,
        idempotency_key="r1",
        at=rig.clock(),
    )
    for _ in range(3):
        refunding.submit(refund_id=refund.pk, at=rig.clock())
        rig.pass_time(seconds=70)
        rig.deliver(*rig.waiting())
        refunding.poll_due(clock=rig.clock)
    refund.refresh_from_db()
    assert refund.state == "succeeded"
    day, at = settled(rig)
    made = reconcile(rig, day=day, at=at)
    assert (made.matched, made.failure) == (2, "")
    assert not Difference.objects.exists()
    check(rig)
    assert rig.rail.told_amounts.get().difference_minor == 0


def test_the_float_is_what_the_provider_says(rig: Rig) -> None:
    check(rig)
    payment = rig.paid()
    check(rig)
    told = rig.rail.told_amounts.order_by("-told_at")[0]
    assert told.difference_minor == 0
    assert told.told_minor == payment.amount_minor - payment.fee_minor
    assert told.told_minor == books.held_minor(rail=rig.rail)
    assert rig.rail.told_amounts.count() == 2
