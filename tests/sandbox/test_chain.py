"""Sandbox money on a real chain: the same addresses each time, whatever ran before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from launcher.places import ROOT
from sandbox import chain
from tests.chain_node import ChainNode


def _balance(node: ChainNode, token: str, wallet: str) -> int:
    return int(node.call(to=token, data=chain.call_data("balanceOf(address)", wallet)), 16)


def _round(node: ChainNode, feed: str) -> tuple[int, int]:
    """Number and price of the feed's newest round."""
    words = node.call(to=feed, data=chain.call_data("latestRoundData()"))[2:]
    return int(words[:64], 16), int(words[64:128], 16)


def test_contracts_get_the_addresses_of_the_first_three_nonces(own_chain_node: ChainNode) -> None:
    found = chain.deploy(url=own_chain_node.url)

    deployer = own_chain_node.accounts[5].address
    assert list(found) == ["DAI", "USDC", "ETH/USD"]
    for nonce, address in enumerate(found.values()):
        assert address == chain.address_at(deployer=deployer, nonce=nonce)
        assert own_chain_node.code(address) != "0x"


def test_addresses_are_those_that_the_chain_gives(own_chain_node: ChainNode) -> None:
    sender = own_chain_node.accounts[4].address
    for nonce in range(3):
        sent = own_chain_node.send(sender=sender, data="0x600160005360016000f3")
        receipt = own_chain_node.receipt(sent)
        assert receipt is not None
        expected = chain.address_at(deployer=sender, nonce=nonce)
        assert receipt["contractAddress"] == expected.lower()


def test_people_hold_coins_and_the_feed_tells_a_price(own_chain_node: ChainNode) -> None:
    found = chain.deploy(url=own_chain_node.url)

    for account in own_chain_node.accounts[6:10]:
        assert _balance(own_chain_node, found["DAI"], account.address) == 10_000 * 10**18
        assert _balance(own_chain_node, found["USDC"], account.address) == 10_000 * 10**6
    assert _balance(own_chain_node, found["DAI"], own_chain_node.accounts[4].address) == 0
    assert _round(own_chain_node, found["ETH/USD"]) == (1, 2_500 * 10**8)


def test_running_it_again_changes_nothing_but_the_feeds_round(own_chain_node: ChainNode) -> None:
    first = chain.deploy(url=own_chain_node.url)
    spender, token = own_chain_node.accounts[6].address, first["DAI"]
    spend = chain.call_data("transfer(address,uint256)", own_chain_node.accounts[2].address, 5)
    own_chain_node.send(sender=spender, to=token, data=spend)

    again = chain.deploy(url=own_chain_node.url)

    assert again == first
    assert _balance(own_chain_node, token, spender) == 10_000 * 10**18 - 5
    assert _round(own_chain_node, first["ETH/USD"]) == (2, 2_500 * 10**8)
    assert own_chain_node.nonce(own_chain_node.accounts[5].address) == 3 + 8 + 1


def test_an_empty_wallet_is_filled_again(own_chain_node: ChainNode) -> None:
    token = chain.deploy(url=own_chain_node.url)["DAI"]
    spender = own_chain_node.accounts[6].address
    everything = chain.call_data(
        "transfer(address,uint256)", own_chain_node.accounts[2].address, 10_000 * 10**18
    )
    own_chain_node.send(sender=spender, to=token, data=everything)

    chain.deploy(url=own_chain_node.url)

    assert _balance(own_chain_node, token, spender) == 10_000 * 10**18


def test_a_run_that_broke_off_is_finished_by_the_next(own_chain_node: ChainNode) -> None:
    sender = own_chain_node.accounts[5].address
    own_chain_node.send(sender=sender, data=chain.DAI.init_code())

    found = chain.deploy(url=own_chain_node.url)

    assert all(own_chain_node.code(address) != "0x" for address in found.values())


def test_a_chain_that_mines_only_when_told_works_too(own_chain_node: ChainNode) -> None:
    own_chain_node.automine(is_on=False)

    found = chain.deploy(url=own_chain_node.url)

    assert _round(own_chain_node, found["ETH/USD"])[0] == 1


def test_an_account_that_did_something_else_is_refused(own_chain_node: ChainNode) -> None:
    own_chain_node.send(
        sender=own_chain_node.accounts[5].address, to=own_chain_node.accounts[4].address
    )

    with pytest.raises(chain.ChainError, match="has sent 1 transfers, yet DAI is not there"):
        chain.deploy(url=own_chain_node.url)


def test_the_command_prints_addresses(own_chain_node: ChainNode) -> None:
    command = [sys.executable, "-m", "sandbox.chain", "--rpc", own_chain_node.url]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert [line.split()[0] for line in done.stdout.splitlines()] == ["DAI", "USDC", "ETH/USD"]


def test_the_command_says_in_one_sentence_that_the_chain_is_away() -> None:
    command = [sys.executable, "-m", "sandbox.chain", "--rpc", "http://127.0.0.1:9"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("The chain does not answer eth_accounts: ConnectionError.")
    assert "Traceback" not in done.stderr
