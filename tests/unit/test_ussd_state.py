"""The state of a session survives its journey through the cache, and nothing else does."""

import json

import pytest

from gateway.ussd.effects import ChangePin, TakeCash
from gateway.ussd.state import START, BadState, State


def test_a_state_comes_back_from_json_as_it_was() -> None:
    state = State(
        screen="pin_again", language="sw", household_code="KIS0001", shared_phone=True,
        accounts_page=2, amount_minor=50_000, currency="KES", old_pin_hop=2, new_pin_hop=3,
        agent_code="AG01", payee_code="KIS0002", agent_pin_hop=3, wrong_tries=1, hops=4,
        ended=False,
    )  # fmt: skip
    assert State.from_json(state.to_json()) == state
    assert State.from_json(START.to_json().encode()) == START


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"v":1}', '{"v":2,"screen":"menu"}', "\x00", b"\xff\xfe\xfa"],
)
def test_what_is_no_state_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadState):
        State.from_json(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hops", -1),
        ("hops", True),
        ("hops", "1"),
        ("language", "de"),
        ("screen", 5),
        ("screen", "x" * 65),
        ("ended", 1),
        ("old_pin_hop", "4826"),
        ("agent_pin_hop", "4826"),
        ("amount_minor", None),
        ("pin", "4826"),
    ],
)
def test_a_state_with_a_wrong_field_is_refused(name: str, value: object) -> None:
    stored = json.loads(START.to_json())
    stored[name] = value
    with pytest.raises(BadState):
        State.from_json(json.dumps(stored))


def test_a_pin_is_never_in_the_repr_of_its_effect() -> None:
    change = ChangePin(household_code="KIS0001", old_pin="4826", new_pin="7391")
    take = TakeCash("KIS0001", amount_minor=500, currency="KES", language="en", pin="4826")
    for text in (repr(change), str(change), f"{change}", repr((change,)), repr(take)):
        assert "4826" not in text
        assert "7391" not in text
        assert "****" in text
