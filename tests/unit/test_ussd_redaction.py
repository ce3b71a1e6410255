"""No PIN leaves a session's text, at whatever depth and on whatever screen it was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ussd.redaction import redact


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("", ""),
        ("5*2*4826", "5*2*****"),
        ("5*2*4826*7391*7391", "5*2***************"),
        ("1*5*2*4826*7391*7391", "1*5*2***************"),
        ("9*9*2*5*2*4826", "9*9*2*5*2*****"),
        ("kis0002*5*2*4826", "kis0002*5*2*****"),
        ("5*1*0*2*4826", "5*1*0*2*****"),
        ("7*5*2*48*4826", "7*5*2**********"),
        # 5 may have been a vote, and 2 typed where its PIN is asked for.
        ("4*5*0*5*2*secret#", "4*5*0*5" + 2 * "*****"),
        ("4*13*4826", "4*13*****"),
        ("2*4*13*48*4826", "2*4*13" + 2 * "*****"),
        ("4*1234*4826", "4" + 2 * "*****"),
        ("5*2*0*0*3*500*1", "5*2*0*0*3*500*1"),
        ("6*KIS0001*5000*1*2580", "6*KIS0001*5000*1*****"),
        ("6*kis 0001*500*1*25*2580", "6*kis 0001*500*1" + 2 * "*****"),
        ("2*6*KIS0001*1500*1*2580", "2*6*KIS0001*1500*1*****"),
        ("6*KIS0001*500*0*6*KIS0001*500*1*2580", "6*KIS0001*500*0*6*KIS0001*500*1*****"),
        ("6*KIS0001*500*2580", "6*KIS0001*500*****"),
        ("6*2580*7391", "6" + 2 * "*****"),
        ("6*6*2580", "6*6*****"),
    ],
)
def test_pins_are_masked_wherever_the_tree_asks_for_them(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("text", ["3*500*1", "3*4826*1", "3*1500*1", "2*3*15000*1", "1", "5*1*2"])
def test_amounts_and_choices_stay_readable(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", ["4826", "3*500*4826", "1*4826", "5*4826", "3*500*1*4826"])
def test_a_pin_typed_on_the_wrong_screen_is_masked(text: str) -> None:
    assert redact(text) == text.replace("4826", "****")


def test_where_the_text_leaves_it_open_too_much_is_masked_rather_than_too_little() -> None:
    # For a phone of several households 9 switches account, for the others it is a wrong choice.
    assert redact("5*9*2*5*2*4826") == "5*9*2" + 3 * "*****"


@given(st.text(alphabet="01234569*#aK¡ \0", max_size=40))
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(
    before=st.lists(st.sampled_from(["0", "1", "2", "3", "5", "6", "9", "7", "KIS1"]), max_size=6),
    pins=st.lists(st.from_regex(r"[0-9]{4}", fullmatch=True), min_size=1, max_size=3),
)
def test_a_pin_after_five_and_two_is_masked_whatever_came_before(
    before: list[str], pins: list[str]
) -> None:
    redacted = redact("*".join([*before, "5", "2", *pins]))
    for pin in pins:
        assert pin not in redacted
