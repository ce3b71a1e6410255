"""A merchant of MoMo who speaks plain HTTP, and the phones of its payers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

PHONE = "256772000001"
USER = "00000000-0000-4000-8000-000000004826"
AGENT = {"User-Agent": "merchant/1"}
KEYS = {"collection": "sandbox-collection-key", "disbursement": "sandbox-disbursement-key"}


@dataclass
class Merchant:
    """Signed-in calls under `url` (the sandbox's, with `/momo`)."""

    url: str
    product_url: str
    environment: str = "mtnuganda"
    currency: str = "UGX"
    tokens: dict[str, str] = field(default_factory=dict)

    def sign_in(self, product: str, *, user: str = USER, key: str = "sandbox-key") -> Any:
        response = requests.post(
            f"{self.url}/{product}/token/",
            auth=(user, key),
            headers={**AGENT, "Ocp-Apim-Subscription-Key": KEYS[product]},
            timeout=5,
        )
        if response.ok:
            self.tokens[product] = response.json()["access_token"]
        return response

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> requests.Response:
        product = path.split("/")[1]
        if product not in self.tokens:
            self.sign_in(product)
        sent = {
            **AGENT,
            "Authorization": f"Bearer {self.tokens[product]}",
            "Ocp-Apim-Subscription-Key": KEYS[product],
            "X-Target-Environment": self.environment,
            **(headers or {}),
        }
        return requests.request(
            method,
            self.url + path,
            json=body,
            headers={name: value for name, value in sent.items() if value is not None},
            timeout=10,
        )

    def order(self, **changes: Any) -> dict[str, Any]:
        """The body of a request to pay."""
        return {
            "amount": "5000",
            "currency": self.currency,
            "externalId": "KIS0001",
            "payer": {"partyIdType": "MSISDN", "partyId": PHONE},
            "payerMessage": "Solar power",
            "payeeNote": "Top up",
            **changes,
        }

    def ask(
        self,
        *,
        reference: str | None = None,
        phone: str = PHONE,
        headers: Mapping[str, str | None] | None = None,
        **changes: Any,
    ) -> tuple[str, requests.Response]:
        """Request to pay; the reference id and the answer."""
        reference = reference or str(uuid.uuid4())
        payer = {"partyIdType": "MSISDN", "partyId": phone}
        response = self.call(
            "POST",
            "/collection/v1_0/requesttopay",
            body=self.order(**{"payer": payer, **changes}),
            headers={
                "X-Reference-Id": reference,
                "X-Callback-Url": f"{self.product_url}/hooks/demo/momo/abc",
                **(headers or {}),
            },
        )
        return reference, response

    def asked(self, **changes: Any) -> str:
        """The reference id of a request that was accepted."""
        reference, response = self.ask(**changes)
        assert (response.status_code, response.content) == (202, b""), response.text
        return reference

    def status(self, reference: str) -> dict[str, Any]:
        response = self.call("GET", f"/collection/v1_0/requesttopay/{reference}")
        assert response.status_code == 200, response.text
        told: dict[str, Any] = response.json()
        return told

    def refund(
        self, payment: str, *, reference: str | None = None, **changes: Any
    ) -> tuple[str, requests.Response]:
        reference = reference or str(uuid.uuid4())
        body = {
            "amount": "5000",
            "currency": self.currency,
            "externalId": "refund-1",
            "payerMessage": "",
            "payeeNote": "",
            "referenceIdToRefund": payment,
            **changes,
        }
        response = self.call(
            "POST",
            "/disbursement/v1_0/refund",
            body=body,
            headers={
                "X-Reference-Id": reference,
                "X-Callback-Url": f"{self.product_url}/hooks/demo/momo/refund",
            },
        )
        return reference, response

    def refund_status(self, reference: str) -> dict[str, Any]:
        response = self.call("GET", f"/disbursement/v1_0/refund/{reference}")
        assert response.status_code == 200, response.text
        told: dict[str, Any] = response.json()
        return told

    def balance(self, product: str = "collection") -> str:
        told: dict[str, str] = self.call("GET", f"/{product}/v1_0/account/balance").json()
        assert told["currency"] == self.currency
        return told["availableBalance"]

    def prompts(self, *, phone: str = PHONE) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = requests.get(
            f"{self.url}/simulator/phones/{phone}/prompts", timeout=5
        ).json()
        return listed

    def answer(self, reference: str, *, phone: str = PHONE, **body: Any) -> requests.Response:
        url = f"{self.url}/simulator/phones/+{phone}/prompts/{reference}"
        return requests.post(url, json=body, timeout=10)

    def pay(self, reference: str, *, phone: str = PHONE) -> str:
        """Enter the right PIN; the financial transaction id."""
        return str(self.answer(reference, phone=phone, pin="4826").json()["receipt"])

    def simulate(self, name: str, **body: Any) -> requests.Response:
        """Command the simulator's side."""
        return requests.post(f"{self.url}/simulator/{name}", json=body, timeout=5)
