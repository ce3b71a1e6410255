"""Calls, results and events as bytes and back."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.chain.deployed import DATASET_HASH, NOBODY
from tokens.chain import calls
from tokens.chain.artifacts import Artifact, artifact
from tokens.sum_tree import Node, Step

TOKEN, LEDGER = artifact("ImpactToken"), artifact("ImpactLedger")
AMINA = to_checksum_address("0x" + "ab" * 20)
WORDS = {n: f"{n:064x}" for n in (0, 1, 2, 3, 5, 7, 42)}


def test_a_call_is_its_selector_and_its_words() -> None:
    data = calls.encode_call(artifact=TOKEN, function="transfer", arguments=[AMINA, 42])
    assert data == "0xa9059cbb" + "00" * 12 + "ab" * 20 + WORDS[42]


def test_structs_are_dicts_sequences_or_objects() -> None:
    left, right = Node(b"\1" * 32, 1, 2), Node(b"\2" * 32, 3, 5)
    as_dicts = [
        {"hash": "0x" + node.hash.hex(), "milliwatt_hours": node.milliwatt_hours}
        | {"tokens": node.tokens}
        for node in (left, right)
    ]
    as_tuples = [(node.hash, node.milliwatt_hours, node.tokens) for node in (left, right)]
    encoded = {
        calls.encode_call(artifact=LEDGER, function="propose", arguments=[7, *pair, DATASET_HASH])
        for pair in ([left, right], as_dicts, as_tuples)
    }
    (data,) = encoded
    assert data[10:] == (
        WORDS[7]
        + "01" * 32
        + WORDS[1]
        + WORDS[2]
        + "02" * 32
        + WORDS[3]
        + WORDS[5]
        + DATASET_HASH.hex()
    )


def test_a_list_of_structs_is_encoded() -> None:
    path = [Step(b"\3" * 32, 5, 7, is_left=True)]
    data = calls.encode_call(
        artifact=LEDGER, function="claim", arguments=[b"\1" * 32, AMINA, 2, 3, path]
    )
    words = [data[10 + at : 74 + at] for at in range(0, len(data) - 10, 64)]
    assert words[5:] == [WORDS[1], "03" * 32, WORDS[5], WORDS[7], WORDS[1]]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("transfer", []),
        ("transfer", [AMINA]),
        ("transfer", [AMINA, 1, 2]),
        ("transfer", [AMINA, -1]),
        ("transfer", [AMINA, 2**256]),
        ("transfer", [AMINA, 1.5]),
        ("transfer", ["0x12", 1]),
        ("permit", [AMINA, AMINA, 1, 1, 27, b"\0" * 33, b"\0" * 32]),
        ("permit", [AMINA, AMINA, 1, 1, 27, "0xzz", b"\0" * 32]),
    ],
)
def test_arguments_of_another_shape_are_refused(function: str, arguments: list[Any]) -> None:
    with pytest.raises(calls.WrongArguments):
        calls.encode_call(artifact=TOKEN, function=function, arguments=arguments)


def test_a_struct_without_a_field_is_refused() -> None:
    whole = {"hash": b"\0" * 32, "milliwatt_hours": 1, "tokens": 1}
    for broken in ({"hash": b"\0" * 32}, (b"\0" * 32, 1), 7):
        with pytest.raises(calls.WrongArguments):
            calls.encode_call(
                artifact=LEDGER, function="propose", arguments=[1, whole, broken, DATASET_HASH]
            )


@pytest.mark.parametrize("function", ["burn", "Transfer", ""])
def test_a_function_that_is_not_there_is_refused(function: str) -> None:
    with pytest.raises(calls.NotInAbi):
        calls.encode_call(artifact=TOKEN, function=function, arguments=[])


def test_a_result_is_a_value_or_a_tuple() -> None:
    feed = Artifact(
        abi=[
            {
                "type": "function",
                "name": "pair",
                "inputs": [],
                "outputs": [{"type": "address"}, {"type": "bytes32"}, {"type": "uint256[]"}],
            }
        ],
        bytecode="0x",
    )
    data = "0x" + "00" * 12 + "ab" * 20 + "cd" * 32 + f"{96:064x}" + WORDS[2] + WORDS[5] + WORDS[7]
    found = calls.decode_result(artifact=feed, function="pair", data=data)
    assert found == (AMINA, "0x" + "cd" * 32, [5, 7])
    words = bytes.fromhex(WORDS[42])
    assert calls.decode_result(artifact=TOKEN, function="totalSupply", data=words) == 42
    assert calls.decode_result(artifact=LEDGER, function="propose", data="0x") == ()


@pytest.mark.parametrize("data", ["0x", "0x00", "0x" + "11" * 31, "0x" + "ff" * 32])
def test_an_answer_of_another_shape_is_undecodable(data: str) -> None:
    with pytest.raises(calls.Undecodable):
        calls.decode_result(artifact=TOKEN, function="minter", data=data)


def test_a_text_that_is_none_is_undecodable() -> None:
    data = f"0x{32:064x}{2:064x}" + "ff" * 32
    with pytest.raises(calls.Undecodable):
        calls.decode_result(artifact=TOKEN, function="name", data=data)


def test_an_event_is_found_by_its_topic() -> None:
    topic = calls.event_topic(artifact=TOKEN, event="Transfer")
    assert topic == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    topics = [topic, "0x" + "00" * 32, "0x" + "00" * 12 + "ab" * 20]
    event = calls.decode_event(artifact=TOKEN, topics=topics, data="0x" + WORDS[42])
    assert event.name == "Transfer"
    assert event.values == {"sender": NOBODY, "receiver": AMINA, "value": 42}
    assert list(event.values) == ["sender", "receiver", "value"]


def test_another_contracts_event_is_told_apart() -> None:
    topic = calls.event_topic(artifact=LEDGER, event="Vetoed")
    for topics in ([topic, "0x" + WORDS[1]], []):
        with pytest.raises(calls.NotInAbi):
            calls.decode_event(artifact=TOKEN, topics=topics, data="0x" + WORDS[1])
    with pytest.raises(calls.NotInAbi):
        calls.event_topic(artifact=TOKEN, event="Vetoed")


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        ([], "0x" + WORDS[42]),
        (["0x" + WORDS[1]], "0x" + WORDS[42]),
        (["0x" + WORDS[1]] * 3, "0x" + WORDS[42]),
        (["0x" + WORDS[1]] * 2, "0x"),
        (["0x" + WORDS[1], "0x" + "ff" * 32], "0x" + WORDS[42]),
    ],
)
def test_an_event_of_another_shape_is_undecodable(topics: list[str], data: str) -> None:
    """As an NFT's Transfer, whose third value is indexed."""
    topic = calls.event_topic(artifact=TOKEN, event="Transfer")
    with pytest.raises(calls.Undecodable):
        calls.decode_event(artifact=TOKEN, topics=[topic, *topics], data=data)


def test_an_indexed_text_is_told_by_its_hash() -> None:
    named = Artifact(
        abi=[
            {
                "type": "event",
                "name": "Named",
                "inputs": [{"name": "name", "type": "string", "indexed": True}],
            }
        ],
        bytecode="0x",
    )
    topics = [calls.event_topic(artifact=named, event="Named"), "0x" + "cd" * 32]
    event = calls.decode_event(artifact=named, topics=topics, data="0x")
    assert event.values == {"name": "0x" + "cd" * 32}


def test_a_deployment_is_the_code_and_the_constructors_words() -> None:
    code = artifact("DepositForwarder")
    data = calls.encode_deployment(artifact=code, arguments=[AMINA])
    assert data == code.bytecode + "00" * 12 + "ab" * 20
    with pytest.raises(calls.WrongArguments):
        calls.encode_deployment(artifact=code, arguments=[])
    with pytest.raises(calls.WrongArguments):
        calls.encode_deployment(artifact=Artifact(abi=[], bytecode="0x"), arguments=[1])
