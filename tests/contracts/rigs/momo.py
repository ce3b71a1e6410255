"""MTN MoMo: a prompt on a phone; callbacks by POST or PUT, named by nothing but their path."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

from accounts.models import PaymentAttempt, Rail
from accounts.money import CURRENCY_DECIMALS, decimal_string
from gateway.providers.momo.provider import shared_client
from tests.contracts.rigs.rig import PIN, Rig, Sent


class MomoRig(Rig):
    """A wallet in Uganda."""

    provider = Rail.Provider.MOMO
    merchant_account = "00000000-0000-4000-8000-000000004826"
    country, time_zone = "UG", "Africa/Kampala"
    currency, local_per_dai = "UGX", Decimal(3_700)
    payers = ("+256772000001", "+256772000002")
    amount_minor = 5_000
    # One digit more than MoMo reads.
    odd_minor = 10**12
    methods = ("POST", "PUT")
    client = shared_client

    def sign_in(self) -> None:
        """Each of MoMo's products has a token of its own."""
        super().sign_in()
        shared_client().refund_status(reference=str(uuid.uuid4()), at=self.clock())

    def pay(self, attempt: PaymentAttempt) -> str:
        return str(self._answer(attempt, pin=PIN)["receipt"])

    def decline(self, attempt: PaymentAttempt) -> None:
        self._answer(attempt, cancel=True)

    def _answer(self, attempt: PaymentAttempt, **body: Any) -> dict[str, Any]:
        path = f"phones/{attempt.phone}/prompts/{attempt.request_id}"
        answer: dict[str, Any] = self.simulate(path, **body)
        return answer

    def spoil(self, attempt: PaymentAttempt) -> None:
        attempt.intent.currency = "RWF"

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
        currency = currency or attempt.intent.currency
        body: dict[str, Any] = {
            "financialTransactionId": reference or "1234567890",
            "externalId": attempt.intent.account_text,
            "amount": decimal_string(amount=paid_minor, decimals=CURRENCY_DECIMALS[currency]),
            "currency": currency,
            "payer": {"partyIdType": "MSISDN", "partyId": attempt.phone.removeprefix("+")},
            "payeeNote": "Solar power",
            "status": "SUCCESSFUL",
        }
        if request:
            body["referenceId"] = request
        return Sent(path=f"test-secret/momo/{attempt.token}", body=json.dumps(body))

    def unasked(self) -> Sent:
        body = {"amount": "5000", "currency": "UGX", "payee": {"partyId": "1"}, "status": "MOVED"}
        return Sent(path=f"test-secret/momo/{'0' * 64}", body=json.dumps(body), method="PUT")

    def tell(self, attempt: PaymentAttempt, *, amount_minor: int, currency: str) -> None:
        self.simulate(
            f"told/{attempt.request_id}",
            amount=decimal_string(amount=amount_minor, decimals=CURRENCY_DECIMALS[currency]),
            currency=currency,
        )
