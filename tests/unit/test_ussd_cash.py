"""Taking cash on the phone: an agent's menu, whose account, how much, and the PIN."""

from dataclasses import replace

import pytest

from gateway.texts.languages import LANGUAGES, Language
from gateway.ussd.effects import TakeCash
from gateway.ussd.engine import Step, advance, refusal, replay
from gateway.ussd.page import SAFE_LIMIT_SEPTETS
from gateway.ussd.screens import cash
from tests.unit.ussd_people import AGENT, AMINA, FATOU, JUMA, People, context

AGENTS_PHONE = People(members=(), works_for=AGENT)
AGENT_MENU = "6 Take cash\n7 Float\n0 Exit"
TOOK = "6*KIS0001*500*1*2580"
EFFECT = TakeCash(
    household_code="KIS0001", amount_minor=500_00, currency="KES", language="en", pin="2580"
)


def dialled(text: str, people: People = AGENTS_PHONE) -> Step:
    return advance(None, text, context(people))


def hop_by_hop(text: str, people: People = AGENTS_PHONE) -> Step:
    """Every prefix of the text, as a phone sends it, the state through JSON in between."""
    typed = text.split("*")
    current = advance(None, "", context(people))
    for end in range(1, len(typed) + 1):
        state = type(current.state).from_json(current.state.to_json())
        current = advance(state, "*".join(typed[:end]), context(people))
    return current


# -- the menu


def test_an_agent_without_a_household_sees_what_agents_do() -> None:
    assert dialled("").page.body == f"CON {AGENT_MENU}"
    assert dialled("0").page.body == "END Goodbye."
    for other in ("1", "3", "5"):
        assert dialled(other).page.body == f"CON Choose a number from the list.\n{AGENT_MENU}"


def test_an_agent_with_a_household_keeps_its_menu_and_has_more_on_it() -> None:
    people = People(works_for=AGENT)
    assert dialled("", people).page.body == (
        "CON 1 Balance\n2 Usage\n3 Top up\n4 Vote\n5 My account\n6 Take cash\n7 Float\n0 Exit"
    )
    assert dialled("1", people).page.text.startswith("Balance KES 1,295")
    assert dialled(TOOK, people).effects == (EFFECT,)


def test_an_agent_of_several_households_chooses_one_first() -> None:
    people = People(members=(AMINA, JUMA), works_for=AGENT)
    assert dialled("", people).page.text.startswith("Which account?")
    menu = dialled("2", people).page.text
    assert menu.startswith("KIS0002\n1 Salio")
    assert "6 Pokea pesa\n7 Salio la wakala\n0 Toka" in menu
    assert dialled(f"2*{TOOK}", people).effects == (replace(EFFECT, language="sw"),)


@pytest.mark.parametrize("choice", ["6", "7"])
def test_nobody_else_has_these_choices(choice: str) -> None:
    step = dialled(choice, People())
    assert step.page.body.startswith("CON Choose a number from the list.\n1 Balance")
    assert dialled(f"{choice}*KIS0001*500*1*2580", People()).effects == ()
    unknown = dialled(TOOK, People(members=()))
    assert unknown.page.text.startswith("This phone has no solar account yet.")
    assert unknown.effects == ()


def test_the_float_is_told() -> None:
    assert dialled("7").page.body == "END Your float is KES 20,000."
    odd = People(members=(), works_for=replace(AGENT, float_minor=19_999_50))
    assert dialled("7", odd).page.text == "Your float is KES 19,999.50."


# -- taking


def test_cash_is_asked_for_confirmed_and_signed_with_the_pin() -> None:
    assert dialled("6").page.body == "CON Take cash\nType the customer's account code:\n0 Back"
    assert dialled("6*kis 0001").page.body == (
        "CON Cash for KIS0001\nType the amount, KES 10 to KES 5,000:"
    )
    assert dialled("6*KIS0001*500").page.body == (
        "CON Take KES 500 in cash for KIS0001?\nYour float is then KES 19,500.\n1 Take\n0 Cancel"
    )
    assert dialled("6*KIS0001*500*1").page.body == (
        "CON KES 500 for KIS0001\nType your agent PIN (4 digits):\n0 Cancel"
    )
    last = hop_by_hop(TOOK)
    assert last.page.ends
    assert last.effects == (EFFECT,)
    assert dialled(TOOK).effects == (EFFECT,)


def test_a_session_that_ended_takes_nothing_again() -> None:
    last = dialled(TOOK)
    assert advance(last.state, f"{TOOK}*1", context(AGENTS_PHONE)).effects == ()
    assert advance(last.state, TOOK, context(AGENTS_PHONE)).effects == ()
    assert replay(TOOK, context(AGENTS_PHONE)).effects == ()
    # What it shows then must not say that cash was booked: that may have been refused.
    assert "the SMS to this phone tells" in replay(TOOK, context(AGENTS_PHONE)).page.text


