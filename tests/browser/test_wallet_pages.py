"""Pages of impact, proof and signing in, in a real browser: narrow and wide, with and without a
wallet in it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.looking import PAGE_SECONDS, WIDTHS, problems, resize
from tests.epoch_village import EpochVillage
from tests.signing import AMINA, signed
from tokens import wallets
from tokens.models import Leaf, SignIn, Verification

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def life(live_server: LiveServer, settings: Settings) -> EpochVillage:
    """Six households and a donor; one epoch is active and was checked."""
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    life = EpochVillage.found(at=at, households=6)
    life.deploy()
    life.donate()
    life.plant(sun=7_000_000, into=500_000, feeder=6_100_000, starts_at=life.at)
    life.everybody_uses()
    life.closed_and_active()
    Verification.objects.create(
        site=life.village.site,
        epoch_number=1,
        exit_code=0,
        checks=[{"name": "supply", "state": "ok", "text": "0x" + "ab" * 32}],
        ran_at=timezone.now(),
    )
    return life


def _home_path() -> str:
    leaf = Leaf.objects.get(household__code="KIS0001")
    return f"/proof/{leaf.key}/?c={wallets.code_of(leaf=leaf)}"


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen_and_every_target_is_large_enough(
    browser: webdriver.Chrome, live_server: LiveServer, life: EpochVillage, width: int
) -> None:
    resize(browser, width)
    for path in ("/sites/kisima/impact/", _home_path(), "/donor/", "/donor/enter/"):
        browser.get(live_server.url + path)
        assert problems(browser, width=width) == [], path


@pytest.mark.parametrize("width", WIDTHS)
def test_the_picture_of_energy_can_be_read(
    browser: webdriver.Chrome, live_server: LiveServer, life: EpochVillage, width: int
) -> None:
    resize(browser, width)
    browser.get(f"{live_server.url}/sites/kisima/impact/")

    texts = browser.find_elements(By.CSS_SELECTOR, ".energy text")
    heights = [text.rect["height"] for text in texts]
    assert len(texts) == 14
    assert min(heights) >= 10
    widest = browser.find_element(By.CSS_SELECTOR, ".energy rect.generation").rect["width"]
    assert widest > browser.find_element(By.CSS_SELECTOR, ".energy rect.households").rect["width"]


def test_signing_in_without_a_wallet_in_the_browser_takes_a_pasted_signature(
    browser: webdriver.Chrome, live_server: LiveServer, life: EpochVillage
) -> None:
    resize(browser, 320)
    browser.get(f"{live_server.url}/donor/enter/")
    assert not browser.find_element(By.CSS_SELECTOR, "[data-ask]").is_displayed()
    browser.find_element(By.NAME, "address").send_keys(AMINA.address)
    browser.find_element(By.CSS_SELECTOR, "main [type=submit]").click()
    wait = WebDriverWait(browser, PAGE_SECONDS)
    wait.until(lambda page: page.find_elements(By.NAME, "message"))
    message = browser.find_element(By.NAME, "message").get_property("value")
    browser.find_element(By.NAME, "signature").send_keys(signed(str(message), by=AMINA))
    browser.find_element(By.CSS_SELECTOR, "main [type=submit]").click()

    wait.until(lambda page: page.current_url.endswith("/donor/"))
    assert "No donation is linked with this wallet." in browser.page_source
    assert SignIn.objects.get().state == "accepted"


def test_a_wallet_in_the_browser_is_asked_for_address_and_signature(
    browser: webdriver.Chrome, live_server: LiveServer, life: EpochVillage
) -> None:
    script = """
        window.ethereum = {request: async ({method, params}) => {
          if (method === "eth_requestAccounts") return ["ADDRESS"];
          sessionStorage.asked = JSON.stringify([method, params]);
          throw new Error("refused in the wallet");
        }};
    """.replace("ADDRESS", AMINA.address.lower())
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    wait = WebDriverWait(browser, PAGE_SECONDS)
    browser.get(f"{live_server.url}/donor/enter/")
    browser.find_element(By.CSS_SELECTOR, "[data-ask]").click()
    wait.until(lambda page: page.find_elements(By.NAME, "message"))
    message = str(browser.find_element(By.NAME, "message").get_property("value"))
    assert AMINA.address in message

    browser.find_element(By.CSS_SELECTOR, "[data-ask]").click()
    wait.until(lambda page: page.find_element(By.CSS_SELECTOR, "form [role=status]").text)

    status = browser.find_element(By.CSS_SELECTOR, "form [role=status]").text
    assert status == "refused in the wallet"
    asked = browser.execute_script("return JSON.parse(sessionStorage.asked)")
    assert asked == ["personal_sign", ["0x" + message.encode().hex(), AMINA.address]]
    assert browser.find_element(By.CSS_SELECTOR, "[data-ask]").is_enabled()


def test_no_page_asks_anybody_else_or_breaks_its_own_policy(
    browser: webdriver.Chrome, live_server: LiveServer, life: EpochVillage
) -> None:
    for path in ("/sites/kisima/impact/", _home_path(), "/donor/enter/"):
        browser.get(live_server.url + path)
        loaded = browser.execute_script(
            "return performance.getEntriesByType('resource').map(each => each.name)"
        )
        assert all(name.startswith(live_server.url) for name in loaded), loaded
        refused = [
            line["message"]
            for line in browser.get_log("browser")  # type: ignore[no-untyped-call]
            if "Content Security Policy" in line["message"]
        ]
        assert refused == []
