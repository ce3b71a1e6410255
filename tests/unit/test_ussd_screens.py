"""What the pages of balance, usage and payments say."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from gateway.ussd.engine import advance
from gateway.ussd.facts import PaymentFacts, local_minor
from tests.unit.ussd_people import (
    AMINAS_ACCOUNT,
    AMINAS_RECEIPT,
    DAI,
    FATOU,
    FATOUS_ACCOUNT,
    JUMA,
    NOW,
    People,
    context,
    with_account,
)


def text_of(path: str, people: People | None = None) -> str:
    return advance(None, path, context(people)).page.text


def test_the_balance_tells_local_money_first_and_dai_last() -> None:
    assert text_of("1").split("\n") == [
        "Balance KES 1,295",
        "About 20 days left",
        "Buys 143 kWh",
        "Price now KES 9.07/kWh",
        "10.00 DAI",
    ]


def test_the_balance_in_french_and_francs() -> None:
    people = People(members=(FATOU,), accounts={"LOF0001": FATOUS_ACCOUNT})
    assert text_of("1", people).split("\n") == [
        "Solde 6 000 FCFA",
        "Reste environ 20 jours",
        "Soit 143 kWh",
        "Prix actuel 42,0 FCFA/kWh",
        "10,00 DAI",
    ]


def test_the_balance_in_swahili() -> None:
    assert text_of("1", People(members=(JUMA,))).split("\n") == [
        "Salio KES 1,295",
        "Inatosha takriban siku 20",
        "Sawa na 143 kWh",
        "Bei sasa KES 9.07/kWh",
        "10.00 DAI",
    ]


@pytest.mark.parametrize(
    ("daily_spend_wei", "sentence"),
    [
        (DAI * 11, "Less than 1 day left"),
        (DAI * 10, "About 1 day left"),
        (DAI * 5, "About 2 days left"),
        (DAI // 10**4, "More than 999 days left"),
    ],
)
def test_days_left_are_told_whole(daily_spend_wei: int, sentence: str) -> None:
    assert sentence in text_of("1", with_account(daily_spend_wei=daily_spend_wei))


def test_a_household_that_used_nothing_is_told_no_days() -> None:
    assert "day" not in text_of("1", with_account(daily_spend_wei=0))


def test_without_a_published_price_neither_price_nor_energy_is_told() -> None:
    text = text_of("1", with_account(price_wei_per_kwh=None))
    assert "kWh" not in text
    assert text.startswith("Balance KES 1,295")


def test_arrears_are_told_rounded_up() -> None:
    assert "You owe KES 0.01" in text_of("1", with_account(arrears_wei=1))
    assert "You owe KES 259" in text_of("1", with_account(arrears_wei=2 * DAI))


def test_empty_funds_are_no_error() -> None:
    text = text_of("1", with_account(funds_wei=0))
    assert text.startswith("Balance KES 0\nLess than 1 day left\nBuys 0 kWh")
    assert text.endswith("0.0000 DAI")


def test_a_payment_of_500_shillings_shows_as_500_though_its_dai_were_floored() -> None:
    floored = int(Fraction(500) / AMINAS_ACCOUNT.local_per_dai * DAI)
    assert local_minor(floored, AMINAS_ACCOUNT.local_per_dai, "KES") < 50_000
    assert text_of("1", with_account(funds_wei=floored)).startswith("Balance KES 500\n")


@pytest.mark.parametrize(
    ("age", "sentence"),
    [
        (timedelta(minutes=20), "Updated 20 min ago"),
        (timedelta(minutes=100), "Updated 1 hour ago"),
        (timedelta(hours=47), "Updated 47 hours ago"),
        (timedelta(days=3), "Updated 3 days ago"),
    ],
)
def test_an_old_balance_says_how_old(age: timedelta, sentence: str) -> None:
    assert sentence in text_of("1", with_account(as_of=NOW - age))


def test_a_fresh_balance_says_nothing_of_its_age() -> None:
    assert "Updated" not in text_of("1", with_account(as_of=NOW - timedelta(minutes=5)))
    assert "Updated" not in text_of("1", with_account(as_of=NOW + timedelta(minutes=5)))


def test_usage_tells_four_periods_with_their_cost() -> None:
    assert text_of("2").split("\n") == [
        "Today: 0.35 kWh, KES 3.17",
        "Yesterday: 1.20 kWh, KES 10.88",
        "7 days: 8.40 kWh, KES 76.15",
        "30 days: 36.0 kWh, KES 326",
    ]


def test_usage_in_swahili_keeps_days_and_energy_apart() -> None:
    assert "Siku 7: 8.40 kWh" in text_of("2", People(members=(JUMA,)))


def test_the_last_three_payments_are_told_newest_first_in_local_days() -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=ZoneInfo("Africa/Nairobi"))
    payments = [
        PaymentFacts(
            at=at - timedelta(days=n), amount_minor=50_000 + n, currency="KES", reference=f"SGH{n}"
        )
        for n in range(5)
    ]
    assert text_of("5*3", People(payments=payments)).split("\n") == [
        "Last payments",
        "22/11 KES 500 SGH0",
        "21/11 KES 500.01 SGH1",
        "20/11 KES 500.02 SGH2",
    ]


def test_a_household_without_payments_is_told_so() -> None:
    assert text_of("5*3") == "No payments yet."


def test_a_name_with_letters_outside_gsm7_is_still_sent() -> None:
    people = People(members=(replace(FATOU, name="Ñdèye Ŋ"), replace(JUMA, name="王")))
    assert text_of("", people).split("\n")[1:3] == ["1 LOF0001 Ñdèye N", "2 KIS0002 ?"]


def test_the_last_receipt_tells_its_taxes_and_its_signature() -> None:
    people = People(receipt=AMINAS_RECEIPT)
    assert text_of("5*5", people).split("\n") == [
        "Receipt kisima/12",
        "22/11/2026 KES 500",
        "VAT 16% KES 68.97",
        "12/15 NS",
        "QUII27MATATSHFRB",
    ]
    waiting = People(members=(JUMA,), receipt=replace(AMINAS_RECEIPT, signing="waiting"))
    assert text_of("5*5", waiting).split("\n")[-1] == ("Bado haijatiwa sahihi na mamlaka ya kodi.")
    note = replace(AMINAS_RECEIPT, signing="unsigned", is_credit_note=True, taxes=())
    assert text_of("5*5", People(members=(FATOU,), receipt=note)).split("\n") == [
        "Avoir kisima/12",
        "22/11/2026 500 KES",
    ]


def test_without_a_receipt_the_screen_says_so() -> None:
    assert text_of("5*5") == "No tax receipt yet."
