"""M-Pesa by Daraja: a prompt on a phone, and the paybill."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from accounts.models import PaymentAttempt, Rail
from gateway.providers.daraja.provider import shared_client
from tests.contracts.rigs.rig import HOOKS_URL, PIN, Rig, Sent


class DarajaRig(Rig):
    """A paybill in Kenya."""

    provider = Rail.Provider.DARAJA
    merchant_account = "174379"
    country, time_zone = "KE", "Africa/Nairobi"
    currency, local_per_dai = "KES", Decimal("129.25")
    payers = ("+254711000001", "+254711000002")
    amount_minor = 50_000
    odd_minor = 50_001
    # Its query says that a prompt was paid, not how much.
    tells_money = False
    client = shared_client

    def set_up(self) -> None:
        client, at = shared_client(), self.clock()
        client.register_pull(
            phone="254711000000", callback_url=f"{HOOKS_URL}/daraja/result/pull", at=at
        )
        client.register_urls(
            confirmation_url=f"{HOOKS_URL}/daraja/confirmation",
            validation_url=f"{self.url}/nowhere",
            at=at,
        )

    def sign_in(self) -> None:
        """Registering again does no harm, and is never answered from what was stored."""
        self.set_up()

    def pay(self, attempt: PaymentAttempt) -> str:
        return str(self._answer(attempt, pin=PIN)["receipt"])

    def decline(self, attempt: PaymentAttempt) -> None:
        self._answer(attempt, cancel=True)

    def _answer(self, attempt: PaymentAttempt, **body: Any) -> dict[str, Any]:
        prompts = f"phones/{attempt.phone}/prompts"
        named = attempt.provider_request or self.simulate(prompts)[0]["id"]
        answer: dict[str, Any] = self.simulate(f"{prompts}/{named}", **body)
        return answer

    def pay_unasked(self, account: str, amount: str) -> str:
        """Somebody pays to an account without being asked, and nobody is told; the receipt."""
        answer = self.simulate(
            f"phones/{self.payers[0]}/paybill", account=account, amount=amount, silent=True
        )
        return str(answer["receipt"])

    def spoil(self, attempt: PaymentAttempt) -> None:
        assert attempt.top_up is not None
        attempt.top_up.phone = "+15551234567"

    def open_requests(self) -> list[str]:
        return self.open_prompts()

    def claim(
        self,
        attempt: PaymentAttempt,
        *,
        request: str = "",
        reference: str = "",
        amount_minor: int | None = None,
        currency: str = "",
    ) -> Sent:
        paid_minor = attempt.intent.amount_minor if amount_minor is None else amount_minor
        items = [
            {"Name": "Amount", "Value": paid_minor / 100},
            {"Name": "MpesaReceiptNumber", "Value": reference or "FAKE000001"},
            {"Name": "Balance"},
            {"Name": "PhoneNumber", "Value": int(attempt.phone)},
        ]
        callback = {
            "MerchantRequestID": "1-1-1",
            "CheckoutRequestID": request or attempt.provider_request,
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": {"Item": items},
        }
        body = json.dumps({"Body": {"stkCallback": callback}})
        return Sent(path=f"test-secret/daraja/stk/{attempt.token}", body=body, topic="stk")

    def unasked(self) -> Sent:
        result = {"ResultType": 0, "ResultCode": 0, "OriginatorConversationID": "1-2-3"}
        return Sent(
            path=f"test-secret/daraja/result/{'0' * 64}", body=json.dumps({"Result": result})
        )
