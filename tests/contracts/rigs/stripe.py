"""Stripe: a Checkout page that the payer fills in; events signed by HMAC, several a payment."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import requests

from accounts.models import GivingPlan, PaymentAttempt, Rail
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
        return self.event("checkout.session.completed", session)

    def unasked(self) -> Sent:
        return self.event("moon.risen", {"id": "moon_1", "object": "moon"})

    def event(self, kind: str, subject: dict[str, object]) -> Sent:
        """An event of a type about something."""
        body = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": subject}}
        return Sent(path="stripe", body=json.dumps(body), topic=kind)

    def tell(self, attempt: PaymentAttempt, *, amount_minor: int, currency: str) -> None:
        charge = self._charge(attempt.provider_request)
        self.simulate(f"charges/{charge}/told", amount_minor=amount_minor, currency=currency)

    def _charge(self, session: str) -> str:
        sessions = shared_client().v1.checkout.sessions
        paid = sessions.retrieve(session, {"expand": ["payment_intent"]}).to_dict()
        if paid["invoice"]:
            return self.charge_of(paid["invoice"])
        return str(paid["payment_intent"]["latest_charge"])

    # Monthly donations

    def month(self, plan: GivingPlan) -> str:
        """A month passes for a plan alone: the next is charged. What Stripe calls the month."""
        told = self.simulate(f"subscriptions/{plan.provider_plan}/month", now=True)
        self.pass_time(seconds=2)
        return str(told["latest_invoice"])

    def charge_of(self, invoice: str) -> str:
        """The charge that a month was paid by: the reference that will be credited."""
        found = shared_client().v1.invoice_payments.list({"invoice": invoice}).to_dict()["data"]
        intents = shared_client().v1.payment_intents
        intent = intents.retrieve(found[0]["payment"]["payment_intent"]).to_dict()
        return str(intent["latest_charge"])

    def refuse_months(self, plan: GivingPlan) -> None:
        """The donor's card refuses every charge from now on."""
        self.simulate(f"subscriptions/{plan.provider_plan}/card", card="4000000000000341")

    def give_card(self, plan: GivingPlan) -> None:
        """The donor gives another card, which pays what is open."""
        path = f"subscriptions/{plan.provider_plan}/card"
        self.simulate(path, card="4242424242424242", pay=True)
        self.pass_time(seconds=2)

    def end_there(self, plan: GivingPlan) -> None:
        """Somebody ends a plan at Stripe."""
        self.simulate(f"subscriptions/{plan.provider_plan}/cancel", now=True)

    def begin_unknown(self) -> str:
        """Somebody else's subscription in the same account, its first month paid; its name."""
        price: Any = {
            "currency": self.currency.lower(),
            "unit_amount": self.amount_minor,
            "product_data": {"name": "Somebody's"},
            "recurring": {"interval": "month"},
        }
        sessions = shared_client().v1.checkout.sessions
        session = sessions.create(
            {
                "mode": "subscription",
                "line_items": [{"price_data": price, "quantity": 1}],
                "success_url": "https://example.org/",
            }
        )
        self.simulate(f"checkout/{session.id}", card="4242424242424242")
        self.pass_time(seconds=2)
        return str(sessions.retrieve(session.id).subscription)
