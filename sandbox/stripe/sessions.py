"""Checkout Sessions: made by the merchant, paid by a payer, expired by time or on request."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.api import Api, Call
from sandbox.stripe.cards import BANK_CURRENCIES, Means
from sandbox.stripe.errors import ApiError, invalid
from sandbox.stripe.events import Events
from sandbox.stripe.objects import Body, Objects, listed
from sandbox.stripe.params import Params
from sandbox.stripe.payments import Attempt, Payments
from sandbox.stripe.session_shapes import KIND, LONGEST_SECONDS, blank, line_item, total_of
from sandbox.stripe.shapes import Payer
from sandbox.stripe.subscriptions import Subscriptions
from sandbox.web import Route

SHORTEST_SECONDS = 30 * 60
# What changes nothing here; other parameters are refused as unknown.
IGNORED = (
    *("adaptive_pricing", "automatic_tax", "branding_settings", "consent_collection"),
    *("custom_fields", "custom_text", "invoice_creation", "payment_method_collection"),
    *("payment_method_options", "phone_number_collection", "tax_id_collection", "currency"),
    *("saved_payment_method_options", "name_collection", "wallet_options", "managed_payments"),
)


class Sessions:
    """The sessions of the account."""

    def __init__(
        self,
        *,
        objects: Objects,
        events: Events,
        payments: Payments,
        subscriptions: Subscriptions,
    ) -> None:
        self._objects = objects
        self._events = events
        self._payments = payments
        self._subscriptions = subscriptions
        objects.include(KIND, "line_items", self._line_items)

    def routes(self, api: Api) -> list[Route]:
        """`/checkout/sessions`."""
        sessions = "/checkout/sessions"
        return [
            api.route("GET", sessions, self.listing),
            api.route("POST", sessions, self.create),
            api.route("GET", f"{sessions}/<reference>", self.retrieve),
            api.route("POST", f"{sessions}/<reference>", self.update),
            api.route("POST", f"{sessions}/<reference>/expire", self.expire),
            api.route("GET", f"{sessions}/<reference>/line_items", self.list_line_items),
        ]

    def create(self, call: Call) -> Body:
        """A session to pay for `line_items`, open for a day or until `expires_at`."""
        params, now = call.params, self._objects.now()
        mode = params.required("mode", choices=("payment", "setup", "subscription"))
        if mode == "setup":
            raise invalid("This sandbox does not know mode=setup.", param="mode")
        rows = params.rows("line_items")
        items = [line_item(row, mode=mode, objects=self._objects) for row in rows]
        if not items:
            raise params.missing("line_items")
        currency, total = total_of(items)
        hidden = {"items": items, **_mode_data(params, mode=mode, items=items)}
        expires_at = params.integer("expires_at") or now + LONGEST_SECONDS
        methods = _methods(params.texts("payment_method_types"), currency=currency, mode=mode)
        given: Body = {
            "mode": mode,
            "amount_subtotal": total,
            "amount_total": total,
            "cancel_url": _url(params, "cancel_url"),
            "client_reference_id": params.text("client_reference_id", longest=200),
            "currency": currency,
            "customer_email": params.text("customer_email", longest=800),
            "expires_at": expires_at,
            "locale": params.text("locale"),
            "metadata": params.metadata(),
            "payment_method_types": methods,
            "submit_type": params.text("submit_type"),
            "success_url": _url(params, "success_url"),
        }
        if given["success_url"] is None:
            raise params.missing("success_url")
        given["customer_creation"] = params.text("customer_creation") or "if_required"
        given["billing_address_collection"] = params.text("billing_address_collection")
        params.text("ui_mode", choices=("hosted_page",))
        params.ignore(*IGNORED)
        params.finish()
        if not now + SHORTEST_SECONDS - 60 <= expires_at <= now + LONGEST_SECONDS + 60:
            raise invalid(
                "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout"
                " Session creation.",
                param="expires_at",
            )
        reference = f"cs_test_a1{self._objects.new_id('cs', length=56)[3:]}"
        given["url"] = f"{call.base_url}/checkout/{reference}"
        body = {**blank(reference, created=now), **given}
        with self._objects.together():
            self._objects.add(body, hidden=hidden)
            self._objects.later("expire_session", reference, seconds=expires_at - now)
        return body

    def listing(self, call: Call) -> Body:
        """Sessions, newest first, by `payment_intent` and `status`."""
        params = call.params
        page = self._objects.page(
            KIND,
            params,
            url="/v1/checkout/sessions",
            payment_intent=params.text("payment_intent"),
            status=params.text("status", choices=("open", "complete", "expired")),
        )
        params.finish()
        return page

    def retrieve(self, call: Call, reference: str) -> Body:
        """One session."""
        call.params.finish()
        return self._objects.require(reference, kind=KIND)

    def update(self, call: Call, reference: str) -> Body:
        """Change `metadata`."""
        session = self._objects.require(reference, kind=KIND)
        metadata = call.params.metadata(before=session["metadata"])
        call.params.finish()
        return self._objects.change(reference, metadata=metadata)

    def expire(self, call: Call, reference: str) -> Body:
        """Close an open session."""
        call.params.finish()
        session = self._objects.require(reference, kind=KIND)
        if session["status"] != "open":
            raise ApiError(
                'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
                f" Session has a status of {session['status']}."
            )
        return self.run_out(reference)

    def run_out(self, reference: str) -> Body:
        """Expire a session if it is still open; returns it."""
        with self._objects.together():
            session = self._objects.require(reference, kind=KIND)
            if session["status"] != "open":
                return session
            self._objects.drop_due("expire_session", reference)
            intent_id = self._intent_id(session)
            if intent_id is not None:
                self._payments.cancel_intent(intent_id, reason="automatic")
            session = self._objects.change(reference, status="expired", url=None)
            self._events.record("checkout.session.expired", session)
        return session

    def list_line_items(self, call: Call, reference: str) -> Body:
        """What the session sells."""
        session = self._objects.require(reference, kind=KIND)
        call.params.ignore("limit", "starting_after", "ending_before")
        call.params.finish()
        return self._line_items(session)

    def _line_items(self, session: Body) -> Body:
        items: list[Body] = self._objects.hidden(session["id"])["items"]
        return listed(items, url=f"/v1/checkout/sessions/{session['id']}/line_items")

    def pay(self, reference: str, *, means: Means, payer: Payer) -> tuple[Body, Attempt]:
        """The payer submits the page; returns the session as it is now and how it went.

        A refused card leaves the session open. One that is not open is refused.
        """
        with self._objects.together():
            session = self._objects.require(reference, kind=KIND)
            if session["status"] != "open":
                raise ApiError(f"This Checkout Session is {session['status']}.")
            attempt = self._payments.attempt(self._intent(session), means=means, payer=payer)
            if attempt.error is not None:
                return self._objects.require(reference, kind=KIND), attempt
            self._objects.drop_due("expire_session", reference)
            begun = self._begun(session, attempt.intent, means=means, payer=payer)
            session = self._objects.change(
                reference,
                **begun,
                status="complete",
                payment_status="paid" if attempt.intent["status"] == "succeeded" else "unpaid",
                customer_details={
                    "address": payer.billing_details()["address"],
                    "business_name": None,
                    "email": session["customer_email"] or payer.email,
                    "individual_name": None,
                    "name": payer.name,
                    "phone": None,
                    "tax_exempt": "none",
                    "tax_ids": [],
                },
                url=None,
            )
            self._events.record("checkout.session.completed", session)
        return session, attempt

    def _begun(self, session: Body, intent: Body, *, means: Means, payer: Payer) -> Body:
        """What a session begins by being paid: fields of it that change."""
        if session["mode"] != "subscription":
            return {}
        hidden = self._objects.hidden(session["id"])
        return self._subscriptions.begin(
            session,
            line=hidden["items"][0],
            details=hidden["subscription"],
            intent=intent,
            means=means,
            payer=payer,
        )

    def _intent_id(self, session: Body) -> str | None:
        """A session of mode=subscription does not show its intent: its invoice does."""
        found: str | None = session["payment_intent"]
        return found or self._objects.hidden(session["id"]).get("intent_id")

    def _intent(self, session: Body) -> Body:
        """The session's payment intent, made when its payer first submits the page."""
        intent_id = self._intent_id(session)
        if intent_id is not None:
            return self._objects.require(intent_id, kind="payment_intent")
        intent = self._payments.new_intent(
            amount=session["amount_total"],
            currency=session["currency"],
            methods=session["payment_method_types"],
            details=self._objects.hidden(session["id"])["intent"],
            hidden={"session": session["id"]},
        )
        if session["mode"] == "subscription":
            self._objects.remember(session["id"], intent_id=intent["id"])
        else:
            self._objects.change(session["id"], payment_intent=intent["id"])
        return intent

    def settle(self, intent_id: str, *, succeed: bool | None = None) -> Body:
        """Learn how a delayed payment ended, and tell of its session; returns the intent."""
        with self._objects.together():
            intent = self._payments.settle(intent_id, succeed=succeed)
            reference = self._objects.hidden(intent_id).get("session")
            if reference is not None:
                paid = intent["status"] == "succeeded"
                session = self._objects.require(reference, kind=KIND)
                if paid:
                    session = self._objects.change(reference, payment_status="paid")
                outcome = "succeeded" if paid else "failed"
                self._events.record(f"checkout.session.async_payment_{outcome}", session)
        return intent


