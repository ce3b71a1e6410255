"""Choosing to give every month, and ending it, in a real browser: narrow, wide, dark, French."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from accounts.models import GivingPlan, PaymentAttempt
from tests.browser.looking import (
    NARROW,
    PAGE_SECONDS,
    WIDE,
    keep,
    keep_whole,
    prefer,
    problems,
    resize,
)
from tests.integration.plan_corruptions import give_monthly
from tests.paybacks import card_rail
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

READERS = [(NARROW, "en", False), (WIDE, "fr", True)]


@pytest.fixture
def village(live_server: LiveServer, settings: Settings) -> Village:
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    found = Village.found(at=timezone.now())
    card_rail(found)
    return found


@pytest.mark.parametrize("reader", READERS)
def test_a_donor_chooses_every_month(
    browser: webdriver.Chrome,
    live_server: LiveServer,
    village: Village,
    reader: tuple[int, str, bool],
) -> None:
    width, language, is_dark = reader
    prefer(browser, language=language, is_dark=is_dark)
    resize(browser, width)
    browser.get(f"{live_server.url}/donate/kisima/")
    [once] = browser.find_elements(By.CSS_SELECTOR, "[name=rhythm]:checked")
    assert once.get_attribute("value") == "once"
    browser.find_element(By.CSS_SELECTOR, "[name=amount]").send_keys("25")
    label = browser.find_element(By.XPATH, "//label[input[@name='rhythm' and @value='monthly']]")
    label.click()
    assert problems(browser, width=width) == []
    keep(browser, f"donate-monthly-{width}")

    browser.find_element(By.CSS_SELECTOR, "main form.form button").click()
    wait = WebDriverWait(browser, PAGE_SECONDS)
    wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, ".wrong"))
    assert problems(browser, width=width) == []
    assert not GivingPlan.objects.exists()

    browser.find_element(By.CSS_SELECTOR, "[name=email]").send_keys("ada@example.org")
    browser.find_element(By.CSS_SELECTOR, "main form.form button").click()
    wait.until(lambda page: "/pay/" in page.current_url)
    assert GivingPlan.objects.get().amount_minor == 2_500
    assert problems(browser, width=width) == []


@pytest.mark.parametrize("reader", READERS)
def test_a_donor_ends_a_monthly_gift(
    browser: webdriver.Chrome,
    live_server: LiveServer,
    village: Village,
    reader: tuple[int, str, bool],
) -> None:
    width, language, is_dark = reader
    plan = give_monthly(village, at=timezone.now())
    token = PaymentAttempt.objects.filter(pledge__plan=plan)[0].token
    prefer(browser, language=language, is_dark=is_dark)
    resize(browser, width)
    browser.get(f"{live_server.url}/donor/gift/{token}/")
    assert problems(browser, width=width) == []
    keep_whole(browser, f"donor-plans-{width}", width=width)
    browser.find_element(By.CSS_SELECTOR, "[aria-labelledby=plans] button").click()
    WebDriverWait(browser, PAGE_SECONDS).until(
        lambda page: not page.find_elements(By.CSS_SELECTOR, "[aria-labelledby=plans] button")
    )
    assert problems(browser, width=width) == []
    plan.refresh_from_db()
    assert plan.end_asked_at is not None
