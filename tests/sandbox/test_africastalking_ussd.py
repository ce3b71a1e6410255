"""Phones that dial: which hops they send, when a session ends, and what is reported then."""

from __future__ import annotations

from typing import Any

import requests

from tests.sandbox.conftest import MovableClock, Product

PHONE = "+254711000001"


def dial(sandbox_url: str, text: str, **options: Any) -> tuple[str, bool]:
    url = f"{sandbox_url}/africastalking/simulator/phones/{PHONE}/dial"
    answer = requests.post(url, json={"text": text, **options}, timeout=10).json()
    assert set(answer) == {"screen", "open"}
    return answer["screen"], answer["open"]


def hops(product: Product) -> list[str]:
    return [body["text"] for body in product.bodies("ussd")]


def sessions(product: Product) -> set[str]:
    return {body["sessionId"] for body in product.bodies("ussd")}


def test_dialling_sends_every_missing_prefix(sandbox_url: str, product: Product) -> None:
    assert dial(sandbox_url, "3*500*1") == ("menu 3*500*1", True)
    assert hops(product) == ["", "3", "3*500", "3*500*1"]
    assert len(sessions(product)) == 1
    first = product.bodies("ussd")[0]
    assert first["phoneNumber"] == PHONE
    assert first["serviceCode"] == "*384*4826#"
    assert first["networkCode"] == "63902"


def test_an_open_session_is_continued_where_the_text_goes_on(
    sandbox_url: str, product: Product
) -> None:
    dial(sandbox_url, "")
    dial(sandbox_url, "3")
    dial(sandbox_url, "3*500*1")
    assert hops(product) == ["", "3", "3*500", "3*500*1"]
    assert len(sessions(product)) == 1
    # 3*50 is no prefix of 3*500 by inputs: another conversation begins.
    dial(sandbox_url, "3*50")
    assert hops(product)[4:] == ["", "3", "3*50"]
    assert len(sessions(product)) == 2
    [ended] = product.wait_for("ussd/end")
    assert (ended["status"], ended["input"]) == ("Incomplete", "3*500*1")


def test_the_text_already_on_the_screen_sends_nothing_more(
    sandbox_url: str, product: Product
) -> None:
    dial(sandbox_url, "1")
    assert dial(sandbox_url, "1") == ("menu 1", True)
    assert hops(product) == ["", "1"]


def test_an_empty_text_always_starts_a_new_session(sandbox_url: str, product: Product) -> None:
    dial(sandbox_url, "")
    dial(sandbox_url, "")
    assert hops(product) == ["", ""]
    assert len(sessions(product)) == 2


def test_an_end_page_stops_the_hops_and_the_end_event_follows(
    sandbox_url: str, product: Product
) -> None:
    product.ussd_answer = lambda text: "END Bye" if text == "3" else "CON menu"
    assert dial(sandbox_url, "3*500*1") == ("Bye", False)
    assert hops(product) == ["", "3"]
    [ended] = product.wait_for("ussd/end")
    assert ended["status"] == "Success"
    assert (ended["hopsCount"], ended["input"], ended["lastAppResponse"]) == ("2", "3", "END Bye")
    assert ended["sessionId"] in sessions(product)
    # The session is over: the same text begins anew.
    dial(sandbox_url, "3")
    assert hops(product) == ["", "3", "", "3"]


def test_an_answer_that_is_neither_con_nor_end_ends_the_session(
    sandbox_url: str, product: Product
) -> None:
    product.ussd_answer = lambda _text: "<h1>Server Error</h1>"
    screen, still_open = dial(sandbox_url, "")
    assert not still_open
    assert "Connection problem" in screen
    [ended] = product.wait_for("ussd/end")
    assert ended["status"] == "Failed"
    assert ended["errorMessage"]


def test_a_session_ends_after_three_minutes(
    sandbox_url: str, product: Product, clock: MovableClock
) -> None:
    dial(sandbox_url, "1")
    clock.move(seconds=181)
    [ended] = product.wait_for("ussd/end")
    assert ended["status"] == "Incomplete"
    dial(sandbox_url, "1*2")
    assert hops(product) == ["", "1", "", "1", "1*2"]
    assert len(product.bodies("ussd/end")) == 1


def test_the_first_text_can_be_long_already(sandbox_url: str, product: Product) -> None:
    dial(sandbox_url, "3*500", direct=True)
    assert hops(product) == ["3*500"]


def test_a_hop_can_be_repeated_by_the_network(sandbox_url: str, product: Product) -> None:
    url = f"{sandbox_url}/africastalking/simulator/faults"
    requests.post(url, json={"kind": "hop_twice"}, timeout=5)
    dial(sandbox_url, "1")
    assert hops(product) == ["", "", "1"]


def test_a_malformed_phone_is_refused(sandbox_url: str) -> None:
    url = f"{sandbox_url}/africastalking/simulator/phones/abc/dial"
    assert requests.post(url, json={"text": ""}, timeout=5).status_code == 400
