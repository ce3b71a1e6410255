"""Signed callbacks: RFC 9421 in the form pawaPay gives it, with keys of the sandbox's own.

pawaPay covers method, authority, path, its own Signature-Date, the digest of the body and its
type, names the signature `sig-pp`, lets it live for a minute, and writes ECDSA signatures in DER
(docs.pawapay.io/v2/docs/signatures), where RFC 9421 3.3.4 has r and s side by side. The switch
`/simulator/signing` turns signing on and off and chooses the encoding.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.courier import Outgoing
from sandbox.pawapay.access import SERVICE, check_token
from sandbox.web import Route, json_object, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS pawapay_key (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    pem TEXT NOT NULL             -- private, unencrypted: a toy's
);
"""
LABEL = "sig-pp"
COMPONENTS = ("@method", "@authority", "@path", "signature-date", "content-digest", "content-type")
LIFE = timedelta(seconds=60)
STALE = timedelta(hours=1)
DEFAULT_PORTS = {"http": 80, "https": 443}
# What a commanded fault makes of one callback; the courier carries its name to `sign`.
FAULTS = ("unsigned", "forged_signature", "stale_signature", "changed_body")
ENCODINGS, DIGESTS = ("der", "raw"), ("sha-512", "sha-256")
SWITCHES = {
    "signed": ("yes", ("yes", "no")),
    "encoding": ("der", ENCODINGS),
    "digest": ("sha-512", DIGESTS),
}
COORDINATE_BYTES = 32


class Signing:
    """Keys, the signer of callbacks, and the public resource that shows the keys."""

    def __init__(self, *, context: Context) -> None:
        self._context = context
        context.courier.sign_with(name=SERVICE, signer=self.sign)

    def routes(self) -> list[Route]:
        """The vendor's public keys, and the switches."""
        return [
            Route("GET", "/v2/public-key/http", self.public_keys),
            Route("POST", "/simulator/signing", self.switch),
            Route("POST", "/simulator/keys", self.rotate),
        ]

    def public_keys(self, request: Request) -> Response:
        """Every key ever used, newest last."""
        check_token(request, context=self._context)
        return json_response(
            [{"id": key_id, "key": _public_pem(key)} for key_id, key in self._keys().items()]
        )

    def switch(self, request: Request) -> Response:
        """`{"signed": "yes"|"no", "encoding": "der"|"raw", "digest": "sha-512"|"sha-256"}`."""
        for name, value in json_object(request).items():
            if name not in SWITCHES or value not in SWITCHES[name][1]:
                refuse({"error": f"{name} cannot be {value!r}."}, status=400)
            self._context.store.set_setting(f"pawapay_{name}", value)
        return json_response({name: self._switched(name) for name in SWITCHES})

    def rotate(self, _request: Request) -> Response:
        """Sign with a new key from now on; the old ones stay listed."""
        self._make_key()
        return json_response({"id": list(self._keys())[-1]}, status=201)

    def sign(self, outgoing: Outgoing) -> Mapping[str, str]:
        """Headers for one sending; outgoing.note is the fault it was commanded, if any."""
        fault = outgoing.note
        if self._switched("signed") == "no" or fault == "unsigned":
            return {}
        at = self._context.clock() - (STALE if fault == "stale_signature" else timedelta())
        created = int(at.timestamp())
        key_id, key = list(self._keys().items())[-1]
        if fault == "forged_signature":
            key = ec.generate_private_key(ec.SECP256R1())
        # A body that was changed on its way differs from the one that was signed.
        signed_body = outgoing.body + (b" " if fault == "changed_body" else b"")
        headers = {
            **outgoing.headers,
            "Signature-Date": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "Content-Digest": _digest(signed_body, algorithm=self._switched("digest")),
        }
        components = " ".join(f'"{name}"' for name in COMPONENTS)
        parameters = (
            f'({components});alg="ecdsa-p256-sha256";keyid="{key_id}"'
            f";created={created};expires={created + int(LIFE.total_seconds())}"
        )
        base = _signature_base(outgoing, headers=headers, parameters=parameters)
        signature = key.sign(base.encode(), ec.ECDSA(hashes.SHA256()))
        if self._switched("encoding") == "raw":
            signature = _raw(signature)
        return {
            "Signature-Date": headers["Signature-Date"],
            "Content-Digest": headers["Content-Digest"],
            "Signature-Input": f"{LABEL}={parameters}",
            "Signature": f"{LABEL}=:{base64.b64encode(signature).decode()}:",
        }

    def _switched(self, name: str) -> str:
        return self._context.store.setting(f"pawapay_{name}") or SWITCHES[name][0]

    def _keys(self) -> dict[str, ec.EllipticCurvePrivateKey]:
        with self._context.store.transaction() as db:
            rows = db.execute("SELECT * FROM pawapay_key ORDER BY number").fetchall()
            if not rows:
                self._make_key()
                rows = db.execute("SELECT * FROM pawapay_key").fetchall()
        return {f"HTTP_EC_P256_KEY:{row['number']}": _private(row["pem"]) for row in rows}

    def _make_key(self) -> None:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with self._context.store.transaction() as db:
            db.execute("INSERT INTO pawapay_key (pem) VALUES (?)", (pem.decode(),))


def _signature_base(outgoing: Outgoing, *, headers: Mapping[str, str], parameters: str) -> str:
    parts = urlsplit(outgoing.url)
    port = parts.port if parts.port != DEFAULT_PORTS.get(parts.scheme) else None
    host = (parts.hostname or "").lower()
    values = {
        "@method": outgoing.method,
        "@authority": host if port is None else f"{host}:{port}",
        "@path": parts.path or "/",
        **{name.lower(): value for name, value in headers.items()},
        "@signature-params": parameters,
    }
    return "\n".join(f'"{name}": {values[name]}' for name in (*COMPONENTS, "@signature-params"))


def _digest(body: bytes, *, algorithm: str) -> str:
    hashed = hashlib.new(algorithm.replace("-", ""), body).digest()
    return f"{algorithm}=:{base64.b64encode(hashed).decode()}:"


def _raw(der: bytes) -> bytes:
    return b"".join(number.to_bytes(COORDINATE_BYTES) for number in decode_dss_signature(der))


def _private(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the state file holds another kind of key")
    return key


def _public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
