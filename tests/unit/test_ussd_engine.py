"""A session hop by hop: menus, paying, languages, PINs, shared phones, lost states."""

from dataclasses import replace

import pytest

from gateway.texts.languages import Language
from gateway.ussd.effects import ChangePin, SetLanguage, StartTopUp
from gateway.ussd.engine import (
    MAX_HOPS,
    MAX_TEXT_CHARACTERS,
    Step,
    advance,
    dial,
    inputs,
    refusal,
    replay,
    step,
)
from gateway.ussd.facts import HouseholdFacts
from gateway.ussd.state import START
from tests.unit.ussd_people import AMINA, FATOU, JUMA, People, context, with_account

MENU = "1 Balance\n2 Usage\n3 Top up\n4 Vote\n5 My account\n0 Exit"


def dialled(text: str, people: People | None = None) -> Step:
    return advance(None, text, context(people))


def hop_by_hop(text: str, people: People) -> Step:
    """As a phone sends it: every prefix of the text, the state through JSON in between."""
    typed = text.split("*")
    current = advance(None, "", context(people))
    for end in range(1, len(typed) + 1):
        state = type(current.state).from_json(current.state.to_json())
        current = advance(state, "*".join(typed[:end]), context(people))
    return current


def test_dialling_shows_exactly_the_main_menu() -> None:
    assert dial(context()).page.body == f"CON {MENU}"


def test_zero_leaves_the_main_menu() -> None:
    assert dialled("0").page.body == "END Goodbye."


def test_a_menu_hop_of_a_known_session_asks_no_facts() -> None:
    people = People()
    first = advance(None, "", context(people))
    people.asked.clear()
    advance(first.state, "5", context(people))
    assert people.asked == []


def test_a_wrong_choice_shows_the_menu_again_with_a_sentence() -> None:
    assert dialled("7").page.body == f"CON Choose a number from the list.\n{MENU}"


def test_three_wrong_choices_end_the_session() -> None:
    last = dialled("7*x*")
    assert last.page.body.startswith("END Too many wrong entries")
    assert last.state.ended


def test_a_right_choice_forgives_the_wrong_ones_before() -> None:
    assert dialled("7*7*5*7*7").page.body.startswith("CON Choose a number")


def test_an_unknown_phone_is_told_how_to_register() -> None:
    page = dialled("", People(members=())).page
    assert page.body.startswith("END This phone has no solar account yet.")
    assert "+254711999999" in page.body


def test_an_unknown_phone_is_told_so_in_the_language_of_its_country() -> None:
    page = dialled("", People(members=(), language="fr", help_phone=None)).page
    assert "voyez l'agent" in page.text


def test_an_unknown_phone_that_dials_inputs_gets_the_same_page() -> None:
    assert dialled("3*500*1", People(members=())).effects == ()
    assert dialled("3*500*1", People(members=())).page == dialled("", People(members=())).page


# -- paying


def test_a_top_up_asks_the_amount_then_confirmation_then_sends_a_prompt() -> None:
    assert "KES 10 to KES 150,000" in dialled("3").page.text
    assert dialled("3*500").page.body == "CON Pay KES 500 for KIS0001?\n1 Pay\n0 Cancel"
    last = dialled("3*500*1")
    assert last.page.body.startswith("END You will get a payment prompt for KES 500")
    assert last.effects == (
        StartTopUp(household_code="KIS0001", amount_minor=50_000, currency="KES"),
    )


def test_a_top_up_in_francs_counts_francs() -> None:
    people = People(
        members=(FATOU,), accounts={"LOF0001": replace(with_account().account("KIS0001"),
        code="LOF0001", currency="XOF", min_top_up_minor=100, max_top_up_minor=1_000_000)},
    )  # fmt: skip
    last = dialled("3*5000*1", people)
    assert "5 000 FCFA" in last.page.text
    assert last.effects == (
        StartTopUp(household_code="LOF0001", amount_minor=5_000, currency="XOF"),
    )


def test_cancelling_a_top_up_goes_back_to_the_menu_without_effect() -> None:
    last = dialled("3*500*0")
    assert last.page.body == f"CON Cancelled. Nothing was paid.\n{MENU}"
    assert last.effects == ()


@pytest.mark.parametrize("amount", ["abc", "", "-5", "5e3", "1.000", "500.50", "٥٠٠", "²", "0x10"])
def test_what_is_not_an_amount_asks_for_digits(amount: str) -> None:
    page = dialled(f"3*{amount}").page
    assert page.body.startswith("CON Type digits only, like 500.\nTop up KIS0001")


@pytest.mark.parametrize("amount", ["0", "00", "9", "0.00"])
def test_too_little_is_answered_with_the_least(amount: str) -> None:
    assert dialled(f"3*{amount}").page.body.startswith("CON The least is KES 10.")


