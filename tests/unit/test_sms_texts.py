"""Every message in every language: what it says, that it fits, that it is GSM-7."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sms import replies
from gateway.sms.gsm import SINGLE_SEPTETS, segments, septets
from gateway.sms.params import FAILURE_REASONS
from gateway.sms.texts import KINDS, LIMITS_SEPTETS, UnknownKind, render
from gateway.texts.languages import LANGUAGES, Language
from gateway.texts.sms import SMS
from gateway.ussd.facts import PaymentFacts
from gateway.ussd.worst import NOW
from tests.unit.ussd_people import AMINAS_ACCOUNT, People

# Parameters of all kinds at once: each kind takes its own.
USUAL: dict[str, Any] = {
    "household_code": "KIS0001",
    "currency": "KES",
    "amount_minor": 500_00,
    "receipt": "SGH7XK2P1Q",
    "funds_minor": 1_234_56,
    "funds_wei": 9_532_895_752_895_752_895,
    "arrears_taken_minor": 150_00,
    "arrears_minor": 100_00,
    "days_left": 12,
    "energy_milliwatt_hours": 34_512_345,
    "price_minor_per_kwh": 9_05,
    "ussd_code": "*384*4826#",
    "help_phone": "+254711000000",
    "reason": "insufficient",
    "account": "KSI0001",
    "household_codes": ["KIS0001", "KIS0002"],
    "min_top_up_minor": 10_00,
    "max_top_up_minor": 150_000_00,
    "service": "M-Pesa",
    "business_number": "174379",
    "periods": [
        {"period": "today", "energy_milliwatt_hours": 350_000, "cost_minor": 3_17},
        {"period": "yesterday", "energy_milliwatt_hours": 1_200_000, "cost_minor": 10_88},
        {"period": "days", "days": 7, "energy_milliwatt_hours": 8_400_000, "cost_minor": 76_15},
        {"period": "days", "days": 30, "energy_milliwatt_hours": 36_000_000, "cost_minor": 326_00},
    ],
    "payments": [
        {"day": "2026-11-22", "amount_minor": 500_00, "currency": "KES", "receipt": "SGH7XK2P1Q"},
        {"day": "2026-11-02", "amount_minor": 50_50, "currency": "KES", "receipt": "SGH7XK2P1P"},
    ],
}
HUGE = 10**9 * 100
WORST: dict[str, Any] = {
    **USUAL,
    "household_code": "LONG00000001",
    "amount_minor": HUGE,
    "receipt": "ABCDEFGHIJ12345",
    "funds_minor": HUGE,
    "funds_wei": 10**25,
    "arrears_taken_minor": HUGE,
    "arrears_minor": HUGE,
    "days_left": 12_345,
    "energy_milliwatt_hours": 10**12,
    "price_minor_per_kwh": 999_99,
    "account": "a long account name [typed]",
    "household_codes": [f"LONG{n:08}" for n in range(9)],
    "max_top_up_minor": HUGE,
    "service": "Orange Money",
    "business_number": "1234567890",
    "periods": [
        {"period": "days", "days": 90, "energy_milliwatt_hours": 10**12, "cost_minor": HUGE}
    ]
    * 4,
    "payments": [
        {
            "day": "2026-12-31",
            "amount_minor": HUGE,
            "currency": "KES",
            "receipt": "ABCDEFGHIJ12345",
        }
    ]
    * 4,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_message_is_gsm7_and_fits_with_the_worst_figures(kind: str, language: str) -> None:
    for params in (USUAL, WORST, {**WORST, "currency": "XOF", "funds_minor": HUGE // 100}):
        text = render(kind, json.loads(json.dumps(params)), language)
        assert septets(text) <= LIMITS_SEPTETS.get(kind, SINGLE_SEPTETS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"help_reply"}))
def test_no_message_was_cut_in_the_middle_of_a_sentence(kind: str, language: str) -> None:
    assert render(kind, WORST, language).endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_usual_message_loses_nothing_and_costs_one_sms(kind: str, language: str) -> None:
    assert segments(render(kind, USUAL, language)) == 1


def test_a_receipt_tells_amount_receipt_arrears_funds_and_days() -> None:
    assert render("top_up_credited", USUAL, "en") == (
        "KES 500 received for KIS0001. Receipt SGH7XK2P1Q. KES 150 of it paid what you owed. "
        "Balance KES 1,234. About 12 days, 34.5 kWh."
    )
    assert render("top_up_credited", USUAL, "fr") == (
        "Paiement de 500 KES enregistré pour KIS0001. Référence SGH7XK2P1Q. "
        "Dont 150 KES pour votre dette. Solde 1 234 KES. Environ 12 jours, 34,5 kWh."
    )
    assert render("top_up_credited", USUAL, "sw") == (
        "Tumepokea KES 500 kwa KIS0001. Risiti SGH7XK2P1Q. KES 150 zimelipa deni lako. "
        "Salio KES 1,234. Takriban siku 12, 34.5 kWh."
    )


def test_a_receipt_needs_neither_arrears_nor_days() -> None:
    needed = ("household_code", "currency", "amount_minor", "receipt", "funds_minor")
    params = {name: USUAL[name] for name in needed}
    assert render("top_up_credited", params, "en") == (
        "KES 500 received for KIS0001. Receipt SGH7XK2P1Q. Balance KES 1,234."
    )


@pytest.mark.parametrize(
    ("days_left", "sentence"),
    [(0, "Less than 1 day, 34.5 kWh."), (1, "About 1 day, 34.5 kWh."), (None, "About 34.5 kWh.")],
)
def test_days_left_read_well_at_the_edges(days_left: int | None, sentence: str) -> None:
    assert sentence in render("low_funds", {**USUAL, "days_left": days_left}, "en")


def test_low_funds_say_how_to_top_up() -> None:
    assert render("low_funds", USUAL, "en") == (
        "KIS0001: only KES 1,234 left. About 12 days, 34.5 kWh. Dial *384*4826# to top up."
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", FAILURE_REASONS)
def test_a_failed_top_up_says_why(reason: str, language: Language) -> None:
    told = SMS.say(language, f"failed_{reason}")
    assert told in render("top_up_failed", {**USUAL, "reason": reason}, language)


def test_a_reason_of_a_newer_provider_is_told_as_a_refusal() -> None:
    text = render("top_up_failed", {**USUAL, "reason": "moon phase"}, "en")
    assert "the payment service refused it" in text


def test_the_payer_of_an_unknown_account_learns_that_the_money_is_safe() -> None:
    assert render("top_up_in_suspense", USUAL, "en") == (
        "We have your KES 500, receipt SGH7XK2P1Q, but no account KSI0001. It is safe. "
        "Call +254711000000 with your account code."
    )
    assert "your operator" in render("top_up_in_suspense", {**USUAL, "help_phone": None}, "en")
    assert "no account -." in render("top_up_in_suspense", {**USUAL, "account": " "}, "en")


def test_usage_tells_costs_where_they_are_known() -> None:
    assert render("usage_reply", USUAL, "en") == (
        "KIS0001 used today: 0.35 kWh (KES 3.17), yesterday: 1.20 kWh (KES 10.88), "
        "7 days: 8.40 kWh (KES 76.15), 30 days: 36.0 kWh (KES 326)."
    )
    periods = [{"period": "days", "days": 1, "energy_milliwatt_hours": 350_000}]
    assert render("usage_reply", {**USUAL, "periods": periods}, "fr") == (
        "KIS0001, consommation : 1 jour : 0,35 kWh."
    )


def test_the_last_payments_are_listed() -> None:
    assert render("last_payments_reply", USUAL, "en") == (
        "KIS0001 payments: 22/11 KES 500 SGH7XK2P1Q, 02/11 KES 50.50 SGH7XK2P1P."
    )
    assert render("last_payments_reply", {**USUAL, "payments": []}, "sw") == (
        "KIS0001: bado hakuna malipo."
    )


def test_a_change_of_rate_says_that_the_balance_stays() -> None:
    assert "still KES 1,234: you lose nothing." in render("rate_compensation", USUAL, "en")


def test_without_a_paybill_the_operator_takes_the_money() -> None:
    text = render("pay_by_paybill", {"household_code": "LOF0001", "business_number": None}, "fr")
    assert text == "LOF0001 : pas de mobile money en ce moment. Pour payer, voyez votre agent."


def test_the_replies_are_made_from_the_facts_of_the_screens() -> None:
    people = People()
    assert render("balance_reply", replies.balance(AMINAS_ACCOUNT), "en") == (
        "KIS0001: balance KES 1,295. About 20 days, 143 kWh. Price now KES 9.07/kWh. 10.00 DAI."
    )
    usage = replies.usage("KIS0001", people.usage("KIS0001"))
    assert render("usage_reply", usage, "en") == render("usage_reply", USUAL, "en")
    payment = PaymentFacts(at=NOW, amount_minor=500_00, currency="KES", reference="SGH7XK2P1Q")
    assert render("last_payments_reply", replies.last_payments("KIS0001", [payment]), "en") == (
        "KIS0001 payments: 31/12 KES 500 SGH7XK2P1Q."
    )
    assert render("amount_wrong", replies.amount_wrong(AMINAS_ACCOUNT), "en") == (
        "Send TOPUP and an amount from KES 10 to KES 150,000, like TOPUP 10."
    )


def test_an_unknown_language_is_answered_in_english() -> None:
    assert render("language_set", {}, "de") == render("language_set", {}, "en")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownKind):
        render("lottery", {}, "en")


def test_a_missing_parameter_is_refused() -> None:
    with pytest.raises(KeyError):
        render("top_up_credited", {"currency": "KES"}, "en")


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(LANGUAGES))
def test_names_from_outside_never_make_a_message_dear(
    account: str, receipt: str, language: str
) -> None:
    params = {**USUAL, "account": account, "receipt": receipt, "amount_minor": HUGE}
    assert segments(render("top_up_in_suspense", params, language)) == 1
