"""Corruptions of payouts and service tokens, the rows they need, and the checks that see them."""

from __future__ import annotations

from datetime import datetime

from accounts.models import User
from settlement import payout_sending, payouts
from settlement.models import Payout, ServiceToken
from tests.paying_out import earned, payee
from tests.village import Village

SHILLING_WEI = 10**18 // 129
"""A bit more than a shilling is worth at any rate of the worked village."""


def pay_out(village: Village, *, at: datetime) -> None:
    """One payout that arrived, one on its way, one that failed; each of a shilling or more."""
    jua = payee(village, code="jua")
    proposer = User.objects.create_user("proposer")
    approver = User.objects.create_user("approver")
    for subject in ("paid", "sent", "failed"):
        token = earned(
            village,
            jua,
            subject=f"milestone:{subject}",
            amount_wei=SHILLING_WEI,
            accepted_by=proposer,
            at=at,
        )
        payout = _sent(token, proposer=proposer, approver=approver, at=at)
        if subject == "paid":
            payout_sending.paid(payout=payout, reference="B2C1", paid_at=at, at=at)
        elif subject == "failed":
            payout_sending.failed(payout=payout, code="2040", text="no wallet", at=at)


def _sent(token: ServiceToken, *, proposer: User, approver: User, at: datetime) -> Payout:
    proposal = payouts.propose(service_token=token, pool="contractor", proposed_by=proposer, at=at)
    payouts.approve(payout=proposal, approved_by=approver, at=at)
    payout = payout_sending.claim(payout_id=proposal.pk, at=at)
    assert payout is not None
    payout_sending.submitted(payout=payout, at=at)
    return payout


LIFTED_PAYOUTS = (
    "ALTER TABLE settlement_payout DROP CONSTRAINT payout_approved_by_a_second_person",
)
GUARDED_PAYOUTS = ("settlement_payout", "settlement_servicetoken")

PAYOUT_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "pools_are_their_splits_less_payouts",
        "UPDATE settlement_payout SET pool = 'reserve' WHERE state = 'paid'",
    ),
    (
        "payout_due_is_what_open_payouts_hold",
        "UPDATE settlement_payout SET state = 'failed' WHERE state = 'sent'",
    ),
    (
        "service_tokens_are_those_earned",
        "UPDATE settlement_servicetoken SET state = 'earned' WHERE state = 'burned'",
    ),
    (
        "service_tokens_are_those_earned",
        "UPDATE settlement_servicetoken SET amount_wei = amount_wei + 1 WHERE state = 'earned'",
    ),
    (
        "payouts_were_agreed_by_two",
        "UPDATE settlement_payout SET approved_by_id = proposed_by_id WHERE state = 'paid'",
    ),
    (
        "payouts_were_agreed_by_two",
        "UPDATE settlement_payout SET amount_wei = amount_wei * 2 WHERE state = 'sent'",
    ),
    (
        "paid_payouts_have_their_entry",
        "UPDATE settlement_payout SET paid_entry_id = entry_id WHERE state = 'paid'",
    ),
    (
        "paid_payouts_have_their_entry",
        "UPDATE settlement_payout SET amount_minor = amount_minor + 100 WHERE state = 'paid'",
    ),
    (
        "no_payout_brought_a_pool_below_zero",
        "UPDATE journal_entry SET sequence = -1 WHERE id = (SELECT min(id) FROM journal_entry"
        " WHERE kind = 'payout_approved')",
    ),
]
