"""Who signs transfers: a local key (demo), AWS KMS, or Web3Signer, behind one protocol.

Whoever signs, the bytes are opened again and must be exactly what was asked for.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from eth_account import Account
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from tokens.chain import envelopes, rpc
from tokens.chain.envelopes import BadEnvelope, Signed, Unsigned

KMS_SECONDS = 5
_COORDINATE_BYTES = 32


class BadSigner(ValueError):
    """A setting names no signer, or one that may not be used here."""


class SignerUnavailable(Exception):
    """The signer gave no answer, or refused. Nothing was signed that we know of."""


class SignerLies(Exception):
    """The signer answered other bytes than asked for, or another key's."""


class Signer(Protocol):
    """Signs for one address."""

    @property
    def address(self) -> str:
        """The sender's address, with its checksum."""

    def sign(self, *, transfer: Unsigned) -> Signed:
        """Sign one transfer; SignerUnavailable, SignerLies."""


class LocalSigner:
    """A key in the settings. Anybody who reads them can spend: for the demo and tests only."""

    def __init__(self, *, key: str) -> None:
        if not (settings.DEMO or settings.TESTING):
            raise BadSigner("a local key may be used by the demo only")
        try:
            self._account = Account.from_key(key)
        except (ValueError, TypeError):
            # Its words could hold the key.
            raise BadSigner("local: wants a private key of 32 bytes in hexadecimal") from None
        self.address = str(self._account.address)

    def sign(self, *, transfer: Unsigned) -> Signed:
        """See Signer."""
        asked: dict[str, Any] = {
            "type": 2,
            "chainId": transfer.chain_id,
            "nonce": transfer.nonce,
            "to": transfer.to or b"",
            "value": transfer.value_wei,
            "data": transfer.data,
            "gas": transfer.gas_limit,
            "maxFeePerGas": transfer.max_fee_wei,
            "maxPriorityFeePerGas": transfer.priority_fee_wei,
        }
        raw = self._account.sign_transaction(asked).raw_transaction
        return checked(raw="0x" + bytes(raw).hex(), transfer=transfer, address=self.address)


class KmsSigner:
    """A key of AWS KMS (ECC_SECG_P256K1, SIGN_VERIFY), which never leaves it.

    With its address given nothing is asked before the first signature; else the public key is.
    """

    def __init__(self, *, key_id: str, address: str = "") -> None:
        # Loading these takes 0.4 s, at every start of every process that never signs by KMS.
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        self._key_id = key_id
        self._client = boto3.client(
            "kms",
            endpoint_url=settings.AWS_KMS_URL or None,
            region_name=_region(key_id),
            config=Config(
                connect_timeout=KMS_SECONDS,
                read_timeout=KMS_SECONDS,
                retries={"total_max_attempts": 2, "mode": "standard"},
            ),
        )
        self.address = address or self._told_address()

    def sign(self, *, transfer: Unsigned) -> Signed:
        """See Signer. KMS answers r and s in DER, with either s, and without the parity of y."""
        answer = self._ask(
            "sign",
            Message=envelopes.digest(transfer=transfer),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        try:
            r, s = decode_dss_signature(answer["Signature"])
        except (KeyError, TypeError, ValueError) as error:
            raise SignerUnavailable("AWS KMS answered no signature in DER") from error
        s = min(s, envelopes.ORDER - s)
        for y_parity in (0, 1):
            signed = envelopes.assembled(transfer=transfer, y_parity=y_parity, r=r, s=s)
            if _sender(signed.raw) == self.address:
                return checked(raw=signed.raw, transfer=transfer, address=self.address)
        raise SignerLies(f"the signature of AWS KMS is not that of {self.address}")

    def _told_address(self) -> str:
        answer = self._ask("get_public_key")
        try:
            key = load_der_public_key(answer["PublicKey"])
        except (KeyError, TypeError, ValueError, UnsupportedAlgorithm) as error:
            raise SignerUnavailable("AWS KMS answered no public key in DER") from error
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256K1):
            raise BadSigner("the key of AWS KMS is not of ECC_SECG_P256K1")
        point = key.public_numbers()
        both = b"".join(each.to_bytes(_COORDINATE_BYTES) for each in (point.x, point.y))
        return str(to_checksum_address(keccak(both)[-20:]))

    def _ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, action)(KeyId=self._key_id, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise SignerUnavailable(f"AWS KMS, {action}: {str(error)[:200]}") from error
        return answer


class Web3Signer:
    """A Web3Signer, which asks its own vault; it has to be started with our chain's id."""

    def __init__(self, *, url: str, address: str) -> None:
        self.address = address
        self._node = rpc.Node(url=url)

    def sign(self, *, transfer: Unsigned) -> Signed:
        """See Signer."""
        asked = {
            "from": self.address,
            "nonce": hex(transfer.nonce),
            "gas": hex(transfer.gas_limit),
            "maxFeePerGas": hex(transfer.max_fee_wei),
            "maxPriorityFeePerGas": hex(transfer.priority_fee_wei),
            "value": hex(transfer.value_wei),
            "data": transfer.data,
            **({"to": transfer.to} if transfer.to else {}),
        }
        try:
            raw = self._node.ask("eth_signTransaction", [asked])
        except rpc.ChainUnavailable as error:
            raise SignerUnavailable(f"Web3Signer: {error}") from error
        return checked(raw=raw, transfer=transfer, address=self.address)


def checked(*, raw: Any, transfer: Unsigned, address: str) -> Signed:
    """Return signed bytes that are what was asked for, by the address; SignerLies otherwise."""
    if not isinstance(raw, str):
        raise SignerLies(f"no bytes but {str(raw)[:80]}")
    try:
        said, sender = envelopes.opened(raw=raw)
    except BadEnvelope as error:
        raise SignerLies(f"no signed transfer: {error}") from error
    if sender != address:
        raise SignerLies(f"signed by {sender}, not by {address}")
    if said != transfer:
        raise SignerLies(f"asked for {transfer}, signed {said}"[:400])
    raw = "0x" + raw.lower().removeprefix("0x")
    return Signed(raw=raw, transfer_hash="0x" + keccak(hexstr=raw).hex())


def signer(setting: str) -> Signer:
    """Return the signer that a setting names, the same one for a whole process.

    local:0x<key>, aws-kms:<key id>[#<address>] or web3signer:<url>#<address>; BadSigner. Only
    aws-kms without an address asks for it (SignerUnavailable).
    """
    return _signer(setting, settings.AWS_KMS_URL, settings.DEMO or settings.TESTING, os.getpid())


@cache
def _signer(setting: str, _kms_url: str, _may_be_local: bool, _process: int) -> Signer:
    kind, _, rest = setting.partition(":")
    if kind == "local":
        return LocalSigner(key=rest)
    name, _, address = rest.rpartition("#") if "#" in rest else (rest, "", "")
    if address and not is_address(address):
        raise BadSigner(f"{kind}: {address[:60]!r} is no address")
    if kind == "aws-kms" and name:
        return KmsSigner(key_id=name, address=to_checksum_address(address) if address else "")
    if kind == "web3signer" and name and address:
        return Web3Signer(url=name, address=to_checksum_address(address))
    raise BadSigner("a signer is local:0x<key>, aws-kms:<key id> or web3signer:<url>#<address>")


def _sender(raw: str) -> str:
    try:
        return envelopes.opened(raw=raw)[1]
    except BadEnvelope:
        return ""


def _region(key_id: str) -> str | None:
    """The region that a key's ARN names; None leaves it to AWS_REGION and its kin."""
    parts = key_id.split(":")
    return parts[3] if len(parts) > 5 and parts[0] == "arn" else None
