"""Workers that race for one month: whoever is first opens it, and it is credited once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from accounts import giving_plans
from accounts.models import Donation, GivingPlan, Payment, PaymentAttempt, Pledge
from gateway.providers import collection, plans
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.stripe import StripeRig
from tests.giving import begun, credited, findings, look, quote, wanted

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def rig(transactional_db: None) -> Iterator[StripeRig]:
    with opened(StripeRig) as found:
        assert isinstance(found, StripeRig)
        quote(found)
        yield found


def at_once(*works: Callable[[], object]) -> None:
    """Do each piece of work twice, all at the same instant."""
    barrier = Barrier(2 * len(works))

    def run(work: Callable[[], object]) -> None:
        barrier.wait(timeout=10)
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(2 * len(works)) as pool:
        for done in [pool.submit(run, work) for work in (*works, *works)]:
            done.result(timeout=60)


def test_workers_that_race_for_a_month_credit_it_once(rig: StripeRig) -> None:
    plan = begun(rig)
    reference = rig.charge_of(rig.month(plan))
    at_once(
        lambda: plans.ask(plan_id=plan.pk, at=rig.clock()),
        lambda: collection.pull(rail=rig.rail, at=rig.clock()),
    )
    look(rig)
    assert credited(plan)[1:] == [reference]
    month = Pledge.objects.filter(plan=plan).latest("id")
    assert Pledge.objects.filter(plan=plan).count() == 2
    assert PaymentAttempt.objects.get(pledge=month).state == "succeeded"
    assert Donation.objects.count() == Payment.objects.count() == 2
    assert findings() == []


def test_a_form_that_two_tabs_send_at_once_is_one_plan(rig: StripeRig) -> None:
    at_once(lambda: wanted(rig))
    plan = GivingPlan.objects.get()
    assert Pledge.objects.get().plan == plan
    assert Pledge.objects.get().donor == plan.donor
    assert PaymentAttempt.objects.count() == 1


def test_two_janitors_ask_after_a_plan_once(rig: StripeRig) -> None:
    begun(rig)
    at = rig.pass_time(days=2)
    taken: list[int] = []
    at_once(lambda: taken.extend(giving_plans.take_due(at=at)))
    assert len(taken) == 1
