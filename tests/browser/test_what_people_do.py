"""Buying, giving and claiming on a narrow phone, click by click."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from accounts.models import PaymentAttempt, Pledge, TopUp
from tests.browser.looking import NARROW, PAGE_SECONDS, keep, problems, resize
from tests.paybacks import card_rail
from tests.signing import AMINA
from tests.whole_village import WholeVillage
from tokens.models import Leaf

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def whole(live_server: LiveServer, settings: Settings) -> WholeVillage:
    settings.CHAIN_ID = 31_337
    settings.EPOCH_SECONDS = 300
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    return WholeVillage.found()


def press(browser: webdriver.Chrome, words: str) -> None:
    """Press what says these words."""
    path = f"//main//*[self::a or self::button][contains(., {words!r})]"
    browser.find_element(By.XPATH, path).click()


def type_in(browser: webdriver.Chrome, **fields: str) -> None:
    for name, value in fields.items():
        field = browser.find_element(By.CSS_SELECTOR, f"main [name={name}]:not([type=hidden])")
        field.clear()
        field.send_keys(value)


def test_a_relative_buys_power_from_the_estimate_to_the_card_page(
    browser: webdriver.Chrome, live_server: LiveServer, whole: WholeVillage
) -> None:
    whole.site.rails.add(card_rail(whole.voting.life.village, currency="KES"))
    wait = WebDriverWait(browser, PAGE_SECONDS)
    resize(browser, NARROW)
    browser.get(f"{live_server.url}/sites/kisima/buy/")
    type_in(browser, code="kis 0003", amount="500")
    press(browser, "Estimate")
    wait.until(lambda page: page.find_elements(By.ID, "estimate"))
    assert problems(browser, width=NARROW) == []
    keep(browser, "buy-estimate-320")
    # 500 shillings at 129.25 a DAI and a quarter of a DAI a kWh.
    assert "15.47" in browser.find_element(By.CSS_SELECTOR, "[aria-labelledby=estimate]").text

    press(browser, "Pay by card")
    wait.until(lambda page: "/top-up/" in page.current_url)
    press(browser, "Go on")
    wait.until(lambda page: "/pay/" in page.current_url)
    keep(browser, "buy-waiting-320")
    top_up = TopUp.objects.get(household__code="KIS0003")
    assert (top_up.amount_minor, top_up.currency) == (50_000, "KES")


def test_a_donor_gives_and_reads_what_the_gift_does(
    browser: webdriver.Chrome, live_server: LiveServer, whole: WholeVillage
) -> None:
    whole.site.rails.add(card_rail(whole.voting.life.village))
    before = set(Pledge.objects.values_list("pk", flat=True))
    wait = WebDriverWait(browser, PAGE_SECONDS)
    resize(browser, NARROW)
    browser.get(f"{live_server.url}/donate/kisima/")
    keep(browser, "donate-320")
    type_in(browser, amount="25", name="Ada", email="ada@example.org")
    press(browser, "card page")
    wait.until(lambda page: "/pay/" in page.current_url)
    pledge = Pledge.objects.exclude(pk__in=before).get()
    assert (pledge.amount_minor, pledge.currency) == (2_500, "USD")

    paid = Pledge.objects.filter(pk__in=before).first()
    assert paid is not None
    attempt = PaymentAttempt.objects.get(pledge=paid)
    PaymentAttempt.objects.filter(pk=attempt.pk).update(state=PaymentAttempt.State.SUCCEEDED)
    browser.get(f"{live_server.url}/pay/{attempt.token}/")
    keep(browser, "donate-thanks-320")
    press(browser, "What it earns")
    wait.until(lambda page: "/donor/gift/" in page.current_url)
    assert problems(browser, width=NARROW) == []
    keep(browser, "donor-gift-320")


def test_a_holder_claims_what_vested(
    browser: webdriver.Chrome, live_server: LiveServer, whole: WholeVillage
) -> None:
    leaf = Leaf.objects.get(donation__donor__wallets__address=AMINA.address)
    wait = WebDriverWait(browser, PAGE_SECONDS)
    resize(browser, NARROW)
    browser.get(f"{live_server.url}/proof/{leaf.key}/")
    keep(browser, "claim-320")
    press(browser, "Claim")
    wait.until(lambda page: "asked=1" in page.current_url)
    assert "The claim was taken on." in browser.find_element(By.TAG_NAME, "main").text
    assert problems(browser, width=NARROW) == []
    keep(browser, "claim-asked-320")


def test_what_does_not_fit_is_said_where_it_was_typed(
    browser: webdriver.Chrome, live_server: LiveServer, whole: WholeVillage
) -> None:
    resize(browser, NARROW)
    for query, said in (("amount=many", "in figures"), ("code=KIS0001&kwh=-3", "in figures")):
        browser.get(f"{live_server.url}/sites/kisima/buy/?{query}")
        assert said in browser.find_element(By.CSS_SELECTOR, "main [role=alert]").text
        assert problems(browser, width=NARROW) == []
