"""Signers against counterparts over HTTP: bytes that a node takes, refusals, and lies."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3  # type: ignore[import-untyped]
import moto.kms.utils
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from eth_account import Account
from moto.server import ThreadedMotoServer

from launcher.dev_accounts import POSTER, SWEEPER
from tests.chain_node import ChainNode, chain_node, chained
from tests.lying_node import LyingNode, Refusal, lying_node
from tests.outbox_rig import address
from tokens.chain import envelopes
from tokens.chain.client import Chain
from tokens.chain.envelopes import BadEnvelope, Unsigned
from tokens.chain.signers import BadSigner, KmsSigner, SignerLies, SignerUnavailable, signer

__all__ = ["chain_node", "chained"]

TRANSFER = Unsigned(
    chain_id=31_337,
    nonce=0,
    to=address(1),
    value_wei=7,
    data="0xabcdef",
    gas_limit=100_000,
    max_fee_wei=30 * 10**9,
    priority_fee_wei=10**9,
)
CREATION = replace(TRANSFER, to="", data="0x6001600c60003960016000f300")
LOCAL = f"local:{POSTER.key}"


def as_dict(transfer: Unsigned) -> dict[str, Any]:
    """The transfer as eth_account takes it."""
    return {
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


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """A KMS of moto's, which signs what it is given: moto itself ignores MessageType DIGEST."""
    with pytest.MonkeyPatch.context() as patch:

        def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:
            assert signing_algorithm == "ECDSA_SHA_256"
            signed: bytes = self.private_key.sign(message, ec.ECDSA(Prehashed(SHA256())))
            return signed

        patch.setattr(moto.kms.utils.ECDSAPrivateKey, "sign", sign)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def new_key(moto_url: str, settings: Any) -> Callable[..., str]:
    settings.AWS_KMS_URL = moto_url
    client = boto3.client("kms", endpoint_url=moto_url)

    def make(spec: str = "ECC_SECG_P256K1", usage: str = "SIGN_VERIFY") -> str:
        return str(client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"])

    return make


@pytest.fixture
def vault() -> Iterator[LyingNode]:
    """A server that speaks Web3Signer's JSON-RPC for the poster's key, on chain 31337."""
    with lying_node() as node:

        def sign(params: list[Any]) -> str:
            (asked,) = params
            if asked["from"] != POSTER.address:
                raise Refusal(-32000, "Signing from address not unlocked")
            fields = {key: value for key, value in asked.items() if key != "from"}
            signed = Account.sign_transaction({"chainId": 31_337, **fields}, POSTER.key)
            return "0x" + bytes(signed.raw_transaction).hex()

        node.answers["eth_signTransaction"] = sign
        yield node


def web3signer(vault: LyingNode, *, of: str = POSTER.address) -> str:
    return f"web3signer:{vault.url}#{of}"


@pytest.mark.parametrize("transfer", [TRANSFER, CREATION], ids=["call", "creation"])
def test_a_local_key_signs_what_our_own_encoding_says(transfer: Unsigned) -> None:
    signed = signer(LOCAL).sign(transfer=transfer)
    assert signer(LOCAL).address == POSTER.address
    assert envelopes.opened(raw=signed.raw) == (transfer, POSTER.address)
    expected = Account.sign_transaction(as_dict(transfer), POSTER.key)
    assert signed.raw == "0x" + bytes(expected.raw_transaction).hex()
    assert signed.transfer_hash == "0x" + bytes(expected.hash).hex()


def test_a_local_key_is_refused_outside_the_demo(settings: Any) -> None:
    settings.TESTING = settings.DEMO = False
    with pytest.raises(BadSigner, match="demo only"):
        signer(LOCAL)


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "local:",
        "local:0x12",
        "local:" + "z" * 64,
        "aws-kms:",
        "aws-kms:key#0x12",
        "web3signer:",
        "web3signer:http://127.0.0.1:9",
        "web3signer:http://127.0.0.1:9#kisima",
        "web3signer:#" + address(1),
        "ledger:0",
        POSTER.key,
    ],
)
def test_a_setting_that_names_no_signer_is_refused_and_not_repeated(setting: str) -> None:
    with pytest.raises(BadSigner) as told:
        signer(setting)
    assert POSTER.key not in str(told.value)


