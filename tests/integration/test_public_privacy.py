"""Nothing that anybody may read holds a phone, a name, an address, a log-in or a secret."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.http.response import HttpResponseBase
from django.test import Client
from pytest_django import Settings

from tests.crawl import crawl, name_of, names
from tests.whole_village import PUBLIC_NAME, WholeVillage
from tokens.models import Leaf, ShareCard

pytestmark = pytest.mark.django_db

CLOSED = {
    "api:households",
    "api:household",
    "api:charges",
    "api:deposit_address",
    "api:household_proof",
    "api:top_ups",
    "api:top_up",
}
"""These ask for an operator's token; test_api_problems shows that they do."""

BY_SECRET = {
    "checkout:pay",
    "donors:link",
    "donors:news",
    "deposits:deposit",
    "fiscal:receipt",
    "wallet:gift",
    "wallet:gift_csv",
    "wallet:csv",
    "wallet:first_wallet",
    "wallet:next_wallet",
    "wallet:household_wallet",
}
"""These open to whoever holds a link that nobody else was told, or logged in by one."""

ONLY_POST = {
    "wallet:leave",
    "wallet:claim",
    "wallet:cards",
    "wallet:gift_cards",
    "voting:sign",
    "checkout:end_plan",
    "checkout:end_gift_plan",
}


BEGIN = (
    "/",
    "/donate/kisima/crypto/",
    "/donor/link/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/nowhere/",
)
"""Where a stranger begins; crypto money is linked only where its chain is ready."""

NOT_THERE = ("/nowhere/", "/readyz")


@pytest.fixture
def whole(db: None, settings: Settings) -> WholeVillage:
    settings.CHAIN_ID = 31_337
    settings.EPOCH_SECONDS = 300
    settings.PUBLIC_URL = "http://testserver"
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    cache.clear()
    return WholeVillage.found()


def api_paths(whole: WholeVillage) -> list[str]:
    """Every answer of the API that needs no token."""
    site = f"/api/v1/sites/{whole.site.slug}"
    epoch = f"{site}/epochs/{whole.epoch().number}"
    gifts = Leaf.objects.filter(kind=Leaf.Kind.DONATION)
    return [
        "/api/schema/",
        "/api/docs/",
        "/api/v1/sites/",
        f"{site}/",
        *(f"{site}/{part}/" for part in ("prices", "readings", "plant", "payouts", "rounds")),
        *(f"{site}/rounds/{number}/" for number in (1, 2, 3)),
        *(f"{site}/rounds/{number}/ballots/" for number in (1,)),
        *(f"{site}/{part}/" for part in ("contracts", "epochs")),
        f"{epoch}/",
        f"{epoch}/dataset/",
        *(f"/api/v1/leaves/{leaf.key}/proof/" for leaf in gifts),
    ]


@pytest.fixture
def everything(whole: WholeVillage) -> dict[str, HttpResponseBase]:
    """What a stranger can reach, in English and in French."""
    proofs = [f"/proof/{leaf.key}/" for leaf in Leaf.objects.filter(kind=Leaf.Kind.DONATION)]
    cards = [f"/donor/card/{card.key}/" for card in ShareCard.objects.all()]
    begin = [*BEGIN, *proofs, *cards, *api_paths(whole)]
    found: dict[str, HttpResponseBase] = {}
    for language in ("en", "fr"):
        client = Client(headers={"Accept-Language": language})
        pages = crawl(client, begin=begin)
        found |= {f"{language} {path}": response for path, response in pages.items()}
    return found


def private_things(whole: WholeVillage, told: str) -> list[str]:
    """What of the village's secrets stands in a text; a number only where it stands alone."""
    text = told.casefold()
    return [
        what
        for what, secret in whole.secrets.items()
        if secret.casefold() in text
        and (not secret.isdigit() or re.search(rf"(?<![0-9a-f]){secret}(?![0-9a-f])", text))
    ]


def test_the_search_finds_what_it_looks_for(whole: WholeVillage) -> None:
    for what, secret in whole.secrets.items():
        assert what in private_things(whole, f"<p>{secret.upper()}</p>")
    assert private_things(whole, "<p>Kisima used 12.5 kWh</p>") == []


def test_a_stranger_reads_no_phone_name_address_or_secret(
    whole: WholeVillage, everything: dict[str, HttpResponseBase]
) -> None:
    leaks = []
    for path, response in everything.items():
        told = f"{response.headers}\n{response.getvalue().decode(errors='replace')}"
        leaks += [f"{what} on {path}" for what in private_things(whole, told)]
    assert leaks == []
    assert len(whole.secrets) > 40


def test_no_page_was_left_out(everything: dict[str, HttpResponseBase]) -> None:
    answered = {
        name_of(path.split(" ", 1)[1])
        for path, response in everything.items()
        if response.status_code == 200
    }
    assert names() - answered - CLOSED - BY_SECRET - ONLY_POST == set()


def test_no_link_leads_nowhere(everything: dict[str, HttpResponseBase]) -> None:
    lost = {
        path: response.status_code
        for path, response in everything.items()
        if response.status_code not in (200, 301, 302) and not path.endswith(NOT_THERE)
    }
    assert lost == {}


def test_what_a_donor_wants_shown_is_shown(everything: dict[str, HttpResponseBase]) -> None:
    shown = [path for path, page in everything.items() if PUBLIC_NAME.encode() in page.getvalue()]
    assert shown
