"""A vote as a wallet signs it: typed data (EIP-712), and which wallet signed.

Wallets show the fields before they sign. Only wallets that are a key sign so: one that is a
contract would have to be asked on chain; its owner signs in instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from tokens.chain.sign_in import Refused

NAME = "Solar village votes"
VERSION = "1"
_SIGNATURE = re.compile(r"(0x)?[0-9a-f]{130}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedVote:
    """What is signed: site (its name), round (uid), projects by number, and a nonce of ours."""

    site: str
    round: str
    options: Sequence[int]
    nonce: str


def typed_data(*, chain_id: int, vote: TypedVote) -> dict[str, Any]:
    """Return what eth_signTypedData_v4 takes."""
    return {
        "domain": {"name": NAME, "version": VERSION, "chainId": chain_id},
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
            ],
            "Vote": [
                {"name": "site", "type": "string"},
                {"name": "round", "type": "string"},
                {"name": "options", "type": "uint8[]"},
                {"name": "nonce", "type": "string"},
            ],
        },
        "primaryType": "Vote",
        "message": {
            "site": vote.site,
            "round": vote.round,
            "options": sorted(vote.options),
            "nonce": vote.nonce,
        },
    }


def signer_of(*, chain_id: int, vote: TypedVote, signature: str) -> str:
    """Return the address, with its checksum, that signed the vote.

    Another vote, chain or nonce gives another address, which nobody has. Raises Refused
    (malformed) for what is no signature.
    """
    text = signature.strip().lower()
    if not _SIGNATURE.fullmatch(text):
        raise Refused("malformed")
    message = encode_typed_data(full_message=typed_data(chain_id=chain_id, vote=vote))
    try:
        signer = Account.recover_message(message, signature=bytes.fromhex(text.removeprefix("0x")))
    except (BadSignature, ValidationError, ValueError) as error:
        raise Refused("malformed") from error
    return str(signer)
