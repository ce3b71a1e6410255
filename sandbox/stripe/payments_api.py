"""The calls on payment intents and charges."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import cards, currencies
from sandbox.stripe.api import Api, Call
from sandbox.stripe.cards import Means
from sandbox.stripe.errors import ApiError, invalid
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.payments import OPEN, Attempt, Payments, unexpected_state
from sandbox.stripe.shapes import Payer
from sandbox.web import Route


class PaymentsApi:
    """`/payment_intents` and `/charges`."""

    def __init__(self, *, objects: Objects, events: Events, payments: Payments) -> None:
        self._objects = objects
        self._events = events
        self._payments = payments

    def routes(self, api: Api) -> list[Route]:
        """`/payment_intents` and `/charges`."""
        intents = "/payment_intents"
        return [
            api.route("GET", intents, self.list_intents),
            api.route("POST", intents, self.create_intent),
            api.route("GET", f"{intents}/<reference>", self.retrieve_intent),
            api.route("POST", f"{intents}/<reference>", self.update_intent),
            api.route("POST", f"{intents}/<reference>/confirm", self.confirm_intent),
            api.route("POST", f"{intents}/<reference>/cancel", self.cancel),
            api.route("GET", "/charges", self.list_charges),
            api.route("GET", "/charges/<reference>", self.retrieve_charge),
            api.route("POST", "/charges/<reference>", self.update_charge),
        ]

    def list_intents(self, call: Call) -> Body:
        """Payment intents, newest first."""
        page = self._objects.page("payment_intent", call.params, url="/v1/payment_intents")
        call.params.finish()
        return page

    def retrieve_intent(self, call: Call, reference: str) -> Body:
        """One payment intent."""
        call.params.ignore("client_secret")
        call.params.finish()
        return self._objects.require(reference, kind="payment_intent")

    def create_intent(self, call: Call) -> Body:
        """A payment intent outside Checkout, confirmed at once with `confirm=true`."""
        params = call.params
        currency = currencies.checked(params.required("currency"), param="currency")
        amount = params.integer("amount", lowest=1)
        if amount is None:
            raise params.missing("amount")
        currencies.check_charge(amount, currency, param="amount")
        details: dict[str, Any] = {
            "metadata": params.metadata(),
            "description": params.text("description"),
            "receipt_email": params.text("receipt_email"),
            "capture_method": params.text(
                "capture_method", choices=("automatic", "automatic_async")
            )
            or "automatic_async",
        }
        methods = params.texts("payment_method_types") or ["card"]
        confirm, method = params.flag("confirm"), params.text("payment_method")
        params.ignore("automatic_payment_methods", "return_url", "off_session")
        params.finish()
        means = None if method is None else _test_method(method)
        if confirm and means is None:
            raise params.missing("payment_method")
        with self._objects.together():
            intent = self._payments.new_intent(
                amount=amount, currency=currency, methods=methods, details=details
            )
            if means is None:
                return intent
            if not confirm:
                self._objects.remember(intent["id"], number=means.number)
                return self._objects.change(intent["id"], status="requires_confirmation")
            attempt = self._payments.attempt(intent, means=means, payer=Payer())
        return _answer(attempt)

    def confirm_intent(self, call: Call, reference: str) -> Body:
        """Try to pay with `payment_method`, or with the one given before."""
        method = call.params.text("payment_method")
        call.params.ignore("return_url", "off_session")
        call.params.finish()
        with self._objects.together():
            intent = self._objects.require(reference, kind="payment_intent")
            if intent["status"] not in OPEN or "session" in self._objects.hidden(reference):
                raise unexpected_state(intent, "confirmed")
            number = self._objects.hidden(reference).get("number")
            if method is not None:
                means = _test_method(method)
            elif number is not None:
                means = cards.KNOWN[number]
            else:
                raise call.params.missing("payment_method")
            attempt = self._payments.attempt(intent, means=means, payer=Payer())
        return _answer(attempt)

    def update_intent(self, call: Call, reference: str) -> Body:
        """Change `metadata`, `description` or `receipt_email`."""
        return self._update(call, reference, kind="payment_intent")

    def update_charge(self, call: Call, reference: str) -> Body:
        """Change `metadata`, `description` or `receipt_email`, which is an event."""
        before = self._objects.require(reference, kind="charge")
        charge = self._update(call, reference, kind="charge")
        changed = {name: before[name] for name in charge if before[name] != charge[name]}
        if changed:
            self._events.record("charge.updated", charge, previous=changed)
        return charge

    def _update(self, call: Call, reference: str, *, kind: str) -> Body:
        body = self._objects.require(reference, kind=kind)
        changes: dict[str, Any] = {"metadata": call.params.metadata(before=body["metadata"])}
        for name in ("description", "receipt_email"):
            text = call.params.text(name, empty=True)
            if text is not None:
                changes[name] = text or None
        call.params.finish()
        return self._objects.change(reference, **changes)

    def cancel(self, call: Call, reference: str) -> Body:
        """Cancel an intent outside Checkout that nobody has paid yet."""
        reason = call.params.text("cancellation_reason") or "requested_by_customer"
        call.params.finish()
        if "session" in self._objects.hidden(reference):
            raise ApiError(
                "You cannot cancel this PaymentIntent because it was created by a Checkout"
                " Session. Expire the Checkout Session instead.",
                code="payment_intent_unexpected_state",
            )
        with self._objects.together():
            return self._payments.cancel_intent(reference, reason=reason)

    def list_charges(self, call: Call) -> Body:
        """Charges, newest first, by `payment_intent`."""
        intent = call.params.text("payment_intent")
        page = self._objects.page("charge", call.params, url="/v1/charges", payment_intent=intent)
        call.params.finish()
        return page

    def retrieve_charge(self, call: Call, reference: str) -> Body:
        """One charge."""
        call.params.finish()
        return self._objects.require(reference, kind="charge")


def _test_method(reference: str) -> Means:
    number = cards.PAYMENT_METHODS.get(reference)
    if number is None:
        raise invalid(
            f"No such PaymentMethod: '{reference}'", param="payment_method", code="resource_missing"
        )
    return cards.KNOWN[number]


def _answer(attempt: Attempt) -> Body:
    if attempt.error is not None:
        raise attempt.error
    return attempt.intent
