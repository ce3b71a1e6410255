"""Pages of crypto money, as a browser without scripts meets them; no node is asked by them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from accounts.models import Operator, User
from gateway.deposits import offers
from tests.deposit_chain import WEI, DepositChain, rival
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens.chain import feeds, forwarders, rpc
from tokens.models import ChainAsset, Deposit, Forwarder

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_node(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note whoever asks a node in a request."""
    asked: list[str] = []
    original = Client.request

    def request(self: Client, **fields: Any) -> Any:
        with monkeypatch.context() as during:
            during.setattr(rpc.Node, "ask", lambda _node, method, _params: asked.append(method))
            answer = original(self, **fields)
        assert asked == []
        return answer

    monkeypatch.setattr(Client, "request", request)
    return asked


def text(answer: Any) -> str:
    return str(answer.content.decode())


def page_of(forwarder: Forwarder) -> str:
    return f"/deposit/{forwarder.uid}/"


def donated(client: Client) -> HttpResponseBase:
    page = text(client.get("/donate/kisima/crypto/"))
    nonce = re.search(r'name="nonce" value="([^"]+)"', page)
    assert nonce, page
    fields = {"nonce": nonce[1], "name": "Ada", "email": "ada@example.org"}
    first, again = (client.post("/donate/kisima/crypto/", fields) for _ in range(2))
    assert first["Location"] == again["Location"]
    return first


def test_a_code_leads_to_the_households_address(client: Client, here: DepositChain) -> None:
    assert "/top-up/crypto/" in text(client.get("/top-up/"))
    answer = client.post("/top-up/crypto/", {"code": " kis 0001"})
    forwarder = Forwarder.objects.get()
    assert answer["Location"] == page_of(forwarder)
    assert forwarder.household == here.household
    again = client.post("/top-up/crypto/", {"code": "KIS0001"})
    assert again["Location"] == answer["Location"]


def test_a_donor_gets_an_address_once_a_form(client: Client, here: DepositChain) -> None:
    assert "/donate/kisima/crypto/" in text(client.get("/donate/kisima/"))
    answer = donated(client)
    forwarder = Forwarder.objects.get()
    assert answer["Location"] == page_of(forwarder)
    assert forwarder.donor is not None
    assert forwarder.donor.contact.email == "ada@example.org"


@pytest.mark.parametrize(("code", "said"), [("KIS9999", "no household"), ("", "required")])
def test_bad_codes_say_what_to_do(client: Client, here: DepositChain, code: str, said: str) -> None:
    answer = client.post("/top-up/crypto/", {"code": code})
    assert answer.status_code == 422
    assert said in text(answer)
    assert not Forwarder.objects.exists()


def test_without_a_licence_no_address_is_given(client: Client, here: DepositChain) -> None:
    forwarder = here.forwarder()
    Operator.objects.update(crypto_licence="")
    assert "takes no crypto money" in text(client.post("/top-up/crypto/", {"code": "KIS0001"}))
    assert "takes no crypto money" in text(client.get("/donate/kisima/crypto/"))
    assert "/donate/kisima/crypto/" not in text(client.get("/donate/kisima/"))
    page = text(client.get(page_of(forwarder)))
    assert "What was sent before is not lost" in page
    assert forwarder.address not in page


def test_the_page_offers_each_asset_with_code_address_and_worth(
    client: Client, here: DepositChain
) -> None:
    ChainAsset.objects.filter(code="USDC").update(dust_units=500_000)
    forwarder = here.forwarder()
    page = text(client.get(page_of(forwarder)))
    usdc = here.deployed.usdc.address
    assert f"ethereum:{usdc}@31337/transfer?address={forwarder.address}" in page
    assert page.count("<svg") == 2
    assert "1 USDC = 1.0000" in page
    assert "= 129.25" in page
    assert "At least 0.5 USDC" in page
    assert "One DAI always counts as one DAI" in page
    assert 'http-equiv="refresh" content="10"' in page
    assert page.count("<script") == page.count("dashboard/live.js") == 1


def test_native_money_is_offered_when_it_was_prepared(client: Client, here: DepositChain) -> None:
    forwarder = here.forwarder()
    path = page_of(forwarder)
    assert "Prepare for XDAI" in text(client.get(path))
    assert client.post(path).status_code == 302
    page = text(client.get(path))
    assert "is being prepared" in page
    assert f"ethereum:{forwarder.address}@31337" not in page
    here.sweep()
    here.send_outbox()
    here.sweep()
    assert f'href="ethereum:{forwarder.address}@31337"' in text(client.get(path))


def test_too_many_donors_a_day_are_told(
    client: Client, here: DepositChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarders, "MOST_DONORS_DEPLOYED_A_DAY", 0)
    page = text(client.post(page_of(here.donors_forwarder())))
    assert "Too many such addresses" in page


def test_what_came_is_told_from_seen_to_credited(client: Client, here: DepositChain) -> None:
    forwarder = here.forwarder()
    path = page_of(forwarder)
    here.settle()
    assert "Nothing yet" in text(client.get(path))
    receipt = here.pay(forwarder, 5 * WEI)
    here.watch()
    page = text(client.get(path))
    assert "5 DAI" in page
    assert re.search(r"seen, final in \d+ blocks?", page)
    assert receipt["transactionHash"] in page
    here.settle()
    page = text(client.get(path))
    assert "credited" in page
    assert "5.0000" in page
    assert "646.25" in page
    assert "http-equiv" not in page


