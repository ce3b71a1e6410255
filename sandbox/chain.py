"""Money and prices on a development chain: python -m sandbox.chain --rpc URL

DAI, USDC and a feed of ETH in US dollars, deployed from the node's sixth account (number 5) with
its first three nonces: their addresses are the same on every new chain. Running it again deploys
nothing, tells the price anew (a feed that is silent for long is not believed) and gives coins to
the people's wallets (accounts 6 to 9) that hold none.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

ARTIFACTS = Path(__file__).parent / "contracts" / "artifacts"
DEPLOYER = 5
PEOPLE = (6, 7, 8, 9)
ETH_USD = 2_500 * 10**8  # the feed has eight decimals
COINS_EACH = 10_000
_GAS_LIMIT = 2_000_000
_PATIENCE_SECONDS = 20.0
_ANSWER_SECONDS = 10.0


class ChainError(Exception):
    """The chain can't be used so; the text is one sentence."""


@dataclass(frozen=True)
class Contract:
    """What is deployed: by nonce, with its constructor's arguments."""

    name: str
    nonce: int
    artifact: str
    kinds: tuple[str, ...]
    arguments: tuple[Any, ...]
    decimals: int

    def init_code(self) -> str:
        """The data of the transfer that deploys it."""
        made = json.loads((ARTIFACTS / f"{self.artifact}.json").read_text())
        return str(made["bytecode"]) + encode(self.kinds, self.arguments).hex()


DAI = Contract(
    "DAI", 0, "SandboxToken", ("string", "string", "uint8"), ("Sandbox Dai", "DAI", 18), 18
)
USDC = Contract(
    "USDC", 1, "SandboxToken", ("string", "string", "uint8"), ("Sandbox USDC", "USDC", 6), 6
)
FEED = Contract(
    "ETH/USD", 2, "SandboxFeed", ("string", "uint8", "int256"), ("ETH / USD", 8, ETH_USD), 8
)
CONTRACTS = (DAI, USDC, FEED)


class Node:
    """An anvil: its accounts sign by themselves."""

    def __init__(self, *, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def ask(self, method: str, *parameters: Any) -> Any:
        """One call; ChainError for no answer, or for the node's own error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        try:
            answer = self._session.post(self._url, json=body, timeout=_ANSWER_SECONDS).json()
        except (requests.RequestException, ValueError) as error:
            raise ChainError(
                f"The chain does not answer {method}: {type(error).__name__}."
            ) from error
        if not isinstance(answer, dict) or "result" not in answer:
            told = answer.get("error") if isinstance(answer, dict) else answer
            raise ChainError(f"The chain refused {method}: {str(told)[:200]}.")
        return answer["result"]

    def send(self, **fields: str) -> str:
        """With plenty of gas: an estimate by the last block's time is too low for a later one."""
        return str(self.ask("eth_sendTransaction", {"gas": hex(_GAS_LIMIT), **fields}))

    def wait(self, hashes: Sequence[str]) -> None:
        """Until each is in a block, with effect. Mines one, as on this chain anybody may."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for transfer in hashes:
            while (receipt := self.ask("eth_getTransactionReceipt", transfer)) is None:
                if time.monotonic() > deadline:
                    raise ChainError(f"The chain put {transfer} into no block.")
                self.ask("evm_mine")
                time.sleep(0.05)
            if int(receipt["status"], 16) != 1:
                raise ChainError(f"{transfer} had no effect.")

    def call(self, to: str, signature: str, *arguments: Any) -> int:
        data = call_data(signature, *arguments)
        return int(self.ask("eth_call", {"to": to, "data": data}, "latest"), 16)


def call_data(signature: str, *arguments: Any) -> str:
    """Encode a call, e.g. call_data("mint(address,uint256)", wallet, 1)."""
    kinds = [kind for kind in signature.partition("(")[2].rstrip(")").split(",") if kind]
    return "0x" + (keccak(text=signature)[:4] + encode(kinds, arguments)).hex()


def address_at(*, deployer: str, nonce: int) -> str:
    """The address of what an account deploys with a nonce below 128."""
    encoded = b"\xd6\x94" + bytes.fromhex(deployer[2:]) + (bytes([nonce]) if nonce else b"\x80")
    return str(to_checksum_address(keccak(encoded)[-20:]))


def deploy(*, url: str) -> dict[str, str]:
    """Make what is missing; returns the contracts' addresses by name. Raises ChainError."""
    node = Node(url=url)
    accounts = [to_checksum_address(account) for account in node.ask("eth_accounts")]
    if len(accounts) <= max(PEOPLE):
        raise ChainError("The chain has not the ten accounts of an anvil.")
    deployer = accounts[DEPLOYER]
    addresses = {each.name: address_at(deployer=deployer, nonce=each.nonce) for each in CONTRACTS}
    missing = [
        each
        for each in CONTRACTS
        if node.ask("eth_getCode", addresses[each.name], "latest") == "0x"
    ]
    if missing:
        _deploy(node, deployer, missing)
    sent = []
    if FEED not in missing:
        data = call_data("set_answer(int256)", ETH_USD)
        sent.append(node.send(**{"from": deployer, "to": addresses[FEED.name], "data": data}))
    for coin in (DAI, USDC):
        for number in PEOPLE:
            wallet, token = accounts[number], addresses[coin.name]
            if node.call(token, "balanceOf(address)", wallet) == 0:
                data = call_data("mint(address,uint256)", wallet, COINS_EACH * 10**coin.decimals)
                sent.append(node.send(**{"from": deployer, "to": token, "data": data}))
    node.wait(sent)
    return addresses


def _deploy(node: Node, deployer: str, missing: Sequence[Contract]) -> None:
    used = int(node.ask("eth_getTransactionCount", deployer, "pending"), 16)
    if used != missing[0].nonce:
        raise ChainError(
            f"Account {deployer} has sent {used} transfers, yet {missing[0].name} is not there: "
            "start with a new chain (script/server --fresh)."
        )
    node.wait([node.send(**{"from": deployer, "data": each.init_code()}) for each in missing])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.chain", description=__doc__)
    parser.add_argument("--rpc", required=True, help="JSON-RPC of an anvil")
    options = parser.parse_args(arguments)
    try:
        addresses = deploy(url=options.rpc)
    except ChainError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{name} {address}\n" for name, address in addresses.items())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
