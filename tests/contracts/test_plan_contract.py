"""What every provider keeps to that charges donors every month. Ends: test_plan_endings.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import giving_plans
from accounts import rails as rails_of
from accounts.giving_plans import NotEndable, NotMonthly
from accounts.models import (
    Campaign,
    Donation,
    GivingPlan,
    Payment,
    PaymentAttempt,
    Pledge,
    Rail,
)
from gateway.providers import collection, reconciliation
from gateway.providers.interface import PlanKeeping
from gateway.providers.models import Difference, Reconciliation
from gateway.providers.registry import provider
from tests.contracts.rigs import RIGS
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.stripe import StripeRig
from tests.giving import (
    begun,
    credited,
    findings,
    handle_again,
    look,
    months,
    paid_there,
    rig,
    told,
    wanted,
)

__all__ = ["rig"]

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", RIGS)
def test_who_can_charge_every_month_is_known_before_it_is_offered(name: str, db: None) -> None:
    with opened(RIGS[name]) as found:
        can = found.adapter.capabilities.plans
        assert can == isinstance(found.adapter, PlanKeeping)
        assert can == rails_of.gives_monthly(rail=found.rail)
        if not can:
            with pytest.raises(NotMonthly, match="give once"):
                giving_plans.start(
                    site=found.site,
                    rail=found.rail,
                    amount_minor=100,
                    idempotency_key="k",
                    at=found.clock(),
                )
            assert not GivingPlan.objects.exists()


class TestTheFirstMonth:
    """A plan begins by being paid for, once."""

    def test_it_begins_with_a_gift_that_counts(self, rig: StripeRig) -> None:
        plan = begun(rig)
        [first] = months(plan)
        assert (first.state, first.donor, first.site) == ("succeeded", plan.donor, rig.site)
        payment = Payment.objects.get()
        assert (payment.state, payment.amount_minor) == ("credited", rig.amount_minor)
        assert Donation.objects.get().payment == payment
        assert plan.provider_plan
        assert (told("plan_started"), told("plan_failed"), told("plan_ended")) == (1, 0, 0)
        assert findings() == []

    def test_a_form_that_is_sent_twice_is_one_plan(self, rig: StripeRig) -> None:
        assert wanted(rig) == wanted(rig)
        assert (GivingPlan.objects.count(), Pledge.objects.count()) == (1, 1)
        assert PaymentAttempt.objects.count() == 1

    def test_nobody_told_us_and_the_janitor_finds_it(self, rig: StripeRig) -> None:
        plan = paid_there(rig)
        rig.pass_time(minutes=3)
        look(rig)
        plan.refresh_from_db()
        assert (plan.state, len(credited(plan))) == ("active", 1)

    def test_the_statement_alone_credits_it_to_the_pledge_that_began_it(
        self, rig: StripeRig
    ) -> None:
        plan = paid_there(rig)
        collection.pull(rail=rig.rail, at=rig.clock())
        assert len(credited(plan)) == 1
        rig.deliver(*rig.waiting())
        look(rig)
        assert len(credited(plan)) == Payment.objects.count() == 1
        assert PaymentAttempt.objects.get().state == "succeeded"

    def test_a_page_that_nobody_paid_is_given_up(self, rig: StripeRig) -> None:
        attempt = wanted(rig)
        collection.submit(attempt_id=attempt.pk, at=rig.clock())
        rig.pass_time(hours=4)
        look(rig)
        look(rig)
        plan = GivingPlan.objects.get()
        assert (plan.state, plan.next_check_at) == ("cancelled", None)
        assert told("plan_ended") == 0
        assert giving_plans.of_donors([plan.donor]).count() == 0
        with pytest.raises(NotEndable):
            giving_plans.ask_to_end(plan=plan, at=rig.clock())

    def test_an_amount_beyond_the_rail_begins_nothing(self, rig: StripeRig) -> None:
        Rail.objects.filter(pk=rig.rail.pk).update(max_top_up_minor=10)
        rig.rail.refresh_from_db()
        with pytest.raises(ValueError, match="choose an amount"):
            wanted(rig)
        assert not GivingPlan.objects.exists()


class TestTheNextMonths:
    """Every month that was paid is a pledge, an attempt and a payment of its own, once."""

    def test_each_is_credited_with_what_the_statement_calls_it(self, rig: StripeRig) -> None:
        plan = begun(rig)
        paid = [rig.charge_of(rig.month(plan)) for _ in range(2)]
        rig.deliver(*rig.waiting())
        look(rig)
        assert credited(plan)[1:] == paid
        assert [each.state for each in months(plan)] == ["succeeded"] * 3
        assert {each.public_name for each in months(plan)} == {"Ada L."}
        assert all(each.attempts.count() == 1 for each in months(plan))
        assert findings() == []

    def test_the_calendar_charges_them_without_anybody(self, rig: StripeRig) -> None:
        plan = begun(rig)
        for _ in range(3):
            rig.pass_time(days=31)
            rig.waiting()
            look(rig)
        assert len(credited(plan)) == 4
        assert findings() == []

    def test_the_statement_alone_credits_them(self, rig: StripeRig) -> None:
        plan = begun(rig)
        reference = rig.charge_of(rig.month(plan))
        collection.pull(rail=rig.rail, at=rig.clock())
        assert credited(plan)[1:] == [reference]
        rig.deliver(*rig.waiting())
        look(rig)
        assert Payment.objects.count() == 2
        assert [each.state for each in months(plan)] == ["succeeded"] * 2

    def test_events_twice_and_in_the_wrong_order_credit_once(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.month(plan)
        rig.month(plan)
        sent = rig.waiting()
        rig.deliver(*reversed(sent))
        rig.deliver(*sent, *sent)
        look(rig)
        assert len(credited(plan)) == len(months(plan)) == Payment.objects.count() == 3
        assert findings() == []

    def test_an_event_that_claims_a_month_nobody_paid_credits_nothing(self, rig: StripeRig) -> None:
        plan = begun(rig)
        made_up = {
            "id": "in_made_up",
            "object": "invoice",
            "status": "paid",
            "amount_paid": rig.amount_minor,
            "parent": {"subscription_details": {"subscription": plan.provider_plan}},
        }
        rig.deliver(rig.event("invoice.paid", made_up))
        look(rig)
        assert len(credited(plan)) == len(months(plan)) == 1

    def test_a_forged_event_is_refused(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.month(plan)
        [sent] = [each for each in rig.waiting() if each.topic == "invoice.paid"]
        for signer in rig.bad_signers:
            assert rig.hand_over(sent, signer=signer).status_code == 400
        rig.work()
        assert len(credited(plan)) == 1

    def test_an_event_while_the_provider_is_away_is_handled_later(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.month(plan)
        rig.fault("unavailable", count=2)
        rig.deliver(*(each for each in rig.waiting() if each.topic == "invoice.paid"))
        assert len(credited(plan)) == 1
        rig.recover()
        handle_again(rig)
        look(rig)
        assert len(credited(plan)) == 2

    def test_another_amount_is_credited_as_paid_and_flagged(self, rig: StripeRig) -> None:
        plan = begun(rig)
        charge = rig.charge_of(rig.month(plan))
        rig.simulate(f"charges/{charge}/told", amount_minor=rig.amount_minor - 1, currency="KES")
        rig.deliver(*rig.waiting())
        look(rig)
        attempt = PaymentAttempt.objects.get(pledge=months(plan)[-1])
        assert (attempt.state, attempt.has_mismatch) == ("succeeded", True)
        assert Payment.objects.get(reference=charge).amount_minor == rig.amount_minor - 1

    def test_another_currency_waits_in_suspense_as_a_mismatch(self, rig: StripeRig) -> None:
        plan = begun(rig)
        charge = rig.charge_of(rig.month(plan))
        rig.simulate(f"charges/{charge}/told", amount_minor=rig.amount_minor, currency="USD")
        rig.deliver(*rig.waiting())
        look(rig)
        assert Payment.objects.get(reference=charge).state == "mismatch"
        assert len(credited(plan)) == 1
        assert PaymentAttempt.objects.get(pledge=months(plan)[-1]).has_mismatch

    def test_they_belong_to_the_campaign_while_it_takes_gifts(self, rig: StripeRig) -> None:
        at = rig.clock()
        campaign = Campaign.objects.create(
            site=rig.site,
            title="Light",
            goal_wei=10**21,
            opens_at=at,
            deadline_at=at + timedelta(days=40),
            state="open",
            created_at=at,
        )
        plan = begun(rig)
        for _ in range(2):
            rig.pass_time(days=31)
            rig.deliver(*rig.waiting())
            look(rig)
        assert [each.campaign for each in months(plan)] == [campaign, campaign, None]


class TestAMonthThatFails:
    """The plan is past due, its donor hears of it once, and another card heals it."""

    def test_it_is_past_due_and_its_donor_is_told_once(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.refuse_months(plan)
        rig.month(plan)
        sent = rig.waiting()
        rig.deliver(*sent, *sent)
        plan.refresh_from_db()
        assert (plan.state, plan.failure) == ("past_due", "the card was refused")
        assert (told("plan_failed"), len(credited(plan)), len(months(plan))) == (1, 1, 1)

    def test_another_card_pays_it_and_the_plan_goes_on(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.refuse_months(plan)
        rig.month(plan)
        rig.deliver(*rig.waiting())
        rig.give_card(plan)
        rig.deliver(*rig.waiting())
        look(rig)
        plan.refresh_from_db()
        assert (plan.state, plan.failure, len(credited(plan))) == ("active", "", 2)
        assert told("plan_started") == 1

    def test_a_card_that_goes_on_refusing_ends_the_plan(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.refuse_months(plan)
        rig.month(plan)
        for _ in range(3):
            rig.pass_time(days=3, seconds=1)
            look(rig)
        plan.refresh_from_db()
        assert (plan.state, told("plan_ended")) == ("cancelled", 1)
        assert len(credited(plan)) == 1


def test_the_statement_and_our_books_agree_on_every_month(rig: StripeRig) -> None:
    plan = begun(rig)
    rig.month(plan)
    rig.deliver(*rig.waiting())
    look(rig)
    day = rig.clock().astimezone().date()
    span = reconciliation.span(rail=rig.rail, day=day)
    rig.pass_time(
        seconds=(span[1] + Reconciliation.SETTLES_AFTER - rig.clock()).total_seconds() + 60
    )
    made = reconciliation.run(rail=rig.rail, day=day, at=rig.clock())
    assert (made.matched, made.failure) == (2, "")
    assert not Difference.objects.exists()
    assert provider(rail=rig.rail).capabilities.has_statement
