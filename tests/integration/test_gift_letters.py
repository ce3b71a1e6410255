"""Receipts and credit letters of gifts, in the transaction of the gift and of its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts import deposits, disputes, gift_letters, pledges, refunds, reversals, topups
from accounts.deposits import CryptoAsset, FinalDeposit
from accounts.models import DonorContact, Letter, Operator, Payment, Pledge, Rail, TakeBack
from accounts.refunds import RefundAnswer
from accounts.topups import ConfirmedPayment
from tests.mailbox import giver
from tests.paybacks import DAI, card_rail, quote
from tests.village import Village

pytestmark = pytest.mark.django_db

GIVEN = {"name": "Zoé", "email": "zoe@example.org", "language": "fr"}


def give(
    village: Village, *, at: datetime, rail: Rail | None = None, reference: str = "ch_1", **who: Any
) -> Payment:
    """Pledge and pay 70.01 USD by card, or what the rail takes."""
    rail = rail or card_rail(village)
    attempt = pledges.request(
        site=village.site,
        rail=rail,
        amount_minor=7_001,
        idempotency_key=reference,
        at=at,
        **(who or GIVEN),
    )
    assert attempt.pledge is not None
    Pledge.objects.update(state=Pledge.State.SUCCEEDED)
    return topups.confirm(
        payment=ConfirmedPayment(
            rail=rail,
            reference=reference,
            amount_minor=7_001,
            fee_minor=233,
            currency=rail.currency,
            paid_at=at,
            account_text=attempt.pledge.account_text,
            pledge=attempt.pledge,
        ),
        at=at,
    )


def refund(payment: Payment, amount_minor: int, *, at: datetime, is_done: bool = True) -> None:
    asked = refunds.request(
        payment=payment,
        amount_minor=amount_minor,
        reason="asked for",
        requested_by=None,
        idempotency_key=f"refund:{amount_minor}",
        at=at,
    )
    refunds.settle_answer(
        refund=asked, answer=RefundAnswer(is_final=True, is_done=is_done, code="x"), at=at
    )


def dispute(payment: Payment, state: str, *, at: datetime) -> None:
    disputes.follow(
        provider=payment.provider,
        reference="dp_1",
        payment_reference=payment.reference,
        amount_minor=7_001,
        fee_minor=1_500,
        currency="USD",
        reason="fraudulent",
        state=state,
        opened_at=at,
        at=at,
    )


def back() -> list[Letter]:
    return list(Letter.objects.filter(kind="donation_given_back").order_by("pk"))


def test_a_gift_by_card_gets_its_receipt(village: Village, now: datetime) -> None:
    Operator.objects.update(legal_name="Jua Power Ltd, Nairobi, C.123")
    payment = give(village, at=now)
    donation = payment.donations.get()
    letter = Letter.objects.get()
    assert (letter.kind, letter.language, letter.donor) == (
        "donation_received",
        "fr",
        donation.donor,
    )
    assert letter.params == {
        "site": "kisima",
        "site_name": "Kisima",
        "number": f"KISIMA-{donation.pk:06d}",
        "name": "Zoé",
        "operator": "Jua Power Ltd, Nairobi, C.123",
        "amount": "70.01",
        "currency": "USD",
        "amount_wei": str(7_001 * 10**16),
        "reference": "ch_1",
        "paid_at": now.isoformat(),
    }


def test_a_payment_told_again_writes_no_second_receipt(village: Village, now: datetime) -> None:
    for _ in range(2):
        give(village, at=now)
    assert Letter.objects.count() == 1


def test_an_operator_without_a_legal_name_is_called_by_its_name(
    village: Village, now: datetime
) -> None:
    give(village, at=now)
    assert Letter.objects.get().params["operator"] == "Jua Power"


def test_amounts_have_the_decimals_of_their_currency(village: Village, now: datetime) -> None:
    quote(at=now, currency="XOF", local_per_dai="600")
    give(village, at=now, rail=card_rail(village, currency="XOF"))
    assert Letter.objects.get().params["amount"] == "7001"


def test_who_gave_without_an_address_gets_none(village: Village, now: datetime) -> None:
    payment = give(village, at=now, name="Zoé")
    refund(payment, 7_001, at=now)
    assert payment.donations.count() == 1
    assert not Letter.objects.exists()


def test_a_receipt_says_what_it_said_whatever_the_name_is_now(
    village: Village, now: datetime
) -> None:
    give(village, at=now)
    DonorContact.objects.update(name="Somebody else")
    assert Letter.objects.get().params["name"] == "Zoé"


def test_no_gift_no_receipt(village: Village, now: datetime) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        give(village, at=now)
        raise RuntimeError
    assert not Letter.objects.exists()


def test_a_gift_on_chain_gets_its_receipt_in_what_was_sent(village: Village, now: datetime) -> None:
    donor = giver(at=now, name="Ada")
    deposit = FinalDeposit(
        chain_id=100,
        transfer_hash="0x" + "ab" * 32,
        log_index=3,
        asset=CryptoAsset(code="USDC", decimals=6, is_par=False),
        units=12_500_000,
        worth_wei=12 * DAI,
        came_at=now,
    )
    _, donation = deposits.credit_donation(deposit=deposit, donor=donor, site=village.site, at=now)
    told = Letter.objects.get().params
    assert (told["amount"], told["currency"], told["amount_wei"]) == (
        "12.5",
        "USDC",
        str(12 * DAI),
    )
    assert told["reference"] == deposit.transfer_hash
    assert told["number"] == gift_letters.receipt_number(donation=donation)


def test_a_refund_is_told_once_the_money_left(village: Village, now: datetime) -> None:
    payment = give(village, at=now)
    asked = refunds.request(
        payment=payment,
        amount_minor=2_001,
        reason="asked for",
        requested_by=None,
        idempotency_key="one",
        at=now,
    )
    assert back() == []
    refunds.settle_answer(refund=asked, answer=RefundAnswer(is_final=True, is_done=True), at=now)
    refunds.settle_answer(refund=asked, answer=RefundAnswer(is_final=True, is_done=True), at=now)
    (letter,) = back()
    number = gift_letters.receipt_number(donation=payment.donations.get())
    taken = TakeBack.objects.get()
    assert letter.params["number"] == f"{number}-R{taken.pk}"
    assert letter.params["of_number"] == number
    assert (letter.params["amount"], letter.params["currency"]) == ("20.01", "USD")
    assert letter.params["amount_wei"] == str(2_001 * 10**16)
    assert letter.params["left_wei"] == str(5_000 * 10**16)
    assert (letter.params["reason"], letter.language) == ("refund", "fr")


def test_each_part_has_a_credit_letter_and_the_last_leaves_nothing(
    village: Village, now: datetime
) -> None:
    payment = give(village, at=now)
    for amount_minor in (2_001, 5_000):
        refund(payment, amount_minor, at=now)
    assert [letter.params["left_wei"] for letter in back()] == [str(5_000 * 10**16), "0"]


def test_a_refund_that_failed_is_not_told(village: Village, now: datetime) -> None:
    refund(give(village, at=now), 7_001, at=now, is_done=False)
    assert list(Letter.objects.values_list("kind", flat=True)) == ["donation_received"]


def test_a_dispute_is_told_when_the_bank_takes_the_money(village: Village, now: datetime) -> None:
    payment = give(village, at=now)
    dispute(payment, "inquiry", at=now)
    assert back() == []
    dispute(payment, "open", at=now + timedelta(days=1))
    dispute(payment, "lost", at=now + timedelta(days=30))
    (letter,) = back()
    assert (letter.params["reason"], letter.params["left_wei"]) == ("taken_back", "0")


def test_a_dispute_that_was_won_makes_the_credit_letter_void(
    village: Village, now: datetime
) -> None:
    payment = give(village, at=now)
    dispute(payment, "open", at=now)
    for days in (30, 31):
        dispute(payment, "won", at=now + timedelta(days=days))
    (credit,) = back()
    again = Letter.objects.get(kind="donation_counts_again")
    assert again.params == {
        "site": "kisima",
        "site_name": "Kisima",
        "of_number": credit.params["of_number"],
        "void_number": credit.params["number"],
        "amount": "70.01",
        "currency": "USD",
    }
    assert Letter.objects.count() == 3


def test_a_reversal_at_the_provider_is_told(village: Village, now: datetime) -> None:
    payment = give(village, at=now)
    reversals.record(
        provider=payment.provider,
        reference="rv_1",
        payment_reference=payment.reference,
        amount_minor=7_001,
        currency="USD",
        reversed_at=now,
        at=now,
    )
    assert back()[0].params["reason"] == "taken_back"
