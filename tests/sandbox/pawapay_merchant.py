"""A merchant of pawaPay: signed-in calls, and what its customers do on their phones."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
import requests

PHONE = "221770000001"


@dataclass
class Merchant:
    """url is the service's own, with its prefix."""

    url: str
    token: str = "sandbox-key"

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return requests.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=10)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def deposit(self, **changes: Any) -> requests.Response:
        """Ask PHONE for 500 XOF; a change to None leaves the field out."""
        body = {
            "depositId": str(uuid.uuid4()),
            "amount": "500",
            "currency": "XOF",
            "payer": {
                "type": "MMO",
                "accountDetails": {"phoneNumber": PHONE, "provider": "ORANGE_SEN"},
            },
            "clientReferenceId": "LOF0001",
            "customerMessage": "Solar power",
            "metadata": [{"account": "LOF0001"}],
            **changes,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        return self.call("POST", "/v2/deposits", sent)

    def accepted(self, **changes: Any) -> str:
        answer = self.deposit(**changes).json()
        assert answer["status"] == "ACCEPTED", answer
        return str(answer["depositId"])

    def paid(self, **changes: Any) -> str:
        deposit_id = self.accepted(**changes)
        assert self.answer(deposit_id, pin="4826").json()["receipt"]
        return deposit_id

    def data(self, kind: str, payment_id: str) -> dict[str, Any]:
        answer = self.get(f"/v2/{kind}/{payment_id}")
        assert answer["status"] == "FOUND"
        data: dict[str, Any] = answer["data"]
        return data

    def prompts(self, *, phone: str = PHONE) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = self.get(f"/simulator/phones/{phone}/prompts")
        return listed

    def answer(self, deposit_id: str, *, phone: str = PHONE, **body: Any) -> requests.Response:
        return self.call("POST", f"/simulator/phones/+{phone}/prompts/{deposit_id}", body)

    def refund(self, deposit_id: str, **changes: Any) -> requests.Response:
        body = {"refundId": str(uuid.uuid4()), "depositId": deposit_id, **changes}
        return self.call("POST", "/v2/refunds", body)

    def simulate(self, what: str, **body: Any) -> dict[str, Any]:
        answer = self.call("POST", f"/simulator/{what}", body)
        assert answer.ok, answer.text
        told: dict[str, Any] | list[Any] = answer.json()
        return told if isinstance(told, dict) else {}

    def fault(self, kind: str, **body: Any) -> None:
        self.simulate("faults", kind=kind, **body)

    def balance(self) -> str:
        [wallet] = self.get("/v2/wallet-balances?country=SEN")["balances"]
        return str(wallet["balance"])


def payer(phone: str, provider: str) -> dict[str, Any]:
    return {"type": "MMO", "accountDetails": {"phoneNumber": phone, "provider": provider}}


@pytest.fixture
def merchant(sandbox_url: str) -> Merchant:
    return Merchant(url=f"{sandbox_url}/pawapay")
