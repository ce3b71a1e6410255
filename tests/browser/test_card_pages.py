"""The way to a card payment in a real browser, with and without scripts: forms and redirects."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from accounts.models import PaymentAttempt, Pledge, Rail
from tests.browser.looking import NARROW, PAGE_SECONDS, resize
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


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


@pytest.mark.parametrize(
    "scripts", [pytest.param("off", marks=pytest.mark.no_scripts), pytest.param("on")]
)
def test_a_donor_gets_from_the_form_to_the_card_page_and_reads_what_became_of_it(
    browser: webdriver.Chrome, live_server: LiveServer, village: Village, scripts: str
) -> None:
    resize(browser, NARROW)
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


@pytest.mark.no_scripts
def test_nothing_on_the_form_is_wider_than_a_narrow_phone(
    browser: webdriver.Chrome, live_server: LiveServer, village: Village
) -> None:
    resize(browser, NARROW)
    browser.get(f"{live_server.url}/top-up/?code=KIS0001")
    edges = [
        field.location["x"] + field.size["width"]
        for field in browser.find_elements(By.CSS_SELECTOR, "main input, main button, main p")
        if field.is_displayed()
    ]
    assert edges
    assert max(edges) <= NARROW
