"""What every provider keeps to that charges donors every month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from accounts import giving_plans, refunds, suspense
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
    User,
)
from gateway.providers import collection, plans, reconciliation, refunding
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
    quote,
    told,
    wanted,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[name for name in RIGS if name in rails_of.MONTHLY])
def rig(db: None, request: pytest.FixtureRequest) -> Iterator[StripeRig]:
    """One provider that charges every month after the other, its currency quoted."""
    with opened(RIGS[request.param]) as found:
        assert isinstance(found, StripeRig)
        quote(found)
        yield found


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


class TestTheEnd:
    """By the donor or at the provider; what is paid all the same is not lost."""

    def test_its_donor_ends_it_and_a_worker_tells_the_provider(self, rig: StripeRig) -> None:
        plan = begun(rig)
        giving_plans.ask_to_end(plan=plan, at=rig.clock())
        assert giving_plans.is_to_end(plan=plan)
        assert plan.state == "active"
        plans.ask(plan_id=plan.pk, at=rig.clock())
        plan.refresh_from_db()
        assert (plan.state, plan.next_check_at) == ("cancelled", None)
        assert not giving_plans.is_to_end(plan=plan)
        rig.deliver(*rig.waiting())
        rig.pass_time(days=62)
        look(rig)
        assert (len(credited(plan)), told("plan_ended")) == (1, 1)
        with pytest.raises(NotEndable):
            giving_plans.ask_to_end(
                plan=GivingPlan.objects.create(
                    donor=plan.donor,
                    site=plan.site,
                    rail=plan.rail,
                    amount_minor=1,
                    currency="KES",
                    idempotency_key="other",
                    created_at=rig.clock(),
                ),
                at=rig.clock(),
            )

    def test_it_stands_until_the_provider_says_so(self, rig: StripeRig) -> None:
        plan = begun(rig)
        giving_plans.ask_to_end(plan=plan, at=rig.clock())
        rig.fault("unavailable", count=50)
        plans.ask(plan_id=plan.pk, at=rig.clock())
        plan.refresh_from_db()
        assert (plan.state, told("plan_ended")) == ("active", 0)
        rig.recover()
        look(rig)
        plan.refresh_from_db()
        assert plan.state == "cancelled"

    def test_one_that_was_ended_there_meanwhile_is_not_ended_twice(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.end_there(plan)
        giving_plans.ask_to_end(plan=plan, at=rig.clock())
        plans.ask(plan_id=plan.pk, at=rig.clock())
        plan.refresh_from_db()
        assert plan.state == "cancelled"
        rig.deliver(*rig.waiting())
        assert told("plan_ended") == 1

    @pytest.mark.parametrize("closed", ["donor", "site"])
    def test_no_month_is_charged_for_who_is_closed(self, rig: StripeRig, closed: str) -> None:
        plan = begun(rig)
        row = getattr(plan, closed)
        row.closed_at = rig.pass_time(days=1)
        row.save()
        look(rig)
        plan.refresh_from_db()
        assert plan.state == "cancelled"
        rig.pass_time(days=31)
        look(rig)
        assert len(credited(plan)) == 1

    def test_a_month_of_a_plan_that_we_thought_over_is_credited(self, rig: StripeRig) -> None:
        plan = begun(rig)
        GivingPlan.objects.filter(pk=plan.pk).update(state="cancelled", next_check_at=None)
        rig.month(plan)
        rig.deliver(*rig.waiting())
        look(rig)
        plan.refresh_from_db()
        assert (plan.state, len(credited(plan))) == ("cancelled", 2)

    def test_months_of_a_plan_that_is_not_ours_wait_in_suspense(self, rig: StripeRig) -> None:
        rig.begin_unknown()
        rig.deliver(*rig.waiting())
        payment = Payment.objects.get()
        assert (payment.state, payment.pledge) == ("suspense", None)
        assert payment.account_text.startswith("month in_")
        assert not GivingPlan.objects.exists()
        assert findings() == []

    def test_a_month_that_waited_in_suspense_finds_its_plan(self, rig: StripeRig) -> None:
        plan = begun(rig)
        known = plan.provider_plan
        GivingPlan.objects.update(provider_plan="sub_of_another")
        reference = rig.charge_of(rig.month(plan))
        collection.pull(rail=rig.rail, at=rig.clock())
        assert Payment.objects.get(reference=reference).state == "suspense"
        GivingPlan.objects.update(provider_plan=known)
        rig.deliver(*rig.waiting())
        assert [each.state for each in months(plan)] == ["succeeded"] * 2
        suspense.attach_waiting(at=rig.clock())
        assert credited(plan)[1:] == [reference]
        assert not PaymentAttempt.objects.filter(has_mismatch=True).exists()
        assert findings() == []

    def test_an_answer_older_than_the_last_one_counts_for_nothing(self, rig: StripeRig) -> None:
        plan = begun(rig)
        at = rig.clock()
        giving_plans.follow(plan=plan, reference="x", state="past_due", asked_at=at)
        stale = at - timedelta(seconds=1)
        giving_plans.follow(plan=plan, reference="x", state="cancelled", asked_at=stale)
        plan.refresh_from_db()
        assert plan.state == "past_due"


class TestMoneyBack:
    """What is taken back of one month leaves the others alone."""

    def test_a_refund_takes_that_month_only(self, rig: StripeRig) -> None:
        plan = begun(rig)
        rig.month(plan)
        rig.deliver(*rig.waiting())
        look(rig)
        second = Payment.objects.order_by("id").last()
        assert second is not None
        refund = refunds.request(
            payment=second,
            amount_minor=second.amount_minor,
            reason="asked for",
            idempotency_key="back",
            requested_by=User.objects.create_user("clerk"),
            at=rig.clock(),
        )
        refunding.submit(refund_id=refund.pk, at=rig.clock())
        rig.pass_time(seconds=5)
        rig.deliver(*rig.waiting())
        assert [each.state for each in months(plan)] == ["succeeded", "refunded"]
        plan.refresh_from_db()
        assert plan.state == "active"
        assert findings() == []

    def test_a_dispute_takes_that_month_only(self, rig: StripeRig) -> None:
        plan = begun(rig)
        charge = rig.charge_of(rig.month(plan))
        rig.deliver(*rig.waiting())
        look(rig)
        rig.simulate(f"charges/{charge}/dispute", reason="fraudulent")
        rig.deliver(*rig.waiting())
        assert [each.state for each in months(plan)] == ["succeeded", "disputed"]
        assert findings() == []


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
