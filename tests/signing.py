"""People with wallets: keys that sign messages, and a contract that has an owner."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_defunct

from launcher.compile_contracts import compiled
from launcher.dev_accounts import DEV_ACCOUNTS, DevAccount
from tests.chain.deployed import deploy
from tests.chain_node import ChainNode
from tokens.chain.artifacts import Artifact

AMINA, BARAKA, CLARA = DEV_ACCOUNTS[6:9]
"""Holders of wallets."""
_SOURCE = Path(__file__).parent / "chain" / "SignedByOwner.vy"


def signed(message: str, *, by: DevAccount) -> str:
    """What a wallet answers to personal_sign."""
    signature = Account.sign_message(encode_defunct(text=message), private_key=by.key).signature
    return "0x" + bytes(signature).hex()


def contract_wallet(node: ChainNode, *, owner: DevAccount) -> str:
    """Deploy a wallet that is a contract and return its address."""
    wallet = deploy(node, _wallet(), owner.address)
    return wallet.address


@cache
def _wallet() -> Artifact:
    found = compiled(sources=[_SOURCE])[_SOURCE]
    return Artifact(abi=found["abi"], bytecode=found["bytecode"])