def test_bytes_of_kms_are_taken_by_a_node(new_key: Callable[..., str], chained: ChainNode) -> None:
    kms = signer(f"aws-kms:{new_key()}")
    chained.set_balance(kms.address, wei=10**18)
    chain = Chain(rpc_url=chained.url, chain_id=chained.chain_id)
    for nonce in range(12):
        signed = kms.sign(transfer=replace(TRANSFER, nonce=nonce, to=address(9)))
        chain.send(raw=signed.raw)
        chained.drain()
        receipt = chain.receipt(transfer_hash=signed.transfer_hash)
        assert receipt is not None
        assert receipt.is_success
    assert chained.balance(address(9)) == 12 * TRANSFER.value_wei


@pytest.mark.parametrize("is_high", [False, True])
def test_either_s_of_kms_becomes_the_low_one(
    new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch, *, is_high: bool
) -> None:
    kms = signer(f"aws-kms:{new_key()}")
    assert isinstance(kms, KmsSigner)
    ask = kms._ask

    def answer(action: str, **arguments: Any) -> dict[str, Any]:
        r, s = decode_dss_signature(ask(action, **arguments)["Signature"])
        low = min(s, envelopes.ORDER - s)
        return {"Signature": encode_dss_signature(r, envelopes.ORDER - low if is_high else low)}

    monkeypatch.setattr(kms, "_ask", answer)
    signed = kms.sign(transfer=TRANSFER)
    assert envelopes.opened(raw=signed.raw) == (TRANSFER, kms.address)


def test_kms_with_its_address_is_asked_for_nothing_before_it_signs(
    new_key: Callable[..., str], settings: Any
) -> None:
    key = new_key()
    known = signer(f"aws-kms:{key}").address
    settings.AWS_KMS_URL = "http://127.0.0.1:9"
    away = signer(f"aws-kms:{key}#{known.lower()}")
    assert away.address == known
    with pytest.raises(SignerUnavailable, match="AWS KMS, sign"):
        away.sign(transfer=TRANSFER)


def test_another_key_of_kms_than_the_address_named_lies(new_key: Callable[..., str]) -> None:
    with pytest.raises(SignerLies, match="not that of"):
        signer(f"aws-kms:{new_key()}#{POSTER.address}").sign(transfer=TRANSFER)


def test_a_key_of_kms_that_does_not_exist_is_unavailable(new_key: Callable[..., str]) -> None:
    with pytest.raises(SignerUnavailable, match="get_public_key"):
        signer(f"aws-kms:{new_key()[:-36]}00000000-0000-0000-0000-000000000000")


def test_a_key_of_kms_of_another_curve_is_refused(new_key: Callable[..., str]) -> None:
    with pytest.raises(BadSigner, match="ECC_SECG_P256K1"):
        signer(f"aws-kms:{new_key('ECC_NIST_P256')}")