@pytest.mark.parametrize("amount", ["150001", "999999999999999999"])
def test_too_much_is_answered_with_the_most(amount: str) -> None:
    assert dialled(f"3*{amount}").page.body.startswith("CON The most is KES 150,000.")


@pytest.mark.parametrize("amount", ["10", "150000", "1,000", " 500 ", "500.00"])
def test_amounts_at_the_limits_and_written_out_are_taken(amount: str) -> None:
    assert dialled(f"3*{amount}").page.body.startswith("CON Pay KES")


def test_an_amount_can_be_corrected_twice_but_not_three_times() -> None:
    assert dialled("3*0*x*500").page.body.startswith("CON Pay KES 500")
    assert dialled("3*0*x*-1").page.body.startswith("END Too many wrong entries")


def test_the_confirmation_says_how_much_goes_to_arrears_at_most() -> None:
    few, many = with_account(arrears_wei=10**17), with_account(arrears_wei=10**20)
    assert "Up to KES 12.95 of it" in dialled("3*500", few).page.text
    assert "Up to KES 150 of it" in dialled("3*500", many).page.text


def test_without_prompts_the_top_up_tells_the_paybill() -> None:
    page = dialled("3", with_account(rail_available=False)).page
    assert page.ends
    assert "business number 174379, account KIS0001" in page.text


def test_without_prompts_and_paybill_the_top_up_sends_to_the_operator() -> None:
    page = dialled("3", with_account(rail_available=False, paybill=None)).page
    assert page.text.endswith("There is no paybill for this site. See your operator to pay.")


def test_a_closed_site_takes_no_top_up() -> None:
    last = dialled("3*500*1", with_account(site_closed=True))
    assert last.page.body.startswith("END This site is closed")
    assert last.effects == ()


# -- my account


def test_no_vote_is_open_yet() -> None:
    assert dialled("4").page.body.startswith("END No vote is open now.")


@pytest.mark.parametrize(("choice", "language"), [("1", "en"), ("2", "fr"), ("3", "sw")])
def test_a_language_is_chosen_and_answered_in_itself(choice: str, language: Language) -> None:
    last = dialled(f"5*1*{choice}")
    assert last.page.ends
    assert last.state.language == language
    assert last.effects == (SetLanguage(household_code="KIS0001", language=language),)


def test_zero_goes_back_in_every_sub_menu() -> None:
    assert dialled("5*0").page.body == f"CON {MENU}"
    assert dialled("5*1*0").page == dialled("5").page
    assert dialled("5*2*0").page == dialled("5").page
    assert dialled("5*2*4826*0").page == dialled("5").page
    assert dialled("5*2*4826*7391*0").page == dialled("5").page


def test_the_paybill_screen_names_number_and_account() -> None:
    assert "business number 174379, account KIS0001" in dialled("5*4").page.text


def test_a_new_pin_is_typed_twice_and_goes_out_as_an_effect() -> None:
    last = hop_by_hop("5*2*4826*7391*7391", People())
    assert last.page.body == "END Your PIN is changed. Tell it to nobody."
    assert last.effects == (ChangePin(household_code="KIS0001", old_pin="4826", new_pin="7391"),)


def test_no_state_on_the_way_of_a_pin_holds_it() -> None:
    text = "5*2*4826*1111*7391*9999*7392*7392"
    people, typed = People(), text.split("*")
    current = advance(None, "", context(people))
    for end in range(1, len(typed) + 1):
        current = advance(current.state, "*".join(typed[:end]), context(people))
        for pin in ("4826", "1111", "7391", "9999", "7392"):
            assert pin not in current.state.to_json() + repr(current)
    assert current.effects[0] == ChangePin(household_code="KIS0001", old_pin="4826", new_pin="7392")


def test_the_repr_of_a_context_holds_no_earlier_input() -> None:
    assert "4826" not in repr(replace(context(), earlier=("5", "2", "4826")))


@pytest.mark.parametrize("pin", ["0000", "1234", "4321", "7890", "1212", "9999"])
def test_a_weak_pin_is_refused(pin: str) -> None:
    assert dialled(f"5*2*4826*{pin}").page.body.startswith("CON That PIN is too easy to guess.")


@pytest.mark.parametrize("pin", ["482", "48266", "48a6", "", "٤٨٢٦"])
def test_a_pin_has_four_digits(pin: str) -> None:
    assert dialled(f"5*2*{pin}").page.body.startswith("CON A PIN has 4 digits.")
    assert dialled(f"5*2*4826*{pin}").page.body.startswith("CON A PIN has 4 digits.")


def test_the_old_pin_is_no_new_pin() -> None:
    assert dialled("5*2*4826*4826").page.body.startswith("CON The new PIN must differ")


def test_two_different_new_pins_start_the_new_pin_again() -> None:
    again = dialled("5*2*4826*7391*7392")
    assert again.page.body.startswith("CON The two PINs were not the same.\nType a new PIN")
    assert dialled("5*2*4826*7391*7392*7391*7391").effects


