"""Whatever the order of gifts, refunds, disputes, closing and deadline: what is raised is the sum
of what was paid and not taken back, and a failed campaign keeps nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts import campaigns, disputes, refunds
from accounts.campaigns import COUNTED_FOR, CampaignRefused
from accounts.models import Campaign, Dispute, Payment, Pledge, Refund
from accounts.refunds import RefundAnswer
from accounts.take_backs import NotTaken
from gateway.checkout import endings
from tests.campaigning import DAI, RUNS_FOR, on_chain, opened, paid
from tests.paybacks import assert_books_hold, pledged
from tests.village import Village

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CENT = DAI // 100
STEPS = ("pledge", "pay", "pay", "refund", "answer", "refuse", "dispute", "win", "lose", "crypto")

pytestmark = pytest.mark.django_db

steps = st.lists(
    st.tuples(
        st.sampled_from((*STEPS, "wait", "wait long", "work", "close")),
        st.integers(1, 60_000),
        st.integers(0, 7),
    ),
    min_size=4,
    max_size=22,
)


@dataclass
class Money:
    """A pledge as its giver knows it: what it is for, and what was paid of it."""

    pledge: Pledge
    is_ours: bool
    payment: Payment | None = None
    disputed: dict[str, tuple[int, str]] = field(default_factory=dict)


class Collecting:
    """A campaign, and beside it what its givers paid and had back, in cents."""

    def __init__(self, village: Village) -> None:
        self.village, self.at = village, FOUNDED
        self.campaign = opened(village.site, at=FOUNDED, goal_wei=500 * DAI)
        self.gifts: list[Money] = []
        self.crypto_cents = 0
        self.number = 0

    def step(self, what: str, number: int, place: int) -> None:
        self.number += 1
        # No two things happen in the same microsecond.
        self.at += timedelta(seconds=1)
        known = self.gifts[place % len(self.gifts)] if self.gifts else None
        if what == "pledge":
            self.pledge(number)
        elif what == "crypto":
            self.crypto(number)
        elif what == "wait":
            self.at += timedelta(minutes=number % 90)
        elif what == "wait long":
            self.at += timedelta(days=number % 20)
        elif what == "work":
            self.work()
        elif what == "close":
            self.close()
        elif what in ("answer", "refuse"):
            self.answer(is_done=what == "answer")
        elif known is not None:
            self.of_gift(known, what, number)

    def of_gift(self, gift: Money, what: str, number: int) -> None:
        if gift.payment is None:
            if what == "pay":
                gift.payment = paid(gift.pledge, at=self.at, reference=f"ch_{gift.pledge.pk}")
        elif what == "refund":
            self.refund(gift.payment, number)
        elif what == "dispute":
            self.dispute(gift, number)
        elif what in ("win", "lose"):
            self.decide(gift, state="won" if what == "win" else "lost")

    def pledge(self, cents: int) -> None:
        made = pledged(self.village, amount_minor=cents, key=f"p{self.number}", at=self.at)
        self.gifts.append(Money(made, self.is_open))

    def crypto(self, cents: int) -> None:
        on_chain(self.village.site, wei=cents * CENT, at=self.at)
        self.crypto_cents += cents if self.is_open else 0

    @property
    def is_open(self) -> bool:
        return self.campaign.state == "open" and self.at < FOUNDED + RUNS_FOR

    def refund(self, payment: Payment, cents: int) -> None:
        try:
            with transaction.atomic():
                refunds.request(
                    payment=payment,
                    amount_minor=cents,
                    reason="asked for",
                    requested_by=None,
                    idempotency_key=f"hand:{self.number}",
                    at=self.at,
                )
        except NotTaken:
            # The order of events may have left less than that: refusing is right, too.
            return

    def answer(self, *, is_done: bool) -> None:
        for refund in Refund.objects.filter(state__in=Refund.OPEN)[:1]:
            told = RefundAnswer(is_final=True, is_done=is_done, code="1", reference=f"r{refund.pk}")
            refunds.settle_answer(refund=refund, answer=told, at=self.at)

    def dispute(self, gift: Money, cents: int) -> None:
        name = f"dp_{self.number}"
        if self._followed(gift, name=name, cents=cents, state="open"):
            gift.disputed[name] = (cents, "open")

    def decide(self, gift: Money, *, state: str) -> None:
        for name, (cents, before) in gift.disputed.items():
            if before == "open" and self._followed(gift, name=name, cents=cents, state=state):
                gift.disputed[name] = (cents, state)
                return

    def _followed(self, gift: Money, *, name: str, cents: int, state: str) -> bool:
        assert gift.payment is not None
        try:
            with transaction.atomic():
                disputes.follow(
                    provider=gift.payment.provider,
                    reference=name,
                    payment_reference=gift.payment.reference,
                    amount_minor=cents,
                    fee_minor=0,
                    currency="USD",
                    reason="",
                    state=Dispute.State(state),
                    opened_at=self.at,
                    at=self.at,
                )
        except NotTaken:
            return False
        return True

    def close(self) -> None:
        try:
            self.campaign = campaigns.close(campaign=self.campaign, at=self.at)
        except CampaignRefused:
            assert self.campaign.state != "open"

    def work(self) -> None:
        before = self.campaign.state
        expected = self.left_cents * CENT
        endings.end_due(clock=lambda: self.at)
        self.campaign.refresh_from_db()
        if before == "open" and self.at >= FOUNDED + RUNS_FOR:
            is_reached = expected >= self.campaign.goal_wei
            is_late = self.at >= FOUNDED + RUNS_FOR + COUNTED_FOR
            missed = "failed" if is_late else "open"
            assert self.campaign.state == ("succeeded" if is_reached else missed)
        if self.campaign.state == "failed":
            self.check_given_back()

    def check_given_back(self) -> None:
        """Nothing is left of any payment of ours, but where its provider refused the refund."""
        for gift in self.gifts:
            if gift.is_ours and gift.payment is not None and self.left_of(gift):
                refused = gift.payment.refunds.filter(
                    idempotency_key__startswith="campaign:", state="failed"
                )
                assert refused.exists()

    def left_of(self, gift: Money) -> int:
        if gift.payment is None:
            return 0
        back = gift.payment.refunds.exclude(state="failed").values_list("amount_minor", flat=True)
        taken = sum(cents for cents, state in gift.disputed.values() if state != "won")
        return gift.pledge.amount_minor - sum(back) - taken

    @property
    def left_cents(self) -> int:
        return self.crypto_cents + sum(self.left_of(gift) for gift in self.gifts if gift.is_ours)

    def check(self) -> None:
        assert all(self.left_of(gift) >= 0 for gift in self.gifts)
        assert campaigns.raised(campaign=self.campaign, at=self.at) == self.left_cents * CENT
        for gift in self.gifts:
            assert (gift.pledge.campaign == self.campaign) == gift.is_ours


@settings(
    max_examples=80,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(steps)
def test_what_is_raised_is_what_was_paid_and_not_taken_back(
    founded: Village, history: list[tuple[str, int, int]]
) -> None:
    with transaction.atomic():
        here = Collecting(founded)
        for what, number, place in history:
            here.step(what, number, place)
            here.check()
        here.at = max(here.at, FOUNDED + RUNS_FOR + COUNTED_FOR)
        here.work()
        here.work()
        assert Campaign.objects.get().state != "open"
        here.check()
        assert_books_hold()
        transaction.set_rollback(True)


@pytest.fixture
def founded(db: None) -> Village:
    return Village.found(at=FOUNDED)
