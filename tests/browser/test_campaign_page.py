"""The campaign page as its readers see it: nothing is too wide or too small, axe finds nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver

from accounts import campaigns
from accounts.models import Campaign, Milestone
from gateway.demo import campaigns as demo
from tests.browser.looking import NARROW, WIDE, keep_whole, prefer, problems, resize
from tests.campaigning import given, on_chain
from tests.paybacks import card_rail
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

DAY = timedelta(days=1)


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """The demo's, with gifts of every kind."""
    now = timezone.now()
    village = Village.found(at=now)
    card_rail(village)
    demo.collect(sites=[village.site], at=now - DAY)
    made = Campaign.objects.get()
    given(village, dollars=2_345, at=now - DAY, reference="ch_1", public_name="Zoé d’Arçonval")
    given(village, dollars=20, at=now, reference="ch_2")
    on_chain(village.site, wei=10**21, at=now - 2 * DAY)
    Milestone.objects.filter(kind="arrived").update(planned_on=date(2026, 12, 24))
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "reader", [(NARROW, "en", False), (WIDE, "fr", True)], ids=["narrow", "wide"]
)
def test_the_campaign_can_be_read_in_every_state(
    browser: webdriver.Chrome,
    live_server: LiveServer,
    campaign: Campaign,
    reader: tuple[int, str, bool],
) -> None:
    width, language, is_dark = reader
    prefer(browser, language=language, is_dark=is_dark)
    found = {}
    for state in ("open", "failed"):
        if state == "failed":
            campaigns.close(campaign=campaign, at=timezone.now())
        resize(browser, width)
        browser.get(f"{live_server.url}/donate/kisima/")
        wrong = problems(browser, width=width)
        keep_whole(browser, f"campaign-{state}-{width}", width=width)
        if wrong:
            found[state] = wrong
    assert found == {}
