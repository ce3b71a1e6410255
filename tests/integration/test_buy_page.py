"""The public page of buying: estimates both ways, the ways of the country, a code to print."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Rail
from tests.integration.test_pages import Page
from tests.living_village import LivingVillage, live, neighbour
from tokens.models import ChainAsset, Contract

pytestmark = pytest.mark.django_db

PATH = "/sites/kisima/buy/"
BUDGET_BYTES = 100_000


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.PUBLIC_URL = "https://solar.example.org"
    settings.CHAIN_RPC_URL = ""
    with translation.override("en"):
        yield


@pytest.fixture
def kisima() -> LivingVillage:
    """The price now is 0.37 DAI: 47.8225 KES per kWh."""
    return live(now=timezone.now())


def _page(query: str = "", path: str = PATH, **headers: str) -> Page:
    answer = Client(headers=headers).get(path + query)
    assert answer.status_code == 200
    return Page(answer.content.decode())


def test_money_is_told_in_kwh_at_the_price_now(kisima: LivingVillage) -> None:
    text = _page("?amount=500").text

    assert "47.82 KES per kWh" in text
    assert "500.00 KES ≈ 10.455 kWh" in text


def test_energy_is_told_in_money_rounded_up_so_that_it_is_covered(kisima: LivingVillage) -> None:
    assert "478.23 KES ≈ 10.000 kWh" in _page("?kwh=10").text
    assert "71.74 KES ≈ 1.500 kWh" in _page("?kwh=1,5").text


@pytest.mark.parametrize("typed", ["-5", "0", "ten", "1e9", "1/2", "٣", "NaN", "9" * 12])
def test_what_is_no_amount_is_refused_in_words(kisima: LivingVillage, typed: str) -> None:
    text = _page(f"?amount={typed}").text

    assert "Write the amount or the energy in figures" in text
    assert "What it buys" not in text


@pytest.mark.parametrize(("typed", "is_wrong"), [("9.99", True), ("10", False), ("150001", True)])
def test_an_amount_that_a_way_does_not_take_is_marked_with_what_it_takes(
    kisima: LivingVillage, typed: str, is_wrong: bool
) -> None:
    page = _page(f"?amount={typed}")
    marked = [told for _, told in page.attributes if told.get("class") == "wrong"]

    assert "From 10.00 to 150,000.00 KES at once." in page.text
    assert len(marked) == int(is_wrong)


def test_phone_and_paybill_are_told_with_number_and_account(kisima: LivingVillage) -> None:
    text = _page("?code=kis%200001").text

    assert "*384*4826#" in text
    assert "TOPUP" in text
    assert "Business number 174379 , account KIS0001" in text
    assert "Pay by card" not in text
    assert "Pay in crypto money" not in text


def test_a_card_page_gets_code_and_amount_and_fills_them_in(kisima: LivingVillage) -> None:
    rail = Rail.objects.create(
        operator=kisima.village.operator,
        provider="stripe",
        code="stripe",
        merchant_account="acct_1",
        currency="KES",
        min_top_up_minor=1_000,
        max_top_up_minor=10_000_000,
    )
    kisima.site.rails.add(rail)
    address = "/top-up/?code=KIS0001&amount=478.23"

    assert address in _page("?code=KIS0001&kwh=10").addresses
    form = Client().get(address).content.decode()
    assert 'value="KIS0001"' in form
    assert 'value="478.23"' in form


def test_crypto_money_is_offered_once_the_form_behind_it_can_take_some(
    kisima: LivingVillage, settings: Settings
) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:1"
    kisima.village.operator.crypto_licence = "VASP 7"
    kisima.village.operator.save()
    assert "Pay in crypto money" not in _page().text
    kinds = (Contract.Kind.TOKEN, Contract.Kind.FACTORY)
    for number, kind in enumerate(kinds, start=1):
        Contract.objects.create(
            chain_id=settings.CHAIN_ID,
            kind=kind,
            site=kisima.village.site if kind == Contract.Kind.TOKEN else None,
            address=f"0x{number:040x}",
            block_number=1,
            deployed_at=kisima.at,
        )
    assert "Pay in crypto money" not in _page().text
    ChainAsset.objects.create(
        chain_id=settings.CHAIN_ID, code="XDAI", address="", pricing=ChainAsset.Pricing.PAR
    )
    assert "/top-up/crypto/?code=KIS0001" in _page("?code=KIS0001").addresses
    # As a card page does: 10 kWh are 478.23 shillings.
    assert "/top-up/crypto/?code=KIS0001&amount=478.23" in _page("?code=KIS0001&kwh=10").addresses

    kisima.village.operator.crypto_licence = ""
    kisima.village.operator.save()
    assert "Pay in crypto money" not in _page().text


def test_a_site_without_ways_price_or_rate_says_so(kisima: LivingVillage) -> None:
    neighbour(at=kisima.at)
    text = _page("?amount=5", path="/sites/lofe/buy/").text

    assert "no price published yet" in text
    assert "Nothing can be paid from here yet." in text


def test_a_code_that_exists_is_answered_like_one_that_does_not(kisima: LivingVillage) -> None:
    known, unknown = (_page(f"?code={code}&amount=5").text for code in ("KIS0001", "KIS9999"))

    assert known.replace("KIS0001", "KIS9999") == unknown


def test_the_printed_code_carries_the_household_and_nothing_is_reflected_raw(
    kisima: LivingVillage,
) -> None:
    answer = Client().get(PATH, {"code": "KIS0001"})
    attack = Client().get(PATH, {"code": '"><script>', "amount": '"><script>'})

    assert "https://solar.example.org/sites/kisima/buy/?code=KIS0001" in answer.content.decode()
    assert "<script>" not in attack.content.decode()
    assert answer["Referrer-Policy"] == "same-origin"


def test_the_page_is_small_zipped_and_kept_by_the_reader_only(
    kisima: LivingVillage, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(10):
        answer = Client(headers={"Accept-Encoding": "gzip"}).get(PATH + "?code=KIS0001&kwh=1")

    assert answer["Content-Encoding"] == "gzip"
    assert answer["ETag"]
    assert "private" in answer["Cache-Control"]
    assert len(answer.content) < BUDGET_BYTES


def test_the_page_speaks_french(kisima: LivingVillage) -> None:
    text = _page("?kwh=10", **{"Accept-Language": "fr"}).text

    assert "Acheter de l'électricité à Kisima" in text
    assert "478,23 KES ≈ 10,000 kWh" in text
    assert "RECHARGE" in text
    assert re.search(r"De 10,00 à 150\s000,00 KES à la fois\.", text)
    assert "Ways to pay" not in text


def test_an_unknown_site_is_not_found(kisima: LivingVillage) -> None:
    assert Client().get("/sites/nowhere/buy/").status_code == 404
