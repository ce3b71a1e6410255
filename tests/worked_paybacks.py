"""What was taken back in a village that has lived: every kind of it, in every state."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts import claims, disputes, refunds, reversals
from accounts.models import Dispute, PayerClaim, Payment, Refund, User
from accounts.refunds import RefundAnswer
from tests.paybacks import donate, pay
from tests.village import Village


def give_and_take(village: Village, *, at: datetime) -> None:
    """KIS0005 lives on the money of others, who ask for it again; KIS0002, who owes, has a payer
    who takes back what went to its arrears."""
    by = User.objects.create_user("clerk", is_staff=True, operator=village.operator)
    payments = iter(
        [pay(village, "KIS0005", at=at, reference=f"BACK{number:06d}") for number in range(9)]
    )
    done = refund(next(payments), amount_minor=33_333, by=by, at=at)
    answered(done, is_done=True, reference="REFUND1", at=at)
    failed = refund(next(payments), amount_minor=100_000, by=by, at=at)
    answered(failed, is_done=False, at=at)
    late = refund(next(payments), amount_minor=50_000, by=by, at=at)
    answered(late, is_done=False, at=at)
    answered(late, is_done=True, reference="REFUND2", at=at)
    unknown = refund(next(payments), amount_minor=1, by=by, at=at)
    refunds.claim(refund_id=unknown.pk, at=at)
    refunds.not_answered(refund=unknown, text="timed out", at=at)
    for state in Dispute.State:
        dispute(next(payments), state=state, at=at)
    refunds.made_elsewhere(
        payment=next(payments), reference="REFUND3", amount_minor=100_000, made_at=at, at=at
    )
    _claims(village, by=by, at=at)
    gift = donate(village, at=at - timedelta(hours=20))
    dispute(gift, state=Dispute.State.OPEN, amount_minor=2_500, at=at)
    dispute(gift, state=Dispute.State.WON, amount_minor=2_500, at=at)
    returned = pay(village, "NOWHERE", at=at, reference="BACK000009")
    answered(refund(returned, amount_minor=100_000, by=by, at=at), is_done=True, at=at)


def refund(payment: Payment, *, amount_minor: int, by: User, at: datetime) -> Refund:
    """Somebody asks for a refund."""
    return refunds.request(
        payment=payment,
        amount_minor=amount_minor,
        reason="paid twice",
        requested_by=by,
        idempotency_key=f"refund:{payment.pk}",
        at=at,
    )


def answered(refund: Refund, *, is_done: bool, at: datetime, reference: str = "") -> None:
    """What the provider says of it."""
    answer = RefundAnswer(is_final=True, is_done=is_done, code="1", text="no", reference=reference)
    refunds.settle_answer(refund=refund, answer=answer, at=at)


def dispute(
    payment: Payment, *, state: Dispute.State, at: datetime, amount_minor: int = 40_000
) -> Dispute:
    """What the provider says of a dispute of a payment."""
    return disputes.follow(
        provider=payment.provider,
        reference=f"DP{payment.reference}",
        payment_reference=payment.reference,
        amount_minor=amount_minor,
        fee_minor=1_500,
        currency=payment.currency,
        reason="fraudulent",
        state=state,
        opened_at=at,
        evidence_due_at=at + timedelta(days=7),
        at=at,
    )


def _claims(village: Village, *, by: User, at: datetime) -> None:
    for number, close in enumerate((None, claims.settle, claims.write_off)):
        payment = pay(village, "KIS0002", at=at, reference=f"OWED{number:06d}", amount_minor=300)
        reversals.record(
            provider=payment.provider,
            reference=f"REV{number}",
            payment_reference=payment.reference,
            amount_minor=300,
            currency="KES",
            reversed_at=at,
            at=at,
        )
        if close is not None:
            claim = PayerClaim.objects.get(take_back__payment=payment)
            close(claim=claim, note="by hand", by=by, at=at)
