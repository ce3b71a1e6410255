"""The sandbox's token and price feed: as much as the product needs to meet on a dev chain."""

from __future__ import annotations

import pytest

from launcher.dev_accounts import DEV_ACCOUNTS
from tests.chain.deployed import NOBODY, Contract, deploy, sandbox_artifact
from tests.chain_node import ChainNode

AMINA, JUMA = (account.address for account in DEV_ACCOUNTS[6:8])


@pytest.fixture
def coin(node: ChainNode) -> Contract:
    return deploy(node, sandbox_artifact("SandboxToken"), "USD Coin", "USDC", 6)


@pytest.fixture
def feed(node: ChainNode) -> Contract:
    return deploy(node, sandbox_artifact("SandboxFeed"), "ETH / USD", 8, 2_500 * 10**8)


def test_a_coin_tells_what_it_is(coin: Contract) -> None:
    assert (coin.read("name"), coin.read("symbol"), coin.read("decimals")) == (
        "USD Coin",
        "USDC",
        6,
    )


def test_anybody_mints_and_sends_coins(coin: Contract) -> None:
    (event,) = coin.send("mint", AMINA, 100, sender=JUMA)
    assert event.values == {"sender": NOBODY, "receiver": AMINA, "value": 100}
    (event,) = coin.send("transfer", JUMA, 30, sender=AMINA)
    assert event.values == {"sender": AMINA, "receiver": JUMA, "value": 30}
    assert coin.read("balanceOf", AMINA) == 70
    assert coin.read("balanceOf", JUMA) == 30
    assert coin.read("totalSupply") == 100
    assert coin.refusal("transfer", JUMA, 71, sender=AMINA) == "not enough tokens"


def test_coins_are_sent_by_whom_they_were_approved_to(coin: Contract) -> None:
    coin.send("mint", AMINA, 100, sender=AMINA)
    coin.send("approve", JUMA, 60, sender=AMINA)
    coin.send("transferFrom", AMINA, JUMA, 50, sender=JUMA)
    assert coin.read("allowance", AMINA, JUMA) == 10
    assert coin.read("balanceOf", JUMA) == 50
    assert coin.refusal("transferFrom", AMINA, JUMA, 11, sender=JUMA) == ""


def test_a_feed_answers_as_of_its_last_round(feed: Contract) -> None:
    assert (feed.read("description"), feed.read("decimals")) == ("ETH / USD", 8)
    number, answer, started_at, updated_at, answered_in = feed.read("latestRoundData")
    assert (number, answer, answered_in) == (1, 2_500 * 10**8, 1)
    assert started_at == updated_at == int(feed.node.block()["timestamp"], 16)
    feed.send("set_answer", 2_400 * 10**8, sender=AMINA)
    now = int(feed.node.block()["timestamp"], 16)
    assert feed.read("latestRoundData") == (2, 2_400 * 10**8, now, now, 2)


def test_a_feed_is_set_to_an_old_round_or_a_senseless_price(feed: Contract) -> None:
    feed.send("set_round", -1, 1_700_000_000, sender=AMINA)
    assert feed.read("latestRoundData") == (2, -1, 1_700_000_000, 1_700_000_000, 2)
