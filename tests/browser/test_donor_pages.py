"""The donor's page and a shared card in a real browser: narrow in English, wide in French."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.looking import NARROW, WIDE, keep_whole, prefer, problems, resize
from tests.voting_village import VotingVillage

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

PAGE_SECONDS = 60


@pytest.fixture(autouse=True)
def short_epochs(live_server: LiveServer, settings: Settings) -> Iterator[None]:
    settings.CHAIN_ID = 31_337
    settings.EPOCH_SECONDS = 300
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    yield


@pytest.fixture
def client() -> Client:
    """Logged in as a donor with three epochs and a vote."""
    at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    voting = VotingVillage.found(at=at)
    voting.life.deploy()
    donor = voting.donor()
    for _ in range(3):
        voting.life.everybody_uses()
        voting.life.closed_and_active()
    voting.cast(voting.open(10**16, 2 * 10**16), donor, 1, 2)
    client = Client()
    session = client.session
    session["donor"] = str(donor.uid)
    session.save()
    return client


@pytest.mark.parametrize("reader", [(NARROW, "en", False), (WIDE, "fr", True)])
def test_a_donor_reads_what_the_gifts_did_and_shares_a_card(
    browser: webdriver.Chrome,
    live_server: LiveServer,
    client: Client,
    reader: tuple[int, str, bool],
) -> None:
    width, language, is_dark = reader
    prefer(browser, language=language, is_dark=is_dark)
    resize(browser, width)
    browser.get(f"{live_server.url}/healthz")
    name = project.SESSION_COOKIE_NAME
    browser.add_cookie({"name": name, "value": client.cookies[name].value, "path": "/"})
    browser.get(f"{live_server.url}/donor/")
    assert browser.find_elements(By.CSS_SELECTOR, "figure svg path.line")
    assert problems(browser, width=width) == []
    keep_whole(browser, f"donor-{width}", width=width)

    browser.find_element(By.CSS_SELECTOR, "form[action='/donor/cards/'] button").click()
    wait = WebDriverWait(browser, PAGE_SECONDS)
    wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, "a[href^='/donor/card/']"))
    assert problems(browser, width=width) == []
    browser.find_element(By.CSS_SELECTOR, "a[href^='/donor/card/']").click()
    picture = wait.until(lambda page: page.find_element(By.CSS_SELECTOR, "main img"))
    wait.until(lambda page: picture.get_property("naturalWidth") == 1200)
    assert picture.size["width"] <= width
    assert problems(browser, width=width) == []
    keep_whole(browser, f"donor-card-{width}", width=width)
