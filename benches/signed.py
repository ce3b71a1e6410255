"""Callbacks signed as Stripe and pawaPay sign them, for the load generator.

The key of pawaPay's is a made-up one that everybody here knows: what is measured is what checking
its signatures costs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

STRIPE_SECRET = "whsec_sandbox"
"""Of launcher.stack.provider_environment."""
KEY_ID = "HTTP_EC_P256_KEY:1"
KEY = ec.derive_private_key(4826, ec.SECP256R1())
COVERED = ("@method", "@authority", "@path", "signature-date", "content-digest", "content-type")
LIFE_SECONDS = 60


def public_keys() -> str:
    """What pawaPay's public-key resource would answer."""
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return json.dumps([{"id": KEY_ID, "key": pem.decode()}])


def stripe_headers(body: str, *, at: datetime) -> dict[str, str]:
    """Stripe's header: HMAC-SHA256 of the instant and the body."""
    seconds = int(at.timestamp())
    word = hmac.new(STRIPE_SECRET.encode(), f"{seconds}.{body}".encode(), hashlib.sha256)
    return {"Stripe-Signature": f"t={seconds},v1={word.hexdigest()}"}


def pawapay_headers(
    body: str, *, path: str, public_url: str, content_type: str, at: datetime
) -> dict[str, str]:
    """pawaPay's headers: RFC 9421 over P-256, the signature in DER, the body's digest beside it."""
    created = int(at.timestamp())
    digest = base64.b64encode(hashlib.sha512(body.encode()).digest()).decode()
    values = {
        "@method": "POST",
        "@authority": urlsplit(public_url).netloc,
        "@path": path,
        "signature-date": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "content-digest": f"sha-512=:{digest}:",
        "content-type": content_type,
    }
    names = " ".join(f'"{name}"' for name in COVERED)
    parameters = (
        f'({names});alg="ecdsa-p256-sha256";keyid="{KEY_ID}"'
        f";created={created};expires={created + LIFE_SECONDS}"
    )
    lines = [f'"{name}": {values[name]}' for name in COVERED]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = base64.b64encode(KEY.sign(base.encode(), ec.ECDSA(hashes.SHA256()))).decode()
    return {
        "Signature-Date": values["signature-date"],
        "Content-Digest": values["content-digest"],
        "Signature-Input": f"sig-pp={parameters}",
        "Signature": f"sig-pp=:{signature}:",
    }
