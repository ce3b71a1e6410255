"""The way to a card payment in a real browser, without scripts: forms, redirects, refreshes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from accounts.models import PaymentAttempt, Pledge, Rail
from tests.village import Village

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="no chromium with chromedriver here: install Debian's chromium and chromium-driver",
    ),
]

PAGE_SECONDS = 20


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A phone's narrow window; scripts are switched off."""
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--window-size=320,800",
        f"--user-data-dir={tmp_path}/browser",
    ):
        options.add_argument(argument)
    options.add_experimental_option(
        "prefs", {"profile.managed_default_content_settings.javascript": 2}
    )
    options.binary_location = str(CHROMIUM)
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def village() -> Village:
    village = Village.found(at=timezone.now())
    rail = Rail.objects.create(
        operator=village.site.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-kes",
        merchant_account="acct_sandbox",
        currency="KES",
        min_top_up_minor=10_000,
        max_top_up_minor=10_000_000,
    )
    village.site.rails.add(rail)
    return village


def test_a_donor_gets_from_the_form_to_the_card_page_and_reads_what_became_of_it(
    browser: webdriver.Chrome, live_server: LiveServer, village: Village
) -> None:
    browser.get(f"{live_server.url}/donate/{village.site.slug}/")
    browser.find_element(By.NAME, "amount").send_keys("2500")
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    wait = WebDriverWait(browser, PAGE_SECONDS)
    wait.until(lambda page: "/pay/" in page.current_url)
    assert Pledge.objects.get().amount_minor == 250_000
    assert "One moment" in browser.page_source
    # The card page is our own site's here: what counts is that the browser goes there by itself.
    PaymentAttempt.objects.update(state="pending", pay_url=f"{live_server.url}/healthz")
    wait.until(lambda page: page.current_url.endswith("/healthz"))
    PaymentAttempt.objects.update(state="succeeded")
    browser.get(f"{live_server.url}/pay/{PaymentAttempt.objects.get().token}/?back=1")
    assert "Thank you" in browser.page_source


def test_nothing_on_the_form_is_wider_than_a_narrow_phone(
    browser: webdriver.Chrome, live_server: LiveServer, village: Village
) -> None:
    browser.get(f"{live_server.url}/top-up/?code=KIS0001")
    edges = [
        field.location["x"] + field.size["width"]
        for field in browser.find_elements(By.CSS_SELECTOR, "main input, main button, main p")
        if field.is_displayed()
    ]
    assert edges
    assert max(edges) <= browser.get_window_size()["width"]
