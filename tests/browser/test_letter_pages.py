"""Logging in by a link on a narrow phone, with and without scripts, and ending the news."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from accounts import addresses, links
from accounts.models import Donor, LinkRequest
from gateway.donors import news
from tests.browser.looking import NARROW, PAGE_SECONDS, problems, resize
from tests.mailbox import giver
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

ASHA = "asha@example.org"


@pytest.fixture
def donor(live_server: LiveServer, settings: Settings) -> Donor:
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    Village.found(at=timezone.now())
    return giver(at=timezone.now())


def press(browser: webdriver.Chrome) -> None:
    """Press the page's button and wait for where it leads."""
    button = browser.find_element(By.CSS_SELECTOR, "main form button")
    button.click()
    WebDriverWait(browser, PAGE_SECONDS).until(staleness_of(button))
    WebDriverWait(browser, PAGE_SECONDS).until(
        lambda page: page.find_elements(By.CSS_SELECTOR, "main h1")
    )


def text(browser: webdriver.Chrome) -> str:
    """What the page says; nothing on it is too wide, too small or out of axe's reach."""
    assert problems(browser, width=NARROW) == []
    return browser.find_element(By.TAG_NAME, "main").text


@pytest.mark.parametrize(
    "scripts", [pytest.param("off", marks=pytest.mark.no_scripts), pytest.param("on")]
)
def test_a_donor_asks_for_a_link_and_is_logged_in_by_its_button(
    browser: webdriver.Chrome, live_server: LiveServer, donor: Donor, scripts: str
) -> None:
    resize(browser, NARROW)
    browser.get(f"{live_server.url}/donor/")
    browser.find_element(By.NAME, "email").send_keys(ASHA)
    press(browser)
    assert browser.current_url.endswith("/donor/link/?asked=1")
    assert "a letter with a link is on its way" in browser.page_source
    assert LinkRequest.objects.get().email == ASHA

    token = links.issue(donor=donor, email=ASHA, at=timezone.now())
    browser.get(f"{live_server.url}/donor/link/{token}/")
    assert "Show my gifts" in browser.page_source
    press(browser)
    assert browser.current_url.endswith("/donor/")
    assert "Sign out" in browser.page_source
    browser.get(f"{live_server.url}/donor/link/{token}/")
    assert "not good any more" in browser.page_source


def test_the_pages_of_letters_can_be_read_and_used(
    browser: webdriver.Chrome, live_server: LiveServer, donor: Donor
) -> None:
    resize(browser, NARROW)
    token = links.issue(donor=donor, email=ASHA, at=timezone.now())
    for path, words in (
        ("/donor/", "By e-mail"),
        ("/donor/link/", "Without a password"),
        ("/donor/link/?asked=1", "Nothing came?"),
        (f"/donor/link/{token}/", "One step more"),
        ("/donor/link/used/", "Ask for a new one"),
    ):
        browser.get(live_server.url + path)
        assert words in text(browser)
    browser.get(news.url_of(donor=donor))
    assert "is told when a site" in text(browser)
    press(browser)
    assert "gets no more news" in text(browser)
    assert addresses.is_opted_out(email=ASHA)
