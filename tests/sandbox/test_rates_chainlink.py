"""The node and Chainlink's feed on it, read by web3.py as any program would read them."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import BadFunctionCallOutput, ContractLogicError

from sandbox.chainlink import FEED_ADDRESS
from tests.sandbox.conftest import MovableClock, StartSandbox

ROUND = [
    {"name": "roundId", "type": "uint80"},
    {"name": "answer", "type": "int256"},
    {"name": "startedAt", "type": "uint256"},
    {"name": "updatedAt", "type": "uint256"},
    {"name": "answeredInRound", "type": "uint80"},
]


def view(name: str, *outputs: dict[str, str], inputs: tuple[dict[str, str], ...] = ()) -> Any:
    return {
        "type": "function",
        "stateMutability": "view",
        "name": name,
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


# Chainlink's AggregatorV3Interface.
INTERFACE = [
    view("decimals", {"name": "", "type": "uint8"}),
    view("description", {"name": "", "type": "string"}),
    view("version", {"name": "", "type": "uint256"}),
    view("latestRoundData", *ROUND),
    view("getRoundData", *ROUND, inputs=({"name": "_roundId", "type": "uint80"},)),
]


def node(sandbox_url: str) -> Web3:
    return Web3(Web3.HTTPProvider(f"{sandbox_url}/chainlink"))


def feed(sandbox_url: str, address: str = FEED_ADDRESS) -> Contract:
    return node(sandbox_url).eth.contract(address=Web3.to_checksum_address(address), abi=INTERFACE)


def change(sandbox_url: str, **body: Any) -> dict[str, Any]:
    answer = requests.post(f"{sandbox_url}/chainlink/simulator/feed", json=body, timeout=5)
    assert answer.ok, answer.text
    state: dict[str, Any] = answer.json()
    return state


def ask(sandbox_url: str, body: Any) -> Any:
    """Post raw JSON (or text) to the node."""
    text = {"data": body} if isinstance(body, str) else {"json": body}
    answer = requests.post(f"{sandbox_url}/chainlink", timeout=5, **text)
    assert answer.status_code == 200
    return answer.json()


class TestFeed:
    """AggregatorV3Interface."""

    def test_web3_reads_the_feed(self, sandbox_url: str) -> None:
        functions = feed(sandbox_url).functions
        assert functions.description().call() == "DAI / USD"
        assert functions.decimals().call() == 8
        assert functions.version().call() == 4
        round_id, answer, started_at, updated_at, answered = functions.latestRoundData().call()
        assert answer == 99_990_000
        assert round_id == answered > 1 << 64
        assert started_at == updated_at
        assert 0 <= time.time() - updated_at < 3_605
        assert functions.getRoundData(round_id).call()[1] == answer

    def test_a_new_round_every_hour(self, start_sandbox: StartSandbox, clock: MovableClock) -> None:
        _, url = start_sandbox()
        before = feed(url).functions.latestRoundData().call()
        clock.move(seconds=3_600)
        after = feed(url).functions.latestRoundData().call()
        assert (after[0] - before[0], after[3] - before[3]) == (1, 3_600)

    def test_the_simulator_sets_every_word(self, sandbox_url: str) -> None:
        change(
            sandbox_url,
            answer=-5,
            decimals=18,
            description="ETH / USD",
            age_seconds=-60,
            round_id=7,
            answered_in_round=6,
        )
        functions = feed(sandbox_url).functions
        round_id, answer, _, updated_at, answered = functions.latestRoundData().call()
        assert (round_id, answer, answered) == (7, -5, 6)
        assert 55 <= updated_at - time.time() <= 60
        assert functions.decimals().call() == 18
        assert functions.description().call() == "ETH / USD"
        requests.delete(f"{sandbox_url}/chainlink/simulator/feed", timeout=5)
        assert functions.latestRoundData().call()[1] == 99_990_000

    def test_a_long_description_fills_several_words(self, sandbox_url: str) -> None:
        text = "DAI / USD, " + "é" * 40
        change(sandbox_url, description=text)
        assert feed(sandbox_url).functions.description().call() == text

    def test_the_contract_may_revert(self, sandbox_url: str) -> None:
        change(sandbox_url, is_reverting=True)
        with pytest.raises(ContractLogicError, match="No data present"):
            feed(sandbox_url).functions.latestRoundData().call()

    def test_an_old_round_is_not_kept(self, sandbox_url: str) -> None:
        with pytest.raises(ContractLogicError, match="No data present"):
            feed(sandbox_url).functions.getRoundData(1).call()

    def test_an_address_without_a_contract_answers_nothing(self, sandbox_url: str) -> None:
        with pytest.raises(BadFunctionCallOutput):
            feed(sandbox_url, "0x" + "00" * 19 + "01").functions.decimals().call()

    @pytest.mark.parametrize(
        "body", [{"answer": "1"}, {"answer": True}, {"decimals": None}, {"price": 1}]
    )
    def test_the_simulator_refuses_what_it_cannot_read(self, sandbox_url: str, body: Any) -> None:
        answer = requests.post(f"{sandbox_url}/chainlink/simulator/feed", json=body, timeout=5)
        assert answer.status_code == 400


class TestNode:
    """JSON-RPC 2.0."""

    def test_the_chain_has_a_number(self, sandbox_url: str) -> None:
        assert node(sandbox_url).eth.chain_id == 1
        assert node(sandbox_url).net.version == "1"
        change(sandbox_url, chain_id=100)
        assert node(sandbox_url).eth.chain_id == 100

    def test_code_and_blocks(self, sandbox_url: str) -> None:
        web3 = node(sandbox_url)
        assert web3.eth.block_number > 0
        assert web3.eth.get_code(Web3.to_checksum_address(FEED_ADDRESS)) != b""
        assert web3.eth.get_code(Web3.to_checksum_address("0x" + "00" * 20)) == b""

    def test_several_requests_at_once(self, sandbox_url: str) -> None:
        call = {"to": FEED_ADDRESS, "data": "0x313ce567"}
        answers = ask(
            sandbox_url,
            [
                {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []},
                {"jsonrpc": "2.0", "id": "b", "method": "eth_call", "params": [call, "latest"]},
                {"jsonrpc": "2.0", "id": 3, "method": "eth_mine"},
            ],
        )
        assert [answer["id"] for answer in answers] == [1, "b", 3]
        assert answers[0]["result"] == "0x1"
        assert int(answers[1]["result"], 16) == 8
        assert answers[2]["error"]["code"] == -32601

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("{", -32700),
            ("[" * 5_000, -32700),
            ("[]", -32600),
            ("7", -32600),
            ({"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"}, -32600),
            ({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": {}}, -32602),
            ({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": []}, -32602),
            (
                {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"to": "0x12"}]},
                -32602,
            ),
            (
                {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "eth_call",
                    "params": [{"to": FEED_ADDRESS, "data": "0xabc"}],
                },
                -32602,
            ),
            (
                {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "eth_call",
                    "params": [{"to": FEED_ADDRESS, "data": "0xffffffff"}],
                },
                -32000,
            ),
        ],
    )
    def test_what_is_wrong_is_an_error_object(self, sandbox_url: str, body: Any, code: int) -> None:
        assert ask(sandbox_url, body)["error"]["code"] == code

    def test_the_node_may_be_away(self, sandbox_url: str) -> None:
        path = f"{sandbox_url}/chainlink/simulator/faults"
        requests.post(path, json={"kind": "unavailable"}, timeout=5)
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        assert requests.post(f"{sandbox_url}/chainlink", json=body, timeout=5).status_code == 503
        assert ask(sandbox_url, body)["result"] == "0x1"
