"""Stripe: a Checkout page that the payer fills in; events signed by HMAC, several a payment."""

from __future__ import annotations

import json
from decimal import Decimal

import requests

from accounts.models import PaymentAttempt, Rail
from gateway.providers.stripe.client import shared_client
from tests.contracts.rigs.rig import Rig, Sent

ENDPOINT = "stripe:we_sandbox"
CARD = {"email": "ada@example.org", "card": "4242 4242 4242 4242", "expiry": "12/34", "cvc": "123"}


class StripeRig(Rig):
    """Cards in Kenyan shillings, by somebody abroad."""

    provider = Rail.Provider.STRIPE
    merchant_account = "acct_sandbox"
    country, time_zone = "KE", "Africa/Nairobi"
    currency, local_per_dai = "KES", Decimal("129.25")
    payers = ("", "")
    amount_minor = 250_000
    # Less than Stripe's least.
    odd_minor = 1
    signer = ENDPOINT
    bad_signers = (
        "",
        f"{ENDPOINT}:no_signature",
        f"{ENDPOINT}:bad_signature",
        f"{ENDPOINT}:old_timestamp",
        f"{ENDPOINT}:wrong_scheme",
    )
    client = shared_client

    def pay(self, attempt: PaymentAttempt) -> str:
        session = self._session(attempt)
        page = requests.post(
            f"{self.url}/checkout/{session}", data=CARD, timeout=10, allow_redirects=False
        )
        assert page.status_code == requests.codes.see_other, page.text
        # Until the charge is captured and its fee is known.
        self.pass_time(seconds=2)
        return self._charge(session)

    def decline(self, attempt: PaymentAttempt) -> None:
        """Leave the page, which anybody could still use until it expires."""
        self.simulate(f"checkout/{self._session(attempt)}", cancel=True)
        self.pass_time(hours=2, minutes=1)

    def _session(self, attempt: PaymentAttempt) -> str:
        return attempt.provider_request or str(self.simulate("checkout")[0]["id"])

    def spoil(self, attempt: PaymentAttempt) -> None:
        attempt.intent.currency = "TND"

    def open_requests(self) -> list[str]:
        return [session["id"] for session in self.simulate("checkout")]

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
        session = {
            "id": request or attempt.provider_request,
            "object": "checkout.session",
            "client_reference_id": attempt.token,
            "amount_total": paid_minor,
            "currency": (currency or attempt.intent.currency).lower(),
            "payment_intent": reference or "pi_made_up",
            "payment_status": "paid",
            "status": "complete",
        }
        return self._event("checkout.session.completed", session)

    def unasked(self) -> Sent:
        return self._event("moon.risen", {"id": "moon_1", "object": "moon"})

    def _event(self, kind: str, subject: dict[str, object]) -> Sent:
        body = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": subject}}
        return Sent(path="stripe", body=json.dumps(body), topic=kind)

    def tell(self, attempt: PaymentAttempt, *, amount_minor: int, currency: str) -> None:
        charge = self._charge(attempt.provider_request)
        self.simulate(f"charges/{charge}/told", amount_minor=amount_minor, currency=currency)

    def _charge(self, session: str) -> str:
        sessions = shared_client().v1.checkout.sessions
        paid = sessions.retrieve(session, {"expand": ["payment_intent"]}).to_dict()
        return str(paid["payment_intent"]["latest_charge"])
