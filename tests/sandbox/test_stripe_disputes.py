"""Disputes: funds withdrawn with a fee, answered, won, lost, or only asked about."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.stripe_account import DISPUTED, Account, metadata

FEE = 1500
INQUIRY = "4000000000001976"


def disputed(account: Account, *, card: str = DISPUTED) -> stripe.Dispute:
    """The dispute that follows a payment with such a card."""
    paid = account.paid(card=card)
    account.clock.move(seconds=2)
    [dispute] = account.client.v1.disputes.list({"charge": paid.id}).data
    return dispute


def test_a_disputed_card_takes_the_funds_and_a_fee(stripe_account: Account) -> None:
    dispute = disputed(stripe_account)
    assert (dispute.amount, dispute.reason, dispute.status) == (
        2500,
        "fraudulent",
        "needs_response",
    )
    assert not dispute.is_charge_refundable
    [created] = stripe_account.hooks.wait_for("charge.dispute.created")
    assert created.data.object["payment_intent"] == dispute.payment_intent
    stripe_account.hooks.wait_for("charge.dispute.funds_withdrawn")
    assert stripe_account.client.v1.charges.retrieve(str(dispute.charge)).disputed
    [withdrawal] = dispute.balance_transactions
    assert (withdrawal.net, withdrawal.source) == (-2500 - FEE, dispute.id)
    assert [detail.description for detail in withdrawal.fee_details] == ["Dispute fee"]
    assert stripe_account.movements() == [
        ("charge", "charge", 2500, 103),
        ("adjustment", "dispute", -2500, FEE),
    ]


def test_a_won_dispute_reinstates_the_funds_but_not_the_fee(stripe_account: Account) -> None:
    dispute = disputed(stripe_account)
    won = stripe_account.simulate(f"disputes/{dispute.id}/close", status="won").json()
    assert won["status"] == "won"
    [closed] = stripe_account.hooks.wait_for("charge.dispute.closed")
    assert closed.data.object["status"] == "won"
    [reinstated] = stripe_account.hooks.wait_for("charge.dispute.funds_reinstated")
    amounts = [item["amount"] for item in reinstated.data.object["balance_transactions"]]
    assert amounts == [-2500, 2500]
    assert stripe_account.movements()[-1] == ("adjustment", "dispute_reversal", 2500, 0)
    assert sum(stripe_account.totals()) == 2500 - 103 - FEE
    for status in ("won", "lost"):
        again = stripe_account.simulate(f"disputes/{dispute.id}/close", status=status)
        assert again.status_code == 400


def test_a_lost_dispute_moves_nothing_more(stripe_account: Account) -> None:
    dispute = disputed(stripe_account)
    stripe_account.simulate(f"disputes/{dispute.id}/close", status="lost")
    [closed] = stripe_account.hooks.wait_for("charge.dispute.closed")
    assert closed.data.object["status"] == "lost"
    assert sum(stripe_account.totals()) == -103 - FEE


def test_the_merchant_accepts_a_dispute(stripe_account: Account) -> None:
    dispute = disputed(stripe_account)
    assert stripe_account.client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        stripe_account.client.v1.disputes.close(dispute.id)


@pytest.mark.parametrize(
    ("text", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")]
)
def test_evidence_is_reviewed_and_decides(stripe_account: Account, text: str, status: str) -> None:
    disputes = stripe_account.client.v1.disputes
    dispute = disputed(stripe_account)
    draft = disputes.update(
        dispute.id, {"evidence": {"customer_name": "Ada"}, "submit": False, "metadata": {"a": "b"}}
    )
    assert (draft.status, draft.evidence.customer_name) == ("needs_response", "Ada")
    assert draft.evidence_details.submission_count == 0
    assert metadata(draft) == {"a": "b"}
    given = disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})
    assert given.status == "under_review"
    assert given.evidence.customer_name == "Ada"
    assert (given.evidence_details.has_evidence, given.evidence_details.submission_count) == (
        True,
        1,
    )
    stripe_account.hooks.wait_for("charge.dispute.updated", count=2)
    stripe_account.clock.move(seconds=1)
    assert disputes.retrieve(dispute.id).status == status
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        disputes.update(dispute.id, {"evidence": {"customer_name": "Eve"}})


def test_an_unanswered_dispute_is_lost(stripe_account: Account) -> None:
    dispute = disputed(stripe_account)
    assert dispute.evidence_details.due_by == dispute.created + 9 * 24 * 3600
    stripe_account.clock.move(seconds=9 * 24 * 3600)
    assert stripe_account.client.v1.disputes.retrieve(dispute.id).status == "lost"


def test_an_inquiry_withdraws_nothing_and_may_be_refunded(stripe_account: Account) -> None:
    dispute = disputed(stripe_account, card=INQUIRY)
    assert dispute.status == "warning_needs_response"
    assert dispute.balance_transactions == []
    stripe_account.hooks.wait_for("charge.dispute.created")
    assert [row[0] for row in stripe_account.movements()] == ["charge"]
    refund = stripe_account.client.v1.refunds.create({"charge": str(dispute.charge)})
    assert refund.status == "succeeded"
    stripe_account.simulate(f"disputes/{dispute.id}/close", status="won")
    [closed] = stripe_account.hooks.wait_for("charge.dispute.closed")
    assert closed.data.object["status"] == "warning_closed"
    assert stripe_account.hooks.of_type("charge.dispute.funds_withdrawn") == []
    assert stripe_account.hooks.of_type("charge.dispute.funds_reinstated") == []


def test_a_payer_disputes_what_is_left_or_a_part_of_it(stripe_account: Account) -> None:
    paid = stripe_account.paid()
    stripe_account.client.v1.refunds.create({"charge": paid.id, "amount": 1000})
    too_much = stripe_account.simulate(f"charges/{paid.id}/dispute", amount_minor=1501)
    assert too_much.status_code == 400
    opened = stripe_account.simulate(
        f"charges/{paid.payment_intent}/dispute", reason="product_not_received"
    ).json()
    assert (opened["amount"], opened["reason"]) == (1500, "product_not_received")
    again = stripe_account.simulate(f"charges/{paid.id}/dispute")
    assert "disputed already" in again.json()["error"]["message"]
    other = stripe_account.paid()
    part = stripe_account.simulate(f"charges/{other.id}/dispute", amount_minor=100).json()
    assert part["amount"] == 100


def test_a_refunded_charge_is_not_disputed_by_its_card(stripe_account: Account) -> None:
    paid = stripe_account.paid(card=DISPUTED)
    stripe_account.client.v1.refunds.create({"charge": paid.id})
    stripe_account.clock.move(seconds=5)
    assert stripe_account.client.v1.disputes.list().data == []