def _url(params: Params, name: str) -> str | None:
    url = params.text(name)
    if url is not None and not url.startswith(("https://", "http://")):
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            param=name,
            code="url_invalid",
        )
    return url


def _methods(asked: list[str], *, currency: str, mode: str) -> list[str]:
    # What is told of later is left out of subscriptions here.
    bank = BANK_CURRENCIES.get(currency) if mode == "payment" else None
    possible = ["card"] if bank is None else ["card", bank]
    for method in asked:
        if method not in possible:
            raise invalid(
                f"The payment method type provided: {method} is invalid. Please ensure the"
                f" provided type is activated in your dashboard and supports {currency}.",
                param="payment_method_types",
            )
    return asked or possible


def _mode_data(params: Params, *, mode: str, items: list[Body]) -> Body:
    """What the payment intent, and the subscription if there is to be one, are told."""
    if mode == "payment":
        if params.given("subscription_data"):
            raise invalid(
                "You can not pass `subscription_data` in `payment` mode.", param="subscription_data"
            )
        return {"intent": _intent_data(params.group("payment_intent_data"))}
    if params.given("payment_intent_data"):
        raise invalid(
            "You can not pass `payment_intent_data` in `subscription` mode.",
            param="payment_intent_data",
        )
    if len(items) > 1:
        raise invalid("This sandbox knows subscriptions of one price only.", param="line_items")
    group = params.group("subscription_data")
    details: Body = {"metadata": {}, "description": None}
    if group is not None:
        details = {"metadata": group.metadata(), "description": group.text("description")}
    intent = {"description": "Subscription creation", "setup_future_usage": "off_session"}
    return {"intent": intent, "subscription": details}


def _intent_data(group: Params | None) -> Body:
    if group is None:
        return {}
    data: dict[str, Any] = {"metadata": group.metadata()}
    for name in ("description", "receipt_email", "statement_descriptor_suffix"):
        data[name] = group.text(name)
    if group.text("capture_method", choices=("automatic", "automatic_async")) == "automatic":
        data["capture_method"] = "automatic"
    return data
