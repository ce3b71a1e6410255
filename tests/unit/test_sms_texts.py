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
from gateway.texts import numbers
from gateway.texts.languages import LANGUAGES, Language
from gateway.texts.sms import SMS
from gateway.ussd.facts import PaymentFacts
from gateway.ussd.worst import NOW
from tests.unit.ussd_people import AMINAS_ACCOUNT, AMINAS_RECEIPT, People

# Parameters of all kinds at once: each kind takes its own.
USUAL: dict[str, Any] = {
    "local_per_dai": "129.87000000",
    "household_code": "KIS0001",
    "currency": "KES",
    "amount_minor": 500_00,
    "receipt": "SGH7XK2P1Q",
    "asset": "USDC",
    "asset_units": 3_870_000,
    "asset_decimals": 6,
    "agent_code": "AG01",
    "float_minor": 19_500_00,
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
    "number": "kisima/12",
    "is_credit_note": False,
    "day": "2026-11-22",
    "gross_minor": 500_00,
    "taxes": [{"name": "VAT", "rate_basis_points": 1_600, "amount_minor": 68_97}],
    "signing": "signed",
    "device": "KRACU0000000001",
    "device_number": "12/15 NS",
    "signature": "QUII27MATATSHFRB",
    "url": "https://example.org/receipts/1/",
    "proof_url": "https://solar.example.org/proof/" + "a1" * 32 + "/?c=0123456789",
    "wallet": "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
    "round_number": 2,
    "title": "Dry season",
    "title_fr": "Saison sèche",
    "receipt_code": "7KQ2MX9RTB",
    "titles": ["Well pump", "School lamps"],
    "titles_fr": ["Pompe du puits", "Lampes de l'école"],
    "projects": [
        {"number": 1, "title": "Well pump", "title_fr": "Pompe du puits"},
        {"number": 2, "title": "School lamps", "title_fr": ""},
    ],
    "news": "The pump runs since Monday.",
    "site_name": "Kisima",
    "amount_wei": 10 * 10**18,
}
HUGE = 10**9 * 100
WORST: dict[str, Any] = {
    **USUAL,
    "local_per_dai": "1000000000",
    "household_code": "LONG00000001",
    "amount_minor": HUGE,
    "receipt": "ABCDEFGHIJ12345",
    "asset": "LONGCOIN",
    "site_name": "A village with a name of {unusual} length and more, Lofé" * 2,
    "amount_wei": 10**27,
    "asset_units": 10**27 - 1,
    "asset_decimals": 18,
    "agent_code": "LONGAGENT001",
    "float_minor": HUGE,
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
    "number": "a-rather-long-village/12345678",
    "is_credit_note": True,
    "gross_minor": HUGE,
    "taxes": [{"name": "Tax on electricity no 1", "rate_basis_points": 1_875, "amount_minor": HUGE}]
    * 6,
    "device": "ABCDEFGHIJ" * 4,
    "device_number": "12345678/12345678 NC",
    "signature": "ABCDEFGHIJKLMNOP" * 4,
    "url": "https://example.org/" + "x" * 180,
    "proof_url": "https://solar.my-company.example/proof/" + "a1" * 32 + "/?c=0123456789",
    "round_number": 32_767,
    "title": "A second pump for the well at the school",
    "title_fr": "Une deuxième pompe pour le puits d'école",
    "titles": ["A second pump for the well at the school"] * 8,
    "titles_fr": ["Une deuxième pompe pour le puits d'école"] * 8,
    "projects": [{"number": 8, "title": "A second pump for the well at the school", "title_fr": ""}]
    * 8,
    "news": "The land of the well is not ours, says the county, " * 2 + "as we heard, alas",
}
TWO_PARTS = {"fiscal_receipt_reply"}


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
    assert segments(render(kind, USUAL, language)) == (2 if kind in TWO_PARTS else 1)


def test_messages_of_votes_say_what_to_do_and_never_what_was_chosen() -> None:
    assert render("round_opened", USUAL, "en") == (
        "Vote 2 is open until 22/11: Dry season. Dial *384*4826# and choose 4. "
        "Or send VOTE 2 to see the projects."
    )
    assert render("round_opened", USUAL, "fr").startswith(
        "Le vote 2 est ouvert au 22/11 : Saison sèche."
    )
    assert render("vote_received", USUAL, "en") == (
        "KIS0001 has voted in vote 2. Receipt 7KQ2MX9RTB. It is published without a name."
    )
    assert render("vote_how", USUAL, "fr") == (
        "Vote 2 : 1 Pompe du puits, 2 School lamps. "
        "Envoyez VOTE 2 et les numéros choisis, par ex. VOTE 2 1."
    )
    assert render("round_counted", {**USUAL, "titles": []}, "en") == (
        "Vote 2 is counted. No project got money."
    )
    assert render("project_news", {**USUAL, "news": "The pump runs"}, "sw") == (
        "Dry season (kura 2): The pump runs."
    )


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


