"""The wire of pawaPay's Merchant API v2: payments both ways, balances, statements, public keys.

Source: docs.pawapay.io/v2 (API reference and its OpenAPI file). There is no client on PyPI that
speaks v2 under a licence we can ship, and the API is a handful of JSON resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import requests
from django.conf import settings

from gateway.outbound import was_never_sent
from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)

TIMEOUT_SECONDS = (5, 25)
TAKEN = {"ACCEPTED", "DUPLICATE_IGNORED"}
"""A duplicate is an earlier try of ours that arrived."""
REJECTED = "REJECTED"
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Wallet:
    """One wallet of the merchant: a country (ISO 3166-1 alpha-3) and a currency."""

    country: str
    currency: str


class Pawapay:
    """A thin client of one merchant account."""

    def __init__(self, *, base_url: str, api_token: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_token}"

    def deposit(
        self,
        *,
        deposit_id: str,
        phone: str,
        operator: str,
        amount: str,
        currency: str,
        account: str,
        message: str,
    ) -> None:
        """Put a prompt on a phone (E.164) of an operator, e.g. ORANGE_SEN.

        amount is a decimal text without needless zeros; message is 4 to 22 letters and digits.
        Asking again under the same id does nothing twice. Raises ProviderRefused,
        ProviderUnreachable or ProviderUnavailable.
        """
        self._initiate(
            "/v2/deposits",
            {
                "depositId": deposit_id,
                "amount": amount,
                "currency": currency,
                "payer": {
                    "type": "MMO",
                    "accountDetails": {
                        "phoneNumber": phone.removeprefix("+"),
                        "provider": operator,
                    },
                },
                "clientReferenceId": account,
                "customerMessage": message,
                "metadata": [{"account": account}],
            },
        )

    def deposit_status(self, *, deposit_id: str) -> dict[str, Any] | None:
        """Return a deposit as it stands, None where pawaPay knows none.

        Raises ProviderUnavailable.
        """
        return self._found(f"/v2/deposits/{deposit_id}")

    def refund(self, *, refund_id: str, deposit_id: str, amount: str, currency: str) -> None:
        """Give back (part of) a deposit to who paid it; raises as `deposit` does."""
        self._initiate(
            "/v2/refunds",
            {
                "refundId": refund_id,
                "depositId": deposit_id,
                "amount": amount,
                "currency": currency,
                # The statement names no deposit beside a refund, but it shows metadata.
                "metadata": [{"deposit": deposit_id}],
            },
        )

    def refund_status(self, *, refund_id: str) -> dict[str, Any] | None:
        """Return a refund as it stands, None where pawaPay knows none.

        Raises ProviderUnavailable.
        """
        return self._found(f"/v2/refunds/{refund_id}")

    def pay_out(
        self,
        *,
        payout_id: str,
        phone: str,
        operator: str,
        amount: str,
        currency: str,
        reference: str,
        message: str,
    ) -> None:
        """Send money to a phone (E.164); asks and raises as `deposit` does."""
        self._initiate(
            "/v2/payouts",
            {
                "payoutId": payout_id,
                "amount": amount,
                "currency": currency,
                "recipient": {
                    "type": "MMO",
                    "accountDetails": {
                        "phoneNumber": phone.removeprefix("+"),
                        "provider": operator,
                    },
                },
                "clientReferenceId": reference,
                "customerMessage": message,
            },
        )

    def payout_status(self, *, payout_id: str) -> dict[str, Any] | None:
        """Return a payout as it stands, None where pawaPay knows none.

        Raises ProviderUnavailable.
        """
        return self._found(f"/v2/payouts/{payout_id}")

    def balances(self, *, country: str) -> list[dict[str, Any]]:
        """Return the wallets of a country. Raises ProviderUnavailable."""
        answer = self._resource(f"/v2/wallet-balances?country={country}")
        listed = answer.get("balances") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise ProviderUnavailable("pawapay balances: the answer has no list of them")
        return [wallet for wallet in listed if isinstance(wallet, dict)]

    def public_keys(self) -> list[dict[str, Any]]:
        """Return the keys that callbacks are signed with. Raises ProviderUnavailable."""
        answer = self._resource("/v2/public-key/http")
        if not isinstance(answer, list):
            raise ProviderUnavailable("pawapay keys: the answer is no list")
        return answer

    def ask_statement(self, *, wallet: Wallet, since: datetime, until: datetime) -> str:
        """Ask for a statement of at most 31 days; return its id. Raises ProviderUnavailable."""
        try:
            answer = self._initiate(
                "/v2/statements",
                {
                    "wallet": {"country": wallet.country, "currency": wallet.currency},
                    "startDate": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "endDate": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                },
            )
        except ProviderRefused as refusal:
            raise ProviderUnavailable(f"pawapay statement refused: {refusal}") from refusal
        return str(answer.get("statementId", ""))

    def statement_status(self, *, statement_id: str) -> dict[str, Any]:
        """Return a statement as it stands. Raises ProviderUnavailable."""
        data = self._found(f"/v2/statements/{statement_id}")
        if data is None:
            raise ProviderUnavailable("pawapay statement: it is not known any more")
        return data

    def download(self, *, url: str) -> str:
        """Fetch a statement's file, without our token. Raises ProviderUnavailable."""
        try:
            with requests.get(url, timeout=TIMEOUT_SECONDS, stream=True) as response:
                response.raise_for_status()
                content = response.raw.read(MOST_BYTES + 1, decode_content=True)
            if len(content) > MOST_BYTES:
                raise ProviderUnavailable("pawapay statement: the file is too large")
            return str(content.decode("utf-8-sig"))
        except (requests.RequestException, ValueError) as error:
            raise ProviderUnavailable(f"pawapay statement: {error}"[:200]) from error

    def _initiate(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self._sent("POST", path, body=body)
        answer = _json(response)
        told = answer if isinstance(answer, dict) else {}
        if response.ok and told.get("status") in TAKEN:
            return told
        is_refusal = response.ok and told.get("status") == REJECTED
        if is_refusal or requests.codes.bad_request <= response.status_code < 500:
            raise ProviderRefused(**_reason(told, status=response.status_code))
        # Of UNKNOWN_ERROR, and of any answer that says nothing, pawaPay itself says: ask.
        raise ProviderUnavailable(f"pawapay {path}: HTTP {response.status_code}")

    def _found(self, path: str) -> dict[str, Any] | None:
        answer = self._resource(path)
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "NOT_FOUND":
            return None
        data = answer.get("data") if isinstance(answer, dict) else None
        if status != "FOUND" or not isinstance(data, dict):
            raise ProviderUnavailable(f"pawapay {path}: neither found nor not found")
        return data

    def _resource(self, path: str) -> Any:
        response = self._sent("GET", path)
        if not response.ok:
            told = _json(response)
            reason = _reason(told if isinstance(told, dict) else {}, status=response.status_code)
            raise ProviderUnavailable(f"pawapay {path}: {reason['code']} {reason['text']}")
        return _json(response)

    def _sent(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                f"{self.base_url}{path}",
                json=body,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            kind = ProviderUnreachable if was_never_sent(error) else ProviderUnavailable
            raise kind(f"pawapay {path}: {error}") from error


def _reason(told: Mapping[str, Any], *, status: int) -> dict[str, str]:
    """failureReason as code and text; the HTTP status where there is none."""
    reason = told.get("failureReason")
    fields = reason if isinstance(reason, dict) else {}
    return {
        "code": str(fields.get("failureCode") or f"http_{status}")[:40],
        "text": str(fields.get("failureMessage") or "")[:200],
    }


def _json(response: requests.Response) -> Any:
    """The body without floats; None where it is no JSON."""
    try:
        return json.loads(response.text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=16)
def shared_client() -> Pawapay:
    """Return the process's client, so that its connections are kept."""
    return Pawapay(base_url=settings.PAWAPAY_URL, api_token=settings.PAWAPAY_API_TOKEN)
