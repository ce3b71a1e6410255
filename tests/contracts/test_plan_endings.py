"""Monthly donations that end, or whose money goes back: what every provider keeps to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import giving_plans, refunds, suspense
from accounts.giving_plans import NotEndable
from accounts.models import GivingPlan, Payment, PaymentAttempt, User
from gateway.providers import collection, plans, refunding
from tests.contracts.rigs.stripe import StripeRig
from tests.giving import begun, credited, findings, look, months, rig, told

__all__ = ["rig"]

pytestmark = pytest.mark.django_db


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
