"""Signed callbacks: what is taken, and what is refused however little is wrong with it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.providers.interface import BadSignature, Callback
from gateway.providers.pawapay import signatures

AT = datetime(2026, 11, 22, 8, 17, 5, tzinfo=UTC)
PUBLIC_URL = "https://solar.example"
PATH = "/hooks/s/pawapay"
BODY = '{"depositId": "8917c345-4791-4285-a416-62f24b6982db", "status": "COMPLETED"}'
KEY_ID = "HTTP_EC_P256_KEY:1"
COMPONENTS = ("@method", "@authority", "@path", "signature-date", "content-digest", "content-type")
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)

# https://docs.pawapay.io/v2/docs/signatures, its example of a deposit callback.
VENDOR = Callback(
    body="{}",
    url="http://127.0.0.1:8000/callback",
    headers={
        "content-type": "application/json; charset=UTF-8",
        "content-digest": (
            "sha-512=:0ki7QBS/0MA424uwOq3k5HnJnL5SRkPjit12m0YMpd4JgWiMvm9+yNT3FunkpDaTSsKhTkli"
            "QwJlRw9bgsos9w==:"
        ),
        "signature-date": "2024-05-02T16:45:51.131905Z",
        "signature": (
            "sig-pp=:MEQCIHFvGCUgyxmmowMufO4Yk20pBs3JHRax81si2QZVi9ByAiBPpg1WBhQjZ6fmi3a/gKcW"
            "iQ73Qm9Ol35On3c4K/flew==:"
        ),
        "signature-input": (
            'sig-pp=("@method" "@authority" "@path" "signature-date" "content-digest" '
            '"content-type");alg="ecdsa-p256-sha256";keyid="CUSTOMER_TEST_KEY";'
            "created=1714657551;expires=1714657611"
        ),
    },
)
VENDOR_BASE = (
    '"@method": POST\n'
    '"@authority": localhost:8080\n'
    '"@path": /callback\n'
    '"signature-date": 2024-05-02T16:45:51.131905Z\n'
    '"content-digest": sha-512=:0ki7QBS/0MA424uwOq3k5HnJnL5SRkPjit12m0YMpd4JgWiMvm9+yNT3Funkp'
    "DaTSsKhTkliQwJlRw9bgsos9w==:\n"
    '"content-type": application/json; charset=UTF-8\n'
    '"@signature-params": ("@method" "@authority" "@path" "signature-date" "content-digest" '
    '"content-type");alg="ecdsa-p256-sha256";keyid="CUSTOMER_TEST_KEY";created=1714657551;'
    "expires=1714657611"
)


def pem(key: Any) -> bytes:
    written: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return written


KEYS = {KEY_ID: pem(P256), "P384": pem(P384), "RSA": pem(RSA)}


def der(message: bytes) -> bytes:
    return P256.sign(message, ec.ECDSA(hashes.SHA256()))


def raw(message: bytes) -> bytes:
    return b"".join(number.to_bytes(32) for number in decode_dss_signature(der(message)))


def signed(
    *,
    sign: Any = der,
    components: tuple[str, ...] = COMPONENTS,
    algorithm: str = "ecdsa-p256-sha256",
    key_id: str = KEY_ID,
    at: datetime = AT,
    date: str = "",
    parameters: str | None = None,
    path: str = PATH,
    authority: str = "solar.example",
) -> Callback:
    """A callback signed by hand, as RFC 9421 2.5 says."""
    digest = base64.b64encode(hashlib.sha512(BODY.encode()).digest()).decode()
    created = int(at.timestamp())
    listed = " ".join(f'"{name}"' for name in components)
    if parameters is None:
        parameters = f";created={created};expires={created + 60}"
    parameters = f'({listed});alg="{algorithm}";keyid="{key_id}"{parameters}'
    values = {
        "@method": "POST",
        "@authority": authority,
        "@path": path,
        "signature-date": date or at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "content-digest": f"sha-512=:{digest}:",
        "content-type": "application/json; charset=UTF-8",
    }
    base = "\n".join(f'"{name}": {values[name]}' for name in components)
    base += f'\n"@signature-params": {parameters}'
    signature = base64.b64encode(sign(base.encode())).decode()
    headers = {name: value for name, value in values.items() if not name.startswith("@")}
    headers["signature-input"] = f"sig-pp={parameters}"
    headers["signature"] = f"sig-pp=:{signature}:"
    return Callback(body=BODY, headers=headers, url=f"http://127.0.0.1:8000{PATH}")


def with_header(callback: Callback, name: str, value: str) -> Callback:
    return replace(callback, headers={**callback.headers, name: value})


def verify(callback: Callback, *, at: datetime = AT, keys: dict[str, bytes] = KEYS) -> None:
    signatures.verify(callback=callback, keys=keys, public_url=PUBLIC_URL, at=at)


@pytest.mark.parametrize("sign", [der, raw])
def test_both_encodings_of_a_signature_are_taken(sign: Any) -> None:
    for _ in range(20):  # lengths of DER differ from one signature to the next
        verify(signed(sign=sign))


def test_the_other_algorithms_that_pawapay_offers() -> None:
    def p384(message: bytes) -> bytes:
        return P384.sign(message, ec.ECDSA(hashes.SHA384()))

    def rsa_v1_5(message: bytes) -> bytes:
        return RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def rsa_pss(message: bytes) -> bytes:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
        return RSA.sign(message, pss, hashes.SHA512())

    verify(signed(sign=p384, algorithm="ecdsa-p384-sha384", key_id="P384"))
    verify(signed(sign=rsa_v1_5, algorithm="rsa-v1_5-sha256", key_id="RSA"))
    verify(signed(sign=rsa_pss, algorithm="rsa-pss-sha512", key_id="RSA"))


def test_the_vendors_example_is_put_together_as_the_vendor_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []

    class Recording(signatures.EitherP256):
        def verify(self, signature: bytes, message: bytes) -> None:
            seen.append(message)
            assert len(self.signature_from_der(signature)) == 64

    monkeypatch.setitem(signatures.ALGORITHMS, "ecdsa-p256-sha256", Recording)
    with pytest.raises(BadSignature, match="igest"):  # the example's body is not published
        signatures.verify(
            callback=VENDOR,
            keys={"CUSTOMER_TEST_KEY": pem(P256)},
            public_url="http://localhost:8080",
            at=datetime(2024, 5, 2, 13, 45, 52, tzinfo=UTC),
        )
    assert [message.decode() for message in seen] == [VENDOR_BASE]


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(replace(signed(), body=BODY.replace("COMPLETED", "FAILED")))


def test_a_body_with_another_digest_beside_the_old_signature_is_refused() -> None:
    other = BODY.replace("COMPLETED", "FAILED")
    digest = base64.b64encode(hashlib.sha512(other.encode()).digest()).decode()
    callback = replace(signed(), body=other)
    with pytest.raises(BadSignature):
        verify(with_header(callback, "content-digest", f"sha-512=:{digest}:"))


@pytest.mark.parametrize(
    "name", ["signature", "signature-input", "signature-date", "content-digest"]
)
def test_a_missing_header_is_refused(name: str) -> None:
    with pytest.raises(BadSignature, match=name):
        verify(with_header(signed(), name, ""))


@pytest.mark.parametrize(
    "later",
    [
        timedelta(minutes=5, seconds=1),
        timedelta(minutes=3),
        timedelta(days=30),
        -timedelta(minutes=2),
    ],
)
def test_an_old_callback_again_is_refused(later: timedelta) -> None:
    verify(signed(), at=AT + timedelta(seconds=90))
    with pytest.raises(BadSignature):
        verify(signed(), at=AT + later)


def test_the_date_may_be_of_another_time_zone_as_in_the_vendors_example() -> None:
    verify(signed(date="2026-11-22T11:17:05.000000Z"))


@pytest.mark.parametrize(
    "parameters", ["", ";created=x", ';created="1"', ";created=99999999999999", ";expires=1"]
)
def test_a_signature_that_does_not_say_when_is_refused(parameters: str) -> None:
    with pytest.raises(BadSignature):
        verify(signed(parameters=parameters))


@pytest.mark.parametrize("left_out", ["@method", "@authority", "@path", "content-digest"])
def test_what_is_not_covered_is_refused(left_out: str) -> None:
    kept = tuple(name for name in COMPONENTS if name != left_out)
    with pytest.raises(BadSignature):
        verify(signed(components=kept))


def test_another_path_and_another_authority_are_refused() -> None:
    with pytest.raises(BadSignature):
        verify(signed(path="/hooks/other/pawapay"))
    with pytest.raises(BadSignature):
        verify(signed(authority="evil.example"))


def test_a_key_of_somebody_else_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(signed(key_id="HTTP_EC_P256_KEY:9"))
    with pytest.raises(BadSignature):
        verify(signed(), keys={KEY_ID: pem(ec.generate_private_key(ec.SECP256R1()))})
    with pytest.raises(BadSignature, match="no public key"):
        verify(signed(), keys={})


def test_an_algorithm_cannot_be_talked_down() -> None:
    with pytest.raises(BadSignature, match="does not offer"):
        verify(signed(algorithm="hmac-sha256"))
    with pytest.raises(BadSignature):
        verify(signed(algorithm="rsa-v1_5-sha256"))
    with pytest.raises(BadSignature):
        verify(with_header(signed(), "signature-input", "sig-pp=()"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature", "sig-pp=:"),
        ("signature", "sig-pp=:AAAA:"),
        ("signature", "other=:AAAA:"),
        ("signature", "\u00e9"),
        ("content-digest", "sha-512=:"),
        ("content-digest", "md5=:AAAA:"),
        ("signature-input", 'sig-pp=("@method");alg="ecdsa-p256-sha256"'),
        ("signature-input", ';alg="ecdsa-p256-sha256"' * 1000),
    ],
)
def test_malformed_headers_are_refused_and_break_nothing(name: str, value: str) -> None:
    with pytest.raises(BadSignature):
        verify(with_header(signed(), name, value))