def test_no_state_on_the_way_holds_the_pin() -> None:
    typed = ["6", "KIS0001", "500", "1", "99", "2580"]
    current = dialled("")
    for end in range(1, len(typed) + 1):
        current = advance(current.state, "*".join(typed[:end]), context(AGENTS_PHONE))
        assert "2580" not in current.state.to_json() + repr(current)
    assert current.effects == (EFFECT,)


def test_a_wrong_code_is_asked_again_and_three_end_the_session() -> None:
    again = dialled("6*KIS9999")
    assert again.page.body.startswith("CON Your site has no such account.\nTake cash")
    assert dialled("6*KIS9999*nobody*KIS0002").page.text.startswith("Cash for KIS0002")
    assert dialled("6*a*b*c").page.body.startswith("END Too many wrong entries")


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("x", "Type digits only"),
        ("9", "The least is KES 10."),
        ("0", "The least is KES 10."),
        ("5001", "The most is KES 5,000."),
        ("500.50", "Type digits only"),
    ],
)
def test_an_amount_outside_the_limits_is_asked_again(amount: str, said: str) -> None:
    page = dialled(f"6*KIS0001*{amount}").page
    assert page.body.startswith(f"CON {said}")
    assert "Cash for KIS0001" in page.text


def test_no_more_than_the_float_is_taken() -> None:
    people = People(members=(), works_for=replace(AGENT, float_minor=400_00))
    assert dialled("6*KIS0001*401", people).page.body.startswith("CON Your float is only KES 400.")
    assert "Your float is then KES 0." in dialled("6*KIS0001*400", people).page.text


def test_cancelling_goes_back_to_the_menu() -> None:
    for text in ("6*KIS0001*500*0", "6*KIS0001*500*1*0"):
        assert dialled(text).page.body == f"CON Cancelled. Nothing was paid.\n{AGENT_MENU}"
        with_household = dialled(text, People(works_for=AGENT)).page.text
        assert with_household.startswith("Cancelled. Nothing was paid.\n1 Balance")
    assert dialled("6*0").page.body == f"CON {AGENT_MENU}"


@pytest.mark.parametrize("pin", ["258", "25800", "25a0", "", "٢٥٨٠"])
def test_a_pin_has_four_digits(pin: str) -> None:
    page = dialled(f"6*KIS0001*500*1*{pin}").page
    assert page.body.startswith("CON A PIN has 4 digits.\nKES 500 for KIS0001")


def test_a_closed_site_takes_no_cash() -> None:
    people = People(members=(), works_for=replace(AGENT, is_open=False))
    assert dialled(TOOK, people).page.body.startswith("END Your site takes no cash now.")
    assert dialled(TOOK, people).effects == ()
    assert dialled("7", people).page.text == "Your float is KES 20,000."


def test_francs_have_no_cents() -> None:
    agent = replace(
        AGENT, currency="XOF", float_minor=50_000, min_cash_minor=100, max_cash_minor=20_000
    )
    people = People(members=(FATOU,), works_for=agent, payees=("LOF0001",), language="fr")
    step = dialled("6*LOF0001*5000", people)
    assert step.page.text == (
        "Encaisser 5 000 FCFA pour LOF0001 ?\nVotre avance sera de 45 000 FCFA.\n"
        "1 Encaisser\n0 Annuler"
    )
    (effect,) = dialled("6*LOF0001*5000*1*2580", people).effects
    assert isinstance(effect, TakeCash)
    assert (effect.amount_minor, effect.currency) == (5_000, "XOF")


# -- what is answered


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("currency", ["KES", "XOF"])
def test_the_receipt_fits_one_page_with_the_worst_figures(
    language: Language, currency: str
) -> None:
    reference = "CASHABCDEFGHIJKL"
    told = cash.booked(
        language=language,
        code="LONG00000001",
        amount_minor=10**11 - 1,
        currency=currency,
        reference=reference,
        left_minor=10**11 - 1,
    )
    assert told.ends
    assert told.septets <= SAFE_LIMIT_SEPTETS
    assert reference in told.text
    small = cash.float_too_small(language=language, currency=currency, left_minor=10**11 - 1)
    assert small.ends
    assert small.septets <= SAFE_LIMIT_SEPTETS


def test_the_receipt_names_amount_account_reference_and_float() -> None:
    told = cash.booked(
        language="en",
        code="KIS0001",
        amount_minor=500_00,
        currency="KES",
        reference="CASHK3J5QF7TZ2AB",
        left_minor=19_500_00,
    )
    assert told.body == (
        "END KES 500 booked for KIS0001. Receipt CASHK3J5QF7TZ2AB.\nYour float is KES 19,500."
    )


def test_a_refusal_says_that_nothing_was_booked() -> None:
    assert refusal("cash_wrong_pin", "en").body == "END Wrong PIN. Nothing was booked."
    assert "Rien n'a été enregistré" in refusal("cash_not_booked", "fr").text
