"""Contracts deployed on a test's own chain, called by name."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from launcher import compile_contracts
from launcher.places import ROOT
from tests.chain.reference import Inner, told
from tests.chain_node import ChainNode, NodeError
from tokens.chain import calls
from tokens.chain.artifacts import Artifact, artifact
from tokens.chain.calls import Event

NOBODY = "0x" + "00" * 20
SITE = b"kisima".ljust(32, b"\0")
WEI_PER_MILLIWATT_HOUR = 10**12
WINDOW_SECONDS = 15
DATASET_HASH = bytes(range(32))
_ENOUGH_GAS = 16_000_000  # one transfer may take 2^24, since Osaka
_ERROR_SELECTOR = keccak(text="Error(string)")[:4]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One contract at its address."""

    node: ChainNode
    address: str
    artifact: Artifact
    deployment_gas: int = 0

    def read(self, function: str, *arguments: Any, sender: str | None = None) -> Any:
        """What a call returns."""
        data = self.data(function, arguments)
        answer = self.node.call(to=self.address, data=data, sender=sender)
        return calls.decode_result(artifact=self.artifact, function=function, data=answer)

    def send(self, function: str, *arguments: Any, sender: str) -> list[Event]:
        """Send a call that succeeds; returns this contract's events of it."""
        return self.events(self.receipt(function, *arguments, sender=sender))

    def gas(self, function: str, *arguments: Any, sender: str) -> int:
        """Send a call that succeeds; returns the gas that it took."""
        return int(self.receipt(function, *arguments, sender=sender)["gasUsed"], 16)

    def receipt(self, function: str, *arguments: Any, sender: str) -> dict[str, Any]:
        """Send a call that succeeds; returns its receipt.

        The gas is not estimated: a second later, a call that keeps the time may need more.
        """
        fields = {"from": sender, "to": self.address, "gas": hex(_ENOUGH_GAS)}
        fields["data"] = self.data(function, arguments)
        return mined(self.node, self.node.rpc("eth_sendTransaction", fields))

    def refusal(self, function: str, *arguments: Any, sender: str) -> str:
        """Why the chain refuses a call; empty where it gives no reason (overflow, bad ABI)."""
        data = self.data(function, arguments)
        return refusal(self.node, to=self.address, data=data, sender=sender)

    def events(self, receipt: dict[str, Any]) -> list[Event]:
        return [
            calls.decode_event(artifact=self.artifact, topics=log["topics"], data=log["data"])
            for log in receipt["logs"]
            if log["address"] == self.address.lower()
        ]

    def data(self, function: str, arguments: Sequence[Any]) -> str:
        """The data of a call."""
        return calls.encode_call(artifact=self.artifact, function=function, arguments=arguments)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site's token and ledger; the poster and guardian are the dev chain's."""

    node: ChainNode
    token: Contract
    ledger: Contract

    @property
    def poster(self) -> str:
        return self.node.poster.address

    @property
    def guardian(self) -> str:
        return self.node.guardian.address

    @property
    def stranger(self) -> str:
        return self.node.accounts[9].address

    def propose(self, n: int, root: Inner, *, sender: str | None = None) -> list[Event]:
        return self.ledger.send("propose", *proposal(n, root), sender=sender or self.poster)

    def activate(self, n: int) -> list[Event]:
        """Wait for the window's end, and activate."""
        self.node.increase_time(WINDOW_SECONDS)
        return self.ledger.send("activate", n, sender=self.stranger)

    def close(self, n: int, root: Inner) -> list[Event]:
        """Make a root the active one of epoch n."""
        self.propose(n, root)
        return self.activate(n)


def proposal(n: int, root: Inner, dataset_hash: bytes = DATASET_HASH) -> tuple[Any, ...]:
    """The arguments of `propose`."""
    return n, told(root.left), told(root.right), dataset_hash


def deploy(
    node: ChainNode, compiled: Artifact, *arguments: Any, sender: str | None = None
) -> Contract:
    """Put a contract on the chain; raises NodeError where its constructor refuses."""
    data = calls.encode_deployment(artifact=compiled, arguments=arguments)
    founder = sender or node.poster.address
    node.rpc("eth_call", {"from": founder, "data": data}, "latest")
    receipt = mined(node, node.send(sender=founder, data=data))
    address = str(to_checksum_address(receipt["contractAddress"]))
    gas = int(receipt["gasUsed"], 16)
    return Contract(node=node, address=address, artifact=compiled, deployment_gas=gas)


def deploy_site(node: ChainNode, **changes: Any) -> Site:
    """Deploy token and ledger, the ledger with the constructor's arguments changed as named."""
    founder = node.poster.address
    ledger_address = address_of_deployment(founder, node.nonce(founder) + 1)
    token = deploy(node, artifact("ImpactToken"), "Kisima impact", "IT", ledger_address)
    arguments = {
        "token": token.address,
        "site": SITE,
        "wei_per_milliwatt_hour": WEI_PER_MILLIWATT_HOUR,
        "window_seconds": WINDOW_SECONDS,
        "poster": node.poster.address,
        "guardian": node.guardian.address,
    }
    assert set(changes) <= set(arguments)
    ledger = deploy(node, artifact("ImpactLedger"), *(arguments | changes).values())
    assert ledger.address == ledger_address
    return Site(node=node, token=token, ledger=ledger)


def address_of_deployment(sender: str, nonce: int) -> str:
    """Where a sender's transfer of a nonce puts the contract that it deploys (RLP of both)."""
    digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    short = digits if 0 < nonce < 0x80 else bytes([0x80 + len(digits)]) + digits
    payload = b"\x94" + bytes.fromhex(sender[2:]) + short
    found = keccak(bytes([0xC0 + len(payload)]) + payload)
    return str(to_checksum_address(found[12:]))


def mined(node: ChainNode, transfer_hash: str) -> dict[str, Any]:
    """The receipt of a transfer that has to succeed."""
    deadline = time.monotonic() + 10
    while (receipt := node.receipt(transfer_hash)) is None:
        assert time.monotonic() < deadline, "not mined"
        time.sleep(0.005)
    assert receipt["status"] == "0x1"
    return receipt


def refusal(node: ChainNode, *, to: str, data: str, sender: str) -> str:
    """Why the chain refuses a call; empty without a reason."""
    with pytest.raises(NodeError) as refused:
        node.call(to=to, data=data, sender=sender)
    return reason(refused.value)


def reason(error: NodeError) -> str:
    """The text of a revert; empty without one. Fails for an error that is no revert."""
    assert error.code == 3, error
    data = bytes.fromhex(str(error.data or "0x").removeprefix("0x"))
    if not data:
        return ""
    assert data[:4] == _ERROR_SELECTOR, data.hex()
    return str(decode(["string"], data[4:])[0])


def sandbox_artifact(name: str) -> Artifact:
    """A contract of the sandbox, which the product never reads."""
    found = json.loads((ROOT / f"sandbox/contracts/artifacts/{name}.json").read_text())
    return Artifact(abi=found["abi"], bytecode=found["bytecode"])


@cache
def own_artifact(name: str) -> Artifact:
    """A contract of the tests, compiled now."""
    source = Path(__file__).with_name("contracts") / f"{name}.vy"
    found = compile_contracts.compiled(sources=[source])[source]
    return Artifact(abi=found["abi"], bytecode=found["bytecode"])
