"""Whatever the order of events: credited == confirmed - taken back, each once, to the wei.

Beside the service stands what its provider knows: which payments it took, which refunds, reversals
and disputes took them again, and so what must lie on its account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts import audit, claims, disputes, refunds, reversals, suspense
from accounts.claims import ClaimClosed
from accounts.fields import WeiField
from accounts.models import (
    Dispute,
    Household,
    LedgerAccount,
    PayerClaim,
    Payment,
    Posting,
    Refund,
    TakeBack,
    User,
)
from accounts.refunds import RefundAnswer
from accounts.take_backs import MoreThanLeft, NotEnoughUnspent, NotTaken, WholeOnly
from settlement import settle
from tests.paybacks import charging, donate, pay, quote
from tests.village import Village
from tokens.management.commands.audit import CHECKS

FOUNDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CODES = ("KIS0001", "KIS0001", "KIS0002", "KIS0009", "N0BODY")
"""KIS0009 is opened later, N0BODY never."""
STATES = (Dispute.State.INQUIRY, Dispute.State.OPEN, Dispute.State.LOST, Dispute.State.WON)

shares = st.sampled_from((1, 7, 50, 99, 100, 100, 100))
picks = st.integers(0, 1_000)


@dataclass
class Paid:
    """A payment as its provider knows it; standing: what was taken of it, by what took it."""

    reference: str
    code: str
    amount_minor: int
    fee_minor: int
    standing: dict[str, int] = field(default_factory=dict)

    @property
    def left_minor(self) -> int:
        return self.amount_minor - sum(self.standing.values())


@dataclass
class Asked:
    """A refund of ours, and where it stands at the provider."""

    pk: int
    paid: Paid
    amount_minor: int
    state: str = "open"


@dataclass
class Contested:
    """A dispute: how far it came, and what the provider keeps for it."""

    reference: str
    paid: Paid
    amount_minor: int
    rank: int = -1
    fee_minor: int = 0


class Payments(RuleBasedStateMachine):
    """A village, its provider, and a clock."""

    village: ClassVar[Village]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.at = FOUNDED
        self.slots = 0
        self.paid: list[Paid] = []
        self.asked: list[Asked] = []
        self.made: list[tuple[str, str, Paid, int]] = []
        self.contested: list[Contested] = []
        self.by = User.objects.create_user("clerk")
        quote(at=self.at - timedelta(days=1), local_per_dai="130.77")
        self.village.household("KIS0001")
        self.village.household("KIS0002", phone="+254711000002")
        self.village.price(ticks=3_000, starts_at=self.village.founded_at)

    def teardown(self) -> None:
        wrong = [finding for each in audit.run(checks=CHECKS) for finding in each.findings]
        transaction.set_rollback(False)
        transaction.savepoint_rollback(self.savepoint)
        assert not wrong, wrong

    def one(self, pick: int) -> Paid:
        return self.paid[pick % len(self.paid)]

    def stored(self, paid: Paid) -> Payment:
        return Payment.objects.get(reference=paid.reference)

    # What the provider takes in

    @rule(code=st.sampled_from(CODES), amount_minor=st.integers(1, 300_000))
    def somebody_pays(self, code: str, amount_minor: int) -> None:
        paid = Paid(f"RC{len(self.paid)}", code, amount_minor, amount_minor // 57)
        self.paid.append(paid)
        self._confirm(paid)

    @precondition(lambda self: self.paid)
    @rule(pick=picks)
    def a_payment_is_confirmed_again(self, pick: int) -> None:
        if self.one(pick).code != "donation":
            self._confirm(self.one(pick))

    def _confirm(self, paid: Paid) -> None:
        pay(
            self.village,
            paid.code,
            at=self.at,
            reference=paid.reference,
            amount_minor=paid.amount_minor,
            fee_minor=paid.fee_minor,
            paid_at=FOUNDED,
        )

    @rule(amount_minor=st.integers(1, 100_000))
    def somebody_donates(self, amount_minor: int) -> None:
        paid = Paid(f"ch_{len(self.paid)}", "donation", amount_minor, min(233, amount_minor))
        self.paid.append(paid)
        donate(self.village, at=self.at, amount_minor=amount_minor, reference=paid.reference)

    @precondition(lambda self: not Household.objects.filter(code="KIS0009").exists())
    @rule()
    def an_account_appears(self) -> None:
        self.village.household("KIS0009", phone="+254711000009")
        suspense.attach_waiting(at=self.at)

    @rule(energy=st.sampled_from((20_000, 400_000, 1_200_000)))
    def a_household_uses_power(self, energy: int) -> None:
        self.slots += 1
        self.village.read(
            "SM0001",
            starts_at=FOUNDED - self.slots * timedelta(minutes=15),
            energy_milliwatt_hours=energy,
            at=FOUNDED,
        )
        settle.run_all(site_id=self.village.site.pk, at=self.at)

    @rule(days=st.sampled_from((1, 40)))
    def days_go_by(self, days: int) -> None:
        self.at += timedelta(days=days)

    # What it gives back

    @precondition(lambda self: self.paid)
    @rule(pick=picks, share=shares)
    def a_refund_is_requested(self, pick: int, share: int) -> None:
        paid = self.one(pick)
        amount_minor = max(paid.amount_minor * share // 100, 1)
        before = TakeBack.objects.count()
        try:
            refund = refunds.request(
                payment=self.stored(paid),
                amount_minor=amount_minor,
                reason="",
                requested_by=self.by,
                idempotency_key=f"key{len(self.asked)}:{Refund.objects.count()}",
                at=self.at,
            )
        except (NotEnoughUnspent, MoreThanLeft, WholeOnly) as refusal:
            self._refused(refusal, paid, amount_minor)
            assert TakeBack.objects.count() == before
            return
        paid.standing[f"refund {refund.pk}"] = amount_minor
        self.asked.append(Asked(refund.pk, paid, amount_minor))

    def _refused(self, refusal: NotTaken, paid: Paid, amount_minor: int) -> None:
        if isinstance(refusal, MoreThanLeft):
            assert amount_minor > paid.left_minor
        elif isinstance(refusal, WholeOnly):
            assert self.stored(paid).state == "suspense"
            assert amount_minor < paid.amount_minor
        elif isinstance(refusal, NotEnoughUnspent):
            payment = self.stored(paid)
            assert payment.household is not None
            funds = LedgerAccount.objects.get(household=payment.household, kind="household_funds")
            about_wei = (payment.credited_wei or 0) * amount_minor // paid.amount_minor
            assert funds.amount < about_wei + len(paid.standing) + 2
            assert refusal.unspent_minor < amount_minor

    @precondition(lambda self: self.asked)
    @rule(pick=picks, answer=st.sampled_from(("done", "done", "failed", "bounced", "going on")))
    def the_provider_answers(self, pick: int, answer: str) -> None:
        asked = self.asked[pick % len(self.asked)]
        reference = f"RF{asked.pk}"
        told = {
            "done": RefundAnswer(is_final=True, is_done=True, reference=reference),
            "failed": RefundAnswer(is_final=True, code="1", text="no"),
            "bounced": RefundAnswer(is_final=True, code="2", reference=reference),
            "going on": RefundAnswer(is_final=False),
        }[answer]
        refunds.settle_answer(refund=refunds.load(refund_id=asked.pk), answer=told, at=self.at)
        self._follow(asked, answer)

    def _follow(self, asked: Asked, answer: str) -> None:
        """open -> done | failed; failed -> done where it can be taken; done -> failed if bounced.

        A bounce is told only of what left: before, it is a failure like any other.
        """
        name, paid = f"refund {asked.pk}", asked.paid
        if answer == "done" and asked.state == "failed":
            is_in_suspense = self.stored(paid).state == "suspense"
            if asked.amount_minor > paid.left_minor or (
                is_in_suspense and asked.amount_minor < paid.amount_minor
            ):
                return
            paid.standing[name] = asked.amount_minor
            asked.state = "done"
        elif answer == "done":
            asked.state = "done"
        elif answer == "bounced" or (answer == "failed" and asked.state == "open"):
            paid.standing.pop(name, None)
            asked.state = "failed"

    @precondition(lambda self: self.paid)
    @rule(pick=picks, share=shares, kind=st.sampled_from(("refund", "reversal")))
    def the_provider_takes_back_by_itself(self, pick: int, share: int, kind: str) -> None:
        paid = self.one(pick)
        amount_minor = max(paid.amount_minor * share // 100, 1)
        made = (kind, f"RV{len(self.made)}", paid, amount_minor)
        try:
            self._tell(*made)
        except (MoreThanLeft, WholeOnly) as refusal:
            self._refused(refusal, paid, amount_minor)
            return
        self.made.append(made)
        paid.standing[made[1]] = amount_minor

    @precondition(lambda self: self.made)
    @rule(pick=picks)
    def what_it_took_is_told_again(self, pick: int) -> None:
        self._tell(*self.made[pick % len(self.made)])

    def _tell(self, kind: str, reference: str, paid: Paid, amount_minor: int) -> None:
        payment = self.stored(paid)
        if kind == "refund":
            refunds.made_elsewhere(
                payment=payment,
                reference=reference,
                amount_minor=amount_minor,
                made_at=self.at,
                at=self.at,
            )
            return
        reversals.record(
            provider=payment.provider,
            reference=reference,
            payment_reference=paid.reference,
            amount_minor=amount_minor,
            currency=payment.currency,
            reversed_at=self.at,
            at=self.at,
        )

    @precondition(lambda self: self.paid)
    @rule(pick=picks, share=shares, rank=st.integers(0, 3), fee_minor=st.integers(0, 2_000))
    def a_payer_contests(self, pick: int, share: int, rank: int, fee_minor: int) -> None:
        paid = self.one(pick)
        contested = Contested(
            f"DP{len(self.contested)}", paid, max(paid.amount_minor * share // 100, 1)
        )
        self.contested.append(contested)
        self._contest(contested, rank=rank, fee_minor=fee_minor)

    @precondition(lambda self: self.contested)
    @rule(pick=picks, rank=st.integers(0, 3), fee_minor=st.integers(0, 2_000))
    def a_dispute_goes_on(self, pick: int, rank: int, fee_minor: int) -> None:
        contested = self.contested[pick % len(self.contested)]
        self._contest(contested, rank=rank, fee_minor=fee_minor)

    def _contest(self, contested: Contested, *, rank: int, fee_minor: int) -> None:
        payment = self.stored(contested.paid)
        try:
            disputes.follow(
                provider=payment.provider,
                reference=contested.reference,
                payment_reference=contested.paid.reference,
                amount_minor=contested.amount_minor,
                fee_minor=fee_minor,
                currency=payment.currency,
                reason="fraudulent",
                state=STATES[rank],
                opened_at=self.at,
                at=self.at,
            )
        except (MoreThanLeft, WholeOnly) as refusal:
            self._refused(refusal, contested.paid, contested.amount_minor)
            return
        was_taken = contested.rank in (1, 2) or (contested.rank == 3 and contested.fee_minor > 0)
        if rank > contested.rank:
            contested.rank = rank
            is_charged = rank in (1, 2) or was_taken or fee_minor > 0
            contested.fee_minor = fee_minor if rank and is_charged else 0
        elif rank == contested.rank and was_taken:
            contested.fee_minor = max(contested.fee_minor, fee_minor)
        contested.paid.standing.pop(contested.reference, None)
        if contested.rank in (1, 2):
            contested.paid.standing[contested.reference] = contested.amount_minor

    @precondition(lambda self: PayerClaim.objects.filter(state="open").exists())
    @rule(is_paid=st.booleans())
    def a_claim_is_closed(self, is_paid: bool) -> None:
        claim = PayerClaim.objects.filter(state="open").order_by("pk")[0]
        close = claims.settle if is_paid else claims.write_off
        closed = close(claim=claim, note="by hand", by=self.by, at=self.at)
        with pytest.raises(ClaimClosed):
            close(claim=closed, note="again", by=self.by, at=self.at)

    # What has to hold

    @invariant()
    def each_payment_says_what_stands(self) -> None:
        found = {payment.reference: payment.taken_back_minor for payment in Payment.objects.all()}
        assert found == {paid.reference: sum(paid.standing.values()) for paid in self.paid}

    @invariant()
    def floats_are_what_lies_at_the_provider(self) -> None:
        at_provider = sum(paid.amount_minor - paid.fee_minor for paid in self.paid)
        pending = {f"refund {asked.pk}" for asked in self.asked if asked.state == "open"}
        for paid in self.paid:
            at_provider -= sum(
                amount for name, amount in paid.standing.items() if name not in pending
            )
        at_provider -= sum(contested.fee_minor for contested in self.contested)
        floats = LedgerAccount.objects.filter(kind="float")
        assert -int(floats.aggregate(sum=Sum("amount"))["sum"] or 0) == at_provider

    @invariant()
    def households_have_what_was_confirmed_less_what_was_taken(self) -> None:
        """Credits and take-backs together; what a payer paid twice is the household's."""
        standing, twice = 0, 0
        for take_back in TakeBack.objects.filter(payment__household__isnull=False):
            if take_back.put_back_at is None:
                standing += take_back.taken_wei
            elif hasattr(take_back, "claim") and take_back.claim.note == "by hand":
                twice += take_back.claim_wei if take_back.claim.state == "settled" else 0
        credited = sum(
            payment.credited_wei or 0 for payment in Payment.objects.filter(household__isnull=False)
        )
        moved = Posting.objects.filter(
            entry__kind__in=("top_up", "take_back", "put_back"),
            account__household__isnull=False,
        ).aggregate(sum=Sum("amount", output_field=WeiField()))["sum"]
        assert (moved or 0) == credited - standing + twice


@pytest.mark.django_db
def test_credited_is_confirmed_less_taken_back() -> None:
    Payments.village = Village.found(at=FOUNDED)
    charging(Payments.village)
    run_state_machine_as_test(
        Payments,
        settings=settings(
            max_examples=max(settings().max_examples // 5, 1),
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
