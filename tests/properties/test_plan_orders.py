"""Whatever the order of months, events and questions: each paid month is credited once.

The model is Stripe's own list of the plan's paid invoices; the rest is the real service over the
real sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Donation, GivingPlan, Payment, Pledge
from gateway.providers import collection, plans
from gateway.providers.stripe.client import shared_client
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.rig import Sent, cut
from tests.contracts.rigs.stripe import StripeRig
from tests.giving import findings, handle_again, look, paid_there, quote

CLOCK_MINUTES = (0.5, 11, 400, 1_500, 31 * 24 * 60)
"""A moment; past a question; past due looked at; a day; a month."""

Step = tuple[str, int]


@dataclass(kw_only=True)
class Story:
    """A plan whose first month was paid, and of which nobody told us yet."""

    rig: StripeRig
    plan: GivingPlan
    subscription: str

    def _there(self) -> GivingPlan:
        """The plan by its name at Stripe, whether we know that already or not."""
        return GivingPlan(provider_plan=self.subscription)

    def month(self, _number: int) -> None:
        self.rig.recover()
        self.rig.month(self._there())

    def refuse(self, _number: int) -> None:
        self.rig.recover()
        self.rig.refuse_months(self._there())

    def card(self, _number: int) -> None:
        self.rig.recover()
        self.rig.give_card(self._there())

    def event(self, number: int) -> None:
        """Any event, for whatever time."""
        sent = self.rig.callbacks()
        if sent:
            self._deliver(sent[-1 - number % len(sent)])

    def cut(self, number: int) -> None:
        sent = self.rig.callbacks()
        if sent:
            self._deliver(cut(sent[number % len(sent)]))

    def claim(self, number: int) -> None:
        """Somebody who can sign claims that a month was paid."""
        details = {"subscription_details": {"subscription": self.subscription}}
        made_up = {"id": f"in_{number}", "status": "paid", "amount_paid": 1, "parent": details}
        self._deliver(self.rig.event("invoice.paid", made_up))

    def _deliver(self, sent: Sent) -> None:
        assert self.rig.hand_over(sent).status_code == 200
        self.rig.work()

    def janitor(self, _number: int) -> None:
        plans.poll_due(clock=self.rig.clock)
        collection.poll_due(clock=self.rig.clock)

    def statement(self, _number: int) -> None:
        collection.pull(rail=self.rig.rail, at=self.rig.clock())

    def time(self, number: int) -> None:
        self.rig.pass_time(minutes=CLOCK_MINUTES[number % len(CLOCK_MINUTES)])

    def outage(self, number: int) -> None:
        self.rig.fault("unavailable", count=1 + number % 4)

    def end(self) -> None:
        """Stripe is there again, and repeats what it said; then everybody looks."""
        self.rig.recover()
        self.rig.pass_time(minutes=2)
        for sent in self.rig.callbacks():
            self._deliver(sent)
        handle_again(self.rig)
        look(self.rig)
        self.rig.pass_time(hours=25)
        look(self.rig)

    def paid(self) -> list[str]:
        """The charges of the months that Stripe was paid for."""
        listed = shared_client().v1.invoices.list(
            {"subscription": self.subscription, "status": "paid", "limit": 100}
        )
        return sorted(self.rig.charge_of(str(invoice.id)) for invoice in listed.data)

    def check(self, *, is_over: bool = False) -> None:
        """Nobody has more than was paid; in the end nobody has less either."""
        credited = Payment.objects.filter(state="credited")
        references = sorted(credited.values_list("reference", flat=True))
        assert Payment.objects.count() == len(references) == len(set(references))
        assert Donation.objects.count() == len(references)
        if not is_over:
            return
        assert references == self.paid()
        months = Pledge.objects.filter(plan=self.plan)
        assert months.filter(state="succeeded").count() == months.count() == len(references)
        assert findings() == []


ACTS: dict[str, Callable[[Story, int], None]] = {
    "month": Story.month,
    "refuse": Story.refuse,
    "card": Story.card,
    "event": Story.event,
    "cut": Story.cut,
    "claim": Story.claim,
    "janitor": Story.janitor,
    "statement": Story.statement,
    "time": Story.time,
    "outage": Story.outage,
}
OFTEN = ("month", "event", "event", "time")
steps = st.tuples(st.sampled_from((*ACTS, *OFTEN)), st.integers(0, 20))


@pytest.mark.django_db
def test_each_paid_month_is_credited_once() -> None:
    @settings(
        max_examples=max(settings().max_examples // 10, 1),
        suppress_health_check=list(HealthCheck),
    )
    @given(story_steps=st.lists(steps, min_size=5, max_size=12))
    def tell(story_steps: list[Step]) -> None:
        with transaction.atomic(), opened(StripeRig) as rig:
            assert isinstance(rig, StripeRig)
            quote(rig)
            plan = paid_there(rig)
            [found] = shared_client().v1.subscriptions.list().data
            story = Story(rig=rig, plan=plan, subscription=found.id)
            for act, number in story_steps:
                ACTS[act](story, number)
                story.check()
            story.end()
            story.check(is_over=True)
            transaction.set_rollback(True)

    tell()
