"""Pages of money and of the list of sites, in a real browser: narrow and wide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.webdriver.common.by import By

from settlement import payout_sending
from settlement.models import Payout
from settlement.payout_sending import PayoutAnswer
from tests.browser.looking import WIDTHS, keep_whole, problems, resize
from tests.living_village import LivingVillage, live
from tests.paying_out import approved, earn_revenue, fresh

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def lived(live_server: LiveServer) -> LivingVillage:
    """Six households that paid the day before yesterday; one payout arrived, one is on its way."""
    cache.clear()
    lived = live(now=timezone.now() - timedelta(days=2))
    earn_revenue(lived.village, at=timezone.now() - timedelta(hours=3))
    payout = approved(lived.village)
    Payout.objects.filter(pk=payout.pk).update(state=Payout.State.SENT)
    answer = PayoutAnswer(is_final=True, is_done=True, reference="B2C1")
    payout_sending.settle_answer(payout=fresh(payout), answer=answer, at=timezone.now())
    approved(lived.village, dai=5)
    return lived


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing(
    browser: webdriver.Chrome, live_server: LiveServer, lived: LivingVillage, width: int
) -> None:
    resize(browser, width)
    paths = ("/", "/sites/kisima/money/", "/sites/kisima/buy/?code=KIS0001&amount=500")
    for path in paths:
        browser.get(live_server.url + path)
        wrong = problems(browser, width=width)
        keep_whole(browser, f"money{path.replace('/', '-').partition('?')[0]}-{width}", width=width)
        assert wrong == [], path


@pytest.mark.parametrize("width", WIDTHS)
def test_the_picture_of_the_flow_can_be_read_and_scrolls_on_a_phone(
    browser: webdriver.Chrome, live_server: LiveServer, lived: LivingVillage, width: int
) -> None:
    resize(browser, width)
    browser.get(f"{live_server.url}/sites/kisima/money/")
    heights = [text.rect["height"] for text in browser.find_elements(By.CSS_SELECTOR, ".flow text")]
    frame, picture = browser.execute_script(
        "const picture = document.querySelector('.flow'); const frame = picture.parentElement;"
        "return [frame.clientWidth, frame.scrollWidth]"
    )

    assert len(heights) > 10
    assert min(heights) >= 28  # two lines
    assert picture >= 960
    assert (picture > frame) == (width < 960)


def test_labels_of_the_flow_do_not_cover_each_other(
    browser: webdriver.Chrome, live_server: LiveServer, lived: LivingVillage
) -> None:
    resize(browser, max(WIDTHS))
    browser.get(f"{live_server.url}/sites/kisima/money/")
    boxes = [text.rect for text in browser.find_elements(By.CSS_SELECTOR, ".flow text")]

    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            is_beside = (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            )
            is_above = (
                one["y"] + one["height"] <= other["y"] + 1
                or other["y"] + other["height"] <= one["y"] + 1
            )
            assert is_beside or is_above, (one, other)
