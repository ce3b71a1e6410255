"""Refunds: full, partial, several; succeeded, pending, or failed when it seemed over."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import currencies
from sandbox.stripe.api import Api, Call
from sandbox.stripe.balance import Balance
from sandbox.stripe.errors import ApiError, invalid
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects, listed
from sandbox.stripe.params import Params
from sandbox.stripe.payments import Payments
from sandbox.web import Route

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
REFERENCE_SECONDS = 1.0  # until the card network names its reference
OUTCOME_SECONDS = 2.0  # until a pending refund succeeds, or one that will fail does
FAILURE = "expired_or_canceled_card"


class Refunds:
    """Money given back to whoever paid."""

    def __init__(
        self, *, objects: Objects, events: Events, balance: Balance, payments: Payments
    ) -> None:
        self._objects = objects
        self._events = events
        self._balance = balance
        self._payments = payments
        objects.include("charge", "refunds", self._of_charge)

    def _of_charge(self, charge: Body) -> Body:
        found = self._objects.find("refund", charge=charge["id"])
        url = f"/v1/charges/{charge['id']}/refunds"
        return listed(found[:10], url=url, has_more=len(found) > 10)

    def give(
        self,
        charge: Body,
        *,
        amount: int | None = None,
        reason: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Body:
        """Refund an amount (None: whatever is left) of a charge; returns the refund."""
        with self._objects.together():
            self._check_refundable(charge)
            charge = self._payments.capture(charge["id"])
            left = charge["amount"] - charge["amount_refunded"]
            amount = left if amount is None else amount
            currency = charge["currency"]
            if amount > left:
                raise ApiError(
                    f"Refund amount ({currencies.display(amount, currency)}) is greater than"
                    f" unrefunded amount on charge ({currencies.display(left, currency)})",
                    param="amount",
                )
            currencies.check_units(amount, currency, param="amount")
            refund = self._new(charge, amount=amount, reason=reason, metadata=metadata or {})
            self._events.record("refund.created", refund)
            charge = self._recount(charge, by=amount)
            self._events.record("charge.refunded", charge)
        return refund

    def _check_refundable(self, charge: Body) -> None:
        if charge["status"] != "succeeded":
            raise ApiError(
                f"Charge {charge['id']} cannot be refunded because its status is"
                f" {charge['status']}.",
                code="charge_not_refundable",
            )
        disputes = self._objects.find("dispute", charge=charge["id"])
        if any(not dispute["is_charge_refundable"] for dispute in disputes):
            raise ApiError(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
            )
        if charge["refunded"]:
            raise ApiError(
                f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )

    def _new(
        self, charge: Body, *, amount: int, reason: str | None, metadata: dict[str, str]
    ) -> Body:
        means = self._payments.means(charge)
        card = means.kind == "card"
        reference = self._objects.new_id("re" if card else "pyr")
        transaction = self._balance.move(
            kind="refund" if card else "payment_refund",
            category="refund",
            amount=-amount,
            currency=charge["currency"],
            source=reference,
            description="REFUND FOR CHARGE",
        )
        pending = means.refunds == "pend" or not card
        details: Body = {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"}
        body: Body = {
            "id": reference,
            "object": "refund",
            "amount": amount,
            "balance_transaction": transaction["id"],
            "charge": charge["id"],
            "created": self._objects.now(),
            "currency": charge["currency"],
            "destination_details": details if card else {means.kind: {}, "type": means.kind},
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "pending" if pending else "succeeded",
            "transfer_reversal": None,
        }
        if pending:
            body["pending_reason"] = "processing"
            self._objects.later("succeed_refund", reference, seconds=OUTCOME_SECONDS)
        elif means.refunds == "fail":
            self._objects.later("fail_refund", reference, seconds=OUTCOME_SECONDS)
        else:
            self._objects.later("name_refund", reference, seconds=REFERENCE_SECONDS)
        return self._objects.add(body)

    def _recount(self, charge: Body, *, by: int) -> Body:
        refunded = charge["amount_refunded"] + by
        return self._objects.change(
            charge["id"], amount_refunded=refunded, refunded=refunded == charge["amount"]
        )

    def _updated(self, reference: str, **changes: Any) -> Body:
        before = self._objects.require(reference, kind="refund")
        refund = self._objects.change(reference, **changes)
        previous = {name: before.get(name) for name in changes}
        self._events.record("refund.updated", refund, previous=previous)
        self._events.record("charge.refund.updated", refund, previous=previous)
        return refund

    def name(self, reference: str) -> None:
        """The card network names its reference: an update that changes no status."""
        card = {
            "reference": f"7{int(reference[-6:], 16):023d}",
            "reference_status": "available",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
        self._updated(reference, destination_details={"card": card, "type": "card"})

    def succeed(self, reference: str) -> Body:
        """A pending refund reaches the payer; returns it."""
        refund = self._objects.require(reference, kind="refund")
        if refund["status"] != "pending":
            raise _closed(refund)
        self._objects.drop_due("succeed_refund", reference)
        return self._updated(reference, status="succeeded", pending_reason=None)

    def fail(self, reference: str, *, reason: str = FAILURE) -> Body:
        """A refund comes back, though it seemed over; its money is the account's again."""
        refund = self._objects.require(reference, kind="refund")
        if refund["status"] not in ("pending", "succeeded"):
            raise _closed(refund)
        for action in ("succeed_refund", "fail_refund", "name_refund"):
            self._objects.drop_due(action, reference)
        transaction = self._balance.move(
            kind="refund_failure",
            category="refund_failure",
            amount=refund["amount"],
            currency=refund["currency"],
            source=reference,
            description="REFUND FAILURE",
        )
        refund = self._updated(
            reference,
            status="failed",
            failure_reason=reason,
            failure_balance_transaction=transaction["id"],
        )
        self._events.record("refund.failed", refund)
        charge = self._objects.require(refund["charge"], kind="charge")
        self._recount(charge, by=-refund["amount"])
        return refund

    def routes(self, api: Api) -> list[Route]:
        """`/refunds`."""
        return [
            api.route("GET", "/refunds", self.listing),
            api.route("POST", "/refunds", self.create),
            api.route("GET", "/refunds/<reference>", self.retrieve),
            api.route("POST", "/refunds/<reference>", self.update),
        ]

    def create(self, call: Call) -> Body:
        """Refund a `charge` or the charge of a `payment_intent`."""
        params = call.params
        amount, reason = params.integer("amount", lowest=1), params.text("reason", choices=REASONS)
        metadata = params.metadata()
        charge = self._charge(params)
        params.ignore("instructions_email")
        params.finish()
        return self.give(charge, amount=amount, reason=reason, metadata=metadata)

    def _charge(self, params: Params) -> Body:
        reference, intent_id = params.text("charge"), params.text("payment_intent")
        if intent_id is not None:
            intent = self._objects.require(intent_id, kind="payment_intent", param="payment_intent")
            if intent["status"] != "succeeded":
                raise ApiError(
                    f"This PaymentIntent ({intent_id}) does not have a successful charge to"
                    " refund.",
                    param="payment_intent",
                )
            reference = reference or intent["latest_charge"]
        if reference is None:
            raise invalid(
                "One of the following params should be provided for this request: payment_intent or"
                " charge.",
                param=None,
            )
        return self._objects.require(reference, kind="charge", param="charge")

    def listing(self, call: Call) -> Body:
        """Refunds, newest first, by `charge` or `payment_intent`."""
        params = call.params
        page = self._objects.page(
            "refund",
            params,
            url="/v1/refunds",
            charge=params.text("charge"),
            payment_intent=params.text("payment_intent"),
        )
        params.finish()
        return page

    def retrieve(self, call: Call, reference: str) -> Body:
        """One refund."""
        call.params.finish()
        return self._objects.require(reference, kind="refund")

    def update(self, call: Call, reference: str) -> Body:
        """Change `metadata`, which is an event."""
        refund = self._objects.require(reference, kind="refund")
        metadata = call.params.metadata(before=refund["metadata"])
        call.params.finish()
        with self._objects.together():
            return self._updated(reference, metadata=metadata)


def _closed(refund: Body) -> ApiError:
    return ApiError(f"The refund has the status {refund['status']}.")
