"""Monthly donations at Stripe: a subscription, whose invoices are its months.

The first month is paid on a Checkout page of mode=subscription; what we call the plan stands in the
subscription's metadata, of which every invoice keeps a copy. The charges carry nothing of ours:
the way from a charge to its invoice, and back, goes over the invoice's payments.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import stripe

from accounts import payees
from accounts.attempts import Answer
from accounts.giving_plans import LOOK_BACK
from accounts.models import GivingPlan, PaymentAttempt
from gateway.providers.interface import PlanAnswer, PlanMonth, ProviderUnavailable
from gateway.providers.stripe import statement
from gateway.providers.stripe.callbacks import UNREADABLE
from gateway.providers.stripe.charges import paid
from gateway.providers.stripe.client import asked, pages

State = GivingPlan.State

STATES = {
    "incomplete": State.PENDING,
    "incomplete_expired": State.CANCELLED,
    "trialing": State.ACTIVE,
    "active": State.ACTIVE,
    "past_due": State.PAST_DUE,
    "unpaid": State.PAST_DUE,
    "paused": State.PAST_DUE,
    "canceled": State.CANCELLED,
}
FIRST = "subscription_create"
CHARGED = ["latest_charge.balance_transaction"]
WITHDRAWN = {"void", "uncollectible"}


def is_month(provider_request: str) -> bool:
    """Return whether an attempt is named by an invoice, not by a page."""
    return provider_request.startswith("in_")


def monthly(wanted: dict[str, Any], *, attempt: PaymentAttempt, plan: GivingPlan) -> dict[str, Any]:
    """Turn the request for a page that is paid once into one on which a plan begins."""
    [item] = wanted["line_items"]
    price = {**item["price_data"], "recurring": {"interval": "month"}}
    kept = {key: value for key, value in wanted.items() if key != "payment_intent_data"}
    named = {**wanted["metadata"], "plan": str(plan.uid)}
    return {
        **kept,
        "mode": "subscription",
        "line_items": [{**item, "price_data": price}],
        "subscription_data": {"metadata": named, "description": attempt.intent.account_text},
    }


def query_invoice(client: stripe.StripeClient, *, reference: str, at: datetime) -> Answer:
    """Return what became of a month. Raises ProviderUnavailable."""
    invoice = asked(lambda: client.v1.invoices.retrieve(reference))
    if invoice["status"] in WITHDRAWN:
        return Answer(is_final=True, code=invoice["status"], text="Stripe gave this month up")
    if invoice["status"] != "paid":
        return Answer(is_final=False)
    intent_id = _intent_of(client, invoice_id=invoice["id"])
    if not intent_id:
        return Answer(is_final=True, code="no_charge", text="settled at Stripe without a charge")
    intent = asked(lambda: client.v1.payment_intents.retrieve(intent_id, {"expand": CHARGED}))
    return paid(intent, at=at)


def find_plan(client: stripe.StripeClient, *, attempt: PaymentAttempt) -> str:
    """Return the subscription that a page began, or "". Raises ProviderUnavailable."""
    if not attempt.provider_request:
        return ""
    session = asked(lambda: client.v1.checkout.sessions.retrieve(attempt.provider_request))
    return _id_of(session.get("subscription"))


def query_plan(client: stripe.StripeClient, *, reference: str, since: datetime) -> PlanAnswer:
    """Return how a subscription stands, and its months since then. Raises ProviderUnavailable."""
    subscription = asked(lambda: client.v1.subscriptions.retrieve(reference))
    wanted = {
        "subscription": reference,
        "created": {"gte": int((since - LOOK_BACK).timestamp())},
    }

    def listing(page: dict[str, Any]) -> Any:
        invoices_of_page: Any = {**wanted, **page}
        return client.v1.invoices.list(invoices_of_page)

    invoices = list(pages(listing))
    try:
        return _answer(subscription, invoices)
    except UNREADABLE as error:
        raise ProviderUnavailable(f"plan {reference}: {error!r}") from error


def query_month(client: stripe.StripeClient, *, reference: str) -> PlanMonth:
    """Return whose month an invoice is. Raises ProviderUnavailable."""
    return _month(asked(lambda: client.v1.invoices.retrieve(reference)))


def account_of(client: stripe.StripeClient, *, intent_id: str) -> str:
    """Return the account that a charge of a subscription is for, "" for another charge.

    The first month is that of the pledge which began the plan; the others are named by the
    invoice. Raises ProviderUnavailable.
    """
    of_intent: Any = {
        "payment": {"type": "payment_intent", "payment_intent": intent_id},
        "expand": ["data.invoice"],
    }
    rows = asked(lambda: client.v1.invoice_payments.list(of_intent))["data"]
    if not rows or not isinstance(rows[0]["invoice"], dict):
        return ""
    invoice = rows[0]["invoice"]
    first = str(_details(invoice).get("metadata", {}).get("account") or "")
    is_first = invoice.get("billing_reason") == FIRST and first
    return first if is_first else payees.month_text(reference=str(invoice["id"]))


def _answer(subscription: dict[str, Any], invoices: list[dict[str, Any]]) -> PlanAnswer:
    # One that is tried again, or was given up with the plan; one paid by now is past.
    refused = [each for each in invoices if each["status"] == "open" and each["attempt_count"]]
    state = STATES[subscription["status"]]
    return PlanAnswer(
        reference=str(subscription["id"]),
        subject=str((subscription.get("metadata") or {}).get("plan") or ""),
        state=state,
        failure="the card was refused" if refused and state != State.ACTIVE else "",
        failed_month=str(refused[0]["id"]) if refused else "",
        months=tuple(_month(each) for each in reversed(invoices)),
    )


def _month(invoice: dict[str, Any]) -> PlanMonth:
    details = _details(invoice)
    return PlanMonth(
        reference=str(invoice["id"]),
        plan=_id_of(details.get("subscription")),
        subject=str((details.get("metadata") or {}).get("plan") or ""),
        is_first=invoice.get("billing_reason") == FIRST,
        is_paid=invoice["status"] == "paid" and invoice["amount_paid"] > 0,
        began_at=statement.instant(invoice["created"]),
    )


def _details(invoice: dict[str, Any]) -> dict[str, Any]:
    """What an invoice says of its subscription; {} for an invoice of none."""
    return (invoice.get("parent") or {}).get("subscription_details") or {}


def _intent_of(client: stripe.StripeClient, *, invoice_id: str) -> str:
    """The payment intent that paid an invoice, or ""."""
    paying: Any = {"invoice": invoice_id, "status": "paid"}
    for row in asked(lambda: client.v1.invoice_payments.list(paying))["data"]:
        intent_id = _id_of(row["payment"].get("payment_intent"))
        if intent_id:
            return intent_id
    return ""


def _id_of(value: Any) -> str:
    """An object's id, expanded or not; "" for none."""
    return str(value["id"]) if isinstance(value, dict) else str(value or "")
