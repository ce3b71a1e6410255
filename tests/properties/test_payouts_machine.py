"""Whatever the order of proposals, answers and late answers: pools pay each service token once.

Beside the service stands a plain model of it: what each pool holds, where each payout is, and what
the provider really sent, which is known to the model alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts import amounts, audit, ledger
from accounts.ledger import DAI, Leg
from accounts.models import User
from settlement import payout_sending, payouts
from settlement.models import Payee, Payout, ServiceToken
from settlement.payout_sending import PayoutAnswer
from settlement.payouts import NotCovered, NotPayable
from tests.paying_out import earn_revenue, earned, payee
from tests.village import Village
from tokens.management.commands.audit import CHECKS

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WEI = 10**18
POOLS = ("contractor", "operator")
GONE = ("rejected", "failed")

picks = st.integers(0, 1_000)
amounts_wei = st.one_of(st.integers(8 * 10**15, 40 * WEI), st.just(WEI // 1_000))


@dataclass
class Sent:
    """A payout as the model knows it. state is "aside" from approval until an answer."""

    pk: int
    token: int
    pool: str
    wei: int
    minor: int
    state: str = "proposed"
    is_sent: bool = False


class Payouts(RuleBasedStateMachine):
    """A village, two people, and a provider that may answer anything, late and often."""

    village: ClassVar[Village]
    jua: ClassVar[Payee]
    proposer: ClassVar[User]
    approver: ClassVar[User]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.at = FOUNDED
        self.pools = {name: self.stands("pool", name) for name in POOLS}
        self.float_minor = self.stands("float", "mpesa", "KES")
        self.tokens: dict[int, int] = {}
        self.burned: set[int] = set()
        self.made: list[Sent] = []
        self.openings = 0

    def teardown(self) -> None:
        wrong = [finding for each in audit.run(checks=CHECKS) for finding in each.findings]
        transaction.set_rollback(False)
        transaction.savepoint_rollback(self.savepoint)
        assert not wrong, wrong

    def stands(self, kind: str, name: str = "", asset: str = DAI) -> int:
        return amounts.of_site(site=self.village.site).get((kind, name, asset), 0)

    def one(self, pick: int) -> Sent:
        return self.made[pick % len(self.made)]

    def standing(self, token: int) -> list[Sent]:
        return [sent for sent in self.made if sent.token == token and sent.state not in GONE]

    def stored(self, sent: Sent) -> Payout:
        return payout_sending.load(payout_id=sent.pk)

    # What the site earns and loses

    @rule(pool=st.sampled_from(POOLS), wei=st.integers(-5 * WEI, 20 * WEI))
    def a_batch_is_settled(self, pool: str, wei: int) -> None:
        """Net-negative ones are borne by the operator alone."""
        if not wei or (pool != "operator" and wei < 0):
            return
        self.openings += 1
        self.at += timedelta(seconds=1)
        ledger.post(
            book_id=self.village.site.book.pk,
            kind="opening",
            key=f"opening:machine:{self.openings}",
            legs=[Leg(kind="pool", name=pool, amount=wei), Leg(kind="fx_reserve", amount=-wei)],
            occurred_at=self.at,
            at=self.at,
        )
        self.pools[pool] += wei

    @rule(wei=amounts_wei)
    def something_is_accepted(self, wei: int) -> None:
        token = earned(
            self.village,
            self.jua,
            amount_wei=wei,
            subject=f"milestone:{len(self.tokens)}",
            accepted_by=self.proposer,
            at=self.at,
        )
        self.tokens[token.pk] = wei

    # What people do

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, pool=st.sampled_from(POOLS))
    def somebody_proposes(self, pick: int, pool: str) -> None:
        token = sorted(self.tokens)[pick % len(self.tokens)]
        # Whole shillings at 129.25 a DAI.
        minor = self.tokens[token] * 12_925 // WEI // 100 * 100
        wei = minor * WEI // 12_925
        is_fine = (
            token not in self.burned
            and not self.standing(token)
            and minor > 0
            and wei <= self.pools[pool]
        )
        try:
            made = payouts.propose(
                service_token=ServiceToken.objects.get(pk=token),
                pool=pool,
                proposed_by=self.proposer,
                at=self.at,
            )
        except (NotPayable, NotCovered):
            assert not is_fine
            return
        assert is_fine
        assert (made.amount_wei, made.amount_minor) == (wei, minor)
        self.made.append(Sent(pk=made.pk, token=token, pool=pool, wei=wei, minor=minor))

    @precondition(lambda self: self.made)
    @rule(pick=picks, is_same=st.booleans())
    def somebody_approves(self, pick: int, is_same: bool) -> None:
        sent = self.one(pick)
        promised = sum(
            each.minor for each in self.made if each.state == "aside" and each is not sent
        )
        is_fine = (
            sent.state == "proposed"
            and not is_same
            and sent.wei <= self.pools[sent.pool]
            and sent.minor <= -self.float_minor - promised
        )
        try:
            payouts.approve(
                payout=self.stored(sent),
                approved_by=self.proposer if is_same else self.approver,
                at=self.at,
            )
        except (NotPayable, NotCovered):
            assert not is_fine
            return
        assert is_fine
        sent.state = "aside"
        self.pools[sent.pool] -= sent.wei

    @precondition(lambda self: self.made)
    @rule(pick=picks)
    def somebody_rejects(self, pick: int) -> None:
        sent = self.one(pick)
        is_fine = sent.state == "proposed" or (sent.state == "aside" and not sent.is_sent)
        try:
            payouts.reject(payout=self.stored(sent), text="no", at=self.at)
        except NotPayable:
            assert not is_fine
            return
        assert is_fine
        self._let_go(sent, state="rejected")

    def _let_go(self, sent: Sent, *, state: str) -> None:
        if sent.state == "aside":
            self.pools[sent.pool] += sent.wei
        sent.state = state

    # What the provider does

    @precondition(lambda self: self.made)
    @rule(pick=picks, is_answered=st.booleans())
    def it_is_sent(self, pick: int, is_answered: bool) -> None:
        sent = self.one(pick)
        claimed = payout_sending.claim(payout_id=sent.pk, at=self.at)
        assert (claimed is not None) == (sent.state == "aside" and not sent.is_sent)
        if claimed is None:
            return
        sent.is_sent = True
        if is_answered:
            payout_sending.submitted(payout=claimed, at=self.at)
        else:
            payout_sending.not_answered(payout=claimed, text="timed out", at=self.at)

    @precondition(lambda self: any(sent.is_sent for sent in self.made))
    @rule(pick=picks, answer=st.sampled_from(("arrived", "failed", "came back", "nothing")))
    def it_answers(self, pick: int, answer: str) -> None:
        """In any order and any number of times, contradicting itself."""
        sent_ones = [sent for sent in self.made if sent.is_sent]
        sent = sent_ones[pick % len(sent_ones)]
        reference = f"B2C{sent.pk}"
        told = PayoutAnswer(
            is_final=answer != "nothing",
            is_done=answer == "arrived",
            reference="" if answer in ("failed", "nothing") else reference,
            code="x",
        )
        payout_sending.settle_answer(payout=self.stored(sent), answer=told, at=self.at)
        if answer == "arrived":
            self._arrived(sent)
        elif answer == "came back" and sent.state == "paid":
            # Only of one that was seen to arrive under this very reference.
            self._returned(sent)
        elif answer in ("failed", "came back") and sent.state == "aside":
            self._let_go(sent, state="failed")

    def _arrived(self, sent: Sent) -> None:
        if sent.state == "paid":
            return
        if sent.state == "failed":
            for other in self.standing(sent.token):
                if other.state == "proposed" or not other.is_sent:
                    self._let_go(other, state="rejected")
            if self.standing(sent.token) or sent.wei > self.pools[sent.pool]:
                return
            self.pools[sent.pool] -= sent.wei
        sent.state = "paid"
        self.burned.add(sent.token)
        self.float_minor += sent.minor

    def _returned(self, sent: Sent) -> None:
        sent.state = "failed"
        self.burned.discard(sent.token)
        self.float_minor -= sent.minor
        self.pools[sent.pool] += sent.wei

    # What always holds

    @invariant()
    def pools_are_what_the_model_says_and_never_below_zero_by_a_payout(self) -> None:
        assert {name: self.stands("pool", name) for name in POOLS} == self.pools
        assert self.pools["contractor"] >= 0

    @invariant()
    def each_token_is_paid_once(self) -> None:
        paid = Counter(sent.token for sent in self.made if sent.state == "paid")
        assert set(paid) == self.burned
        assert set(paid.values()) <= {1}
        burned = ServiceToken.objects.filter(state="burned").values_list("pk", flat=True)
        assert set(burned) == self.burned
        left = sum(wei for token, wei in self.tokens.items() if token not in self.burned)
        assert self.stands("service_tokens", self.jua.code, "SVC") == left

    @invariant()
    def what_is_set_aside_and_what_left_is_what_the_model_says(self) -> None:
        aside = sum(sent.wei for sent in self.made if sent.state == "aside")
        assert self.stands("payout_due") == aside
        assert self.stands("float", "mpesa", "KES") == self.float_minor
        states = dict(Payout.objects.values_list("pk", "state"))
        for sent in self.made:
            shown = "aside" if states[sent.pk] in Payout.SET_ASIDE else states[sent.pk]
            assert shown == sent.state


@pytest.mark.django_db
def test_pools_pay_each_service_token_once() -> None:
    village = Village.found(at=FOUNDED)
    earn_revenue(village, dai=100, at=FOUNDED)
    Payouts.village = village
    Payouts.jua = payee(village, code="jua")
    Payouts.proposer = User.objects.create_user("proposer")
    Payouts.approver = User.objects.create_user("approver")
    run_state_machine_as_test(
        Payouts,
        settings=settings(
            max_examples=max(settings().max_examples // 10, 1),
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
