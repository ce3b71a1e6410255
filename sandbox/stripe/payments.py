"""Payment intents and charges: taking the money, at once or later, or being refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.stripe import cards, currencies, shapes
from sandbox.stripe.balance import SETTLING_SECONDS, Balance
from sandbox.stripe.cards import Decline, Means
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.shapes import Payer

# Captured asynchronously: the balance transaction, and with it the fee, comes this much later.
CAPTURE_SECONDS = 1.0
DISPUTE_SECONDS = 1.5
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt to pay ended: the intent as it is now, and why it was refused."""

    intent: Body
    error: ApiError | None = None


class Payments:
    """Payment intents, their charges and what follows from them."""

    def __init__(self, *, objects: Objects, events: Events, balance: Balance) -> None:
        self._objects = objects
        self._events = events
        self._balance = balance

    def new_intent(
        self,
        *,
        amount: int,
        currency: str,
        methods: list[str],
        details: Mapping[str, Any],
        hidden: Mapping[str, Any] | None = None,
    ) -> Body:
        """A payment intent, with its event; details are fields such as metadata."""
        intent = shapes.payment_intent(
            self._objects.new_id("pi"),
            amount=amount,
            currency=currency,
            created=self._objects.now(),
            methods=methods,
            details=details,
        )
        self._objects.add(intent, hidden=hidden)
        self._events.record("payment_intent.created", intent)
        return intent

    def attempt(self, intent: Body, *, means: Means, payer: Payer) -> Attempt:
        """Try to take the intent's amount. A refusal is stored and returned, not raised."""
        reference = intent["id"]
        now = self._objects.now()
        method = shapes.payment_method(
            self._objects.new_id("pm"), means=means, payer=payer, created=now
        )
        if means.decline is cards.INCORRECT_NUMBER:
            return Attempt(intent, _card_error(means.decline, intent=intent, method=method))
        self._objects.add(method)
        refusal = means.decline if means.kind == "card" else None
        status = "succeeded" if means.kind == "card" else "pending"
        if refusal is not None:
            status = "failed"
        charge = self._objects.add(
            shapes.charge(
                self._objects.new_id("ch" if means.kind == "card" else "py"),
                intent=intent,
                method=method["id"],
                means=means,
                payer=payer,
                created=now,
                status=status,
            ),
            hidden={"number": means.number},
        )
        paid_with = {"payment_method": method["id"], "latest_charge": charge["id"]}
        if refusal is not None:
            return self._refused(reference, charge, decline=refusal, paid_with=paid_with)
        if status == "pending":
            intent = self._objects.change(reference, status="processing", **paid_with)
            self._events.record("charge.pending", charge)
            self._events.record("payment_intent.processing", intent)
            if means.delay_seconds is not None:
                self._objects.later("settle_payment", reference, seconds=means.delay_seconds)
            return Attempt(intent)
        intent = self._objects.change(reference, **paid_with)
        return Attempt(self._succeeded(intent, charge, means=means))

    def _succeeded(self, intent: Body, charge: Body, *, means: Means) -> Body:
        intent = self._objects.change(
            intent["id"],
            status="succeeded",
            amount_received=intent["amount"],
            last_payment_error=None,
            processing=None,
        )
        if intent["capture_method"] == "automatic":
            charge = self._captured(charge)
        else:
            self._objects.later("capture", charge["id"], seconds=CAPTURE_SECONDS)
        self._events.record("charge.succeeded", charge)
        self._events.record("payment_intent.succeeded", intent)
        if means.dispute is not None:
            self._objects.later("dispute_charge", charge["id"], seconds=DISPUTE_SECONDS)
        return intent

    def _refused(
        self, reference: str, charge: Body, *, decline: Decline, paid_with: Mapping[str, str]
    ) -> Attempt:
        method = self._objects.require(charge["payment_method"], kind="payment_method")
        error = _card_error(decline, intent=None, method=method, charge=charge["id"])
        intent = self._objects.change(
            reference,
            status="requires_payment_method",
            latest_charge=paid_with["latest_charge"],
            payment_method=None,
            last_payment_error=error.body()["error"],
            processing=None,
        )
        self._events.record("charge.failed", charge)
        self._events.record("payment_intent.payment_failed", intent)
        return Attempt(
            intent, _card_error(decline, intent=intent, method=method, charge=charge["id"])
        )

    def _captured(self, charge: Body) -> Body:
        """Book the charge and its fee, and show the balance transaction on it."""
        card = charge["payment_method_details"]["type"] == "card"
        transaction = self._balance.move(
            kind="charge" if card else "payment",
            category="charge",
            amount=charge["amount"],
            currency=charge["currency"],
            source=charge["id"],
            description=charge["description"],
            fee=currencies.charge_fee(charge["amount"], charge["currency"]),
            settling_seconds=0 if self.means(charge).available_at_once else SETTLING_SECONDS,
        )
        return self._objects.change(charge["id"], balance_transaction=transaction["id"])

    def means(self, charge: Body) -> Means:
        """What a charge was paid with."""
        return cards.KNOWN[self._objects.hidden(charge["id"])["number"]]

    def capture(self, reference: str) -> Body:
        """Book a succeeded charge that is not booked yet; returns it."""
        charge = self._objects.require(reference, kind="charge")
        if charge["balance_transaction"] is not None:
            return charge
        self._objects.drop_due("capture", reference)
        charge = self._captured(charge)
        self._events.record("charge.updated", charge, previous={"balance_transaction": None})
        return charge

    def settle(self, reference: str, *, succeed: bool | None = None) -> Body:
        """Learn how a delayed payment ended; succeed overrides what its account does.

        Returns the intent. One that is not processing is refused.
        """
        intent = self._objects.require(reference, kind="payment_intent")
        if intent["status"] != "processing":
            raise unexpected_state(intent, "settled")
        self._objects.drop_due("settle_payment", reference)
        charge = self._objects.require(intent["latest_charge"], kind="charge")
        means = self.means(charge)
        if succeed is None:
            succeed = means.decline is None
        if succeed:
            charge = self._objects.change(
                charge["id"],
                status="succeeded",
                paid=True,
                captured=True,
                amount_captured=charge["amount"],
            )
            return self._succeeded(intent, charge, means=means)
        decline = means.decline or cards.GENERIC
        charge = self._objects.change(
            charge["id"],
            status="failed",
            failure_code=decline.code,
            failure_message=decline.message,
        )
        paid_with = {"latest_charge": charge["id"]}
        return self._refused(reference, charge, decline=decline, paid_with=paid_with).intent

    def cancel_intent(self, reference: str, *, reason: str) -> Body:
        """Cancel an intent nobody has paid yet; returns it."""
        intent = self._objects.require(reference, kind="payment_intent")
        if intent["status"] not in OPEN:
            raise unexpected_state(intent, "canceled")
        intent = self._objects.change(
            reference,
            status="canceled",
            canceled_at=self._objects.now(),
            cancellation_reason=reason,
        )
        self._events.record("payment_intent.canceled", intent)
        return intent


def _card_error(
    decline: Decline, *, intent: Body | None, method: Body, charge: str | None = None
) -> ApiError:
    return ApiError(
        decline.message,
        status=402,
        kind="card_error",
        code=decline.code,
        param={"incorrect_cvc": "cvc", "incorrect_number": "number"}.get(decline.code),
        decline_code=decline.decline_code,
        advice_code=decline.advice,
        charge=charge,
        payment_intent=intent,
        payment_method=method,
    )


def unexpected_state(intent: Body, verb: str) -> ApiError:
    """The error for an intent that can no longer (or not yet) be `verb`."""
    return ApiError(
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )
