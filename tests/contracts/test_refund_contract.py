"""What every provider keeps to when money goes back to the source that paid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import Refund
from accounts.refunds import RefundAnswer
from gateway.providers.interface import Movement, ProviderRefused, ProviderUnavailable
from tests.contracts.rigs import Rig
from tests.contracts.rigs.rig import HOOKS_URL

pytestmark = pytest.mark.django_db

MOST_TURNS = 5


def give(rig: Rig, refund: Refund) -> RefundAnswer:
    """Ask for a refund; its end. Raises ProviderRefused."""
    accepted = rig.adapter.refund(refund=refund, hooks_url=HOOKS_URL, at=rig.clock())
    if accepted.provider_request:
        # What whoever submits it notes.
        Refund.objects.filter(pk=refund.pk).update(provider_request=accepted.provider_request)
        refund.provider_request = accepted.provider_request
    return ended(rig, refund)


def ended(rig: Rig, refund: Refund) -> RefundAnswer:
    """What became of a refund, once the provider is done and has told."""
    for _ in range(MOST_TURNS):
        rig.pass_time(seconds=3)
        # Somebody has to look for the sandbox to see that its time has come.
        rig.adapter.query_refund(refund=refund, at=rig.clock())
        rig.deliver(*rig.waiting())
        answer = rig.adapter.query_refund(refund=refund, at=rig.clock())
        if answer.is_final:
            return answer
    raise AssertionError(f"the refund has no end: {answer}")


def movements(rig: Rig) -> dict[str, tuple[str, int]]:
    """What left again by the statement: reference -> of which payment, how much."""
    at = rig.clock()
    rows = rig.adapter.list_transactions(since=at - timedelta(hours=1), until=at)
    return {
        row.reference: (row.payment_reference, row.amount_minor)
        for row in rows
        if isinstance(row, Movement) and row.kind in ("refund", "reversal")
    }


def test_every_rail_gives_back(rig: Rig) -> None:
    assert rig.adapter.capabilities.refunds


def test_a_whole_payment_is_given_back_shown_and_gone_from_the_balance(rig: Rig) -> None:
    payment = rig.paid()
    before = rig.balance()
    answer = give(rig, rig.refund_of(payment))
    assert (answer.is_done, answer.code) == (True, "")
    assert answer.reference not in ("", payment.reference)
    assert before - rig.balance() == payment.amount_minor
    if rig.adapter.capabilities.has_statement:
        assert movements(rig) == {answer.reference: (payment.reference, payment.amount_minor)}


def test_parts_are_given_back_up_to_the_whole(rig: Rig) -> None:
    payment = rig.paid()
    if not rig.adapter.capabilities.partial_refunds:
        with pytest.raises(ProviderRefused):
            give(rig, rig.refund_of(payment, amount_minor=payment.amount_minor // 5))
        return
    before = rig.balance()
    part = payment.amount_minor // 5
    first = give(rig, rig.refund_of(payment, amount_minor=part))
    rest = give(rig, rig.refund_of(payment, amount_minor=payment.amount_minor - part))
    assert first.is_done
    assert rest.is_done
    assert first.reference != rest.reference
    assert before - rig.balance() == payment.amount_minor
    assert not given(rig, rig.refund_of(payment, amount_minor=part))
    assert before - rig.balance() == payment.amount_minor


def given(rig: Rig, refund: Refund) -> bool:
    """Whether a refund was made; where not, the provider said why."""
    try:
        answer = give(rig, refund)
    except ProviderRefused as refusal:
        assert refusal.code
        assert refusal.text
        return False
    assert answer.is_done or answer.code
    return answer.is_done


def test_more_than_was_paid_is_not_given(rig: Rig) -> None:
    payment = rig.paid()
    before = rig.balance()
    step = 100 if rig.adapter.capabilities.whole_major_units else 1
    assert not given(rig, rig.refund_of(payment, amount_minor=payment.amount_minor + step))
    assert rig.balance() == before


def test_the_same_refund_gives_once_however_often_it_is_asked_for(rig: Rig) -> None:
    payment = rig.paid()
    before = rig.balance()
    refund = rig.refund_of(payment, amount_minor=payment.amount_minor // 5)
    first = give(rig, refund)
    again = give(rig, refund)
    assert (
        (again.is_done, again.reference)
        == (first.is_done, first.reference)
        == (
            True,
            first.reference,
        )
    )
    assert before - rig.balance() == payment.amount_minor // 5


def test_one_whose_answer_came_too_late_is_found_again_and_given_once(rig: Rig) -> None:
    payment = rig.paid()
    before = rig.balance()
    refund = rig.refund_of(payment)
    with rig.impatience():
        rig.fault("slow_response", seconds=0.5, count=2)
        with pytest.raises(ProviderUnavailable):
            rig.adapter.refund(refund=refund, hooks_url=HOOKS_URL, at=rig.clock())
    refund.state = Refund.State.UNKNOWN
    refund.save(update_fields=["state"])
    rig.pass_time(minutes=2)
    assert ended(rig, refund).is_done
    assert before - rig.balance() == payment.amount_minor


def test_a_refund_that_nobody_asked_for_is_called_final_only_once_it_cannot_come(rig: Rig) -> None:
    refund = rig.refund_of(rig.paid())
    refund.state = Refund.State.UNKNOWN
    if rig.adapter.capabilities.repeats_safely:
        # Asking after it is asking for it, under the same id.
        assert ended(rig, refund).is_done
        return
    assert not rig.adapter.query_refund(refund=refund, at=rig.clock()).is_final
    rig.pass_time(minutes=20)
    gone = rig.adapter.query_refund(refund=refund, at=rig.clock())
    assert (gone.is_final, gone.is_done) == (True, False)
    assert gone.code
    assert movements(rig) == {}


def test_questions_that_are_not_answered_say_so(rig: Rig) -> None:
    refund = rig.refund_of(rig.paid())
    with rig.unreachable(), pytest.raises(ProviderUnavailable):
        rig.adapter.refund(refund=refund, hooks_url=HOOKS_URL, at=rig.clock())
    if rig.adapter.capabilities.tells_amount:
        rig.pass_time(minutes=6)
        with rig.unreachable(), pytest.raises(ProviderUnavailable):
            rig.adapter.balance(at=rig.clock())
