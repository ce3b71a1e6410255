"""A transfer before and after it is signed (EIP-1559, type 2), and back from its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

_TYPE = b"\x02"
_FIELDS_SIGNED = 12
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the group of secp256k1 (SEC 2)."""


class BadEnvelope(ValueError):
    """Bytes that are no signed transfer of type 2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsigned:
    """What is to be signed. `to` with its checksum, "" makes a contract; `data` 0x, lower case."""

    chain_id: int
    nonce: int
    to: str
    value_wei: int
    data: str
    gas_limit: int
    max_fee_wei: int
    priority_fee_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """Bytes ready to be sent, 0x and lower-case hexadecimal, and the hash that finds them again."""

    raw: str
    transfer_hash: str


def digest(*, transfer: Unsigned) -> bytes:
    """Return the 32 bytes that the sender signs."""
    return keccak(_TYPE + rlp.encode(_fields(transfer)))


def assembled(*, transfer: Unsigned, y_parity: int, r: int, s: int) -> Signed:
    """Return the bytes with their signature."""
    raw = _TYPE + rlp.encode([*_fields(transfer), *map(_number, (y_parity, r, s))])
    return Signed(raw="0x" + raw.hex(), transfer_hash="0x" + keccak(raw).hex())


def opened(*, raw: str) -> tuple[Unsigned, str]:
    """Return what signed bytes say, and the address that signed them; BadEnvelope."""
    try:
        body = bytes.fromhex(raw.removeprefix("0x"))
        if body[:1] != _TYPE:
            raise BadEnvelope("not of type 2")
        fields: Any = rlp.decode(body[1:], strict=True)
        transfer = _transfer(fields)
        y_parity, r, s = (int.from_bytes(each) for each in fields[9:])
        if assembled(transfer=transfer, y_parity=y_parity, r=r, s=s).raw != "0x" + body.hex():
            raise BadEnvelope("not the one way in which its fields are written")
        if s > ORDER // 2:
            raise BadEnvelope("the signature's s is high, which no chain takes (EIP-2)")
        signature = Signature(vrs=(y_parity, r, s))
        key = signature.recover_public_key_from_msg_hash(digest(transfer=transfer))
    except (ValueError, TypeError, RLPException, BadSignature, ValidationError) as error:
        raise BadEnvelope(str(error)[:200]) from error
    return transfer, key.to_checksum_address()


def _fields(transfer: Unsigned) -> list[Any]:
    """The fields of EIP-1559 in their order; the access list stays empty."""
    return [
        _number(transfer.chain_id),
        _number(transfer.nonce),
        _number(transfer.priority_fee_wei),
        _number(transfer.max_fee_wei),
        _number(transfer.gas_limit),
        bytes.fromhex(transfer.to.removeprefix("0x")),
        _number(transfer.value_wei),
        bytes.fromhex(transfer.data.removeprefix("0x")),
        [],
    ]


def _transfer(fields: Any) -> Unsigned:
    if not isinstance(fields, list) or len(fields) != _FIELDS_SIGNED or fields[8] != []:
        raise BadEnvelope("other fields than those of EIP-1559")
    chain_id, nonce, priority_fee, max_fee, gas_limit = (
        int.from_bytes(each) for each in fields[:5]
    )
    return Unsigned(
        chain_id=chain_id,
        nonce=nonce,
        to=str(to_checksum_address(fields[5])) if fields[5] else "",
        value_wei=int.from_bytes(fields[6]),
        data="0x" + fields[7].hex(),
        gas_limit=gas_limit,
        max_fee_wei=max_fee,
        priority_fee_wei=priority_fee,
    )


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)
