"""An amount that was filled in reaches the code that a wallet scans, and is covered by it."""

from __future__ import annotations

import re
from fractions import Fraction
from html import unescape
from typing import Any

import pytest
import segno
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import SiteRate
from gateway.deposits import wanted
from gateway.deposits.wanted import Wanted
from tests.deposit_chain import DepositChain
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens.models import ChainAsset, Forwarder
from tokens.quotes import Quote

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def shown(client: Client, forwarder: Forwarder, amount: str) -> str:
    return text(client.get(f"/deposit/{forwarder.uid}/", {"amount": amount}))


def units_in(page: str, *, asset: str) -> int:
    found = re.search(rf"ethereum:{asset}@31337/transfer\?address=0x\w+&amp;uint256=(\d+)", page)
    assert found is not None
    return int(found[1])


def test_an_amount_goes_from_the_form_to_the_codes_of_each_token(
    client: Client, here: DepositChain
) -> None:
    page = text(client.get("/top-up/crypto/?code=KIS0001&amount=646.25"))
    assert 'value="646.25"' in page
    answer = client.post("/top-up/crypto/", {"code": "KIS0001", "amount": "646.25"})
    assert answer["Location"].endswith("/?amount=646.25")

    page = text(client.get(answer["Location"]))
    assert units_in(page, asset=here.deployed.dai.address) == 5 * 10**18
    assert units_in(page, asset=here.deployed.usdc.address) == 5 * 10**6
    assert "what is worth 646.25 KES now" in page
    assert re.search(r"5 <small>USDC</small>", page)


def test_the_code_to_scan_says_what_the_link_says(client: Client, here: DepositChain) -> None:
    page = shown(client, here.forwarder(), "646.25")
    links = re.findall(r'href="(ethereum:[^"]+)"', page)

    assert len(links) == 2
    for link in links:
        code = segno.make(unescape(link), error="m", micro=False)
        drawn = code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
        assert drawn in page


def test_what_does_not_come_out_even_is_rounded_up_to_six_decimals(
    client: Client, here: DepositChain
) -> None:
    page = shown(client, here.forwarder(), "100")

    assert units_in(page, asset=here.deployed.usdc.address) == 773_695  # 100 / 129.25 is .77369439
    assert units_in(page, asset=here.deployed.dai.address) == 773_695 * 10**12


def test_less_than_the_least_that_is_credited_asks_for_the_least(
    client: Client, here: DepositChain
) -> None:
    ChainAsset.objects.filter(code="USDC").update(dust_units=500_000)
    page = shown(client, here.forwarder(), "1")

    assert units_in(page, asset=here.deployed.usdc.address) == 500_000


@pytest.mark.parametrize("typed", ["0", "-5", "ten", "1e9", "1/2", '"><script>', "9" * 15])
def test_what_is_no_amount_is_refused_in_words(
    client: Client, here: DepositChain, typed: str
) -> None:
    page = shown(client, here.forwarder(), typed)
    assert "That is no amount" in page
    assert "uint256" not in page
    assert "<script>" not in page

    answer = client.post("/top-up/crypto/", {"code": "KIS0001", "amount": typed[:13]})
    assert answer.status_code == 422
    assert "Write the amount in figures" in answer.content.decode()


def test_native_money_carries_its_value_and_keeps_it_while_it_is_prepared(
    client: Client, here: DepositChain
) -> None:
    forwarder = here.forwarder()
    path = f"/deposit/{forwarder.uid}/?amount=129.25"
    assert client.post(path)["Location"] == path
    here.sweep()
    here.send_outbox()
    here.sweep()

    page = text(client.get(path))
    assert f'href="ethereum:{forwarder.address}@31337?value={10**18}"' in page


def test_a_donor_is_asked_in_dai(client: Client, here: DepositChain) -> None:
    page = shown(client, here.donors_forwarder(), "12.5")

    assert "what is worth 12.500 DAI now" in page
    assert units_in(page, asset=here.deployed.usdc.address) == 12_500_000


def test_without_a_rate_a_household_is_not_asked_for_an_amount(
    client: Client, here: DepositChain
) -> None:
    forwarder = here.forwarder()
    SiteRate.objects.all().delete()
    page = shown(client, forwarder, "100")

    assert "uint256" not in page
    assert "That is no amount" not in page


@given(
    amount_wei=st.integers(1, 10**27),
    rate=st.fractions(min_value=Fraction(1, 10**6), max_value=10**6),
    decimals=st.integers(0, 18),
)
def test_what_is_asked_for_is_always_worth_the_amount(
    amount_wei: int, rate: Fraction, decimals: int
) -> None:
    asset = ChainAsset(code="X", decimals=decimals)
    quote = Quote(
        asset="X",
        decimals=decimals,
        dai_per_asset=rate,
        quoted_at=None,
        expires_at=None,
        sources={},
    )
    asked = Wanted(amount="", currency="KES", amount_wei=amount_wei)
    units = asked.units_of(asset=asset, quote=quote)
    step = 10 ** max(decimals - wanted.WALLET_DECIMALS, 0)

    assert quote.worth_wei(units=units) >= amount_wei
    assert units % step == 0
    assert quote.worth_wei(units=units - step) <= amount_wei
