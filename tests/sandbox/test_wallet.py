"""The people's wallets on the development chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from werkzeug.test import Client

from sandbox import chain as sandbox_chain
from sandbox.app import create_sandbox
from tests.chain_node import ChainNode, chain_node

__all__ = ["chain_node"]

SOMEBODY = "0x00000000000000000000000000000000000000AA"


@pytest.fixture(scope="module")
def contracts(chain_node: ChainNode) -> dict[str, str]:
    return sandbox_chain.deploy(url=chain_node.url)


@pytest.fixture
def wallets(chain_node: ChainNode, contracts: dict[str, str], tmp_path: Path) -> Iterator[Client]:
    sandbox = create_sandbox(
        product_url="http://127.0.0.1:9",
        state_path=tmp_path / "state.sqlite3",
        chain_url=chain_node.url,
    )
    yield Client(sandbox.wsgi_app)
    sandbox.stop()


def people(wallets: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] | None = wallets.get("/wallet/accounts").json
    assert found is not None
    return found


def person(wallets: Client) -> dict[str, Any]:
    return people(wallets)[0]


def posted(wallets: Client, path: str, body: dict[str, str]) -> tuple[int, dict[str, str]]:
    answer = wallets.post(path, json=body)
    assert answer.json is not None
    return answer.status_code, answer.json


def test_four_people_hold_coins(wallets: Client, chain_node: ChainNode) -> None:
    answer = people(wallets)
    assert [each["address"] for each in answer] == [
        chain_node.accounts[number].address for number in (6, 7, 8, 9)
    ]
    assert answer[3]["amounts"]["DAI"] == answer[3]["amounts"]["USDC"] == "10000"


def test_tokens_are_sent_in_their_own_decimals(
    wallets: Client, chain_node: ChainNode, contracts: dict[str, str]
) -> None:
    sender = person(wallets)["address"]
    for asset, units in (("DAI", 1_250 * 10**15), ("USDC", 1_250_000)):
        status, told = posted(
            wallets,
            f"/wallet/{sender}/send",
            {"to": SOMEBODY, "asset": asset, "amount": "1.25"},
        )
        assert status == 200
        receipt = chain_node.receipt(told["hash"])
        assert receipt is not None
        assert int(receipt["logs"][0]["data"], 16) == units
        assert receipt["to"] == contracts[asset].lower()


@pytest.mark.parametrize("asset", ["NATIVE", "ETH", "xdai"])
def test_the_chains_own_money_is_sent(wallets: Client, chain_node: ChainNode, asset: str) -> None:
    before = chain_node.balance(SOMEBODY)
    wallets.post(
        f"/wallet/{person(wallets)['address']}/send",
        json={"to": SOMEBODY, "asset": asset, "amount": "0.5"},
    )
    assert chain_node.balance(SOMEBODY) - before == 5 * 10**17


def test_a_message_is_signed_as_wallets_do(wallets: Client) -> None:
    address = person(wallets)["address"]
    _, told = posted(wallets, f"/wallet/{address.lower()}/sign", {"message": "Solar é"})
    assert (
        Account.recover_message(encode_defunct(text="Solar é"), signature=told["signature"])
        == address
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"to": "0x12", "asset": "DAI", "amount": "1"}, "no address"),
        ({"to": SOMEBODY, "asset": "GOLD", "amount": "1"}, "none of"),
        ({"to": SOMEBODY, "asset": "USDC", "amount": "1.1234567"}, "at most 6 decimals"),
        ({"to": SOMEBODY, "asset": "DAI", "amount": "-1"}, "no amount"),
        ({"to": SOMEBODY, "asset": "DAI", "amount": "0"}, "nothing"),
        ({"to": SOMEBODY, "asset": "DAI"}, "amount is missing"),
        ({"asset": "DAI", "amount": "1"}, "to is missing"),
    ],
)
def test_bad_wishes_are_refused(wallets: Client, body: dict[str, str], said: str) -> None:
    status, told = posted(wallets, f"/wallet/{person(wallets)['address']}/send", body)
    assert status == 400
    assert said in told["error"]


def test_more_than_a_wallet_holds_is_refused_by_the_chain(wallets: Client) -> None:
    answer = wallets.post(
        f"/wallet/{person(wallets)['address']}/send",
        json={"to": SOMEBODY, "asset": "NATIVE", "amount": "99999999999"},
    )
    assert answer.status_code == 422


def test_other_peoples_wallets_are_not_here(wallets: Client) -> None:
    for path in (f"/wallet/{SOMEBODY}/send", f"/wallet/{SOMEBODY}/sign"):
        assert wallets.post(path, json={"message": "x"}).status_code == 404


def test_without_a_chain_there_are_no_wallets(tmp_path: Path) -> None:
    sandbox = create_sandbox(
        product_url="http://127.0.0.1:9", state_path=tmp_path / "state.sqlite3"
    )
    assert Client(sandbox.wsgi_app).get("/wallet/accounts").status_code == 503
    sandbox.stop()