def test_a_confirmed_pin_without_the_text_of_the_session_is_asked_again() -> None:
    state = dialled("5*2*4826*7391").state
    alone = step(state, "7391", context())
    assert alone.effects == ()
    assert alone.state.screen == "pin_new"


def test_a_refused_effect_has_a_page_in_the_language_of_the_session() -> None:
    assert refusal("wrong_pin", "fr").body == "END PIN incorrect. Votre PIN n'a pas été changé."


# -- shared phones


SHARED = People(members=(AMINA, JUMA))


def test_a_shared_phone_chooses_the_account_first() -> None:
    assert dialled("", SHARED).page.body == (
        "CON Which account?\n1 KIS0001 Amina\n2 KIS0002 Juma\n0 Exit"
    )
    assert dialled("2", SHARED).page.body.startswith("CON KIS0002\n1 Salio\n")
    assert dialled("kis0001", SHARED).page.body.startswith("CON KIS0001\n1 Balance\n")


def test_a_shared_phone_pays_for_the_account_it_chose() -> None:
    assert dialled("2*3*500*1", SHARED).effects == (
        StartTopUp(household_code="KIS0002", amount_minor=50_000, currency="KES"),
    )


def test_a_shared_phone_can_switch_account() -> None:
    assert dialled("1*5*9*2", SHARED).state.household_code == "KIS0002"


def test_a_phone_of_one_household_has_no_account_to_switch() -> None:
    assert "9 " not in dialled("5").page.text
    assert dialled("5*9").page.body.startswith("CON Choose a number")


def test_many_accounts_are_shown_six_at_a_time() -> None:
    crowd = People(members=[HouseholdFacts(code=f"KIS{n:04}", language="en") for n in range(1, 15)])
    assert dialled("", crowd).page.text.endswith("6 KIS0006\n9 More\n0 Exit")
    assert dialled("9*2", crowd).state.household_code == "KIS0008"
    assert dialled("9*9*2", crowd).state.household_code == "KIS0014"
    assert dialled("9*9*9", crowd).page == dialled("", crowd).page
    assert dialled("9*9*3", crowd).page.text.startswith("Choose a number")


# -- texts and states


def test_the_inputs_are_what_stands_between_the_stars() -> None:
    assert inputs("") == ()
    assert inputs("3*500*1") == ("3", "500", "1")
    assert inputs("3**1*") == ("3", "", "1", "")
    assert inputs("a¡b* 5 *1#") == ("a@b", "5", "1")


def test_what_follows_an_end_is_left_alone() -> None:
    assert dialled("1*3*500*1").page == dialled("1").page
    assert dialled("3*500*1*9").effects == dialled("3*500*1").effects


def test_a_session_ended_stays_ended() -> None:
    last = dialled("3*500*1")
    assert step(last.state, "1", context()).page.ends
    assert step(last.state, "1", context()).effects == ()


def test_the_same_text_again_gives_the_same_page_and_no_effect() -> None:
    last = dialled("3*500*1")
    again = advance(last.state, "3*500*1", context())
    assert (again.page, again.effects) == (last.page, ())
    assert advance(last.state, "3*500*1*1", context()).effects == ()


def test_a_text_shorter_than_the_state_is_shown_without_effect() -> None:
    last = dialled("3*500*1")
    assert advance(last.state, "3*500", context()).page == dialled("3*500").page


def test_a_session_whose_state_was_lost_goes_on_from_its_text() -> None:
    people = People()
    kept = hop_by_hop("3*500*1", people)
    assert advance(None, "3*500*1", context(people)) == kept


def test_a_state_of_a_screen_that_is_gone_is_replayed() -> None:
    gone = replace(START, screen="lottery", hops=1)
    assert advance(gone, "3*500", context()).page == dialled("3*500").page


def test_a_replay_has_the_page_and_state_but_no_effect() -> None:
    whole = dialled("3*500*1")
    assert replay("3*500*1", context()) == replace(whole, effects=())


def test_a_step_from_the_start_dials_first() -> None:
    assert step(START, "3", context()).page == dialled("3").page


@pytest.mark.parametrize("text", ["9" * (MAX_TEXT_CHARACTERS + 1), "*".join("5" * (MAX_HOPS + 1))])
def test_a_text_too_long_ends_the_session(text: str) -> None:
    last = dialled(text)
    assert last.page.body == "END That was too long. Dial again and choose one step at a time."
    assert advance(dialled("5").state, text, context()).page == last.page
    assert replay(text, context()).page == last.page


def test_twenty_hops_are_walked_and_no_more() -> None:
    walk = "*".join(["5", "0"] * (MAX_HOPS // 2))
    last = dialled(walk)
    assert last.page.body == f"CON {MENU}"
    assert step(last.state, "5", context()).page.text.startswith("That was too long")
