"""Whatever the order of payments, callbacks and questions: credited == confirmed, each once.

The model is what the payers did: which requests they paid. The rest is the real service over the
real sandbox of one rail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import amounts, audit
from accounts.models import Payment, PaymentAttempt
from gateway.providers import collection
from tests.contracts.rigs import RIGS, Rig
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.rig import Sent, cut

MOST_ATTEMPTS = 3
CLOCK_MINUTES = (0.5, 2, 6, 180, 1_500)
"""A moment; past the prompts; past the slower prompts; past the page; past our own patience."""

Step = tuple[str, int]


@dataclass(kw_only=True)
class Story:
    """A rail, and what its payers did."""

    rig: Rig
    tries: list[PaymentAttempt] = field(default_factory=list)
    confirmed: dict[int, str] = field(default_factory=dict)
    """The reference of each attempt that was paid."""

    def submit(self, number: int) -> None:
        """A household asks, and the payer is asked, unless the provider is away."""
        if len(self.tries) < MOST_ATTEMPTS:
            household = (self.rig.home, self.rig.neighbour)[number % 2]
            self.tries.append(self.rig.submitted(household=household))

    def pay(self, number: int) -> None:
        attempt = self._open(number)
        if attempt is not None:
            # The page that a card is paid on is the provider's, too.
            self.rig.recover()
            self.confirmed[attempt.pk] = self.rig.pay(attempt)

    def decline(self, number: int) -> None:
        attempt = self._open(number)
        if attempt is not None:
            self.rig.decline(attempt)

    def _open(self, number: int) -> PaymentAttempt | None:
        """An attempt that its payer can still answer."""
        if not self.tries:
            return None
        attempt = self.tries[number % len(self.tries)]
        attempt.refresh_from_db()
        named = attempt.provider_request
        return attempt if named and named in self.rig.open_requests() else None

    def callback(self, number: int) -> None:
        """Any callback, for whatever time, by any method."""
        sent = self.rig.callbacks()
        if sent:
            self._deliver(sent[-1 - number % len(sent)])

    def cut(self, number: int) -> None:
        sent = self.rig.callbacks()
        if sent:
            self._deliver(cut(sent[number % len(sent)]))

    def forged(self, number: int) -> None:
        """Somebody who knows the paths, and can sign, says that it was paid."""
        if self.tries:
            attempt = self.tries[number % len(self.tries)]
            attempt.refresh_from_db()
            self._deliver(self.rig.claim(attempt))

    def _deliver(self, sent: Sent) -> None:
        assert self.rig.hand_over(sent).status_code == 200
        self.rig.work()

    def janitor(self, _number: int) -> None:
        collection.poll_due(clock=self.rig.clock)

    def statement(self, _number: int) -> None:
        if self.rig.adapter.capabilities.has_statement:
            collection.pull(rail=self.rig.rail, at=self.rig.clock())

    def time(self, number: int) -> None:
        self.rig.pass_time(minutes=CLOCK_MINUTES[number % len(CLOCK_MINUTES)])

    def outage(self, number: int) -> None:
        """The next answers of the provider are errors."""
        self.rig.fault("unavailable", count=1 + number % 4)

    def end(self) -> None:
        """The provider is there again, and repeats what it said; then everybody looks."""
        self.rig.recover()
        self.rig.pass_time(minutes=2)
        for sent in self.rig.callbacks():
            self._deliver(sent)
        self.rig.look()
        self.rig.pass_time(minutes=61)
        self.rig.look()

    def check(self, *, is_over: bool = False) -> None:
        """Nobody has more than was paid; in the end nobody has less either."""
        rig = self.rig
        credited = Payment.objects.filter(state="credited")
        references = sorted(credited.values_list("reference", flat=True))
        paid = sorted(self.confirmed.values())
        assert Payment.objects.count() == len(references) == len(set(references))
        assert set(references) <= set(paid)
        for household in (rig.home, rig.neighbour):
            due = sum(payment.credited_wei or 0 for payment in credited.filter(household=household))
            assert amounts.of_household(household=household).funds_wei == due
        if is_over:
            assert references == paid
            for attempt in self.tries:
                attempt.refresh_from_db()
                due_reference = self.confirmed.get(attempt.pk)
                assert (attempt.state == "succeeded") == (due_reference is not None), attempt.state
                own = credited.filter(top_up=attempt.top_up).first()
                assert (None if own is None else own.reference) == due_reference
            assert findings() == []


def findings() -> list[str]:
    """What the audit of payments finds."""
    checks = [check for check in audit.CHECKS if check.invariant == 4]
    return [finding.detail for result in audit.run(checks=checks) for finding in result.findings]


ACTS: dict[str, Callable[[Story, int], None]] = {
    "submit": Story.submit,
    "pay": Story.pay,
    "decline": Story.decline,
    "callback": Story.callback,
    "cut": Story.cut,
    "forged": Story.forged,
    "janitor": Story.janitor,
    "statement": Story.statement,
    "time": Story.time,
    "outage": Story.outage,
}
OFTEN = ("submit", "pay", "pay", "callback", "callback", "time")
steps = st.tuples(st.sampled_from((*ACTS, *OFTEN)), st.integers(0, 7))


@pytest.mark.django_db
@pytest.mark.parametrize("name", RIGS)
def test_credited_is_what_was_confirmed(name: str) -> None:
    @settings(
        max_examples=max(settings().max_examples // 10, 1),
        suppress_health_check=list(HealthCheck),
    )
    @given(story_steps=st.lists(steps, min_size=6, max_size=14))
    def tell(story_steps: list[Step]) -> None:
        with transaction.atomic(), opened(RIGS[name]) as rig:
            story = Story(rig=rig)
            # As a scheduled pull does, from the rail's first minute on.
            story.statement(0)
            story.submit(0)
            for act, number in story_steps:
                ACTS[act](story, number)
                story.check()
            story.end()
            story.check(is_over=True)
            transaction.set_rollback(True)

    tell()
