"""Disputes: funds withdrawn with a fee, answered with evidence, won or lost."""

from __future__ import annotations

from sandbox.stripe import currencies
from sandbox.stripe.api import Api, Call
from sandbox.stripe.balance import Balance
from sandbox.stripe.errors import ApiError, invalid
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.params import Params
from sandbox.stripe.payments import Payments
from sandbox.web import Route

ANSWER_SECONDS = 9 * 24 * 3600
CLOSING_SECONDS = 1.0
# Text of `uncategorized_text` that decides a dispute in test mode.
DECISIVE = {"winning_evidence": "win_dispute", "losing_evidence": "lose_dispute"}
WAITING = ("needs_response", "under_review")
INQUIRY = ("warning_needs_response", "warning_under_review")
_TEXTS = (
    *("access_activity_log", "billing_address", "cancellation_policy_disclosure"),
    *("cancellation_policy", "cancellation_rebuttal", "customer_communication"),
    *("customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature"),
    *("duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id"),
    *("product_description", "receipt", "refund_policy", "refund_policy_disclosure"),
    *("refund_refusal_explanation", "service_date", "service_documentation", "shipping_address"),
    *("shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number"),
    *("uncategorized_file", "uncategorized_text"),
)
_NETWORK_CODES = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6.1"}