@pytest.mark.parametrize("answer", [{}, {"Signature": b"junk"}, {"Signature": None}])
def test_what_is_no_signature_of_kms_is_unavailable(
    new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    kms = signer(f"aws-kms:{new_key()}")
    monkeypatch.setattr(kms, "_ask", lambda action, **arguments: answer)
    with pytest.raises(SignerUnavailable, match="no signature"):
        kms.sign(transfer=TRANSFER)


@pytest.mark.parametrize("transfer", [TRANSFER, CREATION], ids=["call", "creation"])
def test_web3signer_is_asked_in_its_own_words(vault: LyingNode, transfer: Unsigned) -> None:
    signed = signer(web3signer(vault)).sign(transfer=transfer)
    assert envelopes.opened(raw=signed.raw) == (transfer, POSTER.address)
    ((method, (asked,)),) = vault.asked
    assert method == "eth_signTransaction"
    assert asked == {
        "from": POSTER.address,
        "nonce": "0x0",
        "gas": "0x186a0",
        "maxFeePerGas": hex(30 * 10**9),
        "maxPriorityFeePerGas": hex(10**9),
        "value": "0x7",
        "data": transfer.data,
        **({"to": address(1)} if transfer.to else {}),
    }


def test_a_key_that_web3signer_has_not_is_unavailable(vault: LyingNode) -> None:
    other = signer(web3signer(vault, of=SWEEPER.address))
    with pytest.raises(SignerUnavailable, match="not unlocked"):
        other.sign(transfer=TRANSFER)


def test_a_web3signer_that_is_away_or_answers_something_else_is_unavailable(
    vault: LyingNode,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(SignerUnavailable, match="ConnectionError"):
        signer(f"web3signer:{closed}#{POSTER.address}").sign(transfer=TRANSFER)
    vault.raw = b"<html>"
    with pytest.raises(SignerUnavailable, match="no JSON"):
        signer(web3signer(vault)).sign(transfer=TRANSFER)


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": 1},
        {"to": address(2)},
        {"to": ""},
        {"value_wei": 8},
        {"data": "0xabcdee"},
        {"gas_limit": 100_001},
        {"max_fee_wei": 31 * 10**9},
        {"priority_fee_wei": 2 * 10**9},
        {"chain_id": 100},
    ],
)
def test_a_web3signer_that_signs_something_else_lies(
    vault: LyingNode, changed: dict[str, Any]
) -> None:
    other = Account.sign_transaction(as_dict(replace(TRANSFER, **changed)), POSTER.key)
    vault.answers["eth_signTransaction"] = "0x" + bytes(other.raw_transaction).hex()
    with pytest.raises(SignerLies, match="asked for"):
        signer(web3signer(vault)).sign(transfer=TRANSFER)


def test_a_web3signer_that_signs_with_another_key_lies(vault: LyingNode) -> None:
    other = Account.sign_transaction(as_dict(TRANSFER), SWEEPER.key)
    vault.answers["eth_signTransaction"] = "0x" + bytes(other.raw_transaction).hex()
    with pytest.raises(SignerLies, match=f"signed by {SWEEPER.address}"):
        signer(web3signer(vault)).sign(transfer=TRANSFER)


@pytest.mark.parametrize("told", [None, 5, "", "0x", "0x02", "0x02c0", "0xzz", {}, ["0x02"]])
def test_a_web3signer_that_answers_no_bytes_lies(vault: LyingNode, told: Any) -> None:
    vault.answers["eth_signTransaction"] = told
    with pytest.raises(SignerLies):
        signer(web3signer(vault)).sign(transfer=TRANSFER)


def legacy() -> str:
    fields = {k: v for k, v in as_dict(TRANSFER).items() if k != "type" and "Fee" not in k}
    signed = Account.sign_transaction({**fields, "gasPrice": 1}, POSTER.key)
    return "0x" + bytes(signed.raw_transaction).hex()


def with_access() -> str:
    listed = [{"address": address(3), "storageKeys": []}]
    signed = Account.sign_transaction({**as_dict(TRANSFER), "accessList": listed}, POSTER.key)
    return "0x" + bytes(signed.raw_transaction).hex()


def with_a_high_s() -> str:
    raw = signer(LOCAL).sign(transfer=TRANSFER).raw
    r, s = int(raw[-130:-66], 16), int(raw[-64:], 16)
    for y_parity in (0, 1):
        high = envelopes.assembled(transfer=TRANSFER, y_parity=y_parity, r=r, s=envelopes.ORDER - s)
        if high.raw[:-132] != raw[:-132]:
            return high.raw
    raise AssertionError("the parity is one of two")


@pytest.mark.parametrize(
    "raw",
    [legacy, with_access, with_a_high_s, lambda: signer(LOCAL).sign(transfer=TRANSFER).raw + "00"],
    ids=["legacy", "access list", "high s", "more bytes"],
)
def test_bytes_that_are_not_the_one_form_of_a_transfer_are_refused(
    raw: Callable[[], str],
) -> None:
    with pytest.raises(BadEnvelope):
        envelopes.opened(raw=raw())
