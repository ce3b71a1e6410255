"""pawaPay: a prompt on a phone of some operator's; callbacks signed by RFC 9421."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from accounts.models import PaymentAttempt, Rail
from accounts.money import CURRENCY_DECIMALS, decimal_string
from gateway.providers.pawapay import keys
from gateway.providers.pawapay.client import shared_client
from tests.contracts.rigs.rig import PIN, Rig, Sent


class PawapayRig(Rig):
    """A wallet in Senegal; callbacks have to be signed."""

    provider = Rail.Provider.PAWAPAY
    merchant_account = "SEN"
    country, time_zone = "SN", "Africa/Dakar"
    currency, local_per_dai = "XOF", Decimal(600)
    payers = ("+221770000001", "+221770000002")
    amount_minor = 5_000
    # Above what any operator takes at once.
    odd_minor = 10**9
    signer = "pawapay"
    bad_signers = (
        "",
        "pawapay:unsigned",
        "pawapay:forged_signature",
        "pawapay:stale_signature",
        "pawapay:changed_body",
    )
    client = shared_client

    def set_up(self) -> None:
        """Fetch the keys, as the scheduled task does."""
        keys.refresh()

    def pay(self, attempt: PaymentAttempt) -> str:
        self._answer(attempt, pin=PIN)
        return str(attempt.request_id)

    def decline(self, attempt: PaymentAttempt) -> None:
        self._answer(attempt, cancel=True)

    def _answer(self, attempt: PaymentAttempt, **body: Any) -> None:
        self.simulate(f"phones/{attempt.phone}/prompts/{attempt.request_id}", **body)

    def spoil(self, attempt: PaymentAttempt) -> None:
        attempt.intent.currency = "GHS"

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
        payer = {"phoneNumber": attempt.phone.removeprefix("+"), "provider": "ORANGE_SEN"}
        body = {
            # The only name that a deposit has: whose callback this is.
            "depositId": request or reference or str(attempt.request_id),
            "status": "COMPLETED",
            "amount": decimal_string(amount=paid_minor, decimals=CURRENCY_DECIMALS[currency]),
            "currency": currency,
            "country": "SEN",
            "payer": {"type": "MMO", "accountDetails": payer},
            "created": f"{self.clock():%Y-%m-%dT%H:%M:%SZ}",
            "providerTransactionId": "MP261122.0000.A00001",
        }
        return Sent(path="test-secret/pawapay", body=json.dumps(body), topic="deposit")

    def unasked(self) -> Sent:
        body = {"remittanceId": "00000000-0000-4000-8000-000000000001", "status": "COMPLETED"}
        return Sent(path="test-secret/pawapay", body=json.dumps(body), topic="remittance")

    def tell(self, attempt: PaymentAttempt, *, amount_minor: int, currency: str) -> None:
        self.simulate(
            f"told/{attempt.request_id}",
            amount=decimal_string(amount=amount_minor, decimals=CURRENCY_DECIMALS[currency]),
            currency=currency,
        )
