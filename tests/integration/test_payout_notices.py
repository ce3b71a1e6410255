"""Payees hear by SMS of money that arrived, in the transaction that books it."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Notice
from gateway.sms import wording
from settlement import payout_sending
from settlement.models import Payee, Payout
from settlement.payout_sending import PayoutAnswer
from tests.paying_out import approved, earn_revenue, fill_treasury, fresh
from tests.village import Village

pytestmark = pytest.mark.django_db

ARRIVED = PayoutAnswer(is_final=True, is_done=True, reference="SGH7XK2P1Q")


@pytest.fixture
def at() -> datetime:
    return timezone.now()


@pytest.fixture
def kisima(at: datetime) -> Village:
    village = Village.found(at=at)
    earn_revenue(village)
    return village


def under_way(village: Village, *, way: str = "mobile", **payee: str) -> Payout:
    payout = approved(village, way=way)
    Payee.objects.filter(pk=payout.payee_id).update(**payee)
    Payout.objects.filter(pk=payout.pk).update(state=Payout.State.SENT)
    return fresh(payout)


def told() -> list[str]:
    notices = Notice.objects.filter(kind__startswith="payout_").order_by("pk")
    return [wording.words(notice=each, at=timezone.now()) for each in notices]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Kisima has paid you KES 1,292. Receipt SGH7XK2P1Q."),
        ("fr", "Kisima vous a payé 1 292 KES. Référence SGH7XK2P1Q."),
        ("sw", "Kisima imekulipa KES 1,292. Risiti SGH7XK2P1Q."),
    ],
)
def test_a_payee_hears_of_money_that_arrived_in_their_language(
    kisima: Village, at: datetime, language: str, said: str
) -> None:
    payout = under_way(kisima, language=language)
    payout_sending.settle_answer(payout=payout, answer=ARRIVED, at=at)

    assert told() == [said]
    notice = Notice.objects.get(kind="payout_paid")
    assert (notice.phone, notice.language, notice.household) == (
        "+254711000009",
        language,
        None,
    )


def test_hearing_twice_that_it_arrived_tells_once(kisima: Village, at: datetime) -> None:
    payout = under_way(kisima)
    for _ in range(2):
        payout_sending.settle_answer(payout=fresh(payout), answer=ARRIVED, at=at)

    assert len(told()) == 1


def test_what_failed_before_it_arrived_is_not_told(kisima: Village, at: datetime) -> None:
    payout_sending.failed(payout=under_way(kisima), code="1", text="no", at=at)

    assert told() == []


def test_money_that_comes_back_is_told_and_its_second_arrival_again(
    kisima: Village, at: datetime
) -> None:
    payout = under_way(kisima)
    payout_sending.settle_answer(payout=payout, answer=ARRIVED, at=at)
    back = PayoutAnswer(is_final=True, code="1", text="returned", reference=ARRIVED.reference)
    payout_sending.settle_answer(payout=fresh(payout), answer=back, at=at)
    payout_sending.settle_answer(payout=fresh(payout), answer=ARRIVED, at=at)

    first, second, third = told()
    assert first == third
    assert second == (
        "KES 1,292 that Kisima paid you came back. The operator will see to it. Receipt SGH7XK2P1Q."
    )


def test_a_payee_who_is_paid_on_chain_hears_of_dai_if_there_is_a_phone(
    kisima: Village, at: datetime, settings: object
) -> None:
    settings.CHAIN_TREASURY_SIGNER = "0x" + "11" * 20  # type: ignore[attr-defined]
    fill_treasury(kisima, dai=50)
    payout = under_way(kisima, way="chain", phone="+254711000010")
    payout_sending.settle_answer(
        payout=payout,
        answer=PayoutAnswer(is_final=True, is_done=True, reference="0x" + "ab" * 32),
        at=at,
    )

    assert told()[0].startswith("Kisima has paid you 10.00 DAI.")


def test_a_payee_without_a_phone_is_not_told(kisima: Village, at: datetime) -> None:
    fill_treasury(kisima, dai=50)
    payout_sending.paid(payout=under_way(kisima, way="bank"), reference="BANK1", paid_at=at, at=at)

    assert fresh(Payout.objects.get()).state == Payout.State.PAID
    assert told() == []


def test_an_arrival_that_is_not_booked_is_not_told(kisima: Village, at: datetime) -> None:
    payout = under_way(kisima)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        payout_sending.settle_answer(payout=payout, answer=ARRIVED, at=at)
        raise ZeroDivisionError

    assert told() == []
