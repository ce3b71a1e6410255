"""What every provider keeps to that pays out to phones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

import pytest

from accounts import ledger, rails
from accounts.ledger import Leg
from accounts.models import User
from accounts.money import wei_from_minor
from gateway.providers import paying
from gateway.providers.interface import (
    Movement,
    Paying,
    ProviderUnavailable,
    ProviderUnreachable,
)
from settlement import payout_sending, payouts, service_tokens
from settlement.models import Payee, Payout, ServiceToken
from settlement.payout_sending import PayoutAnswer
from tests.contracts.rigs import RIGS, Rig
from tests.contracts.rigs.opening import opened
from tests.contracts.rigs.rig import HOOKS_URL

pytestmark = pytest.mark.django_db

MOST_TURNS = 5
WEI = 10**18


@pytest.fixture(params=[name for name in RIGS if name in rails.PAYING])
def payer(db: None, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """One provider that pays out after the other, with money at it and in the site's pool."""
    with opened(RIGS[request.param]) as rig:
        rig.paid()
        rig.paid(household=rig.neighbour)
        yield rig


def agreed(rig: Rig, *, amount_minor: int = 0) -> Payout:
    """A payout of a fifth of a payment that two people agreed to, claimed and not sent yet."""
    amount_minor = amount_minor or rig.amount_minor // 5
    at = rig.clock()
    wei = wei_from_minor(
        amount_minor=amount_minor, currency=rig.currency, local_per_dai=Fraction(rig.local_per_dai)
    )
    number = ServiceToken.objects.count()
    ledger.post(
        book_id=rig.site.book.pk,
        kind="opening",
        key=f"opening:pool:{number}",
        legs=[
            Leg(kind="pool", name="contractor", amount=wei + 2),
            Leg(kind="fx_reserve", amount=-wei - 2),
        ],
        occurred_at=at,
        at=at,
    )
    proposer, approver = (
        User.objects.get_or_create(username=name)[0] for name in ("proposer", "approver")
    )
    payee, _ = Payee.objects.get_or_create(
        code="jua",
        defaults={
            "operator": rig.rail.operator,
            "role": "contractor",
            "public_name": "Jua Works",
            "way": "mobile",
            "rail": rig.rail,
            "phone": rig.payers[1],
            "created_at": at,
        },
    )
    token = service_tokens.earn(
        site=rig.site,
        payee=payee,
        reason="milestone",
        subject=f"milestone:{number}",
        amount_wei=wei + 2,
        accepted_by=proposer,
        at=at,
    )
    payout = payouts.propose(service_token=token, pool="contractor", proposed_by=proposer, at=at)
    assert payout.amount_minor == amount_minor
    payouts.approve(payout=payout, approved_by=approver, at=at)
    claimed = payout_sending.claim(payout_id=payout.pk, at=at)
    assert claimed is not None
    return claimed


def adapter(rig: Rig) -> Paying:
    found = rig.adapter
    assert isinstance(found, Paying)
    return found


def ended(rig: Rig, payout: Payout) -> PayoutAnswer:
    """What became of a payout, once the provider is done and has told."""
    for _ in range(MOST_TURNS):
        rig.pass_time(seconds=65)
        adapter(rig).query_payout(payout=payout, at=rig.clock())
        rig.deliver(*rig.waiting())
        answer = adapter(rig).query_payout(payout=payout, at=rig.clock())
        if answer.is_final:
            return answer
    raise AssertionError(f"the payout has no end: {answer}")


def pay(rig: Rig, payout: Payout) -> PayoutAnswer:
    adapter(rig).pay_out(payout=payout, hooks_url=HOOKS_URL, at=rig.clock())
    return ended(rig, payout)


def test_the_rails_that_pay_out_are_those_that_payouts_go_over(rig: Rig) -> None:
    assert isinstance(rig.adapter, Paying) == (rig.provider in rails.PAYING)


def test_money_is_sent_shown_and_gone_from_the_balance(payer: Rig) -> None:
    before = payer.balance()
    payout = agreed(payer)
    answer = pay(payer, payout)
    assert (answer.is_done, answer.code) == (True, "")
    assert answer.reference
    assert before - payer.balance() == payout.amount_minor
    at = payer.clock()
    rows = payer.adapter.list_transactions(since=at - timedelta(hours=1), until=at)
    shown = [row for row in rows if isinstance(row, Movement) and row.kind == "payout"]
    assert [(row.reference, row.amount_minor) for row in shown] == [
        (answer.reference, payout.amount_minor)
    ]


def test_the_same_payout_is_sent_once_however_often_it_is_asked_for(payer: Rig) -> None:
    before = payer.balance()
    payout = agreed(payer)
    for _ in range(3):
        adapter(payer).pay_out(payout=payout, hooks_url=HOOKS_URL, at=payer.clock())
    assert ended(payer, payout).is_done
    assert before - payer.balance() == payout.amount_minor


def test_two_payouts_are_two(payer: Rig) -> None:
    before = payer.balance()
    first, second = agreed(payer), agreed(payer)
    assert pay(payer, first).reference != pay(payer, second).reference
    assert before - payer.balance() == 2 * (first.amount_minor or 0)


def test_more_than_lies_there_is_not_sent(payer: Rig) -> None:
    payout = agreed(payer, amount_minor=payer.amount_minor * 2)
    payer.simulate(
        "payout", amount=str(payer.amount_minor // payer.minor("1")), currency=payer.currency
    )
    before = payer.balance()
    answer = pay(payer, payout)
    assert (answer.is_final, answer.is_done) == (True, False)
    assert answer.code
    assert answer.text
    assert payer.balance() == before


def test_an_answer_that_was_lost_is_unknown_and_found_later(payer: Rig) -> None:
    payout = agreed(payer)
    before = payer.balance()
    with payer.impatience():
        payer.fault("slow_response", seconds=1.5)
        with pytest.raises(ProviderUnavailable):
            adapter(payer).pay_out(payout=payout, hooks_url=HOOKS_URL, at=payer.clock())
    assert ended(payer, payout).is_done
    assert before - payer.balance() == payout.amount_minor


def test_a_provider_that_is_not_there_sends_nothing(payer: Rig) -> None:
    payout = agreed(payer)
    with payer.unreachable(), pytest.raises(ProviderUnreachable):
        adapter(payer).pay_out(payout=payout, hooks_url=HOOKS_URL, at=payer.clock())


def test_what_was_never_asked_for_is_final_after_a_while(payer: Rig) -> None:
    payout = agreed(payer)
    assert not adapter(payer).query_payout(payout=payout, at=payer.clock()).is_final
    payer.pass_time(minutes=11)
    answer = adapter(payer).query_payout(payout=payout, at=payer.clock())
    assert (answer.is_final, answer.is_done) == (True, False)


def test_callbacks_pay_once_in_any_number(payer: Rig) -> None:
    payout = agreed(payer)
    adapter(payer).pay_out(payout=payout, hooks_url=HOOKS_URL, at=payer.clock())
    for _ in range(MOST_TURNS):
        payer.pass_time(seconds=65)
        paying.ask(payout_id=payout.pk, at=payer.clock(), is_told=True)
        told = payer.waiting()
        payer.deliver(*told, *reversed(told), *told)
    stored = Payout.objects.get(pk=payout.pk)
    assert (stored.state, stored.service_token.state) == ("paid", "burned")