def test_a_deposit_on_chain_tells_what_came_and_what_it_is_worth() -> None:
    params = {**USUAL, "receipt": "0x12ab34cd"}
    assert render("deposit_credited", params, "en") == (
        "KES 500 received for KIS0001: 3.87 USDC. Transfer 0x12ab34cd. KES 150 of it paid what you "
        "owed. Balance KES 1,234. About 12 days, 34.5 kWh."
    )
    assert render("deposit_credited", params, "fr").startswith(
        "Paiement de 500 KES enregistré pour KIS0001 : 3,87 USDC. Transfert 0x12ab34cd."
    )
    assert render("deposit_credited", params, "sw").startswith(
        "Tumepokea KES 500 kwa KIS0001: 3.87 USDC. Muamala 0x12ab34cd."
    )


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        (1, 18, "<0.000001"),
        (0, 18, "0"),
        (10**18, 18, "1"),
        (1_500_000, 6, "1.5"),
        (1_234_567, 6, "1.234567"),
        (123_456_789 * 10**10, 18, "1.234567"),
        (7, 0, "7"),
    ],
)
def test_crypto_is_cut_to_six_decimals_and_never_shown_as_nothing(
    units: int, decimals: int, text: str
) -> None:
    assert numbers.crypto(units, decimals=decimals, language="en") == text


def test_a_receipt_needs_neither_arrears_nor_days() -> None:
    needed = ("household_code", "currency", "amount_minor", "receipt", "funds_minor")
    params = {name: USUAL[name] for name in needed}
    assert render("top_up_credited", params, "en") == (
        "KES 500 received for KIS0001. Receipt SGH7XK2P1Q. Balance KES 1,234."
    )


def test_a_payment_given_or_taken_back_tells_what_is_left() -> None:
    assert render("payment_refunded", USUAL, "en") == (
        "KES 500 paid for KIS0001 was given back to the payer. Receipt SGH7XK2P1Q. "
        "Balance KES 1,234. About 12 days, 34.5 kWh."
    )
    assert render("payment_reversed", USUAL, "fr") == (
        "Paiement de 500 KES pour KIS0001 repris par le payeur ou sa banque. "
        "Référence SGH7XK2P1Q. Solde 1 234 KES. Environ 12 jours, 34,5 kWh."
    )
    long = {**USUAL, "receipt": "ch_3QABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}
    assert render("payment_reversed", long, "sw").startswith(
        "Malipo ya KES 500 kwa KIS0001 yamechukuliwa tena na mlipaji au benki yake."
    )


def test_an_agent_is_told_what_was_taken_and_what_the_float_holds() -> None:
    assert render("agent_took_cash", USUAL, "en") == (
        "You took KES 500 in cash for KIS0001. Receipt SGH7XK2P1Q. Your float is KES 19,500."
    )
    long = {**WORST, "receipt": "CASHABCDEFGHIJKL"}
    for language in LANGUAGES:
        text = render("agent_took_cash", long, language)
        assert "CASHABCDEFGHIJKL" in text
        assert "LONG00000001" in text
    assert render("float_reply", USUAL, "fr") == "AG01 : votre avance est de 19 500 KES."
    assert render("float_reply", USUAL, "sw") == "AG01: salio la wakala KES 19,500."


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


def test_a_fiscal_receipt_tells_taxes_link_and_signature() -> None:
    assert render("fiscal_receipt_reply", USUAL, "en") == (
        "KIS0001: receipt kisima/12 of 22/11/2026, KES 500. Tax in it: VAT 16% KES 68.97. "
        "https://example.org/receipts/1/ Signed KRACU0000000001 12/15 NS QUII27MATATSHFRB."
    )
    assert render("fiscal_receipt_reply", {**USUAL, "signing": "waiting"}, "fr") == (
        "KIS0001 : ticket kisima/12 du 22/11/2026, 500 KES. Dont taxes : VAT 16 % 68,97 KES. "
        "https://example.org/receipts/1/ Pas encore signé par le fisc."
    )
    unsigned = {**USUAL, "signing": "unsigned", "is_credit_note": True}
    assert render("fiscal_receipt_reply", unsigned, "sw") == (
        "KIS0001: hati ya marejesho kisima/12 ya 22/11/2026, KES 500 zimerudishwa. "
        "Kodi ndani yake: VAT 16% KES 68.97. "
        "https://example.org/receipts/1/ Tunza ujumbe huu kama risiti."
    )
    assert "no tax receipt yet" in render("fiscal_receipt_reply", {**USUAL, "number": None}, "en")


def test_a_long_receipt_gives_up_its_link_first_and_then_the_names_of_its_taxes() -> None:
    text = render("fiscal_receipt_reply", WORST, "en")
    assert "https" not in text
    assert "Tax in it: KES 6,000,000,000." in text
    assert text.endswith("ABCDEFGHIJKLMNOP.")


def test_a_change_of_rate_says_that_the_balance_stays() -> None:
    text = render("rate_compensation", USUAL, "en")
    assert text.endswith("still KES 1,234: you lose nothing. You owe KES 100.")
    assert "owe" not in render("rate_compensation", {**USUAL, "arrears_minor": 0}, "en")


def test_a_rate_that_is_to_come_is_told_with_its_day() -> None:
    assert render("rate_published", USUAL, "en") == (
        "From 22/11/2026 on 1 DAI is KES 129.87. The balance of KIS0001 in local money will not "
        "shrink: you lose nothing."
    )
    assert "1 DAI vaut 129,87 KES." in render("rate_published", USUAL, "fr")
    coarse = {**USUAL, "currency": "XOF", "local_per_dai": "604.50000000"}
    assert "DAI 1 ni FCFA 604.50." in render("rate_published", coarse, "sw")


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
    receipt = replies.fiscal_receipt("KIS0001", AMINAS_RECEIPT)
    assert render("fiscal_receipt_reply", receipt, "en") == render(
        "fiscal_receipt_reply", USUAL, "en"
    )
    assert replies.fiscal_receipt("KIS0001", None)["number"] is None
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
