"""Voting by USSD: what the screens show, what is understood, and what is asked for at the end."""

from __future__ import annotations

import pytest

from gateway.ussd.effects import CastVote
from gateway.ussd.engine import Step, advance, refusal
from gateway.ussd.facts import ProjectFacts, VoteFacts
from gateway.ussd.screens import vote
from tests.unit.ussd_people import AMINA, FATOU, JUMA, People, context

PUMP = ProjectFacts(number=1, title="Well pump", title_fr="Pompe du puits", cost_minor=1_200_00)
LAMPS = ProjectFacts(number=2, title="School lamps", title_fr="", cost_minor=90_00)
OPEN = VoteFacts(round_number=3, projects=[PUMP, LAMPS], currency="KES")
MANY = VoteFacts(
    round_number=3,
    currency="KES",
    projects=[
        ProjectFacts(number=n, title=f"Project {n}", title_fr="", cost_minor=None)
        for n in range(1, 7)
    ],
)


def dialled(text: str, *, facts: VoteFacts | None = OPEN, who: object = AMINA) -> Step:
    people = People(members=(who,), open_vote=facts)  # type: ignore[arg-type]
    return advance(None, text, context(people))


def test_without_a_round_there_is_no_vote() -> None:
    step = dialled("4", facts=None)
    assert step.page.body == ("END No vote is open now. We will send you an SMS when one opens.")


def test_the_projects_of_the_open_round_are_shown_with_what_they_cost() -> None:
    assert dialled("4").page.body == (
        "CON Vote 3. Type your choices, like 13:\n"
        "1 Well pump, KES 1,200\n2 School lamps, KES 90\n0 Back"
    )
    assert dialled("4", who=FATOU).page.body == (
        "CON Vote 3. Tapez vos choix, ex. 13 :\n"
        "1 Pompe du puits, 1 200 KES\n2 School lamps, 90 KES\n0 Retour"
    )


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [("1", (1,)), ("12", (1, 2)), ("21", (1, 2)), ("1 2", (1, 2)), ("1,2", (1, 2)), ("11", (1,))],
)
def test_one_or_several_are_chosen_then_the_pin(typed: str, numbers: tuple[int, ...]) -> None:
    asked = dialled(f"4*{typed}")
    assert asked.page.body.startswith("CON You vote for:\n1 Well pump")
    assert not asked.effects
    step = dialled(f"4*{typed}*4826")
    assert step.page.ends
    assert step.effects == (
        CastVote(
            household_code="KIS0001", round_number=3, numbers=numbers, language="en", pin="4826"
        ),
    )


@pytest.mark.parametrize("typed", ["3", "13", "9", "x", "", "1 x", "12345"])
def test_what_is_not_on_the_list_is_asked_for_again(typed: str) -> None:
    step = dialled(f"4*{typed}")
    assert step.page.body.startswith("CON Type numbers from the list, like 13.")
    assert "1 Well pump" in step.page.body


def test_nine_shows_more_projects_and_any_page_takes_all_numbers() -> None:
    first, second, again = (dialled(text, facts=MANY) for text in ("4", "4*9", "4*9*9"))
    assert "4 Project 4\n9 More\n0 Back" in first.page.body
    assert "5 Project 5\n6 Project 6\n9 More\n0 Back" in second.page.body
    assert again.page.body == first.page.body
    step = dialled("4*9*16*4826", facts=MANY)
    assert isinstance(step.effects[0], CastVote)
    assert step.effects[0].numbers == (1, 6)


def test_who_has_voted_sees_the_receipt_and_nothing_to_choose() -> None:
    voted = VoteFacts(round_number=3, projects=[PUMP], currency="KES", receipt_code="7KQ2MX9RTB")
    for text in ("4", "4*1", "4*1*4826"):
        step = dialled(text, facts=voted)
        assert step.page.body == (
            "END KIS0001 has voted in vote 3. Receipt 7KQ2MX9RTB. "
            "It is published without a name. A vote can't be changed."
        )
        assert not step.effects


def test_the_receipt_is_the_same_page_when_the_vote_was_just_cast() -> None:
    told = vote.taken(language="sw", code=JUMA.code, round_number=3, receipt_code="7KQ2MX9RTB")
    voted = VoteFacts(round_number=3, projects=[PUMP], currency="KES", receipt_code="7KQ2MX9RTB")
    assert dialled("4", facts=voted, who=JUMA).page == told


def test_back_leads_to_the_list_and_to_the_menu() -> None:
    assert "1 Well pump" in dialled("4*1*0").page.body
    assert dialled("4*0").page.body.startswith("CON 1 Balance")


def test_what_is_no_pin_is_asked_for_again_and_its_state_holds_none() -> None:
    step = dialled("4*12*48")
    assert step.page.body.startswith("CON A PIN has 4 digits.\nYou vote for:")
    done = dialled("4*12*48*4826")
    assert isinstance(done.effects[0], CastVote)
    assert done.effects[0].pin == "4826"
    assert "4826" not in done.state.to_json()
    assert "4826" not in repr(done.effects)


def test_refusals_say_that_no_vote_was_taken() -> None:
    assert refusal("vote_wrong_pin", "en").text == "Wrong PIN. Your vote was not taken."
    assert "clos" in refusal("vote_closed", "fr").text
