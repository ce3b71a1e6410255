"""Sign-In with Ethereum (EIP-4361): the message that a wallet signs, and whether it did.

A wallet that is a key is known by its signature alone; one that is a contract is asked on chain
(EIP-1271). A wallet that is to be deployed later (EIP-6492) is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eth_abi.abi import encode
from eth_account.messages import defunct_hash_message
from eth_utils.address import is_address, is_checksum_address, to_checksum_address

from tokens.chain.client import CallReverted, Chain

LONGEST_MESSAGE_CHARACTERS = 1_500
LONGEST_SIGNATURE_CHARACTERS = 2_050
"""A contract's wallet may want the signatures of many owners."""
_IS_VALID_SIGNATURE = "0x1626ba7e"
_REASONS = {
    "DomainMismatch": "domain",
    "UriMismatch": "uri",
    "ChainIdMismatch": "chain",
    "NonceMismatch": "nonce",
    "ExpiredMessage": "expired",
    "NotYetValidMessage": "not_yet",
    "InvalidSignature": "signature",
}
"""What the library's exceptions mean, by their names."""


class Refused(ValueError):
    """What came back is no sign-in of that wallet for us; `code` says why.

    malformed, domain, uri, chain, nonce, expired, not_yet, address, signature, purpose, used.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a message has to say: who asks (domain and page), on which chain, and once."""

    domain: str
    uri: str
    chain_id: int
    nonce: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A message of ours that came back: the address with its checksum, the text that was signed,
    and whether the signature alone proves it; if not, only the contract at that address could."""

    address: str
    text: str
    signature: str
    is_proven: bool


def checksummed(text: str) -> str:
    """Return an address with its checksum (EIP-55); Refused where it is none, or mistyped."""
    typed = text.strip()
    digits = typed[2:]
    is_mixed = digits not in (digits.lower(), digits.upper())
    if not is_address(typed) or (is_mixed and not is_checksum_address(typed)):
        raise Refused("address")
    return str(to_checksum_address(typed))


def write(
    *, asked: Asked, address: str, statement: str, issued_at: datetime, expires_at: datetime
) -> str:
    """Return the message for a wallet to sign. The statement is printable ASCII, one line."""
    siwe = _library()
    message = siwe.SiweMessage(
        domain=asked.domain,
        address=address,
        statement=statement,
        uri=asked.uri,
        version="1",
        chain_id=asked.chain_id,
        nonce=asked.nonce,
        issued_at=siwe.ISO8601Datetime.from_datetime(issued_at, timespec="seconds"),
        expiration_time=siwe.ISO8601Datetime.from_datetime(expires_at, timespec="seconds"),
    )
    return str(message.prepare_message())


def nonce_of(*, message: str) -> str:
    """Return the nonce that a message carries, as far as can be told; Refused without one."""
    return str(_parsed(message).nonce)


def read(*, message: str, signature: str, asked: Asked, at: datetime) -> Signed:
    """Check a message that came back with a signature. Raises Refused."""
    siwe = _library()
    parsed = _parsed(message)
    signed = _hexadecimal(signature)
    is_proven = True
    try:
        parsed.verify(
            signed,
            domain=asked.domain,
            uri=asked.uri,
            chain_id=asked.chain_id,
            nonce=asked.nonce,
            timestamp=at,
            strict=True,
        )
    except siwe.InvalidSignature:
        is_proven = False
    except siwe.VerificationError as error:
        raise Refused(_REASONS.get(type(error).__name__, "malformed")) from error
    return Signed(
        address=checksummed(parsed.address),
        text=str(parsed.prepare_message()),
        signature=signed,
        is_proven=is_proven,
    )


def is_signed_by_contract(*, chain: Chain, address: str, message: str, signature: str) -> bool:
    """Ask the contract at the address (EIP-1271); False where there is none, or it reverts.

    Raises ChainUnavailable and ChainLies.
    """
    if not chain.code(address=address):
        return False
    digest = bytes(defunct_hash_message(text=message))
    arguments = encode(["bytes32", "bytes"], [digest, bytes.fromhex(signature[2:])])
    try:
        answer = chain.call(to=address, data=_IS_VALID_SIGNATURE + arguments.hex())
    except CallReverted:
        return False
    # A word of bytes4: the value itself, and nothing after it.
    return answer == bytes.fromhex(_IS_VALID_SIGNATURE[2:]).ljust(32, b"\0")


def _library() -> Any:
    """The library, loaded when somebody signs in: with web3 behind it that takes a second, which
    no start of another process has to wait for."""
    import siwe  # type: ignore[import-untyped]  # noqa: PLC0415

    return siwe


def _parsed(message: str) -> Any:
    if len(message) > LONGEST_MESSAGE_CHARACTERS or not message.isascii():
        raise Refused("malformed")
    try:
        # A form sends line ends as \r\n; what was signed has \n.
        return _library().SiweMessage.from_message(message.replace("\r\n", "\n").strip("\n"))
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused("malformed") from error


def _hexadecimal(signature: str) -> str:
    text = signature.strip().lower()
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise Refused("malformed") from error
    if not raw or len(text) > LONGEST_SIGNATURE_CHARACTERS:
        raise Refused("malformed")
    return "0x" + raw.hex()
