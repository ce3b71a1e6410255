"""The client of a node: right answers of a real one, and every wrong one that a node can give."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.chain_node import ChainNode, chain_node, chained
from tests.lying_node import LyingNode, Refusal, lying_node
from tests.outbox_rig import GATE, REFUSER, address
from tokens.chain import client, rpc
from tokens.chain.client import (
    CallReverted,
    Chain,
    ChainLies,
    ChainUnavailable,
    NodeRefused,
    TransferRefused,
)

__all__ = ["chain_node", "chained"]

ME, OTHER = address(1), address(2)
HASHES = [f"0x{number:064x}" for number in range(10)]
# Emits one LOG1 with the topic 0x07 and no data: PUSH1 7 PUSH1 0 PUSH1 0 LOG1 STOP.
SPEAKER = "0x600760006000a100"
BLOCK = {"number": "0x5", "hash": HASHES[5], "parentHash": HASHES[4], "timestamp": "0x64"}
LOG = {
    "address": ME.lower(),
    "topics": [HASHES[7]],
    "data": "0xAB",
    "blockNumber": "0x5",
    "blockHash": HASHES[5],
    "transactionHash": HASHES[1],
    "logIndex": "0x0",
    "removed": False,
}
RECEIPT = {
    "transactionHash": HASHES[1],
    "blockNumber": "0x5",
    "blockHash": HASHES[5],
    "status": "0x1",
    "gasUsed": "0x5208",
    "contractAddress": None,
}


@pytest.fixture
def real(chained: ChainNode) -> Chain:
    return Chain(rpc_url=chained.url, chain_id=chained.chain_id)


@pytest.fixture
def liar() -> Iterator[LyingNode]:
    with lying_node() as node:
        node.answers["eth_getBlockByNumber"] = BLOCK
        yield node


@pytest.fixture
def chain(liar: LyingNode) -> Chain:
    return Chain(rpc_url=liar.url, chain_id=31_337)


def test_blocks_are_found_by_number_tag_and_hash(real: Chain, chained: ChainNode) -> None:
    chained.mine(12)
    latest = real.block(tag="latest")
    assert latest is not None
    assert latest.number == chained.block_number()
    assert real.block(tag=latest.number) == real.block(tag=latest.hash) == latest
    parent = real.block(tag=latest.number - 1)
    assert parent is not None
    assert (parent.hash, parent.timestamp < latest.timestamp) == (latest.parent_hash, True)
    finalized = real.block(tag="finalized")
    assert finalized is not None
    assert finalized.number == chained.finalized()
    assert real.block(tag=latest.number + 1) is None
    assert real.block(tag=HASHES[9]) is None


def test_a_transfer_is_sent_followed_and_known(real: Chain, chained: ChainNode) -> None:
    sender = chained.poster.address
    before = real.nonce(address=sender)
    sent = chained.send(sender=sender, to=ME, value_wei=5)
    assert real.knows(transfer_hash=sent)
    assert not real.knows(transfer_hash=HASHES[9])
    assert real.receipt(transfer_hash=HASHES[9]) is None
    receipt = real.receipt(transfer_hash=sent)
    assert receipt is not None
    assert (receipt.is_success, receipt.gas_used) == (True, 21_000)
    assert receipt.contract_address is None
    assert real.nonce(address=sender) == before + 1
    assert real.balance(address=ME, tag=receipt.block_number) == 5
    assert real.balance(address=ME, tag=receipt.block_number - 1) == 0


def test_logs_are_found_by_address_and_topic(real: Chain, chained: ChainNode) -> None:
    chained.rpc("anvil_setCode", OTHER, SPEAKER)
    chained.send(sender=chained.poster.address, to=OTHER)
    until = chained.block_number()
    (log,) = real.logs(since=0, until=until, topics=[HASHES[7]], addresses=(OTHER,))
    assert (log.address, log.topics, log.data) == (OTHER, (HASHES[7],), "0x")
    assert log.block_number == until
    assert real.logs(since=0, until=until, topics=[None]) == [log]
    assert real.logs(since=0, until=until, topics=[[HASHES[7], HASHES[8]]]) == [log]
    assert real.logs(since=0, until=until, topics=[HASHES[8]]) == []
    assert real.logs(since=0, until=until, topics=[], addresses=(ME,)) == []


def test_logs_of_blocks_that_the_node_has_not_seen_are_no_answer(
    real: Chain, chained: ChainNode
) -> None:
    with pytest.raises(ChainUnavailable, match="does not know block"):
        real.logs(since=0, until=chained.block_number() + 1, topics=[])


def test_calls_and_estimates_that_revert_say_why(real: Chain, chained: ChainNode) -> None:
    chained.rpc("anvil_setCode", OTHER, REFUSER)
    with pytest.raises(CallReverted, match="reverted: no sun") as told:
        real.call(to=OTHER, data="0x")
    assert told.value.reason == "no sun"
    with pytest.raises(CallReverted, match="no sun"):
        real.estimate(sender=ME, to=OTHER, data="0x", value_wei=0)
    chained.rpc("anvil_setCode", OTHER, GATE)
    with pytest.raises(CallReverted, match="without a reason"):
        real.call(to=OTHER, data="0x")
    assert real.code(address=OTHER) == bytes.fromhex(GATE[2:])
    assert real.call(to=ME, data="0x") == b""


def test_fees_and_estimates_are_those_of_the_node(real: Chain, chained: ChainNode) -> None:
    chained.rpc("anvil_setNextBlockBaseFeePerGas", hex(7 * 10**9))
    chained.mine()
    fees = real.fees()
    assert 6 * 10**9 < fees.base_fee_wei <= 7 * 10**9
    assert fees.priority_fee_wei >= 0
    assert real.estimate(sender=chained.poster.address, to=ME, data="0x", value_wei=1) >= 21_000


def test_a_node_of_another_chain_lies(real: Chain, chained: ChainNode) -> None:
    real.check()
    with pytest.raises(ChainLies, match="on chain 31337, not 100"):
        Chain(rpc_url=chained.url, chain_id=100).check()


def test_the_connected_chain_is_checked_until_it_is_right_and_then_kept(
    chained: ChainNode, settings: Any
) -> None:
    settings.CHAIN_ID = 100
    with pytest.raises(ChainLies):
        client.connected()
    settings.CHAIN_ID = chained.chain_id
    assert client.connected() is client.connected()
    settings.CHAIN_RPC_URL = ""
    with pytest.raises(ChainUnavailable, match="not set"):
        client.connected()


def test_a_node_that_is_away_is_unavailable_and_its_address_stays_secret() -> None:
    with pytest.raises(ChainUnavailable) as told:
        Chain(rpc_url="http://127.0.0.1:9/key-of-ours", chain_id=1).check()
    assert "key-of-ours" not in str(told.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>503</html>",
        b"",
        b"[]",
        b"null",
        b'"0x7a69"',
        b"{}",
        b'{"jsonrpc": "2.0", "id": 1}',
        b'{"jsonrpc": "2.0", "id": 99, "result": "0x7a69"}',
        b'{"jsonrpc": "2.0", "id": null, "result": "0x7a69"}',
        b'{"jsonrpc": "2.0", "id": 1, "error": "no"}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {"code": "3", "message": 5}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": ' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_answer_of_json_rpc_is_unavailable(
    chain: Chain, liar: LyingNode, raw: bytes
) -> None:
    liar.raw = raw
    with pytest.raises(ChainUnavailable):
        chain.check()


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500, 503])
def test_an_answer_of_http_that_is_not_ok_is_unavailable(
    chain: Chain, liar: LyingNode, status: int
) -> None:
    liar.status = status
    liar.answers["eth_chainId"] = "0x7a69"
    with pytest.raises(ChainUnavailable, match=f"HTTP {status}"):
        chain.check()


def test_an_answer_that_trickles_in_is_given_up_after_the_whole_time(
    chain: Chain, liar: LyingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "ANSWER_SECONDS", 0.5)
    liar.raw, liar.trickle_seconds = b'{"jsonrpc": "2.0", "id": 1, "result": "0x7a69"}', 0.1
    began = time.monotonic()
    with pytest.raises(ChainUnavailable, match="took more than"):
        chain.check()
    assert time.monotonic() - began < 2


def test_a_node_that_never_answers_is_given_up(
    chain: Chain, liar: LyingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "ANSWER_SECONDS", 0.3)

    def sleep(_params: list[Any]) -> str:
        time.sleep(1.5)
        return "0x7a69"

    liar.answers["eth_chainId"] = sleep
    began = time.monotonic()
    with pytest.raises(ChainUnavailable, match="Timeout"):
        chain.check()
    assert time.monotonic() - began < 1.2


def test_an_answer_without_end_is_given_up(
    chain: Chain, liar: LyingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "LONGEST_ANSWER_BYTES", 1_000)
    liar.raw = b" " * 2_000_000
    with pytest.raises(ChainUnavailable, match="more than 1000 bytes"):
        chain.check()


WRONG_QUANTITIES: list[Any] = [None, 5, "5", "0x", "0xg", "", True, [], {}, "0x" + "1" * 65]


@pytest.mark.parametrize("told", WRONG_QUANTITIES)
@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("eth_chainId", lambda chain: chain.check()),
        ("eth_getBalance", lambda chain: chain.balance(address=ME, tag="latest")),
        ("eth_getTransactionCount", lambda chain: chain.nonce(address=ME, tag="latest")),
        (
            "eth_estimateGas",
            lambda chain: chain.estimate(sender=ME, to=ME, data="0x", value_wei=0),
        ),
    ],
)
def test_what_is_no_quantity_is_unavailable(
    chain: Chain, liar: LyingNode, method: str, ask: Callable[[Chain], object], told: Any
) -> None:
    liar.answers[method] = told
    with pytest.raises(ChainUnavailable):
        ask(chain)


@pytest.mark.parametrize("told", [None, "0x1", "ab", 5, [], "0xzz"])
@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("eth_call", lambda chain: chain.call(to=ME, data="0x")),
        ("eth_getCode", lambda chain: chain.code(address=ME, tag="latest")),
    ],
)
def test_what_is_no_data_is_unavailable(
    chain: Chain, liar: LyingNode, method: str, ask: Callable[[Chain], object], told: Any
) -> None:
    liar.answers[method] = told
    with pytest.raises(ChainUnavailable):
        ask(chain)


@pytest.mark.parametrize("told", [5, "0x", [], {}, {**BLOCK, "hash": None}, {**BLOCK, "number": 5}])
def test_what_is_no_block_is_unavailable(chain: Chain, liar: LyingNode, told: Any) -> None:
    liar.answers["eth_getBlockByNumber"] = told
    with pytest.raises(ChainUnavailable):
        chain.block(tag="latest")


@pytest.mark.parametrize("field", list(BLOCK))
def test_a_block_that_lacks_a_field_is_unavailable(
    chain: Chain, liar: LyingNode, field: str
) -> None:
    liar.answers["eth_getBlockByNumber"] = {k: v for k, v in BLOCK.items() if k != field}
    with pytest.raises(ChainUnavailable, match=field):
        chain.block(tag="latest")


def test_another_block_than_asked_for_is_a_lie(chain: Chain, liar: LyingNode) -> None:
    with pytest.raises(ChainLies, match="asked for block 6, told 5"):
        chain.block(tag=6)
    liar.answers["eth_getBlockByHash"] = BLOCK
    with pytest.raises(ChainLies, match="asked for block"):
        chain.block(tag=HASHES[6])


@pytest.mark.parametrize("field", [key for key in RECEIPT if key != "contractAddress"])
@pytest.mark.parametrize("value", ["absent", None, 5, "0x2z", []])
def test_a_receipt_with_a_wrong_field_is_unavailable(
    chain: Chain, liar: LyingNode, field: str, value: Any
) -> None:
    told = {k: v for k, v in RECEIPT.items() if k != field}
    liar.answers["eth_getTransactionReceipt"] = (
        told if value == "absent" else {**told, field: value}
    )
    with pytest.raises(ChainUnavailable):
        chain.receipt(transfer_hash=HASHES[1])


def test_a_receipt_of_another_transfer_is_a_lie(chain: Chain, liar: LyingNode) -> None:
    liar.answers["eth_getTransactionReceipt"] = RECEIPT
    with pytest.raises(ChainLies, match="told of"):
        chain.receipt(transfer_hash=HASHES[2])
    liar.answers["eth_getTransactionReceipt"] = {**RECEIPT, "status": "0x2"}
    with pytest.raises(ChainUnavailable, match="status is 2"):
        chain.receipt(transfer_hash=HASHES[1])


def logs_of(chain: Chain, **changed: Any) -> list[client.Log]:
    asked: dict[str, Any] = {"since": 5, "until": 5, "topics": [HASHES[7]], "addresses": (ME,)}
    return chain.logs(**{**asked, **changed})


def test_logs_that_were_asked_for_come_in_their_order(chain: Chain, liar: LyingNode) -> None:
    liar.answers["eth_getLogs"] = [{**LOG, "logIndex": "0x2"}, LOG]
    first, second = logs_of(chain)
    assert (first.log_index, second.log_index) == (0, 2)
    assert (first.address, first.data, first.is_removed) == (ME, "0xab", False)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"blockNumber": "0x6"}, "asked for blocks"),
        ({"blockNumber": "0x4"}, "asked for blocks"),
        ({"removed": True}, "asked for blocks"),
        ({"blockHash": HASHES[6]}, "does not stand"),
        ({"address": OTHER.lower()}, "not asked for"),
        ({"topics": [HASHES[8]]}, "not asked for"),
        ({"topics": []}, "not asked for"),
    ],
)
def test_logs_that_can_not_be_are_a_lie(
    chain: Chain, liar: LyingNode, changed: dict[str, Any], why: str
) -> None:
    liar.answers["eth_getLogs"] = [LOG, {**LOG, **changed}]
    with pytest.raises(ChainLies, match=why):
        logs_of(chain)


def test_a_log_of_a_block_that_is_not_is_a_lie(chain: Chain, liar: LyingNode) -> None:
    liar.answers["eth_getLogs"] = [{**LOG, "blockNumber": "0x4"}]
    liar.answers["eth_getBlockByNumber"] = lambda params: BLOCK if params[0] == "0x5" else None
    with pytest.raises(ChainLies, match="does not stand"):
        logs_of(chain, since=4)


@pytest.mark.parametrize("field", [key for key in LOG if key != "removed"])
@pytest.mark.parametrize("value", ["absent", None, 7, {}])
def test_a_log_with_a_wrong_field_is_unavailable(
    chain: Chain, liar: LyingNode, field: str, value: Any
) -> None:
    told = {k: v for k, v in LOG.items() if k != field}
    liar.answers["eth_getLogs"] = [told if value == "absent" else {**told, field: value}]
    with pytest.raises(ChainUnavailable):
        logs_of(chain)


@pytest.mark.parametrize("told", [None, {}, "0x", [5], [None]])
def test_what_are_no_logs_is_unavailable(chain: Chain, liar: LyingNode, told: Any) -> None:
    liar.answers["eth_getLogs"] = told
    with pytest.raises(ChainUnavailable):
        logs_of(chain)


def test_a_span_that_the_node_refuses_is_told_apart_from_a_node_that_is_away(
    chain: Chain, liar: LyingNode
) -> None:
    def refuse(_params: list[Any]) -> None:
        raise Refusal(-32005, "query returned more than 10000 results")

    liar.answers["eth_getLogs"] = refuse
    with pytest.raises(NodeRefused, match="10000 results") as told:
        logs_of(chain)
    assert told.value.code == -32005


# What geth, anvil, Nethermind, Erigon and Besu say to bytes that they do not take.
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("nonce too low: next nonce 5, tx nonce 4", "nonce_too_low"),
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", "nonce_too_low"),
        ("Transaction nonce is below sender account nonce", "nonce_too_low"),
        ("already known", "already_known"),
        ("transaction already imported", "already_known"),
        ("AlreadyKnown", "already_known"),
        ("Known transaction", "already_known"),
        ("existing tx with same hash", "already_known"),
        ("insufficient funds for gas * price + value", "insufficient_funds"),
        ("InsufficientFunds, Balance is 0 less than sending value", "insufficient_funds"),
        ("Upfront cost exceeds account balance", "insufficient_funds"),
        ("replacement transaction underpriced", "underpriced"),
        ("ReplacementNotAllowed", "underpriced"),
        ("FeeTooLow, MaxFeePerGas too low", "underpriced"),
        ("could not replace existing tx", "underpriced"),
        ("max fee per gas less than block base fee", "underpriced"),
        ("Gas price below configured minimum gas price", "underpriced"),
        ("intrinsic gas too low", "other"),
    ],
)
def test_why_a_node_refuses_bytes_is_told_in_one_word(
    chain: Chain, liar: LyingNode, said: str, code: str
) -> None:
    def refuse(_params: list[Any]) -> None:
        raise Refusal(-32000, said)

    liar.answers["eth_sendRawTransaction"] = refuse
    with pytest.raises(TransferRefused) as told:
        chain.send(raw="0x02")
    assert (told.value.code, told.value.said) == (code, said)


def test_a_node_that_tells_of_other_bytes_than_were_sent_lies(
    chain: Chain, liar: LyingNode
) -> None:
    liar.answers["eth_sendRawTransaction"] = "0x" + keccak(hexstr="0x02").hex()
    chain.send(raw="0x02")
    liar.answers["eth_sendRawTransaction"] = HASHES[3]
    with pytest.raises(ChainLies, match="was sent"):
        chain.send(raw="0x02")
    liar.answers["eth_sendRawTransaction"] = None
    with pytest.raises(ChainUnavailable):
        chain.send(raw="0x02")


NO_SUN = "08c379a0" + f"{32:064x}" + f"{6:064x}" + b"no sun".hex().ljust(64, "0")


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refusal(3, "execution reverted: no sun", "0x" + NO_SUN), "no sun"),
        (Refusal(-32015, "VM execution error.", "Reverted 0x" + NO_SUN), "no sun"),
        (Refusal(-32000, "execution reverted: no sun"), "no sun"),
        (Refusal(3, "execution reverted", "0x4e487b71" + f"{17:064x}"), "panic 0x11"),
        (Refusal(3, "execution reverted", "0x08c379a0" + "ff" * 64), ""),
        (Refusal(3, "execution reverted", "0xdeadbeef"), ""),
        (Refusal(-32000, "execution reverted", {"what": 5}), ""),
    ],
)
def test_the_reason_of_a_revert_is_read_as_nodes_write_it(
    chain: Chain, liar: LyingNode, refusal: Refusal, reason: str
) -> None:
    def refuse(_params: list[Any]) -> None:
        raise refusal

    liar.answers["eth_call"] = refuse
    with pytest.raises(CallReverted) as told:
        chain.call(to=ME, data="0x")
    assert told.value.reason == reason


def test_another_error_of_a_call_is_no_revert(chain: Chain, liar: LyingNode) -> None:
    def refuse(_params: list[Any]) -> None:
        raise Refusal(-32000, "header not found")

    liar.answers["eth_call"] = refuse
    with pytest.raises(NodeRefused, match="header not found"):
        chain.call(to=ME, data="0x")


@pytest.mark.parametrize("told", [None, [], {}, {"baseFeePerGas": []}, {"baseFeePerGas": [5]}])
def test_what_is_no_fee_history_is_unavailable(chain: Chain, liar: LyingNode, told: Any) -> None:
    liar.answers |= {"eth_feeHistory": told, "eth_maxPriorityFeePerGas": "0x1"}
    with pytest.raises(ChainUnavailable):
        chain.fees()


@pytest.mark.parametrize("told", [5, [], {}, {"hash": HASHES[2]}])
def test_what_is_not_the_transfer_is_unavailable(chain: Chain, liar: LyingNode, told: Any) -> None:
    liar.answers["eth_getTransactionByHash"] = told
    with pytest.raises(ChainUnavailable):
        chain.knows(transfer_hash=HASHES[1])
