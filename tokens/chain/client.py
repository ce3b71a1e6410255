"""One node of an EVM chain over JSON-RPC: asks, and believes no answer before its form is checked.

Addresses are given with their checksum (EIP-55); hashes and data are lower-case hexadecimal with
0x; amounts are wei.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from django.conf import settings
from eth_utils.crypto import keccak

from tokens.chain import answers, rpc
from tokens.chain.answers import Block, Fees, Log, Receipt
from tokens.chain.rpc import (
    CallReverted,
    ChainLies,
    ChainUnavailable,
    NodeRefused,
    TransferRefused,
)

__all__ = [
    "Block",
    "CallReverted",
    "Chain",
    "ChainLies",
    "ChainUnavailable",
    "Fees",
    "Log",
    "NodeRefused",
    "Receipt",
    "TransferRefused",
    "connected",
]


class Chain:
    """One chain, seen through one node. Every method may raise ChainUnavailable and ChainLies.

    A tag is a block's number, "latest", "safe", "finalized" or "pending".
    """

    def __init__(self, *, rpc_url: str, chain_id: int) -> None:
        self.chain_id = chain_id
        self._node = rpc.Node(url=rpc_url)

    def check(self) -> None:
        """Raise ChainLies where the node is on another chain."""
        told = answers.quantity(self._node.ask("eth_chainId", []), what="chain id")
        if told != self.chain_id:
            raise ChainLies(f"the node is on chain {told}, not {self.chain_id}")

    def block(self, *, tag: int | str) -> Block | None:
        """Return a block by its tag or its hash (66 characters); None where there is none."""
        if isinstance(tag, str) and len(tag) == answers.HASH_CHARACTERS:
            told = self._node.ask("eth_getBlockByHash", [tag, False])
            block = answers.block(told)
            if block is not None and block.hash != tag.lower():
                raise ChainLies(f"asked for block {tag}, told {block.hash}")
            return block
        block = answers.block(self._node.ask("eth_getBlockByNumber", [_tag(tag), False]))
        if isinstance(tag, int) and block is not None and block.number != tag:
            raise ChainLies(f"asked for block {tag}, told {block.number}")
        return block

    def logs(
        self,
        *,
        since: int,
        until: int,
        topics: list[str | list[str] | None],
        addresses: tuple[str, ...] = (),
    ) -> list[Log]:
        """Return the logs of blocks since..until, both included, in their order on chain.

        A topic is a hash, several (any of them) or None (whatever stands there); no addresses:
        everybody's. A node that refuses the span raises NodeRefused; one that has not yet got to
        `until`, whose answer would lack what it has not seen, ChainUnavailable.
        """
        if (head := self.block(tag=until)) is None:
            raise ChainUnavailable(f"the node does not know block {until} yet")
        asked: dict[str, Any] = {"fromBlock": hex(since), "toBlock": hex(until), "topics": topics}
        if addresses:
            asked["address"] = list(addresses)
        found = answers.logs(self._node.ask("eth_getLogs", [asked]))
        stands = {until: head.hash}
        for log in found:
            if not since <= log.block_number <= until or log.is_removed:
                raise ChainLies(f"asked for blocks {since} to {until}, told {log.block_number}")
            if not answers.is_asked_for(log, topics=topics, addresses=addresses):
                raise ChainLies(f"a log of {log.address} that was not asked for")
            if log.block_number not in stands:
                block = self.block(tag=log.block_number)
                stands[log.block_number] = "" if block is None else block.hash
            if stands[log.block_number] != log.block_hash:
                raise ChainLies(f"a log of block {log.block_hash}, which does not stand")
        return sorted(found, key=lambda log: (log.block_number, log.log_index))

    def call(
        self,
        *,
        to: str,
        data: str,
        tag: int | str = "latest",
        sender: str | None = None,
        value_wei: int = 0,
    ) -> bytes:
        """Return what a call answers, without sending anything; CallReverted with its reason."""
        asked = _transfer(sender=sender, to=to, data=data, value_wei=value_wei)
        try:
            told = self._node.ask("eth_call", [asked, _tag(tag)])
        except NodeRefused as error:
            raise answers.reverted(error) or error from error
        return answers.data(told, what="result of a call")

    def estimate(self, *, sender: str, to: str, data: str, value_wei: int) -> int:
        """Return how much gas a transfer would take now; CallReverted with its reason."""
        asked = _transfer(sender=sender, to=to, data=data, value_wei=value_wei)
        try:
            told = self._node.ask("eth_estimateGas", [asked])
        except NodeRefused as error:
            raise answers.reverted(error) or error from error
        return answers.quantity(told, what="estimate of gas")

    def balance(self, *, address: str, tag: int | str = "latest") -> int:
        """Return an address's amount of the native currency."""
        told = self._node.ask("eth_getBalance", [address, _tag(tag)])
        return answers.quantity(told, what="balance")

    def nonce(self, *, address: str, tag: int | str = "latest") -> int:
        """Return how many transfers of an address are in blocks: the nonce of its next one."""
        told = self._node.ask("eth_getTransactionCount", [address, _tag(tag)])
        return answers.quantity(told, what="nonce")

    def code(self, *, address: str, tag: int | str = "latest") -> bytes:
        """Return the contract's code at an address; empty where there is none."""
        told = self._node.ask("eth_getCode", [address, _tag(tag)])
        return answers.data(told, what="code")

    def receipt(self, *, transfer_hash: str) -> Receipt | None:
        """Return what became of a transfer; None while it is in no block."""
        receipt = answers.receipt(self._node.ask("eth_getTransactionReceipt", [transfer_hash]))
        if receipt is not None and receipt.transfer_hash != transfer_hash.lower():
            raise ChainLies(f"asked for {transfer_hash}, told of {receipt.transfer_hash}")
        return receipt

    def knows(self, *, transfer_hash: str) -> bool:
        """Whether the node has a transfer, in a block or waiting."""
        told = self._node.ask("eth_getTransactionByHash", [transfer_hash])
        return answers.is_transfer(told, transfer_hash=transfer_hash.lower())

    def raw(self, *, transfer_hash: str) -> str | None:
        """Return the bytes of a transfer of type 2, put together again from what the node tells.

        They are right if they have that hash. None where the node has none, or another kind.
        """
        told = self._node.ask("eth_getTransactionByHash", [transfer_hash])
        if not answers.is_transfer(told, transfer_hash=transfer_hash.lower()):
            return None
        signed = answers.signed(told)
        if signed is None or signed.transfer_hash != transfer_hash.lower():
            return None
        return signed.raw

    def send(self, *, raw: str) -> None:
        """Broadcast signed bytes; TransferRefused where the node says no to them."""
        try:
            told = self._node.ask("eth_sendRawTransaction", [raw])
        except NodeRefused as error:
            raise answers.refused(error) from error
        expected = "0x" + keccak(hexstr=raw).hex()
        if answers.hash32(told, what="hash of a transfer") != expected:
            raise ChainLies(f"{expected} was sent, the node tells of {str(told)[:80]}")

    def fees(self) -> Fees:
        """Return what the next block asks: its base fee, and what is usual on top."""
        history = self._node.ask("eth_feeHistory", ["0x1", "latest", []])
        priority = self._node.ask("eth_maxPriorityFeePerGas", [])
        return Fees(
            base_fee_wei=answers.next_base_fee(history),
            priority_fee_wei=answers.quantity(priority, what="priority fee"),
        )


def connected() -> Chain:
    """Return the chain of the settings; its id is checked once a process, until it is right."""
    if not settings.CHAIN_RPC_URL:
        raise ChainUnavailable("CHAIN_RPC_URL is not set")
    return _checked(settings.CHAIN_RPC_URL, settings.CHAIN_ID, os.getpid())


@cache
def _checked(rpc_url: str, chain_id: int, _process: int) -> Chain:
    """A process of its own: a connection does not survive a fork. A failure is not remembered."""
    chain = Chain(rpc_url=rpc_url, chain_id=chain_id)
    chain.check()
    return chain


def _tag(tag: int | str) -> str:
    return hex(tag) if isinstance(tag, int) else tag


def _transfer(*, sender: str | None, to: str, data: str, value_wei: int) -> dict[str, str]:
    asked = {"data": data}
    if to:
        asked["to"] = to
    if sender:
        asked["from"] = sender
    if value_wei:
        asked["value"] = hex(value_wei)
    return asked
