"""Signed callbacks: RFC 9421 and RFC 9530 by `http-message-signatures`, with pawaPay's oddities.

pawaPay (docs.pawapay.io/v2/docs/signatures) covers method, authority, path, its own Signature-Date,
the body's digest and its type, lets a signature live for a minute, and writes ECDSA signatures in
DER, where RFC 9421 3.3.4 has r and s side by side: both are taken. Which algorithm is right says
the key; `alg` only chooses among those that pawaPay offers. When it was signed says `created`: in
pawaPay's own example Signature-Date is three hours off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    InvalidSignature,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import (
    ECDSA_P256_SHA256,
    ECDSA_P384_SHA384,
    RSA_PSS_SHA512,
    RSA_V1_5_SHA256,
)

from gateway.providers.interface import BadSignature, Callback

COVERED = ("@method", "@authority", "@path", "signature-date", "content-digest")
"""Without these a signature says too little: a body or a path could be another's."""

LONGEST_LIFE = timedelta(minutes=5)
CLOCK_SKEW = timedelta(seconds=60)
_ALGORITHM = re.compile(r';\s*alg="([a-z0-9_-]{1,40})"')


class EitherP256(ECDSA_P256_SHA256):
    """P-256 signatures in DER, or as RFC 9421 has them."""

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise where neither reading of the signature is right."""
        _verify_either(super(), signature, message)


class EitherP384(ECDSA_P384_SHA384):
    """P-384 signatures in DER, or as RFC 9421 has them."""

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise where neither reading of the signature is right."""
        _verify_either(super(), signature, message)


ALGORITHMS: dict[str, type[HTTPSignatureAlgorithm]] = {
    algorithm.algorithm_id: algorithm
    for algorithm in (EitherP256, EitherP384, RSA_PSS_SHA512, RSA_V1_5_SHA256)
}


@dataclass(frozen=True, slots=True)
class _Message:
    """A request in the shape that the library reads."""

    method: str
    url: str
    headers: Mapping[str, str]


class _Verifier(HTTPMessageVerifier):
    """The library's verifier at an instant that is passed in, not at the system's time."""

    def __init__(self, *, at: datetime, **options: Any) -> None:
        super().__init__(**options)
        self._at = at

    def validate_created_and_expires(
        self, sig_input: Any, max_age: timedelta | None = None
    ) -> None:
        """Refuse what was signed in the future or too long ago, or has expired."""
        created_at = _instant(sig_input.params.get("created"))
        if not self._at - LONGEST_LIFE <= created_at <= self._at + CLOCK_SKEW:
            raise InvalidSignature("it was made too long ago, or in the future")
        expires = sig_input.params.get("expires")
        if expires is not None and _instant(expires) < self._at - CLOCK_SKEW:
            raise InvalidSignature("it has expired")


class _Keys(MappingKeyResolver):
    """Public keys in PEM, each read once a process."""

    def resolve_public_key(self, key_id: str) -> Any:
        """Return the key of an id, None where there is none. Raises ValueError."""
        pem = super().resolve_public_key(key_id)
        return _public_key(pem) if isinstance(pem, bytes) else pem


@lru_cache(maxsize=16)
def _public_key(pem: bytes) -> Any:
    try:
        return load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(f"a public key of another kind: {error}") from error


def verify(*, callback: Callback, keys: Mapping[str, bytes], public_url: str, at: datetime) -> None:
    """Check that pawaPay signed the callback, body included, a moment ago. Raises BadSignature.

    keys are public keys in PEM by their ids. What pawaPay signed is the authority that the rest of
    the world knows us by (public_url's), whatever a proxy made of it.
    """
    headers = {name.lower(): value for name, value in callback.headers.items()}
    for name in ("signature", "signature-input", "signature-date", "content-digest"):
        if not headers.get(name):
            raise BadSignature(f"the callback has no {name} header")
    if not keys:
        raise BadSignature("no public key of pawaPay is known yet")
    public, called = urlsplit(public_url), urlsplit(callback.url)
    verifier = _Verifier(
        at=at,
        signature_algorithm=_algorithm(headers["signature-input"]),
        key_resolver=_Keys(public_keys=keys, private_keys={}),
    )
    try:
        verifier.verify(
            _Message(
                method=callback.method,
                url=f"{public.scheme}://{public.netloc}{called.path}",
                headers=headers,
            ),
            require_components=COVERED,
            body=callback.body.encode(),
        )
    except (HTTPMessageSignaturesException, ValueError) as error:
        told = str(error) or "the signature is not of this key and this request"
        raise BadSignature(f"badly signed: {told}"[:200]) from error


def _algorithm(signature_input: str) -> type[HTTPSignatureAlgorithm]:
    named = _ALGORITHM.search(signature_input)
    algorithm = ALGORITHMS.get(named.group(1)) if named else None
    if algorithm is None:
        raise BadSignature("it is signed with an algorithm that pawaPay does not offer")
    return algorithm


def _verify_either(algorithm: Any, signature: bytes, message: bytes) -> None:
    try:
        der_as_raw = algorithm.signature_from_der(signature)
    except HTTPMessageSignaturesException:
        der_as_raw = signature
    algorithm.verify(der_as_raw, message)


def _instant(seconds: object) -> datetime:
    if type(seconds) is not int:
        raise InvalidSignature("it does not say when it was made")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidSignature("it was made at no instant") from error
