"""Resolving differences: each once, exact, and by whom."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier

import pytest
from django.utils import timezone

from accounts import floats, site_rates, treasury
from accounts.ledger import DAI
from accounts.models import (
    Alarm,
    Household,
    JournalEntry,
    PayerClaim,
    Payment,
    Reversal,
    User,
)
from gateway.providers import reconciliation, resolutions
from gateway.providers.models import Difference
from gateway.providers.resolutions import AlreadyResolved, NotResolved
from tests.integration.reconciling import (
    WEI,
    assert_books_hold,
    clerk,
    counts,
    funds,
    held,
    noon,
    reconcile,
    resolve,
    row,
    silent,
)
from tests.integration.sandboxed import World, home, hooks, later, texts, today, world
from tests.integration.test_concurrency import run_together
from tests.village import RATE, Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db


class TestResolving:
    """Each once, and exact."""

    def test_taking_in_credits_the_household(
        self, world: World, home: Household, today: Village
    ) -> None:
        receipt = silent(world, "KIS0001", "80")
        reconcile(today)
        resolved = resolve(today, "take_in", note="seen on the payer's phone")

        payment = Payment.objects.get()
        assert (payment.reference, payment.state, payment.paid_at) == (receipt, "credited", noon())
        assert funds(home) == payment.credited_wei == 80 * WEI * 10_000 // int(RATE * 10_000)
        assert (resolved.state, resolved.note) == ("taken_in", "seen on the payer's phone")
        history = resolved.history.first()
        assert (history.history_user.username, history.history_change_reason) == (
            "clerk",
            "Take in",
        )
        assert not Alarm.objects.filter(cleared_at=None).exists()
        assert counts(reconcile(today)) == (1, 0, 0, 0)
        assert_books_hold()

    def test_taking_in_what_matches_nobody_suspends_it(self, world: World, today: Village) -> None:
        silent(world, "NOBODY", "80")
        reconcile(today)
        resolve(today, "take_in")
        assert Payment.objects.get().state == "suspense"
        assert_books_hold()

    def test_taking_back_undoes_a_credit_that_the_statement_lacks(
        self, world: World, home: Household, today: Village
    ) -> None:
        today.rail.fee_basis_points = 200
        today.rail.save()
        payment = today.pay("KIS0001", amount_minor=50_000, at=noon())
        reconcile(today)
        resolve(today, "take_back", note="no such receipt at Safaricom")

        assert funds(home) == 0
        assert floats.held_minor(rail=today.rail) == 0
        assert held("payback_due", "KES") == held("fx_position", "KES") == 0
        # Each side of the fee is rounded down.
        assert abs(held("rail_fees", DAI)) <= 1
        payment.refresh_from_db()
        assert payment.left_minor == 0
        assert len(texts("payment_reversed")) == 1
        assert counts(reconcile(today)) == (0, 0, 0, 0)
        assert_books_hold()

    def test_taking_back_what_was_spent_is_a_claim_on_the_payer(
        self, world: World, home: Household, today: Village
    ) -> None:
        payment = today.pay("KIS0001", amount_minor=50_000, at=noon())
        today.fund(home, amount_wei=-payment.credited_wei // 2, at=timezone.now())
        reconcile(today)
        resolve(today, "take_back")
        assert funds(home) == 0
        assert PayerClaim.objects.get().amount_wei + payment.credited_wei // 2 in (
            payment.credited_wei,
            payment.credited_wei - 1,
        )

    @pytest.mark.parametrize(("told", "change"), [("450", -5_000), ("612.50", 11_250)])
    def test_correcting_brings_the_float_to_the_statement(
        self, world: World, home: Household, today: Village, told: str, change: int
    ) -> None:
        receipt = silent(world, "KIS0001", told)
        payment = today.pay("KIS0001", amount_minor=50_000, at=noon(), reference=receipt)
        reconcile(today)
        resolve(today, "correct")
        assert floats.held_minor(rail=today.rail) == 50_000 + change
        assert held("unexplained", "KES") == change
        assert funds(home) == payment.credited_wei
        assert counts(reconcile(today)) == (0, 0, 0, 0)
        assert_books_hold()

    @pytest.mark.parametrize("kind", ["missing_here", "missing_there"])
    def test_accepting_needs_a_note_and_books_the_difference_as_unexplained(
        self, world: World, home: Household, today: Village, kind: str
    ) -> None:
        if kind == "missing_here":
            silent(world, "KIS0001", "80")
        else:
            today.pay("KIS0001", amount_minor=8_000, at=noon())
        credited = funds(home)
        reconcile(today)
        with pytest.raises(NotResolved, match="note"):
            resolve(today, "accept", note="  ")
        resolve(today, "accept", note="Safaricom's ticket 4711")
        assert held("unexplained", "KES") == (8_000 if kind == "missing_here" else -8_000)
        assert floats.held_minor(rail=today.rail) == (8_000 if kind == "missing_here" else 0)
        assert funds(home) == credited
        assert counts(reconcile(today)) == (0, 0, 0, 0)
        assert Difference.objects.get().state == "accepted"
        assert_books_hold()

    def test_a_reversal_behind_our_back_is_taken_in(
        self, world: World, home: Household, today: Village
    ) -> None:
        receipt = silent(world, "KIS0001", "80", at=timezone.now() - timedelta(hours=5))
        today.pay(
            "KIS0001",
            amount_minor=8_000,
            at=timezone.now() - timedelta(hours=5),
            reference=receipt,
        )
        world.ask("POST", "daraja/simulator/reversals", receipt=receipt)
        day = (timezone.now() + timedelta(hours=3)).date()
        made = reconciliation.run(rail=today.rail, day=day, at=later(days=2))
        assert made.missing_here == 1
        difference = Difference.objects.get()
        assert (difference.movement, difference.theirs_minor) == ("refund", 8_000)

        resolve(today, "take_in")
        assert Reversal.objects.get().payment.reference == receipt
        assert funds(home) == 0
        assert floats.held_minor(rail=today.rail) == 0
        made = reconciliation.run(rail=today.rail, day=day, at=later(days=2))
        assert made.missing_here == 0
        assert_books_hold()

    def test_what_cannot_be_taken_in_stays_open(
        self, world: World, home: Household, today: Village
    ) -> None:
        told = row(today, "RVRSAL0001", 8_000, kind="reversal", payment_reference="UNKNOWN001")
        reconcile(today)
        with pytest.raises(NotResolved, match="UNKNOWN001"):
            resolve(today, "take_in")
        difference = Difference.objects.get()
        assert (difference.state, difference.row) == ("open", told)

    def test_a_charge_is_taken_in_as_a_fee_of_the_rail(
        self, world: World, home: Household, today: Village
    ) -> None:
        today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        site_rates.store_quote(
            source="test",
            currency="KES",
            local_per_dai=RATE,
            quoted_at=timezone.now(),
            expires_at=later(hours=1),
        )
        row(today, "CHARGE0001", 1_500, kind="fee")
        reconcile(today)
        resolve(today, "take_in")
        assert floats.held_minor(rail=today.rail) == 48_500
        assert held("fx_position", "KES") == 48_500
        assert held("rail_fees", DAI) == -(15 * WEI * 10_000 // int(RATE * 10_000))
        assert counts(reconcile(today)) == (0, 0, 0, 0)
        assert_books_hold()

    def test_a_payout_waits_for_its_conversion(
        self, world: World, home: Household, today: Village
    ) -> None:
        payment = today.pay("KIS0001", amount_minor=50_000, at=noon(days_ago=3))
        row(today, payment.reference, 50_000, at=noon(days_ago=3))
        row(today, "PAYOUT0001", 40_000, kind="payout")
        reconcile(today)
        difference = Difference.objects.get(state="open")
        assert [each.name for each in resolutions.offered(difference=difference)] == ["accept"]
        treasury.convert(
            site=today.site,
            rail=today.rail,
            sold_minor=40_000,
            fee_minor=0,
            bought_wei=3 * WEI,
            reference="PAYOUT0001",
            converted_at=noon(),
            made_by=clerk(today),
            note="",
            at=timezone.now(),
        )
        assert counts(reconcile(today)) == (1, 0, 0, 0)
        difference.refresh_from_db()
        assert difference.state == "gone"

    def test_only_what_is_offered_can_be_done(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        for name in ("take_back", "correct", "anything"):
            with pytest.raises(NotResolved):
                resolve(today, name)
        resolve(today, "take_in")
        stored = Difference.objects.get()
        assert resolutions.offered(difference=stored) == ()


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestTogether:
    """Two clerks."""

    @pytest.mark.parametrize("name", ["take_in", "accept"])
    def test_two_clerks_at_once_resolve_once(
        self, world: World, home: Household, today: Village, name: str
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        difference = Difference.objects.get()
        clerks = [clerk(today, f"clerk{number}") for number in range(2)]
        start, done, late = Barrier(2), [], []

        def click(by: User) -> None:
            start.wait(10)
            try:
                done.append(
                    resolutions.resolve(
                        difference=difference, name=name, by=by, note="n", at=timezone.now()
                    )
                )
            except AlreadyResolved as error:
                late.append(error)

        run_together(*(lambda by=by: click(by) for by in clerks))
        assert (len(done), len(late)) == (1, 1)
        assert JournalEntry.objects.count() == 1
        assert floats.held_minor(rail=today.rail) == 8_000
