"""The account's money: balance transactions, the balance, payouts.

Every currency settles in itself, as in an account with a bank account per currency: a balance
transaction is in the currency of its charge and has no exchange rate.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sandbox.stripe import currencies
from sandbox.stripe.api import Api, Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects
from sandbox.web import Route

# A charge can be paid out two days after it was made.
SETTLING_SECONDS = 2 * 24 * 3600
PAYOUT_SECONDS = 1.0
EMPTY_CURRENCY = "usd"


class Balance:
    """Every movement of the account's money."""

    def __init__(self, *, objects: Objects, events: Events) -> None:
        self._objects = objects
        self._events = events

    def move(
        self,
        *,
        kind: str,
        category: str,
        amount: int,
        currency: str,
        source: str,
        description: str | None,
        fee: int = 0,
        fee_description: str = "Stripe processing fees",
        settling_seconds: int = 0,
    ) -> Body:
        """Record a balance transaction of `amount` (positive comes in) less `fee`.

        kind and category are its `type` and `reporting_category`; it is pending for
        settling_seconds.
        """
        now = self._objects.now()
        details = {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": fee_description,
            "type": "stripe_fee",
        }
        body = self._objects.add(
            {
                "id": self._objects.new_id("txn"),
                "object": "balance_transaction",
                "amount": amount,
                "available_on": now + settling_seconds,
                "balance_type": "payments",
                "created": now,
                "currency": currency,
                "description": description,
                "exchange_rate": None,
                "fee": fee,
                "fee_details": [details] if fee else [],
                "net": amount - fee,
                "reporting_category": category,
                "source": source,
                "status": "pending" if settling_seconds else "available",
                "type": kind,
            }
        )
        if settling_seconds:
            self._objects.later("settle_funds", body["id"], seconds=settling_seconds)
        return body

    def settle_funds(self, reference: str) -> None:
        """Make a pending balance transaction available."""
        self._objects.change(reference, status="available")

    def totals(self) -> dict[str, dict[str, int]]:
        """`{"available": {currency: net}, "pending": {...}}`."""
        totals: dict[str, dict[str, int]] = {
            "available": defaultdict(int, {EMPTY_CURRENCY: 0}),
            "pending": defaultdict(int, {EMPTY_CURRENCY: 0}),
        }
        for body in self._objects.find("balance_transaction"):
            totals["available"][body["currency"]] += 0
            totals["pending"][body["currency"]] += 0
            totals[body["status"]][body["currency"]] += body["net"]
        return totals

    def pay_out(
        self,
        *,
        amount: int,
        currency: str,
        description: str | None = None,
        metadata: dict[str, str] | None = None,
        pending_too: bool = False,
    ) -> Body:
        """Send money to the account's bank; it is paid a moment later.

        pending_too: an instant payout, which may take what is still pending.
        """
        totals = self.totals()
        available = totals["available"].get(currency, 0)
        method = "standard"
        if amount > available and pending_too:
            available += totals["pending"].get(currency, 0)
            method = "instant"
        if amount > available:
            raise ApiError(
                "You have insufficient available funds in your Stripe account. You can use the"
                " /v1/balance endpoint to view your Stripe balance (for more details, see"
                " stripe.com/docs/api#balance).",
                code="balance_insufficient",
                param="amount",
            )
        reference, now = self._objects.new_id("po"), self._objects.now()
        transaction = self.move(
            kind="payout",
            category="payout",
            amount=-amount,
            currency=currency,
            source=reference,
            description=description or "STRIPE PAYOUT",
        )
        body = _payout(
            reference,
            amount=amount,
            currency=currency,
            created=now,
            transaction=transaction["id"],
            method=method,
        )
        body.update(description=description, metadata=metadata or {})
        self._objects.add(body)
        self._events.record("payout.created", body)
        self._objects.later("pay_payout", reference, seconds=PAYOUT_SECONDS)
        return body

    def pay_payout(self, reference: str) -> None:
        """The bank has the money."""
        body = self._objects.change(reference, status="paid")
        self._events.record("payout.paid", body, previous={"status": "pending"})

    def routes(self, api: Api) -> list[Route]:
        """`/balance`, `/balance_transactions` and `/payouts`."""
        return [
            api.route("GET", "/balance", self.show),
            api.route("GET", "/balance_transactions", self.listing),
            api.route("GET", "/balance_transactions/<reference>", self.retrieve),
            api.route("GET", "/payouts", self.list_payouts),
            api.route("POST", "/payouts", self.create_payout),
            api.route("GET", "/payouts/<reference>", self.retrieve_payout),
        ]

    def show(self, call: Call) -> Body:
        """What is available and what is pending, per currency."""
        call.params.finish()
        body: dict[str, Any] = {"object": "balance", "livemode": False}
        for state, totals in self.totals().items():
            body[state] = [
                {"amount": amount, "currency": currency, "source_types": {"card": amount}}
                for currency, amount in sorted(totals.items())
            ]
        return body

    def listing(self, call: Call) -> Body:
        """Balance transactions, newest first, by `type`, `currency`, `source` and `created`."""
        params = call.params
        page = self._objects.page(
            "balance_transaction",
            params,
            url="/v1/balance_transactions",
            type=params.text("type"),
            currency=params.text("currency"),
            source=params.text("source") or params.text("payout"),
        )
        params.finish()
        return page

    def retrieve(self, call: Call, reference: str) -> Body:
        """One balance transaction."""
        call.params.finish()
        return self._objects.require(reference, kind="balance_transaction")

    def list_payouts(self, call: Call) -> Body:
        """Payouts, newest first."""
        page = self._objects.page(
            "payout", call.params, url="/v1/payouts", status=call.params.text("status")
        )
        call.params.finish()
        return page

    def create_payout(self, call: Call) -> Body:
        """Pay out what is available."""
        params = call.params
        currency = currencies.checked(params.required("currency"), param="currency")
        amount = params.integer("amount", lowest=1)
        if amount is None:
            raise params.missing("amount")
        description, metadata = params.text("description"), params.metadata()
        params.ignore("method", "statement_descriptor", "source_type", "destination")
        params.finish()
        currencies.check_units(amount, currency, param="amount")
        with self._objects.together():
            return self.pay_out(
                amount=amount, currency=currency, description=description, metadata=metadata
            )

    def retrieve_payout(self, call: Call, reference: str) -> Body:
        """One payout."""
        call.params.finish()
        return self._objects.require(reference, kind="payout")


def _payout(
    reference: str, *, amount: int, currency: str, created: int, transaction: str, method: str
) -> Body:
    return {
        "id": reference,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": created,
        "automatic": False,
        "balance_transaction": transaction,
        "created": created,
        "currency": currency,
        "description": None,
        "destination": f"ba_sandbox_{currency}",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": method,
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
