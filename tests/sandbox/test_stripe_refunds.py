"""Refunds: full, partial, several, too many; pending, failed after they seemed over."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_account import DISPUTED, Account, metadata

PENDING, FAILING = "4000000000007726", "4000000000005126"


def refund(account: Account, **params: Any) -> stripe.Refund:
    asked: Any = params
    return account.client.v1.refunds.create(asked)


def charge(account: Account, reference: str) -> stripe.Charge:
    return account.client.v1.charges.retrieve(reference)


def test_a_full_refund_by_intent(stripe_account: Account) -> None:
    paid = stripe_account.paid()
    given = refund(
        stripe_account,
        payment_intent=paid.payment_intent,
        reason="requested_by_customer",
        metadata={"attempt": "a1"},
    )
    assert (given.amount, given.currency, given.status) == (2500, "usd", "succeeded")
    assert (given.charge, given.payment_intent) == (paid.id, paid.payment_intent)
    assert (given.reason, metadata(given)) == ("requested_by_customer", {"attempt": "a1"})
    after = charge(stripe_account, paid.id)
    assert (after.amount_refunded, after.refunded, after.paid) == (2500, True, True)
    [created] = stripe_account.hooks.wait_for("refund.created")
    assert created.data.object["id"] == given.id
    [refunded] = stripe_account.hooks.wait_for("charge.refunded")
    assert refunded.data.object["amount_refunded"] == 2500
    assert stripe_account.movements() == [
        ("charge", "charge", 2500, 103),
        ("refund", "refund", -2500, 0),
    ]
    assert sum(stripe_account.totals()) == -103


def test_several_partial_refunds_up_to_the_charge(stripe_account: Account) -> None:
    paid = stripe_account.paid()
    for amount in (1000, 1, 1499):
        after = charge(stripe_account, paid.id)
        assert not after.refunded
        assert refund(stripe_account, charge=paid.id, amount=amount).amount == amount
    assert charge(stripe_account, paid.id).refunded
    listed = stripe_account.client.v1.refunds.list({"charge": paid.id}).data
    assert [item.amount for item in listed] == [1499, 1, 1000]
    by_intent = {"payment_intent": str(paid.payment_intent), "limit": 2}
    assert len(stripe_account.client.v1.refunds.list(by_intent).data) == 2  # type: ignore[arg-type]


def test_more_than_is_left_is_refused(stripe_account: Account) -> None:
    paid = stripe_account.paid()
    refund(stripe_account, charge=paid.id, amount=2000)
    with pytest.raises(stripe.InvalidRequestError) as larger:
        refund(stripe_account, charge=paid.id, amount=501)
    assert larger.value.param == "amount"
    assert "Refund amount (USD 5.01) is greater than unrefunded amount on charge (USD 5.00)" in str(
        larger.value
    )
    refund(stripe_account, charge=paid.id)
    with pytest.raises(stripe.InvalidRequestError) as over:
        refund(stripe_account, charge=paid.id, amount=1)
    assert over.value.code == "charge_already_refunded"


def test_what_was_not_paid_is_not_refunded(stripe_account: Account) -> None:
    session = stripe_account.session()
    stripe_account.simulate(f"checkout/{session.id}", card="4000000000000002")
    [failed] = stripe_account.client.v1.charges.list().data
    with pytest.raises(stripe.InvalidRequestError, match="status is failed"):
        refund(stripe_account, charge=failed.id)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        refund(stripe_account, payment_intent=failed.payment_intent)
    with pytest.raises(stripe.InvalidRequestError, match="payment_intent or charge"):
        refund(stripe_account, amount=5)
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        refund(stripe_account, charge="ch_nobody")
    assert (unknown.value.http_status, unknown.value.code) == (400, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as wrong:
        refund(stripe_account, charge=failed.id, reason="regret")
    assert wrong.value.param == "reason"


def test_a_refund_before_the_capture_books_the_charge_first(stripe_account: Account) -> None:
    reference = stripe_account.pay(stripe_account.session().id)["charge"]
    refund(stripe_account, charge=reference)
    assert [row[0] for row in stripe_account.movements()] == ["charge", "refund"]
    stripe_account.clock.move(seconds=2)
    assert [row[0] for row in stripe_account.movements()] == ["charge", "refund"]


def test_an_update_may_change_no_status(stripe_account: Account) -> None:
    given = refund(stripe_account, charge=stripe_account.paid().id)
    stripe_account.clock.move(seconds=1)
    [updated] = stripe_account.hooks.wait_for("refund.updated")
    stripe_account.hooks.wait_for("charge.refund.updated")
    assert updated.data.object["status"] == "succeeded"
    card = updated.data.object["destination_details"]["card"]
    assert card["reference_status"] == "available"
    changed = stripe_account.client.v1.refunds.update(given.id, {"metadata": {"note": "n"}})
    assert metadata(changed) == {"note": "n"}
    assert metadata(stripe_account.client.v1.refunds.retrieve(given.id)) == {"note": "n"}


def test_a_pending_refund_succeeds_later(stripe_account: Account) -> None:
    given = refund(stripe_account, charge=stripe_account.paid(card=PENDING).id)
    assert (given.status, given.pending_reason) == ("pending", "processing")
    stripe_account.clock.move(seconds=2)
    [updated] = stripe_account.hooks.wait_for("refund.updated")
    assert updated.data.object["status"] == "succeeded"
    assert updated.data.previous_attributes is not None
    assert updated.data.previous_attributes["status"] == "pending"
    assert stripe_account.client.v1.refunds.retrieve(given.id).status == "succeeded"


def test_a_refund_that_seemed_over_fails_and_gives_its_money_back(stripe_account: Account) -> None:
    paid = stripe_account.paid(card=FAILING)
    given = refund(stripe_account, charge=paid.id, amount=700)
    assert given.status == "succeeded"
    stripe_account.clock.move(seconds=2)
    [failed] = stripe_account.hooks.wait_for("refund.failed")
    assert failed.data.object["failure_reason"] == "expired_or_canceled_card"
    stripe_account.hooks.wait_for("refund.updated")
    after = stripe_account.client.v1.refunds.retrieve(given.id)
    assert after.status == "failed"
    assert after.failure_balance_transaction is not None
    assert charge(stripe_account, paid.id).amount_refunded == 0
    assert stripe_account.movements()[1:] == [
        ("refund", "refund", -700, 0),
        ("refund_failure", "refund_failure", 700, 0),
    ]


def test_a_bank_decides_refunds_on_command(stripe_account: Account) -> None:
    pending = refund(stripe_account, charge=stripe_account.paid(card=PENDING).id)
    failed = stripe_account.simulate(
        f"refunds/{pending.id}", status="failed", failure_reason="lost_or_stolen_card"
    )
    assert failed.json()["failure_reason"] == "lost_or_stolen_card"
    for status in ("failed", "succeeded"):
        assert stripe_account.simulate(f"refunds/{pending.id}", status=status).status_code == 400
    stripe_account.clock.move(seconds=5)
    assert stripe_account.client.v1.refunds.retrieve(pending.id).status == "failed"
    assert stripe_account.simulate(f"refunds/{pending.id}", status="lost").status_code == 400


def test_a_refund_of_a_bank_debit_is_pending_and_of_another_type(stripe_account: Account) -> None:
    session = stripe_account.session()
    stripe_account.pay(session.id, card="", account="000123456789")
    stripe_account.clock.move(seconds=5)
    [paid] = stripe_account.client.v1.charges.list().data
    given = refund(stripe_account, charge=paid.id)
    assert (given.status, given.id[:4]) == ("pending", "pyr_")
    assert stripe_account.movements() == [
        ("payment", "charge", 2500, 103),
        ("payment_refund", "refund", -2500, 0),
    ]


def test_somebody_refunds_in_the_dashboard(stripe_account: Account) -> None:
    paid = stripe_account.paid()
    given = stripe_account.simulate(f"charges/{paid.payment_intent}/refund", amount_minor=400)
    assert given.json()["metadata"] == {}
    [event] = stripe_account.hooks.wait_for("refund.created")
    assert event.request is not None
    assert event.request.id is None
    too_much = stripe_account.simulate(f"charges/{paid.id}/refund", amount_minor=2500)
    assert too_much.status_code == 400


def test_a_disputed_charge_is_not_refunded(stripe_account: Account) -> None:
    paid = stripe_account.paid(card=DISPUTED)
    stripe_account.clock.move(seconds=2)
    with pytest.raises(stripe.InvalidRequestError) as disputed:
        refund(stripe_account, charge=paid.id)
    assert disputed.value.code == "charge_disputed"