def test_what_a_person_has_to_look_at_is_not_lost(client: Client, here: DepositChain) -> None:
    ChainAsset.objects.filter(code="DAI").update(dust_units=WEI)
    here.pay(here.forwarder(), 1)
    here.watch()
    page = text(client.get(page_of(here.forwarder())))
    assert "&lt;0.000001 DAI" in page
    assert "a person has to look at it" in page
    Deposit.objects.update(state="dismissed")
    assert "ask the operator" in text(client.get(page_of(here.forwarder())))


def test_a_price_is_shown_with_its_age_or_not_at_all(client: Client, here: DepositChain) -> None:
    here.ether(haircut_basis_points=50)
    here.deployed.feed.send("set_answer", 2_000 * 10**8, sender=here.payer)
    forwarder = here.donors_forwarder()
    path = page_of(forwarder)
    assert "The exchange rate is not known now" in text(client.get(path))
    feeds.refresh(chain=here.chain, at=timezone.now())
    page = text(client.get(path))
    assert "1 ETH = 1,990.00" in page
    assert "less 0.50 %" in page
    assert "Market rate of" in page


def test_the_page_speaks_french(client: Client, here: DepositChain) -> None:
    forwarder = here.forwarder()
    here.pay(forwarder, 5 * WEI)
    here.watch()
    page = text(client.get(page_of(forwarder), headers={"accept-language": "fr"}))
    assert "Ce qui est arrivé" in page
    assert "vu, définitif dans" in page
    assert "Uniquement sur la chaîne de développement" in page
    assert "Ouvrir dans un portefeuille" in page
    for path in ("/top-up/crypto/", "/donate/kisima/crypto/"):
        assert "Afficher l’adresse" in text(client.get(path, headers={"accept-language": "fr"}))


def test_unknown_addresses_are_no_pages(client: Client, here: DepositChain) -> None:
    assert client.get("/deposit/00000000-0000-4000-8000-000000000000/").status_code == 404
    assert client.get("/donate/nowhere/crypto/").status_code == 404


def test_the_page_is_kept_by_nobody(client: Client, here: DepositChain) -> None:
    answer = client.get(page_of(here.forwarder()))
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"


def test_a_forged_wish_for_native_money_is_refused(here: DepositChain) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(page_of(here.forwarder())).status_code == 403


@pytest.mark.parametrize(
    ("units", "decimals", "told"),
    [(1, 18, "<0.000001"), (10**18, 18, "1"), (1_500_000, 6, "1.5"), (0, 6, "0"), (7, 0, "7")],
)
def test_amounts_are_never_shown_as_nothing(units: int, decimals: int, told: str) -> None:
    assert offers.units_text(units, decimals=decimals) == told


class TestApi:
    """`/api/v1/households/<code>/deposit-address/`."""

    PATH = "/api/v1/households/KIS0001/deposit-address/"

    def _staff(self, here: DepositChain) -> dict[str, str]:
        user = User.objects.create_user("staff", is_staff=True, operator=here.village.operator)
        return {"authorization": f"Token {Token.objects.create(user=user).key}"}

    def test_staff_get_the_address_with_what_may_be_sent_and_what_came(
        self, client: Client, here: DepositChain
    ) -> None:
        staff = self._staff(here)
        first = client.get(self.PATH, headers=staff).json()
        forwarder = Forwarder.objects.get()
        assert first["address"] == forwarder.address
        assert first["page"].endswith(page_of(forwarder))
        dai, usdc, native = first["assets"]
        assert dai["worth"] == {"amount": "1.000000000000000000", "asset": "DAI"}
        assert usdc["least"] == {"amount": "0.000001", "asset": "USDC"}
        assert (native["token"], native["is_ready"]) == (None, False)
        here.pay(forwarder, 5 * WEI)
        here.settle()
        again = client.get(self.PATH, headers=staff).json()
        assert again["address"] == first["address"]
        (deposit,) = again["deposits"]
        assert deposit["state"] == "credited"
        assert deposit["amount"] == {"amount": "5.000000000000000000", "asset": "DAI"}
        assert deposit["credited"] == {"amount": "5.000000000000000000", "asset": "DAI"}

    def test_others_get_nothing(self, client: Client, here: DepositChain) -> None:
        assert client.get(self.PATH).status_code == 401
        user = User.objects.create_user("x", is_staff=True, operator=rival(at=here.at))
        theirs = {"authorization": f"Token {Token.objects.create(user=user).key}"}
        assert client.get(self.PATH, headers=theirs).status_code == 404
        assert not Forwarder.objects.exists()

    def test_without_a_licence_it_says_so(self, client: Client, here: DepositChain) -> None:
        Operator.objects.update(crypto_licence="")
        answer = client.get(self.PATH, headers=self._staff(here))
        assert answer.status_code == 409
        assert "licence" in answer.json()["detail"]
