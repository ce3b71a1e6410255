"""The words of an SMS, however they are typed, and never a PIN."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sms.words import (
    Balance,
    Command,
    Float,
    Help,
    Last,
    Proof,
    Receipt,
    SetLanguage,
    Start,
    Stop,
    TopUp,
    Unknown,
    Use,
    Vote,
    parse,
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("BAL", Balance()),
        ("  bal \n", Balance()),
        ("Bal.", Balance()),
        ("solde", Balance()),
        ("SALIO", Balance()),
        ("BAL KIS0002", Balance(household_code="KIS0002")),
        ("salio kis 0002", Balance(household_code="KIS0002")),
        ("USE", Use()),
        ("USE 30", Use(days=30)),
        ("use 30 days KIS0002", Use(days=30, household_code="KIS0002")),
        ("CONSO 7", Use(days=7)),
        ("Matumizi", Use()),
        ("USE 365", Use(days=90)),
        ("USE 0", Use()),
        ("LAST", Last()),
        ("paiements LOF0001", Last(household_code="LOF0001")),
        ("malipo", Last()),
        ("RECEIPT", Receipt()),
        ("reçu", Receipt()),
        ("Risiti KIS0002", Receipt(household_code="KIS0002")),
        ("PROOF", Proof()),
        ("preuve", Proof()),
        ("Uthibitisho KIS0002", Proof(household_code="KIS0002")),
        ("PROOF NO", Proof(is_refusal=True)),
        ("Preuve non KIS0002", Proof(is_refusal=True, household_code="KIS0002")),
        ("ushahidi hapana", Proof(is_refusal=True)),
        ("PROOF of the pudding 4826", Proof()),
        ("FLOAT", Float()),
        ("Flotte", Float()),
        ("float 4826", Float()),
        ("HELP", Help()),
        ("Aide", Help()),
        ("msaada!", Help()),
        ("START", Start()),
        ("anza", Start()),
        ("STOP", Stop()),
        ("Arrêt", Stop()),
        ("ARRE\u0302T", Stop()),
        ("acha", Stop()),
        ("VOTE 3 2", Vote(round_number=3, options=frozenset({2}))),
        ("Vote 3 1, 4", Vote(round_number=3, options=frozenset({1, 4}))),
        ("voter 3 14", Vote(round_number=3, options=frozenset({1, 4}))),
        (
            "kura 3 2 KIS0001",
            Vote(round_number=3, options=frozenset({2}), household_code="KIS0001"),
        ),
        ("vote 3", Vote(round_number=3)),
        ("vote", Vote(round_number=None)),
        ("vote 3 1 4826", Vote(round_number=3, options=frozenset({1}))),
        ("LANG FR", SetLanguage(language="fr")),
        ("langue français", SetLanguage(language="fr")),
        ("LUGHA KISWAHILI", SetLanguage(language="sw")),
        ("lang english KIS0002", SetLanguage(language="en", household_code="KIS0002")),
        ("Kiswahili", SetLanguage(language="sw")),
        ("LANG DE", SetLanguage(language=None)),
        ("LANG", SetLanguage(language=None)),
    ],
)
def test_a_word_is_understood_in_every_language(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "units", "currency"),
    [
        ("TOPUP 500", 500, ""),
        ("top up 500", 500, ""),
        ("Topup500", 500, ""),
        ("RECHARGE 500.00", 500, ""),
        ("recharge 500,00", 500, ""),
        ("ONGEZA 1,000", 1_000, ""),
        ("TOPUP 1 000", 1_000, ""),
        ("TOPUP KES 500", 500, "KES"),
        ("TOPUP KES500", 500, "KES"),
        ("TOPUP 500KES", 500, "KES"),
        ("topup ksh 500/=", 500, "KES"),
        ("recharge 5000 FCFA", 5_000, ""),
        ("TOPUP USD 5", 5, "USD"),
        ("TOPUP FOR 500", 500, ""),
        ("TOPUP 4826", 4_826, ""),
        ("TOPUP 500 4826", 500, ""),
        ("TOPUP", None, ""),
        ("TOPUP 0", None, ""),
        ("TOPUP -5", None, ""),
        ("TOPUP 500.50", None, ""),
        ("TOPUP 1.000", None, ""),
        ("TOPUP abc", None, ""),
    ],
)
def test_an_amount_is_read_as_people_write_it(text: str, units: int | None, currency: str) -> None:
    assert parse(text) == TopUp(amount_units=units, currency=currency)


@pytest.mark.parametrize(
    "text", ["TOPUP 500 KIS0002", "TOPUP KIS0002 500", "ONGEZA kis0002 ksh500"]
)
def test_a_shared_phone_names_the_account_to_pay_for(text: str) -> None:
    command = parse(text)
    assert isinstance(command, TopUp)
    assert (command.amount_units, command.household_code) == (500, "KIS0002")


@pytest.mark.parametrize(
    "text", ["", "   ", "4826", "hello", "PIN 4826", "*384#", "王", "5*2*4826"]
)
def test_anything_else_is_unknown(text: str) -> None:
    assert parse(text) == Unknown()


@pytest.mark.parametrize(
    "text",
    [
        "BAL 4826", "BAL PIN 0826", "BAL PIN0826", "USE 4826", "VOTE 4826", "LAST 4826",
        "LANG FR 4826", "HELP 4826", "STOP 4826", "hello 4826", "TOPUP 500 4826", "BAL CODE 4826",
    ],
)  # fmt: skip
def test_what_looks_like_a_pin_is_kept_nowhere(text: str) -> None:
    assert not re.search("4826|0826", repr(parse(text)))


@given(st.text(max_size=600) | st.from_regex(r"(BAL|USE|TOPUP|VOTE|LANG) ?[A-Z0-9 .,-]{0,40}"))
def test_any_text_is_a_command(text: str) -> None:
    command = parse(text)
    if isinstance(command, TopUp) and command.amount_units is not None:
        assert command.amount_units > 0
    if isinstance(command, Use) and command.days is not None:
        assert 1 <= command.days <= 90
