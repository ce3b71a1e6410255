"""Subscriptions: begun by a Checkout Session, billed month after month, ended.

A month's invoice is finalized and charged at the instant its month begins (the vendor waits an hour
before). A card that refuses is tried again RETRIES times, RETRY_SECONDS apart; then the
subscription is canceled, as an account can be set to do.
"""

from __future__ import annotations

from typing import Any

from sandbox.stripe import cards
from sandbox.stripe import subscription_shapes as shapes
from sandbox.stripe.cards import Means
from sandbox.stripe.errors import ApiError, missing
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects, listed
from sandbox.stripe.payments import Attempt, Payments
from sandbox.stripe.shapes import Payer, payment_method

RETRIES = 3
RETRY_SECONDS = 3 * 24 * 3600
BILL, RETRY = "bill_subscription", "retry_invoice"
ALIVE = ("active", "past_due")


class Subscriptions:
    """The subscriptions of the account and their invoices."""

    def __init__(self, *, objects: Objects, events: Events, payments: Payments) -> None:
        self._objects = objects
        self._events = events
        self._payments = payments
        objects.include("invoice", "payments", self._payments_of)

    def begin(
        self, session: Body, *, line: Body, details: Body, intent: Body, means: Means, payer: Payer
    ) -> Body:
        """A subscription of a session whose first month was just paid by an intent.

        Returns the fields that the session now shows.
        """
        now = self._objects.now()
        customer = self._objects.add(
            shapes.customer(self._objects.new_id("cus", length=14), created=now, payer=payer)
        )
        session = {**session, "customer": customer["id"]}
        reference = self._objects.new_id("sub")
        item = shapes.subscription_item(
            self._objects.new_id("si", length=14),
            created=now,
            line=line,
            subscription_id=reference,
            ends=shapes.months_later(now, months=1),
        )
        subscription = self._objects.add(
            shapes.subscription(
                reference,
                created=now,
                session=session,
                item=item,
                details=details,
                method=intent["payment_method"],
            ),
            hidden={"number": means.number, "months": 1},
        )
        self._objects.change(intent["id"], customer=customer["id"])
        invoice = self._new_invoice(subscription, reason="subscription_create")
        self._add_payment(invoice, intent_id=intent["id"])
        self._later_bill(subscription)
        self._events.record("customer.created", customer)
        self._events.record(
            "customer.subscription.created", self._objects.require(reference, kind="subscription")
        )
        invoice = self._paid(invoice)
        return {
            "customer": customer["id"],
            "invoice": invoice["id"],
            "subscription": reference,
        }

    def bill(self, reference: str) -> Body:
        """The next month begins: its invoice, and the try to charge it; the subscription then."""
        with self._objects.together():
            subscription = self._objects.require(reference, kind="subscription")
            self._objects.drop_due(BILL, reference)
            if subscription["status"] not in ALIVE:
                return subscription
            if subscription["cancel_at_period_end"]:
                return self.end(reference, reason="cancellation_requested")
            months = self._objects.hidden(reference)["months"] + 1
            [item] = subscription["items"]["data"]
            start = subscription["billing_cycle_anchor"]
            item = {
                **item,
                "current_period_start": item["current_period_end"],
                "current_period_end": shapes.months_later(start, months=months),
            }
            items = {**subscription["items"], "data": [item]}
            self._objects.remember(reference, months=months)
            subscription = self._objects.change(reference, items=items)
            self._later_bill(subscription)
            invoice = self._new_invoice(subscription, reason="subscription_cycle")
            self._events.record(
                "customer.subscription.updated",
                self._objects.require(reference, kind="subscription"),
                previous={"latest_invoice": subscription["latest_invoice"]},
            )
            self.collect(invoice["id"])
            return self._objects.require(reference, kind="subscription")

    def collect(self, invoice_id: str) -> Attempt:
        """Try to charge an open invoice with the subscription's card."""
        with self._objects.together():
            invoice = self._objects.require(invoice_id, kind="invoice")
            if invoice["status"] != "open":
                raise ApiError(f"Invoice is already {invoice['status']}", code="invoice_not_open")
            subscription = self._subscription_of(invoice)
            self._objects.drop_due(RETRY, invoice_id)
            intent = self._intent_of(invoice)
            means = cards.KNOWN[self._objects.hidden(subscription["id"])["number"]]
            attempt = self._payments.attempt(intent, means=means, payer=Payer())
            count = invoice["attempt_count"] + 1
            invoice = self._objects.change(invoice_id, attempt_count=count, attempted=True)
            if attempt.error is None:
                self._paid(invoice)
            else:
                self._refused(invoice, subscription=subscription)
        return attempt

    def retry(self, invoice_id: str) -> None:
        """Try again, if the subscription and the invoice still stand."""
        invoice = self._objects.require(invoice_id, kind="invoice")
        if invoice["status"] == "open" and invoice["auto_advance"]:
            self.collect(invoice_id)

    def change_card(self, reference: str, *, means: Means) -> Body:
        """The subscriber gives another card, for what comes from now on; it is not charged yet."""
        with self._objects.together():
            self._objects.require(reference, kind="subscription")
            method = self._objects.add(
                payment_method(
                    self._objects.new_id("pm"),
                    means=means,
                    payer=Payer(),
                    created=self._objects.now(),
                )
            )
            self._objects.remember(reference, number=means.number)
            subscription = self._objects.change(reference, default_payment_method=method["id"])
            self._events.record("customer.subscription.updated", subscription)
        return subscription

    def end(self, reference: str, *, reason: str) -> Body:
        """Cancel at once; what is open is not charged any more."""
        with self._objects.together():
            subscription = self._objects.require(reference, kind="subscription")
            if subscription["status"] == "canceled":
                raise missing("subscription", reference, param="id")
            now = self._objects.now()
            subscription = self._objects.change(
                reference,
                status="canceled",
                canceled_at=subscription["canceled_at"] or now,
                ended_at=now,
                cancellation_details={**subscription["cancellation_details"], "reason": reason},
            )
            self._objects.drop_due(BILL, reference)
            for invoice in self.invoices_of(reference, status="open"):
                self._objects.drop_due(RETRY, invoice["id"])
                self._objects.change(invoice["id"], auto_advance=False, next_payment_attempt=None)
            self._events.record("customer.subscription.deleted", subscription)
        return subscription

    def invoices_of(self, reference: str, **equals: Any) -> list[Body]:
        """Invoices of a subscription, newest first."""
        by_parent = {"parent.subscription_details.subscription": reference}
        return self._objects.find("invoice", **by_parent, **equals)

    def _later_bill(self, subscription: Body) -> None:
        [item] = subscription["items"]["data"]
        wait = item["current_period_end"] - self._objects.now()
        self._objects.later(BILL, subscription["id"], seconds=wait)

    def _new_invoice(self, subscription: Body, *, reason: str) -> Body:
        number = len(self._objects.find("invoice")) + 1
        invoice = self._objects.add(
            shapes.invoice(
                self._objects.new_id("in"),
                number=f"SANDBOX-{number:04}",
                created=self._objects.now(),
                subscription=subscription,
                reason=reason,
                line_id=self._objects.new_id("il"),
            )
        )
        self._objects.change(subscription["id"], latest_invoice=invoice["id"])
        self._events.record("invoice.created", invoice)
        self._events.record("invoice.finalized", invoice)
        return invoice

    def _add_payment(self, invoice: Body, *, intent_id: str) -> None:
        self._objects.add(
            shapes.invoice_payment(
                self._objects.new_id("inpay"),
                created=self._objects.now(),
                invoice=invoice,
                intent_id=intent_id,
            )
        )

    def _payment_of(self, invoice: Body) -> Body | None:
        found = self._objects.find("invoice_payment", invoice=invoice["id"])
        return found[0] if found else None

    def _payments_of(self, invoice: Body) -> Body:
        found = self._objects.find("invoice_payment", invoice=invoice["id"])
        return listed(found, url="/v1/invoice_payments")

    def _intent_of(self, invoice: Body) -> Body:
        """The invoice's payment intent, made at the first try. It carries no metadata of ours."""
        payment = self._payment_of(invoice)
        if payment is not None:
            reference = payment["payment"]["payment_intent"]
            return self._objects.require(reference, kind="payment_intent")
        intent = self._payments.new_intent(
            amount=invoice["amount_due"],
            currency=invoice["currency"],
            methods=["card"],
            details={"description": "Subscription update", "customer": invoice["customer"]},
            hidden={"invoice": invoice["id"]},
        )
        self._add_payment(invoice, intent_id=intent["id"])
        return intent

    def _subscription_of(self, invoice: Body) -> Body:
        reference = invoice["parent"]["subscription_details"]["subscription"]
        return self._objects.require(reference, kind="subscription")

    def _paid(self, invoice: Body) -> Body:
        now = self._objects.now()
        invoice = self._objects.change(
            invoice["id"],
            status="paid",
            amount_paid=invoice["amount_due"],
            amount_remaining=0,
            attempted=True,
            auto_advance=False,
            next_payment_attempt=None,
            status_transitions={**invoice["status_transitions"], "paid_at": now},
        )
        payment = self._payment_of(invoice)
        if payment is not None:
            payment = self._objects.change(
                payment["id"],
                status="paid",
                amount_paid=invoice["amount_due"],
                status_transitions={"canceled_at": None, "paid_at": now},
            )
            self._events.record("invoice_payment.paid", payment)
        self._events.record("invoice.paid", invoice)
        self._events.record("invoice.payment_succeeded", invoice)
        subscription = self._subscription_of(invoice)
        if subscription["status"] == "past_due" and not self.invoices_of(
            subscription["id"], status="open"
        ):
            self._move(subscription, status="active")
        return invoice

    def _refused(self, invoice: Body, *, subscription: Body) -> None:
        is_last = invoice["attempt_count"] > RETRIES or not invoice["auto_advance"]
        again_at = None if is_last else self._objects.now() + RETRY_SECONDS
        invoice = self._objects.change(invoice["id"], next_payment_attempt=again_at)
        self._events.record("invoice.payment_failed", invoice)
        if not is_last:
            self._objects.later(RETRY, invoice["id"], seconds=RETRY_SECONDS)
        if subscription["status"] == "active":
            self._move(subscription, status="past_due")
        if is_last and subscription["status"] in ALIVE:
            self.end(subscription["id"], reason="payment_failed")

    def _move(self, subscription: Body, *, status: str) -> None:
        changed = self._objects.change(subscription["id"], status=status)
        previous = {"status": subscription["status"]}
        self._events.record("customer.subscription.updated", changed, previous=previous)
