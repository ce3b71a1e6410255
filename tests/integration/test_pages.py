"""The public pages: whole without a script, honest about age and gaps, silent about persons."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from accounts.models import Site
from accounts.money import decimal_string
from settlement.models import Charge
from tests.living_village import (
    LivingVillage,
    live,
    neighbour,
)

pytestmark = pytest.mark.django_db

BUDGET_BYTES = 100_000
VOID = {"meta", "link", "img", "br", "input", "path"}


class Page(HTMLParser):
    """Counts elements, keeps ids, text and addresses; fails on tags that don't close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.attributes.append((tag, found))
        self.ids += [str(found["id"])] if "id" in found else []
        self.addresses += [str(found[name]) for name in ("href", "src") if name in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.attributes)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A request leaves its language behind on the thread."""
    with translation.override("en"):
        yield


@pytest.fixture
def kisima(db: None) -> LivingVillage:
    return live(now=timezone.now())


def _page(path: str, **headers: str) -> Page:
    response = Client(headers=headers).get(path)
    assert response.status_code == 200
    return Page(response.content.decode())


def test_the_first_page_lists_every_open_site_with_its_price(kisima: LivingVillage) -> None:
    neighbour(at=kisima.at)

    page = _page("/")

    assert "Kisima" in page.text
    assert "47.82 KES per kWh" in page.text  # 0.37 DAI at 129.25
    assert "Lofé" in page.text
    assert "no price published yet" in page.text
    assert "/sites/kisima/" in page.addresses


def test_the_first_page_tells_the_last_24_hours_of_each_site(kisima: LivingVillage) -> None:
    neighbour(at=kisima.at)
    page = _page("/")

    # 3,000 ticks but for the last two hours, in which it rose by 100 each quarter: 3,029 and, for
    # as long as the last one held since, up to 8 more.
    assert re.search(r"Average price of 24 h 39\.[12]\d KES per kWh", page.text)
    assert "Battery 47 %" in page.text
    assert "Produced in 24 h 4.00 kWh" in page.text
    assert "Used in 24 h 1.68 kWh" in page.text
    gauge = dict(page.attributes)["meter"]
    assert (gauge["min"], gauge["max"], gauge["value"]) == ("0", "100", "47")
    assert gauge["aria-label"] == "Battery"
    assert page.text.count("not known yet") == 2  # of the other site
    assert "shown when 5 meters or more have reported" in page.text


def test_the_first_page_speaks_french(kisima: LivingVillage) -> None:
    text = _page("/", **{"accept-language": "fr"}).text

    for words in ("Prix moyen sur 24 h", "Batterie 47 %", "KES par kWh"):
        assert words in text
    assert "Average" not in text


def test_the_first_page_withholds_the_use_of_few_households(db: None) -> None:
    live(now=timezone.now(), households=4)

    assert "shown when 5 meters or more have reported" in _page("/").text
    assert "Used in 24 h 0" not in _page("/").text


def test_the_first_page_polls_and_answers_not_modified(
    kisima: LivingVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: at)
    answer = Client().get("/")
    assert 'data-poll-seconds="60"' in answer.content.decode()
    assert "dashboard/live.js" in answer.content.decode()
    assert Client().get("/", headers={"if-none-match": answer["ETag"]}).status_code == 304


def test_the_first_page_without_a_site_says_so(db: None) -> None:
    assert "No site is open yet." in _page("/").text


def test_a_site_tells_price_energy_money_and_impact_with_units(kisima: LivingVillage) -> None:
    text = _page("/sites/kisima/").text

    assert "47.82 KES per kWh" in text
    assert "0.3700 DAI per kWh" in text
    assert "47 %" in text  # the battery's last slot
    assert "Produced in 24 h 4.00 kWh" in text
    assert "Used in 24 h 1.68 kWh" in text
    assert "Energy settled so far 1.68 kWh" in text
    assert "Impact tokens minted 1.6800 IT" in text
    paid = sum(charge.amount_wei for charge in Charge.objects.all())
    rounded = decimal_string(amount=(paid + 5 * 10**13) // 10**14, decimals=4)
    assert f"Collected so far {_kes(paid)} {rounded}" in text
    assert "1 DAI = 129.25 KES" in text
    assert "min ago" in text


def _kes(amount_wei: int) -> str:
    cents = Fraction(amount_wei, 10**18) * Fraction("129.25") * 100
    return decimal_string(amount=int(cents + Fraction(1, 2)), decimals=2)


def test_every_chart_has_words_and_a_table_beside_it(kisima: LivingVillage) -> None:
    page = _page("/sites/kisima/")

    drawings = [attributes for tag, attributes in page.attributes if tag == "svg"]
    assert len(drawings) == 4
    assert all(drawing["role"] == "img" for drawing in drawings)
    for drawing in drawings:
        for label in str(drawing["aria-labelledby"]).split():
            assert label in page.ids
    assert page.count("details") == 4
    assert len(page.ids) == len(set(page.ids))
    assert page.count("caption") == 4
    assert "0.210" in page.text  # kWh of six households in the last quarter of an hour


def test_nothing_on_a_page_comes_from_elsewhere_or_needs_a_script(kisima: LivingVillage) -> None:
    for path in ("/", "/sites/kisima/"):
        response = Client().get(path)
        page = Page(response.content.decode())
        assert all(address.startswith(("/", "#")) for address in page.addresses)
        assert not any("style" in attributes for _, attributes in page.attributes)
        assert not any(
            name.startswith("on") for _, attributes in page.attributes for name in attributes
        )
        scripts = [attributes for tag, attributes in page.attributes if tag == "script"]
        assert all(script.get("src") for script in scripts)
        assert "'unsafe" not in response["Content-Security-Policy"]


def test_a_page_tells_nothing_of_a_single_household(kisima: LivingVillage) -> None:
    content = Client().get("/sites/kisima/").content.decode()

    for secret in ("KIS0", "SM0", "+254", "254711"):
        assert secret not in content


def test_use_is_withheld_where_few_households_live(db: None) -> None:
    live(now=timezone.now(), households=3)

    page = _page("/sites/kisima/")

    assert "shown when 5 meters or more have reported" in page.text
    assert page.count("svg") == 3


def test_a_new_site_without_anything_is_whole(kisima: LivingVillage) -> None:
    neighbour(at=kisima.at)

    text = _page("/sites/lofe/").text

    assert "no price published yet" in text
    assert "not known yet" in text
    assert "Nothing is known of the last 24 hours." in text


def test_a_page_with_everything_on_it_stays_small(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = timezone.now()
    live(now=at, slots=96)
    # Ages are on the page: both readers look at the same instant.
    monkeypatch.setattr(timezone, "now", lambda: at)

    plain = Client().get("/sites/kisima/")
    packed = Client(headers={"accept-encoding": "gzip"}).get("/sites/kisima/")

    assets = Path(project.BASE_DIR) / "dashboard" / "static" / "dashboard"
    whole = len(packed.content) + sum(
        len(gzip.compress(file.read_bytes())) for file in assets.iterdir()
    )
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert whole < BUDGET_BYTES
    assert plain.content.decode().count("<tr>") > 4 * 96


def test_a_page_answers_not_modified_until_something_changes(
    kisima: LivingVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: at)
    client = Client(headers={"accept-encoding": "gzip"})
    etag = client.get("/sites/kisima/")["ETag"]

    same = client.get("/sites/kisima/", headers={"if-none-match": etag})
    assert same.status_code == 304
    kisima.village.price(ticks=2_345, starts_at=at - timedelta(seconds=1))
    changed = client.get("/sites/kisima/", headers={"if-none-match": etag})
    assert changed.status_code == 200


def test_a_second_look_takes_few_queries_and_a_first_one_not_many(
    kisima: LivingVillage, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(20):
        _page("/sites/kisima/")
    with django_assert_max_num_queries(15):
        _page("/sites/kisima/")


def test_the_list_takes_as_many_queries_for_one_site_as_for_many(
    kisima: LivingVillage, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(10):
        _page("/")
    neighbour(at=kisima.at)
    with django_assert_num_queries(10):
        _page("/")


@pytest.mark.parametrize("path", ["/sites/nowhere/", "/sites/kisima/", "/nothing/here"])
def test_what_does_not_exist_gets_a_friendly_page(kisima: LivingVillage, path: str) -> None:
    Site.objects.filter(slug="kisima").update(closed_at=kisima.at)

    response = Client().get(path)

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_a_fault_gets_a_plain_page(kisima: LivingVillage) -> None:
    Site.objects.create(
        operator=kisima.village.operator,
        slug="broken",
        name="Broken",
        country="KE",
        currency="KES",
        time_zone="Africa/Nairobi",
        created_at=kisima.at,
    )

    response = Client(raise_request_exception=False).get("/sites/broken/")

    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()


def test_pages_are_shown_without_the_cache(kisima: LivingVillage, settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
        }
    }

    assert "Kisima" in _page("/sites/kisima/").text


def test_french_readers_get_french(kisima: LivingVillage) -> None:
    page = _page("/sites/kisima/", **{"accept-language": "fr"})

    assert "Prix actuel" in page.text
    assert "47,82" in page.text
    assert ("html", {"lang": "fr"}) in page.attributes
