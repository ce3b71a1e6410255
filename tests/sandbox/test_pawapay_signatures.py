"""pawaPay's signed callbacks, read by a library that knows nothing of the sandbox."""

from __future__ import annotations

import pytest
from http_message_signatures import (
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    VerifyResult,
    algorithms,
)

from tests.sandbox.conftest import Product, Received
from tests.sandbox.pawapay_merchant import Merchant, merchant

__all__ = ["merchant"]

COVERED = ("@method", "@authority", "@path", "signature-date", "content-digest", "content-type")


class DerEcdsa(algorithms.ECDSA_P256_SHA256):
    """As the vendor's own examples write signatures; all else is the library's."""

    def verify(self, signature: bytes, message: bytes) -> None:
        super().verify(self.signature_from_der(signature), message)


def verified(
    merchant: Merchant,
    sent: Received,
    *,
    algorithm: type[algorithms.HTTPSignatureAlgorithm] = DerEcdsa,
) -> VerifyResult:
    keys = {row["id"]: row["key"].encode() for row in merchant.get("/v2/public-key/http")}
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithm,
        key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
    )
    [result] = verifier.verify(sent, require_components=COVERED, body=sent.body)
    return result


def sent(product: Product) -> Received:
    product.wait_for("pawapay")
    return product.received[-1]


def test_a_strict_verifier_accepts_raw_signatures_unchanged(
    merchant: Merchant, product: Product
) -> None:
    merchant.simulate("signing", encoding="raw")
    merchant.paid()
    result = verified(merchant, sent(product), algorithm=algorithms.ECDSA_P256_SHA256)
    assert result.label == "sig-pp"
    assert result.parameters["keyid"] == "HTTP_EC_P256_KEY:1"
    assert int(result.parameters["expires"]) - int(result.parameters["created"]) == 60


def test_by_default_signatures_are_der_as_the_vendors(merchant: Merchant, product: Product) -> None:
    merchant.paid()
    callback = sent(product)
    assert verified(merchant, callback).body == callback.body
    assert callback.headers["Content-Digest"].startswith("sha-512=:")
    with pytest.raises(InvalidSignature):
        verified(merchant, callback, algorithm=algorithms.ECDSA_P256_SHA256)


def test_the_digest_can_be_the_shorter_one(merchant: Merchant, product: Product) -> None:
    merchant.simulate("signing", digest="sha-256")
    merchant.paid()
    callback = sent(product)
    assert callback.headers["Content-Digest"].startswith("sha-256=:")
    assert verified(merchant, callback)


@pytest.mark.parametrize("kind", ["forged_signature", "stale_signature", "changed_body"])
def test_spoilt_signatures_are_refused(merchant: Merchant, product: Product, kind: str) -> None:
    merchant.fault(kind)
    merchant.paid()
    with pytest.raises(InvalidSignature):
        verified(merchant, sent(product))
    merchant.paid()
    product.wait_for("pawapay", count=2)
    assert verified(merchant, product.received[-1])


def test_signing_can_be_left_out(merchant: Merchant, product: Product) -> None:
    merchant.fault("unsigned")
    merchant.paid()
    assert "Signature" not in sent(product).headers
    merchant.simulate("signing", signed="no")
    merchant.paid()
    product.wait_for("pawapay", count=2)
    assert "Signature" not in product.received[-1].headers
    assert merchant.call("POST", "/simulator/signing", {"encoding": "pem"}).status_code == 400


def test_a_new_key_signs_and_the_old_one_stays_listed(merchant: Merchant, product: Product) -> None:
    merchant.paid()
    old = sent(product)
    assert merchant.simulate("keys") == {"id": "HTTP_EC_P256_KEY:2"}
    merchant.paid()
    product.wait_for("pawapay", count=2)
    assert verified(merchant, product.received[-1]).parameters["keyid"] == "HTTP_EC_P256_KEY:2"
    assert verified(merchant, old).parameters["keyid"] == "HTTP_EC_P256_KEY:1"
