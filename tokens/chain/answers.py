"""What a node answers, checked for its form: another form is ChainUnavailable, never a KeyError."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from tokens.chain import envelopes
from tokens.chain.envelopes import Signed, Unsigned
from tokens.chain.rpc import CallReverted, ChainUnavailable, NodeRefused, TransferRefused

HASH_CHARACTERS = 66
MOST_TOPICS = 4
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HIDDEN_DATA = re.compile(r"0x[0-9a-fA-F]{8,}")
_ERROR_SELECTOR = "0x08c379a0"
_PANIC_SELECTOR = "0x4e487b71"
_GETH_REVERT_CODE = 3

# What geth, anvil, Nethermind, Erigon and Besu say; the first that fits counts.
_REFUSALS = (
    ("already_known", ("already known", "already imported", "alreadyknown", "known transaction")),
    ("already_known", ("existing tx with same hash",)),
    ("nonce_too_low", ("nonce too low", "oldnonce", "below sender account nonce")),
    ("insufficient_funds", ("insufficient funds", "insufficientfunds", "exceeds account balance")),
    ("underpriced", ("underpriced", "replacementnotallowed", "could not replace", "feetoolow")),
    ("underpriced", ("less than block base fee", "below configured minimum gas price")),
    ("underpriced", ("fee too low", "gas price too low")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """The head of a block; `timestamp` in seconds since 1970."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """One event of a contract; `log_index` counts within the block."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: int
    block_hash: str
    transfer_hash: str
    log_index: int
    is_removed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of a transfer in its block; `contract_address` where it made a contract."""

    transfer_hash: str
    block_number: int
    block_hash: str
    is_success: bool
    gas_used: int
    contract_address: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fees:
    """Wei per gas: what the next block burns, and what its maker usually gets."""

    base_fee_wei: int
    priority_fee_wei: int


def quantity(told: Any, *, what: str) -> int:
    """Return a whole number, which nodes write as hexadecimal."""
    return int(_matching(told, _QUANTITY, what), 16)


def data(told: Any, *, what: str) -> bytes:
    """Return bytes."""
    return bytes.fromhex(_matching(told, _DATA, what)[2:])


def hash32(told: Any, *, what: str) -> str:
    """Return 32 bytes in lower-case hexadecimal."""
    return _matching(told, _HASH, what).lower()


def address(told: Any, *, what: str) -> str:
    """Return an address with its checksum."""
    return str(to_checksum_address(_matching(told, _ADDRESS, what)))


def block(told: Any) -> Block | None:
    """Return the head of a block, None for null."""
    if told is None:
        return None
    fields = _Fields(told, what="block")
    return Block(
        number=quantity(fields["number"], what="block number"),
        hash=hash32(fields["hash"], what="block hash"),
        parent_hash=hash32(fields["parentHash"], what="parent's hash"),
        timestamp=quantity(fields["timestamp"], what="timestamp"),
    )


def logs(told: Any) -> list[Log]:
    """Return logs in the order told."""
    if not isinstance(told, list):
        raise ChainUnavailable(f"logs are {_short(told)}")
    return [_log(each) for each in told]


def _log(told: Any) -> Log:
    fields = _Fields(told, what="log")
    topics = fields["topics"]
    if not isinstance(topics, list) or len(topics) > MOST_TOPICS:
        raise ChainUnavailable(f"topics are {_short(topics)}")
    return Log(
        address=address(fields["address"], what="address of a log"),
        topics=tuple(hash32(topic, what="topic") for topic in topics),
        data=_matching(fields["data"], _DATA, "data of a log").lower(),
        block_number=quantity(fields["blockNumber"], what="block number"),
        block_hash=hash32(fields["blockHash"], what="block hash"),
        transfer_hash=hash32(fields["transactionHash"], what="hash of a transfer"),
        log_index=quantity(fields["logIndex"], what="log index"),
        is_removed=fields.get("removed") is True,
    )


def is_asked_for(
    log: Log, *, topics: Sequence[str | list[str] | None], addresses: Sequence[str]
) -> bool:
    """Whether a log is what was asked for by topics and addresses."""
    if addresses and log.address.lower() not in {each.lower() for each in addresses}:
        return False
    if len(log.topics) < len(topics):
        return False
    return all(
        wanted is None
        or found in {each.lower() for each in ([wanted] if isinstance(wanted, str) else wanted)}
        for wanted, found in zip(topics, log.topics, strict=False)
    )


def receipt(told: Any) -> Receipt | None:
    """Return a receipt, None for null."""
    if told is None:
        return None
    fields = _Fields(told, what="receipt")
    status = quantity(fields["status"], what="status")
    if status not in {0, 1}:
        raise ChainUnavailable(f"status is {status}")
    made = fields.get("contractAddress")
    return Receipt(
        transfer_hash=hash32(fields["transactionHash"], what="hash of a transfer"),
        block_number=quantity(fields["blockNumber"], what="block number"),
        block_hash=hash32(fields["blockHash"], what="block hash"),
        is_success=status == 1,
        gas_used=quantity(fields["gasUsed"], what="gas used"),
        contract_address=None if made is None else address(made, what="address of a contract"),
    )


def is_transfer(told: Any, *, transfer_hash: str) -> bool:
    """Whether this is the transfer of that hash; False for null."""
    if told is None:
        return False
    found = hash32(_Fields(told, what="transfer")["hash"], what="hash of a transfer")
    if found != transfer_hash:
        raise ChainUnavailable(f"asked for transfer {transfer_hash}, told {found}")
    return True


def signed(told: Any) -> Signed | None:
    """Return a transfer of type 2 as it was signed; None for other types and access lists."""
    fields = _Fields(told, what="transfer")
    if fields["type"] != "0x2" or fields.get("accessList"):
        return None
    to = fields["to"]
    names = ("chainId", "nonce", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
    number = {name: quantity(fields[name], what=name) for name in (*names, "r", "s")}
    transfer = Unsigned(
        chain_id=number["chainId"],
        nonce=number["nonce"],
        to="" if to is None else address(to, what="address of a transfer"),
        value_wei=number["value"],
        data=_matching(fields["input"], _DATA, "data of a transfer").lower(),
        gas_limit=number["gas"],
        max_fee_wei=number["maxFeePerGas"],
        priority_fee_wei=number["maxPriorityFeePerGas"],
    )
    y_parity = quantity(fields.get("yParity") or fields["v"], what="parity")
    return envelopes.assembled(transfer=transfer, y_parity=y_parity, r=number["r"], s=number["s"])


def next_base_fee(told: Any) -> int:
    """Return the last base fee of a fee history: that of the block to come."""
    fees = _Fields(told, what="fee history")["baseFeePerGas"]
    if not isinstance(fees, list) or not fees:
        raise ChainUnavailable(f"base fees are {_short(fees)}")
    return quantity(fees[-1], what="base fee")


def reverted(error: NodeRefused) -> CallReverted | None:
    """Return the revert that a node's error tells of, None where it is another error."""
    said = error.said.lower()
    if error.code != _GETH_REVERT_CODE and "revert" not in said and "vm execution" not in said:
        return None
    hidden = _HIDDEN_DATA.search(error.data) if isinstance(error.data, str) else None
    if hidden is not None and (reason := revert_reason(hidden.group().lower())) is not None:
        return CallReverted(reason=reason)
    _, colon, reason = error.said.partition("reverted: ")
    return CallReverted(reason=reason if colon else "")