class Disputes:
    """Payers who take their money back through their bank."""

    def __init__(
        self, *, objects: Objects, events: Events, balance: Balance, payments: Payments
    ) -> None:
        self._objects = objects
        self._events = events
        self._balance = balance
        self._payments = payments

    def open(
        self, charge_id: str, *, reason: str, amount: int | None = None, inquiry: bool = False
    ) -> Body:
        """Dispute an amount (None: what is not refunded) of a charge; returns the dispute.

        An inquiry only asks: it withdraws nothing and leaves the charge refundable.
        """
        charge = self._objects.require(charge_id, kind="charge")
        if charge["status"] != "succeeded":
            raise ApiError(f"Charge {charge_id} has not succeeded.")
        if any(
            dispute["status"] in (*WAITING, *INQUIRY)
            for dispute in self._objects.find("dispute", charge=charge_id)
        ):
            raise ApiError(f"Charge {charge_id} is disputed already.")
        left = charge["amount"] - charge["amount_refunded"]
        amount = left if amount is None else amount
        if not 1 <= amount <= left:
            raise ApiError(f"Charge {charge_id} has {left} left to dispute.", param="amount")
        self._payments.capture(charge_id)
        dispute = self._objects.add(
            self._new(charge, amount=amount, reason=reason, inquiry=inquiry)
        )
        reference = dispute["id"]
        if not inquiry:
            dispute = self._withdraw(dispute)
        self._objects.change(charge_id, disputed=True)
        self._objects.later("dispute_overdue", reference, seconds=ANSWER_SECONDS)
        self._events.record("charge.dispute.created", dispute)
        if not inquiry:
            self._events.record("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def _new(self, charge: Body, *, amount: int, reason: str, inquiry: bool) -> Body:
        now = self._objects.now()
        return {
            "id": self._objects.new_id("du"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {**dict.fromkeys(_TEXTS), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": now + ANSWER_SECONDS,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            "is_charge_refundable": inquiry,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": _method_details(charge, reason=reason, inquiry=inquiry),
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }

    def _withdraw(self, dispute: Body) -> Body:
        transaction = self._balance.move(
            kind="adjustment",
            category="dispute",
            amount=-dispute["amount"],
            currency=dispute["currency"],
            source=dispute["id"],
            description=f"Chargeback withdrawal for {dispute['charge']}",
            fee=currencies.dispute_fee(dispute["currency"]),
            fee_description="Dispute fee",
        )
        return self._objects.change(dispute["id"], balance_transactions=[transaction])

    def win(self, reference: str) -> Body:
        """The bank decides for the account: the funds come back, the fee does not."""
        dispute = self._decided(reference, won=True)
        if dispute["status"] == "won":
            transaction = self._balance.move(
                kind="adjustment",
                category="dispute_reversal",
                amount=dispute["amount"],
                currency=dispute["currency"],
                source=reference,
                description=f"Chargeback reversal for {dispute['charge']}",
            )
            movements = [*dispute["balance_transactions"], transaction]
            dispute = self._objects.change(reference, balance_transactions=movements)
        self._events.record("charge.dispute.closed", dispute)
        if dispute["status"] == "won":
            self._events.record("charge.dispute.funds_reinstated", dispute)
        return dispute

    def lose(self, reference: str) -> Body:
        """The bank decides for the payer, or nobody answered it."""
        dispute = self._decided(reference, won=False)
        self._events.record("charge.dispute.closed", dispute)
        return dispute

    def _decided(self, reference: str, *, won: bool) -> Body:
        dispute = self._objects.require(reference, kind="dispute")
        status = "won" if won else "lost"
        if dispute["status"] in INQUIRY:
            status = "warning_closed"
        elif dispute["status"] not in WAITING:
            raise ApiError("This dispute is already closed.")
        for action in ("dispute_overdue", *DECISIVE.values()):
            self._objects.drop_due(action, reference)
        return self._objects.change(reference, status=status)

    def overdue(self, reference: str) -> None:
        """The time to answer has passed: an unanswered dispute is lost."""
        dispute = self._objects.require(reference, kind="dispute")
        if dispute["status"] in ("needs_response", *INQUIRY):
            self.lose(reference)

    def routes(self, api: Api) -> list[Route]:
        """`/disputes`."""
        return [
            api.route("GET", "/disputes", self.listing),
            api.route("GET", "/disputes/<reference>", self.retrieve),
            api.route("POST", "/disputes/<reference>", self.update),
            api.route("POST", "/disputes/<reference>/close", self.close),
        ]

    def listing(self, call: Call) -> Body:
        """Disputes, newest first, by `charge` or `payment_intent`."""
        params = call.params
        page = self._objects.page(
            "dispute",
            params,
            url="/v1/disputes",
            charge=params.text("charge"),
            payment_intent=params.text("payment_intent"),
        )
        params.finish()
        return page

    def retrieve(self, call: Call, reference: str) -> Body:
        """One dispute."""
        call.params.finish()
        return self._objects.require(reference, kind="dispute")

    def update(self, call: Call, reference: str) -> Body:
        """Give evidence, to the bank unless `submit=false`, and change `metadata`."""
        params = call.params
        dispute = self._objects.require(reference, kind="dispute")
        metadata = params.metadata(before=dispute["metadata"])
        evidence = _evidence(params)
        submit = params.flag("submit")
        params.finish()
        if evidence and dispute["status"] not in (*WAITING, *INQUIRY):
            raise invalid("This dispute is already closed", param=None)
        changes: Body = {"metadata": metadata}
        if evidence:
            changes["evidence"] = {**dispute["evidence"], **evidence}
            details = {**dispute["evidence_details"], "has_evidence": True}
            if submit is not False:
                details["submission_count"] += 1
                details["submission_method"] = "manual"
                warned = dispute["status"] in INQUIRY
                changes["status"] = "warning_under_review" if warned else "under_review"
            changes["evidence_details"] = details
        with self._objects.together():
            after = self._objects.change(reference, **changes)
            previous = {name: dispute[name] for name in changes if dispute[name] != after[name]}
            self._events.record("charge.dispute.updated", after, previous=previous)
            action = DECISIVE.get(evidence.get("uncategorized_text") or "")
            if action is not None and submit is not False:
                self._objects.later(action, reference, seconds=CLOSING_SECONDS)
        return after

    def close(self, call: Call, reference: str) -> Body:
        """Accept the dispute as lost."""
        call.params.finish()
        with self._objects.together():
            return self.lose(reference)


def _evidence(params: Params) -> dict[str, str | None]:
    group = params.group("evidence")
    if group is None:
        return {}
    given = {name: group.text(name, longest=20_000, empty=True) for name in _TEXTS}
    return {name: text or None for name, text in given.items() if text is not None}


def _method_details(charge: Body, *, reason: str, inquiry: bool) -> Body | None:
    card = charge["payment_method_details"].get("card")
    if card is None:
        return None
    shown = {
        "brand": card["brand"],
        "case_type": "inquiry" if inquiry else "chargeback",
        "network": card["network"],
        "network_reason_code": _NETWORK_CODES.get(reason, "13.7"),
    }
    return {"card": shown, "type": "card"}
