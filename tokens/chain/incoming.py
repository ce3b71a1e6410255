"""What logs say of our forwarders: money that came and money that left, asked for and read.

Tokens: Transfer of whatever token to or from a forwarder. Native money: what a forwarder itself
logs, Received and Flushed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from tokens.chain.artifacts import artifact
from tokens.chain.calls import event_topic
from tokens.chain.client import Chain, Log

FORWARDER = "DepositForwarder"
TOKEN = "ImpactToken"  # noqa: S105 - any ERC-20 speaks like ours
FORWARDERS_A_QUESTION = 500
"""Nodes refuse filters of many thousand topics."""

_WORD_DIGITS = 64
_ADDRESS_DIGITS = 40
_NFT_TOPICS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """Money that came to a forwarder, or left it. token_address "" is the native currency.

    other is who sent it, or who got it.
    """

    address: str
    token_address: str
    other: str
    units: int
    is_out: bool
    log: Log


def movements(
    *, chain: Chain, since: int, until: int, addresses: Mapping[str, object]
) -> list[Movement]:
    """Return what moved in blocks since..until at our addresses, in the order of the chain.

    Raises what Chain.logs raises. Movements of nothing are left out.
    """
    found: dict[tuple[str, int, bool], Movement] = {}
    for some in _chunks(sorted(addresses)):
        for each in _read(chain=chain, since=since, until=until, some=some):
            if each.units and each.address in addresses:
                found[each.log.transfer_hash, each.log.log_index, each.is_out] = each
    return sorted(found.values(), key=lambda each: (each.log.block_number, each.log.log_index))


def transfer_topic() -> str:
    """The first topic of a token's Transfer."""
    return event_topic(artifact=artifact(TOKEN), event="Transfer")


def _read(*, chain: Chain, since: int, until: int, some: tuple[str, ...]) -> Iterator[Movement]:
    ours: list[str] = [_topic(address) for address in some]
    transfer = transfer_topic()
    for log in chain.logs(since=since, until=until, topics=[transfer, None, ours]):
        yield _token(log, is_out=False)
    for log in chain.logs(since=since, until=until, topics=[transfer, ours]):
        yield _token(log, is_out=True)
    received, flushed = (
        event_topic(artifact=artifact(FORWARDER), event=name) for name in ("Received", "Flushed")
    )
    for log in chain.logs(since=since, until=until, topics=[[received, flushed]], addresses=some):
        native = _native(log, is_out=log.topics[0] == flushed)
        if native is not None:
            yield native


def _token(log: Log, *, is_out: bool) -> Movement:
    """An NFT, which has its id as a fourth topic, is one of its token."""
    sender, receiver = (_topic_at(log, place) for place in (1, 2))
    return Movement(
        address=sender if is_out else receiver,
        token_address=log.address,
        other=receiver if is_out else sender,
        units=1 if len(log.topics) == _NFT_TOPICS else _number(log.data),
        is_out=is_out,
        log=log,
    )


def _native(log: Log, *, is_out: bool) -> Movement | None:
    """A forwarder's own log; None where it tells that tokens were flushed."""
    other = _topic_at(log, 1)
    if is_out and int(other or "0x0", 16):
        return None
    return Movement(
        address=log.address,
        token_address="",
        other="" if is_out else other,
        units=_number(log.data),
        is_out=is_out,
        log=log,
    )


def _number(data: str) -> int:
    """The first word of a log's data; a log without one moved nothing that we can count."""
    digits = data[2 : 2 + _WORD_DIGITS]
    return int(digits, 16) if len(digits) == _WORD_DIGITS else 0


def _topic_at(log: Log, place: int) -> str:
    """The address in a topic, "" where a token logs it elsewhere."""
    return _address(log.topics[place]) if place < len(log.topics) else ""


def _topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(_WORD_DIGITS, "0")


def _address(topic: str) -> str:
    return str(to_checksum_address("0x" + topic[-_ADDRESS_DIGITS:]))


def _chunks(addresses: list[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(addresses), FORWARDERS_A_QUESTION):
        yield tuple(addresses[start : start + FORWARDERS_A_QUESTION])
