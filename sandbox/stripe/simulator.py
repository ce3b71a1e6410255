"""What payers, banks and the vendor itself do behind the API (`/stripe/simulator/...`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.stripe import cards, currencies
from sandbox.stripe.balance import Balance
from sandbox.stripe.disputes import Disputes
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import FORGERIES, Events
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.page import cancel_url, read_payment, success_url
from sandbox.stripe.payments import Payments
from sandbox.stripe.refunds import FAILURE, Refunds
from sandbox.stripe.session_shapes import KIND
from sandbox.stripe.sessions import Sessions
from sandbox.stripe.shapes import Payer
from sandbox.stripe.subscriptions import Subscriptions
from sandbox.web import Route, json_object, json_response

Act = Callable[..., Any]


class Simulator:
    """Bodies and answers are JSON; what cannot be done is answered with an API error."""

    def __init__(
        self,
        *,
        objects: Objects,
        events: Events,
        balance: Balance,
        payments: Payments,
        sessions: Sessions,
        subscriptions: Subscriptions,
        refunds: Refunds,
        disputes: Disputes,
        before: Callable[[], None],
    ) -> None:
        self._objects = objects
        self._events = events
        self._balance = balance
        self._payments = payments
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._refunds = refunds
        self._disputes = disputes
        self._before = before

    def routes(self) -> list[Route]:
        """Listed with their bodies in the package's docstring."""
        paths: dict[str, Act] = {
            "/checkout/<reference>": self.checkout,
            "/payment": self.payment,
            "/payment_intents/<reference>/settle": self.settle,
            "/charges/<reference>/dispute": self.dispute,
            "/charges/<reference>/refund": self.refund,
            "/charges/<reference>/told": self.tell,
            "/refunds/<reference>": self.conclude_refund,
            "/disputes/<reference>/close": self.close_dispute,
            "/subscriptions/<reference>/month": self.month,
            "/subscriptions/<reference>/card": self.card,
            "/subscriptions/<reference>/cancel": self.cancel,
            "/payout": self.payout,
            "/events": self.unknown_event,
            "/events/<reference>/resend": self.resend,
            "/events/<reference>/forge": self.forge,
        }
        acts = [Route("POST", f"/simulator{path}", self._route(act)) for path, act in paths.items()]
        return [Route("GET", "/simulator/checkout", self._route(self.open_sessions)), *acts]

    def _route(self, act: Act) -> Callable[..., Response]:
        def answer(request: Request, **arguments: str) -> Response:
            body = json_object(request)
            self._before()
            try:
                return json_response(act(body, **arguments))
            except ApiError as error:
                return json_response(error.body(), status=error.status)

        return answer

    def open_sessions(self, _body: Mapping[str, Any]) -> list[Body]:
        """Sessions somebody could pay now, newest first."""
        return [
            {
                "id": session["id"],
                "amount": currencies.display(session["amount_total"], session["currency"]),
                "amount_total": session["amount_total"],
                "currency": session["currency"].upper(),
                "url": session["url"],
            }
            for session in self._objects.find(KIND, status="open")
        ]

    def checkout(self, body: Mapping[str, Any], reference: str) -> Body:
        """Submit a session's page, or leave it with `cancel`."""
        session = self._objects.require(reference, kind=KIND)
        if body.get("cancel") is True:
            return _session_answer(session, redirect=cancel_url(session))
        form = {name: str(value) for name, value in body.items()}
        means, payer = read_payment(form, session=session)
        session, attempt = self._sessions.pay(reference, means=means, payer=payer)
        if attempt.error is not None:
            raise attempt.error
        answer = _session_answer(session, redirect=success_url(session))
        return {**answer, "charge": attempt.intent["latest_charge"]}

    def payment(self, body: Mapping[str, Any]) -> Body:
        """Somebody pays without a session, as by a payment link."""
        amount, currency = _money(body)
        currencies.check_charge(amount, currency, param="amount")
        metadata = {str(key): str(value) for key, value in (body.get("metadata") or {}).items()}
        means = cards.card(str(body.get("card", "4242424242424242")))
        with self._objects.together():
            intent = self._payments.new_intent(
                amount=amount, currency=currency, methods=["card"], details={"metadata": metadata}
            )
            attempt = self._payments.attempt(intent, means=means, payer=Payer())
        if attempt.error is not None:
            raise attempt.error
        return attempt.intent

    def settle(self, body: Mapping[str, Any], reference: str) -> Body:
        """Have a delayed payment end now."""
        succeed = body.get("succeed")
        return self._sessions.settle(reference, succeed=None if succeed is None else bool(succeed))

    def dispute(self, body: Mapping[str, Any], reference: str) -> Body:
        """The payer disputes a charge (or an intent's)."""
        with self._objects.together():
            return self._disputes.open(
                self._charge(reference)["id"],
                reason=str(body.get("reason", "fraudulent")),
                amount=_whole(body, "amount_minor"),
                inquiry=body.get("inquiry") is True,
            )

    def refund(self, body: Mapping[str, Any], reference: str) -> Body:
        """Somebody refunds a charge (or an intent's) in the dashboard."""
        return self._refunds.give(
            self._charge(reference), amount=_whole(body, "amount_minor"), reason=body.get("reason")
        )

    def tell(self, body: Mapping[str, Any], reference: str) -> Body:
        """The charge says another amount and currency from now on; nothing else does."""
        amount, currency = _money(body)
        charge = self._charge(reference)
        return self._objects.change(charge["id"], amount=amount, currency=currency)

    def _charge(self, reference: str) -> Body:
        intent = self._objects.get(reference, kind="payment_intent")
        charge_id = reference if intent is None else str(intent["latest_charge"])
        return self._objects.require(charge_id, kind="charge")

    def conclude_refund(self, body: Mapping[str, Any], reference: str) -> Body:
        """A refund ends as `succeeded` or `failed`."""
        with self._objects.together():
            if body.get("status") == "succeeded":
                return self._refunds.succeed(reference)
            if body.get("status") == "failed":
                reason = str(body.get("failure_reason", FAILURE))
                return self._refunds.fail(reference, reason=reason)
        raise ApiError("status is succeeded or failed", param="status")

    def close_dispute(self, body: Mapping[str, Any], reference: str) -> Body:
        """The bank decides: `won` or `lost`."""
        with self._objects.together():
            if body.get("status") == "won":
                return self._disputes.win(reference)
            if body.get("status") == "lost":
                return self._disputes.lose(reference)
        raise ApiError("status is won or lost", param="status")

    def month(self, _body: Mapping[str, Any], reference: str) -> Body:
        """A subscription's month is over: the next is charged now. The clock stands still."""
        return self._subscriptions.bill(reference)

    def card(self, body: Mapping[str, Any], reference: str) -> Body:
        """The subscriber gives another card; `pay` charges what is open with it."""
        means = cards.card(str(body.get("card", "")))
        subscription = self._subscriptions.change_card(reference, means=means)
        if body.get("pay") is True:
            for invoice in self._subscriptions.invoices_of(reference, status="open"):
                self._subscriptions.collect(invoice["id"])
            subscription = self._objects.require(reference, kind="subscription")
        return subscription

    def cancel(self, _body: Mapping[str, Any], reference: str) -> Body:
        """Somebody cancels a subscription in the dashboard."""
        return self._subscriptions.end(reference, reason="cancellation_requested")

    def payout(self, body: Mapping[str, Any]) -> Body:
        """Money goes to the account's bank, from what is pending too if need be."""
        amount, currency = _money(body)
        currencies.check_units(amount, currency, param="amount")
        with self._objects.together():
            return self._balance.pay_out(amount=amount, currency=currency, pending_too=True)

    def unknown_event(self, body: Mapping[str, Any]) -> Body:
        """An event of any type about any object."""
        shown = body.get("object")
        kind = str(body.get("type", "sandbox.unheard_of"))
        if shown is not None and not isinstance(shown, dict):
            raise ApiError("object is a JSON object", param="object")
        with self._objects.together():
            return self._events.record(kind, shown or {"id": "obj_sandbox", "object": "sandbox"})

    def resend(self, _body: Mapping[str, Any], reference: str) -> Body:
        """Deliver an event again, with a fresh signature."""
        event = self._objects.require(reference, kind="event")
        self._events.deliver(event)
        return event

    def forge(self, body: Mapping[str, Any], reference: str) -> Body:
        """Deliver an event wrongly; `kind` is one of events.FORGERIES, `changes` are laid over
        the event's object.
        """
        kind = body.get("kind", FORGERIES[0])
        if kind not in FORGERIES:
            raise ApiError(f"kind is one of {', '.join(FORGERIES)}", param="kind")
        event = self._objects.require(reference, kind="event")
        changed = {**event["data"]["object"], **(body.get("changes") or {})}
        event = {**event, "data": {**event["data"], "object": changed}}
        self._events.deliver(event, forgery=kind)
        return event


def _session_answer(session: Body, *, redirect: str | None) -> Body:
    shown = ("id", "status", "payment_status", "payment_intent", "amount_total", "currency")
    return {**{name: session[name] for name in shown}, "redirect": redirect}


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ApiError(f"{name} is a whole number from 1", param=name)
    return value


def _money(body: Mapping[str, Any]) -> tuple[int, str]:
    """`amount_minor` in API units, or `amount` as people write it; and the currency."""
    currency = currencies.checked(str(body.get("currency", "")), param="currency")
    minor = _whole(body, "amount_minor")
    if minor is not None:
        return minor, currency
    match = re.fullmatch(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?", str(body.get("amount")))
    if match is None:
        raise ApiError("amount is a decimal number as text", param="amount")
    hundredths = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    whole = currency in currencies.ZERO_DECIMAL
    if hundredths == 0 or (whole and hundredths % 100):
        raise ApiError(f"amount is no amount of {currency.upper()}", param="amount")
    return hundredths // 100 if whole else hundredths, currency