def revert_reason(raw: str) -> str | None:
    """Return the words of Error(string) or the number of Panic(uint256); None for other data."""
    try:
        body = bytes.fromhex(raw[10:])
        if raw.startswith(_ERROR_SELECTOR):
            return str(decode(["string"], body)[0])
        if raw.startswith(_PANIC_SELECTOR):
            return f"panic {decode(['uint256'], body)[0]:#x}"
    except (ValueError, DecodingError):
        return None
    return None


def refused(error: NodeRefused) -> TransferRefused:
    """Return why a node did not take the bytes of a transfer."""
    said = error.said.lower()
    for code, words in _REFUSALS:
        if any(each in said for each in words):
            return TransferRefused(code=code, said=error.said)
    return TransferRefused(code="other", said=error.said)


class _Fields:
    """The fields of an object, of which some must be there."""

    def __init__(self, told: Any, *, what: str) -> None:
        if not isinstance(told, dict):
            raise ChainUnavailable(f"{what} is {_short(told)}")
        self._told = told
        self._what = what

    def __getitem__(self, name: str) -> Any:
        if name not in self._told:
            raise ChainUnavailable(f"{self._what} without {name}")
        return self._told[name]

    def get(self, name: str) -> Any:
        return self._told.get(name)


def _matching(told: Any, form: re.Pattern[str], what: str) -> str:
    if not isinstance(told, str) or not form.fullmatch(told):
        raise ChainUnavailable(f"{what} is {_short(told)}")
    return told


def _short(told: Any) -> str:
    return repr(told)[:80]
