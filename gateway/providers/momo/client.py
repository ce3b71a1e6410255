"""The wire of MTN MoMo: tokens, request to pay and its status, refunds, the balance.

Source: MTN's Open API pages (Collection and Disbursement v1_0, common errors), and what others
measured of it; why it is a client of our own: docs/adr/0012-momo-client.md.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import requests

from gateway.outbound import was_never_sent
from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)

COLLECTION, DISBURSEMENT = "collection", "disbursement"
TIMEOUT_SECONDS = (5, 25)
TOKEN_MARGIN = timedelta(seconds=60)
USER_AGENT = "solar-gateway/1"
"""MTN's gateway answers 403 to the one that `requests` sends by itself."""
REFUSALS = {
    "INVALID_CALLBACK_URL_HOST",
    "INVALID_CURRENCY",
    "NOT_ALLOWED",
    "NOT_ALLOWED_TARGET_ENVIRONMENT",
}
"""Codes of HTTP 500 that say no. After any other 5xx the prompt may be on the phone all the same;
every 4xx is a refusal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a request to pay and a refund have in common.

    reference is our own id (UUIDv4), amount a decimal text in the currency's major units;
    external_id has no spaces, message no apostrophe.
    """

    reference: str
    amount: str
    currency: str
    external_id: str
    message: str
    callback_url: str

    def body(self, **more: Any) -> dict[str, Any]:
        """The JSON body, with the fields that only one of the two has."""
        return {
            "amount": self.amount,
            "currency": self.currency,
            "externalId": self.external_id,
            **more,
            "payerMessage": self.message,
            "payeeNote": self.message,
        }


@dataclass(slots=True)
class _Token:
    text: str = ""
    ends_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Momo:
    """A thin client of one API user in one target environment."""

    def __init__(
        self,
        *,
        base_url: str,
        environment: str,
        api_user: str,
        api_key: str,
        collection_key: str,
        disbursement_key: str,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.environment = environment
        self._credentials = (api_user, api_key)
        self._keys = {COLLECTION: collection_key, DISBURSEMENT: disbursement_key}
        self._tokens = {COLLECTION: _Token(), DISBURSEMENT: _Token()}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT

    @property
    def refunds(self) -> bool:
        """Whether the Disbursement product, which gives money back, is subscribed to."""
        return bool(self._keys[DISBURSEMENT])

    def request_to_pay(self, *, order: Order, phone: str, at: datetime) -> None:
        """Put a prompt on a phone (E.164). A reference that MoMo knows already is accepted."""
        payer = {"partyIdType": "MSISDN", "partyId": phone.lstrip("+")}
        self._submit(COLLECTION, "requesttopay", order=order, body=order.body(payer=payer), at=at)

    def payment(self, *, reference: str, at: datetime) -> dict[str, Any] | None:
        """Return a request to pay as it stands, None where MoMo knows none.

        Raises ProviderUnavailable.
        """
        return self._resource(COLLECTION, f"v1_0/requesttopay/{reference}", at=at)

    def refund(self, *, order: Order, payment_reference: str, at: datetime) -> None:
        """Give back (part of) a request to pay. A reference that MoMo knows is accepted."""
        body = order.body(referenceIdToRefund=payment_reference)
        self._submit(DISBURSEMENT, "refund", order=order, body=body, at=at)

    def refund_status(self, *, reference: str, at: datetime) -> dict[str, Any] | None:
        """Return a refund as it stands, None where MoMo knows none. Raises ProviderUnavailable."""
        return self._resource(DISBURSEMENT, f"v1_0/refund/{reference}", at=at)

    def balance(self, *, at: datetime) -> tuple[str, str]:
        """Return (amount as text, currency) of the wallet. Raises ProviderUnavailable."""
        answer = self._resource(COLLECTION, "v1_0/account/balance", at=at) or {}
        try:
            return str(answer["availableBalance"]), str(answer["currency"])
        except KeyError as error:
            raise ProviderUnavailable(f"momo balance: no {error}") from error

    def _submit(
        self, product: str, name: str, *, order: Order, body: Mapping[str, Any], at: datetime
    ) -> None:
        headers = {"X-Reference-Id": order.reference, "X-Callback-Url": order.callback_url}
        response = self._sent("POST", product, f"v1_0/{name}", body=body, headers=headers, at=at)
        # A conflict over our own id means that an earlier try arrived.
        if response.status_code not in (requests.codes.accepted, requests.codes.conflict):
            raise _failure(response)

    def _resource(self, product: str, path: str, *, at: datetime) -> dict[str, Any] | None:
        try:
            response = self._sent("GET", product, path, at=at)
        except ProviderRefused as refusal:
            raise ProviderUnavailable(f"momo {path}: {refusal}") from refusal
        if response.status_code == requests.codes.not_found:
            return None
        if response.status_code != requests.codes.ok:
            raise ProviderUnavailable(f"momo {path}: {_failure(response)}")
        answer = _json(response)
        if not isinstance(answer, dict):
            raise ProviderUnavailable(f"momo {path}: the answer is no object")
        return answer

    def _sent(
        self,
        method: str,
        product: str,
        path: str,
        *,
        at: datetime,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send with a token; once more with a new one where MoMo took only that amiss."""
        for _ in range(2):
            sent_headers = {
                "Authorization": f"Bearer {self._token(product, at=at)}",
                "Ocp-Apim-Subscription-Key": self._keys[product],
                "X-Target-Environment": self.environment,
                **(headers or {}),
            }
            try:
                response = self._session.request(
                    method,
                    f"{self.base_url}/{product}/{path}",
                    json=body,
                    headers=sent_headers,
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                kind = ProviderUnreachable if was_never_sent(error) else ProviderUnavailable
                raise kind(f"momo {path}: {error}") from error
            if response.status_code != requests.codes.unauthorized:
                return response
            self._tokens[product].ends_at = None
        raise ProviderRefused(code="unauthorized", text="the access token was not accepted")

    def _token(self, product: str, *, at: datetime) -> str:
        token = self._tokens[product]
        with token.lock:
            if token.ends_at is not None and at < token.ends_at:
                return token.text
            try:
                response = self._session.post(
                    f"{self.base_url}/{product}/token/",
                    auth=self._credentials,
                    headers={
                        "Ocp-Apim-Subscription-Key": self._keys[product],
                        "X-Target-Environment": self.environment,
                    },
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
                response.raise_for_status()
                answer = response.json()
                token.text = str(answer["access_token"])
                life = timedelta(seconds=int(answer["expires_in"]))
            except (requests.RequestException, ValueError, KeyError, TypeError) as error:
                # Without a token nothing was asked of it yet.
                raise ProviderUnreachable(f"momo {product} token: {error}") from error
            token.ends_at = at + max(life - TOKEN_MARGIN, timedelta())
            return token.text


def _failure(response: requests.Response) -> Exception:
    """Tell a refusal from an answer that leaves open what happened."""
    answer = _json(response)
    told = answer if isinstance(answer, dict) else {}
    code = str(told.get("code") or f"http_{response.status_code}")
    text = str(told.get("message") or response.reason or "")[:200]
    is_client_error = requests.codes.bad_request <= response.status_code < 500
    if is_client_error or code in REFUSALS:
        return ProviderRefused(code=code, text=text)
    return ProviderUnavailable(f"momo: HTTP {response.status_code} {code} {text}")


def _json(response: requests.Response) -> Any:
    """The body without floats; None where it is no JSON."""
    try:
        return json.loads(response.text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
