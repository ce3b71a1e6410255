"""Pages of votes in a real browser: narrow and wide, and voting by a pasted signature."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from eth_account import Account
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.looking import PAGE_SECONDS, WIDTHS, keep, problems, resize
from tests.integration.test_ballots import link
from tests.integration.voting_pages import CENT, some_while_ago
from tests.signing import AMINA
from tests.voting_village import VotingVillage
from tokens.models import Ballot, Round
from tokens.voting import rounds

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def voting(live_server: LiveServer, settings: Settings) -> VotingVillage:
    """A counted round, an open one and a draft; AMINA's wallet is a donor's."""
    settings.CHAIN_ID = 31_337
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    voting = VotingVillage.found(at=some_while_ago())
    donor = voting.donor()
    voting.life.everybody_uses()
    link(donor, AMINA.address, voting.at)
    round_ = voting.open(20 * CENT, 15 * CENT, budget_wei=30 * CENT)
    for number in range(1, 7):
        voting.cast(round_, voting.home(number), 1 + number % 2)
    at = voting.at
    rounds.count(round_=round_, at=round_.closes_at)
    voting.life.at = at
    voting.open(20 * CENT, 15 * CENT, 10 * CENT)
    voting.plan()
    return voting


def open_round() -> Round:
    return Round.objects.get(state=Round.State.OPEN)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_axe_finds_nothing(
    browser: webdriver.Chrome, live_server: LiveServer, voting: VotingVillage, width: int
) -> None:
    resize(browser, width)
    pages = {
        "round-counted": "/sites/kisima/rounds/1/",
        "round-open": "/sites/kisima/rounds/2/",
        "round-draft": "/sites/kisima/rounds/3/",
        "vote": f"/vote/{open_round().uid}/",
        "propose": "/sites/kisima/propose/",
    }
    for name, path in pages.items():
        browser.get(live_server.url + path)
        assert problems(browser, width=width) == [], path
        keep(browser, f"{name}-{width}")


def test_a_donor_votes_with_a_pasted_signature_on_a_narrow_screen(
    browser: webdriver.Chrome, live_server: LiveServer, voting: VotingVillage
) -> None:
    resize(browser, 320)
    wait = WebDriverWait(browser, PAGE_SECONDS)
    browser.get(f"{live_server.url}/vote/{open_round().uid}/")
    for number in (1, 3):
        browser.find_element(By.CSS_SELECTOR, f"label[for=project-{number}]").click()
    browser.find_element(By.CSS_SELECTOR, "main [type=submit]").click()
    wait.until(lambda page: page.find_elements(By.ID, "typed"))
    keep(browser, "vote-sign-320")
    assert not browser.find_element(By.CSS_SELECTOR, "[data-ask]").is_displayed()
    typed = json.loads(str(browser.find_element(By.ID, "typed").get_property("value")))
    assert typed["message"]["options"] == [1, 3]
    signature = Account.sign_typed_data(AMINA.key, full_message=typed).signature
    browser.find_element(By.NAME, "signature").send_keys("0x" + bytes(signature).hex())
    browser.find_element(By.CSS_SELECTOR, "main [type=submit]").click()
    receipt = wait.until(lambda page: page.find_element(By.CLASS_NAME, "receipt"))
    assert receipt.text == Ballot.objects.get(channel="signed").receipt_code
    keep(browser, "vote-receipt-320")
