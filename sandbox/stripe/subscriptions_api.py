"""The calls on subscriptions, invoices, their payments, and customers."""

from __future__ import annotations

from sandbox.stripe.api import Api, Call
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.subscriptions import Subscriptions
from sandbox.web import Route

STATUSES = ("active", "past_due", "canceled")


class SubscriptionsApi:
    """`/subscriptions`, `/invoices`, `/invoice_payments`, `/customers`."""

    def __init__(self, *, objects: Objects, events: Events, subscriptions: Subscriptions) -> None:
        self._objects = objects
        self._events = events
        self._subscriptions = subscriptions

    def routes(self, api: Api) -> list[Route]:
        """Listed with their methods."""
        subscriptions = "/subscriptions"
        return [
            api.route("GET", subscriptions, self.list_subscriptions),
            api.route("GET", f"{subscriptions}/<reference>", self.retrieve_subscription),
            api.route("POST", f"{subscriptions}/<reference>", self.update_subscription),
            api.route("DELETE", f"{subscriptions}/<reference>", self.cancel),
            api.route("GET", "/invoices", self.list_invoices),
            api.route("GET", "/invoices/<reference>", self.retrieve_invoice),
            api.route("POST", "/invoices/<reference>/pay", self.pay_invoice),
            api.route("GET", "/invoice_payments", self.list_invoice_payments),
            api.route("GET", "/customers/<reference>", self.retrieve_customer),
        ]

    def list_subscriptions(self, call: Call) -> Body:
        """Subscriptions, newest first; those that were canceled only where asked for."""
        params = call.params
        status = params.text("status", choices=(*STATUSES, "all", "ended"))
        wanted = {None: ["active", "past_due"], "all": None, "ended": "canceled"}.get(
            status, status
        )
        page = self._objects.page(
            "subscription",
            params,
            url="/v1/subscriptions",
            status=wanted,
            customer=params.text("customer"),
        )
        params.finish()
        return page

    def retrieve_subscription(self, call: Call, reference: str) -> Body:
        """One subscription, canceled or not."""
        call.params.finish()
        return self._objects.require(reference, kind="subscription")

    def update_subscription(self, call: Call, reference: str) -> Body:
        """Change `metadata`, or whether it ends with its month (`cancel_at_period_end`)."""
        before = self._objects.require(reference, kind="subscription")
        metadata = call.params.metadata(before=before["metadata"])
        ends = call.params.flag("cancel_at_period_end")
        call.params.finish()
        changes: Body = {"metadata": metadata}
        if ends is not None:
            [item] = before["items"]["data"]
            changes |= {
                "cancel_at_period_end": ends,
                "cancel_at": item["current_period_end"] if ends else None,
                "canceled_at": self._objects.now() if ends else None,
            }
        with self._objects.together():
            subscription = self._objects.change(reference, **changes)
            previous = {
                name: before[name] for name in changes if before[name] != subscription[name]
            }
            if previous:
                self._events.record(
                    "customer.subscription.updated", subscription, previous=previous
                )
        return subscription

    def cancel(self, call: Call, reference: str) -> Body:
        """End a subscription at once; one that has ended is not found any more."""
        call.params.ignore("invoice_now", "prorate", "cancellation_details")
        call.params.finish()
        return self._subscriptions.end(reference, reason="cancellation_requested")

    def list_invoices(self, call: Call) -> Body:
        """Invoices, newest first, by `subscription`, `customer` and `status`."""
        params = call.params
        by_parent = {"parent.subscription_details.subscription": params.text("subscription")}
        page = self._objects.page(
            "invoice",
            params,
            url="/v1/invoices",
            customer=params.text("customer"),
            status=params.text("status", choices=("draft", "open", "paid", "void")),
            **by_parent,
        )
        params.finish()
        return page

    def retrieve_invoice(self, call: Call, reference: str) -> Body:
        """One invoice; `payments` are shown where they are expanded."""
        call.params.finish()
        return self._objects.require(reference, kind="invoice")

    def pay_invoice(self, call: Call, reference: str) -> Body:
        """Charge an open invoice now; a card that refuses is 402."""
        call.params.ignore("off_session", "forgive")
        call.params.finish()
        attempt = self._subscriptions.collect(reference)
        if attempt.error is not None:
            raise attempt.error
        return self._objects.require(reference, kind="invoice")

    def list_invoice_payments(self, call: Call) -> Body:
        """Payments of invoices, newest first, by `invoice`, `status` and `payment`."""
        params = call.params
        filters = {
            "invoice": params.text("invoice"),
            "status": params.text("status", choices=("open", "paid", "canceled")),
        }
        payment = params.group("payment")
        if payment is not None:
            payment.required("type", choices=("payment_intent",))
            filters["payment.payment_intent"] = payment.required("payment_intent")
        page = self._objects.page("invoice_payment", params, url="/v1/invoice_payments", **filters)
        params.finish()
        return page

    def retrieve_customer(self, call: Call, reference: str) -> Body:
        """One customer."""
        call.params.finish()
        return self._objects.require(reference, kind="customer")
