"""Every page as its reader sees it: on a phone of 320 pixels in English by day, and on a desktop in
French by night. Nothing is too wide or too small, and axe-core finds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver

from tests.browser.looking import NARROW, WIDE, keep_whole, prefer, problems, resize
from tests.crawl import crawl, name_of
from tests.whole_village import WholeVillage

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def whole(live_server: LiveServer, settings: Settings) -> WholeVillage:
    settings.CHAIN_ID = 31_337
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    settings.PUBLIC_URL = live_server.url
    cache.clear()
    return WholeVillage.found()


def pages(whole: WholeVillage) -> dict[str, str]:
    """One path a view and query, by what its picture is called."""
    found: dict[str, str] = {}
    for path, answer in sorted(crawl(Client(), begin=["/", *whole.links()]).items()):
        is_ours = not path.startswith("/api/docs/")  # Swagger's page is not ours to mend
        if is_ours and answer.headers.get("Content-Type", "").startswith("text/html"):
            query = urlsplit(path).query
            shown = query if query.startswith("span=") else ""
            name = name_of(path) if answer.status_code != HTTPStatus.NOT_FOUND else "missing"
            found.setdefault(f"{name}-{shown}".replace(":", "-").strip("-"), path)
    return found


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who reads: how wide their screen is, their language, and whether they like it dark."""

    width: int
    language: str
    is_dark: bool


VILLAGER = Reader(width=NARROW, language="en", is_dark=False)
FUNDER = Reader(width=WIDE, language="fr", is_dark=True)


@pytest.mark.slow
@pytest.mark.parametrize("reader", [VILLAGER, FUNDER], ids=["narrow", "wide"])
def test_every_page_can_be_read_and_used(
    browser: webdriver.Chrome,
    live_server: LiveServer,
    whole: WholeVillage,
    reader: Reader,
) -> None:
    width = reader.width
    prefer(browser, language=reader.language, is_dark=reader.is_dark)
    found = {}
    shown = pages(whole)
    for name, path in shown.items():
        resize(browser, width)
        browser.get(live_server.url + path)
        wrong = problems(browser, width=width)
        keep_whole(browser, f"{name}-{width}", width=width)
        if wrong:
            found[name] = wrong
    assert found == {}
    assert len(shown) > 15
