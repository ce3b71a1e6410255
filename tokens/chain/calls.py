"""Calls, results and events of contracts as bytes and back, by their ABI; needs no node.

On our side an address is a checksummed str, bytes are lower-case "0x" text, a struct is a dict of
its fields; encoding also takes bytes and, for a struct, a sequence in its order or any object with
attributes of the fields' names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tokens.chain.artifacts import Artifact

_Item = Mapping[str, Any]


class NotInAbi(Exception):
    """The contract has no such function or event."""


class Undecodable(Exception):
    """The bytes are not what the ABI says; an address without code answers so, too."""


class WrongArguments(Exception):
    """The arguments are not what the ABI says."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One decoded log; values of indexed texts and lists are their hashes."""

    name: str
    values: dict[str, Any]


def encode_call(*, artifact: Artifact, function: str, arguments: Sequence[Any]) -> str:
    """Return the data of a call ("0x..."); arguments in the order of the function's inputs."""
    item = _named(artifact, "function", function)
    return "0x" + (_selector(item)[:4] + _encoded(item["inputs"], arguments, function)).hex()


def encode_deployment(*, artifact: Artifact, arguments: Sequence[Any]) -> str:
    """Return the data of the transfer that deploys the contract ("0x...")."""
    found = [item for item in artifact.abi if item["type"] == "constructor"]
    inputs = found[0]["inputs"] if found else []
    return artifact.bytecode + _encoded(inputs, arguments, "the constructor").hex()


def decode_result(*, artifact: Artifact, function: str, data: bytes | str) -> Any:
    """Return what a call returned: the value, or a tuple where the function returns several."""
    outputs = _named(artifact, "function", function)["outputs"]
    values = tuple(_decoded(outputs, _bytes(data)))
    return values[0] if len(values) == 1 else values


def event_topic(*, artifact: Artifact, event: str) -> str:
    """Return the first topic of an event's logs, to filter by."""
    return "0x" + _selector(_named(artifact, "event", event)).hex()


def decode_event(*, artifact: Artifact, topics: Sequence[str], data: str) -> Event:
    """Return the event of a log; raises NotInAbi for another contract's, Undecodable."""
    for item in artifact.abi:
        if item["type"] == "event" and topics and _selector(item) == _bytes(topics[0]):
            return Event(name=item["name"], values=_event_values(item, topics[1:], data))
    raise NotInAbi(f"no event has the topic {topics[0] if topics else 'none'}")


def _event_values(item: _Item, topics: Sequence[str], data: str) -> dict[str, Any]:
    indexed = [part for part in item["inputs"] if part["indexed"]]
    others = [part for part in item["inputs"] if not part["indexed"]]
    if len(topics) != len(indexed):
        raise Undecodable(f"{item['name']} has {len(indexed)} indexed values, not {len(topics)}")
    found = dict(
        zip((part["name"] for part in others), _decoded(others, _bytes(data)), strict=True)
    )
    for part, topic in zip(indexed, topics, strict=True):
        # What is longer than a word is indexed by its hash.
        kind = part if _is_word(part["type"]) else {"type": "bytes32"}
        found[part["name"]] = _decoded([kind], _bytes(topic))[0]
    return {part["name"]: found[part["name"]] for part in item["inputs"]}


def _is_word(kind: str) -> bool:
    return kind not in ("string", "bytes") and not kind.startswith("tuple") and "[" not in kind


def _named(artifact: Artifact, kind: str, name: str) -> _Item:
    found = [item for item in artifact.abi if item["type"] == kind and item.get("name") == name]
    if len(found) != 1:
        raise NotInAbi(f"{kind} {name}: {len(found)} in the ABI")
    return found[0]


def _selector(item: _Item) -> bytes:
    kinds = ",".join(_kind(part) for part in item["inputs"])
    return bytes(keccak(text=f"{item['name']}({kinds})"))


def _kind(part: _Item) -> str:
    """A type as signatures and eth_abi spell it: a struct as its fields in brackets."""
    kind: str = part["type"]
    if not kind.startswith("tuple"):
        return kind
    fields = ",".join(_kind(field) for field in part["components"])
    return f"({fields}){kind.removeprefix('tuple')}"


def _encoded(inputs: Sequence[_Item], arguments: Sequence[Any], what: str) -> bytes:
    if len(arguments) != len(inputs):
        raise WrongArguments(f"{what} takes {len(inputs)} arguments, not {len(arguments)}")
    try:
        values = [_inward(part, value) for part, value in zip(inputs, arguments, strict=True)]
        return bytes(encode([_kind(part) for part in inputs], values))
    except (EncodingError, KeyError, AttributeError, ValueError, TypeError) as error:
        raise WrongArguments(f"{what}: {error}") from error


def _decoded(outputs: Sequence[_Item], data: bytes) -> list[Any]:
    try:
        values = decode([_kind(part) for part in outputs], data)
    except (DecodingError, UnicodeDecodeError, OverflowError) as error:
        raise Undecodable(str(error)) from error
    return [_outward(part, value) for part, value in zip(outputs, values, strict=True)]


def _inward(part: _Item, value: Any) -> Any:
    kind: str = part["type"]
    if kind.endswith("]"):
        return [_inward(_element(part), element) for element in value]
    if kind == "tuple":
        fields = part["components"]
        found = _fields(fields, value)
        return tuple(_inward(field, one) for field, one in zip(fields, found, strict=True))
    if kind.startswith("bytes") and isinstance(value, str):
        return _bytes(value)
    return value


def _fields(fields: Sequence[_Item], value: Any) -> Sequence[Any]:
    """The values of a struct's fields, in their order."""
    if isinstance(value, Mapping):
        return [value[field["name"]] for field in fields]
    if isinstance(value, Sequence):
        return value
    return [getattr(value, field["name"]) for field in fields]


def _outward(part: _Item, value: Any) -> Any:
    kind: str = part["type"]
    if kind.endswith("]"):
        return [_outward(_element(part), element) for element in value]
    if kind == "tuple":
        fields = part["components"]
        return {
            field["name"]: _outward(field, one) for field, one in zip(fields, value, strict=True)
        }
    if kind == "address":
        return str(to_checksum_address(value))
    if kind.startswith("bytes"):
        return "0x" + bytes(value).hex()
    return value


def _element(part: _Item) -> _Item:
    return {**part, "type": part["type"].rpartition("[")[0]}


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else bytes.fromhex(text.removeprefix("0x"))
