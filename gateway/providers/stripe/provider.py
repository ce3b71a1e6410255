"""Stripe as a Provider: Checkout Sessions, refunds, disputes, and the balance's statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import stripe
from django.conf import settings

from accounts.attempts import Answer
from accounts.models import Dispute, GivingPlan, PaymentAttempt, Rail, Refund
from accounts.refunds import RefundAnswer
from accounts.topups import ConfirmedPayment
from gateway.providers.interface import (
    Amount,
    Callback,
    Capabilities,
    DisputeAnswer,
    Initiated,
    Notification,
    PlanAnswer,
    PlanMonth,
    ProviderRefused,
    ProviderUnavailable,
    StatementEntry,
)
from gateway.providers.stripe import callbacks, plans, statement
from gateway.providers.stripe.amounts import from_stripe, to_stripe
from gateway.providers.stripe.charges import paid
from gateway.providers.stripe.client import asked, pages, shared_client, told_apart

PAGE_LIFE = timedelta(hours=2)
"""Reckoned from the attempt's beginning: the same request has to carry the same words again."""
CHARGED = ["payment_intent.latest_charge.balance_transaction"]
DISPUTES = {
    "warning_needs_response": Dispute.State.INQUIRY,
    "warning_under_review": Dispute.State.INQUIRY,
    "warning_closed": Dispute.State.INQUIRY,
    "prevented": Dispute.State.INQUIRY,
    "needs_response": Dispute.State.OPEN,
    "under_review": Dispute.State.OPEN,
    "won": Dispute.State.WON,
    "lost": Dispute.State.LOST,
}
REFUSED_REFUNDS = {"failed", "canceled"}


class StripeProvider:
    """One currency of a Stripe account."""

    capabilities = Capabilities(
        pays_on_page=True,
        repeats_safely=True,
        refunds=True,
        partial_refunds=True,
        has_statement=True,
        tells_amount=True,
        plans=True,
        signs_callbacks=True,
    )

    def __init__(self, *, rail: Rail, client: stripe.StripeClient) -> None:
        self.rail = rail
        self.client = client

    def initiate(self, *, attempt: PaymentAttempt, hooks_url: str, at: datetime) -> Initiated:
        """Open a Checkout page; see Provider. Stripe knows our hook from its own settings."""
        with told_apart():
            session = self.client.v1.checkout.sessions.create(
                _session(attempt), {"idempotency_key": str(attempt.request_id)}
            )
        return Initiated(provider_request=session.id, pay_url=session.url or "")

    def query(self, *, attempt: PaymentAttempt, at: datetime) -> Answer:
        """Ask for the session and its charge, or for the invoice of a month; see Provider."""
        if plans.is_month(attempt.provider_request):
            return plans.query_invoice(self.client, reference=attempt.provider_request, at=at)
        session = asked(
            lambda: self.client.v1.checkout.sessions.retrieve(
                attempt.provider_request, {"expand": CHARGED}
            )
        )
        if session["status"] == "expired":
            return Answer(is_final=True, code="expired", text="the page was not used in time")
        if session.get("invoice"):
            reference = _id_of(session["invoice"])
            return plans.query_invoice(self.client, reference=reference, at=at)
        return _of_page(session, at=at)

    def verify(self, *, callback: Callback, at: datetime) -> None:
        """Check the event's signature and age; see Provider."""
        callbacks.verify(callback=callback, secrets=settings.STRIPE_WEBHOOK_SECRETS)

    def parse_callback(self, *, callback: Callback) -> Notification:
        """Read an event; see Provider."""
        return callbacks.notification(callback.body)

    def refund(self, *, refund: Refund, hooks_url: str, at: datetime) -> RefundAnswer:
        """Refund the charge, not what it was for; see Provider."""
        with told_apart():
            answer = self.client.v1.refunds.create(
                {
                    "charge": refund.payment.reference,
                    "amount": to_stripe(amount_minor=refund.amount_minor, currency=refund.currency),
                    "metadata": {"refund": str(refund.uid)},
                },
                {"idempotency_key": str(refund.request_id)},
            )
        return _refund_answer(answer.to_dict())

    def query_refund(self, *, refund: Refund, at: datetime) -> RefundAnswer:
        """Ask what became of a refund; one that was never answered is asked for again."""
        if refund.provider_request:
            return _refund_answer(
                asked(lambda: self.client.v1.refunds.retrieve(refund.provider_request))
            )
        try:
            return self.refund(refund=refund, hooks_url="", at=at)
        except ProviderRefused as refusal:
            return RefundAnswer(is_final=True, code=refusal.code, text=refusal.text)

    def query_dispute(self, *, reference: str, at: datetime) -> DisputeAnswer:
        """Ask what became of a dispute; see Disputing."""
        dispute = asked(lambda: self.client.v1.disputes.retrieve(reference))
        currency = str(dispute["currency"]).upper()
        due = (dispute.get("evidence_details") or {}).get("due_by")
        fees = sum(row["fee"] for row in dispute.get("balance_transactions") or [])
        try:
            return DisputeAnswer(
                reference=dispute["id"],
                payment_reference=_id_of(dispute["charge"]),
                amount_minor=from_stripe(amount=dispute["amount"], currency=currency),
                fee_minor=from_stripe(amount=fees, currency=currency),
                currency=currency,
                reason=str(dispute["reason"])[:80],
                state=DISPUTES[dispute["status"]],
                opened_at=statement.instant(dispute["created"]),
                evidence_due_at=statement.instant(due) if due else None,
            )
        except callbacks.UNREADABLE as error:
            raise ProviderUnavailable(f"dispute {reference}: {error!r}") from error

    def list_transactions(self, *, since: datetime, until: datetime) -> Iterator[StatementEntry]:
        """Yield the balance's movements of the rail's currency; see Provider."""
        span = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        wanted = {
            "created": span,
            "currency": self.rail.currency.lower(),
            "expand": ["data.source"],
        }

        def listing(page: dict[str, Any]) -> Any:
            span_of_page: Any = {**wanted, **page}
            return self.client.v1.balance_transactions.list(span_of_page)

        for row in pages(listing):
            entry = statement.entry(row=row, rail=self.rail)
            if isinstance(entry, ConfirmedPayment) and not statement.is_named(row["source"]):
                yield self._of_a_plan(entry)
            elif entry is not None:
                yield entry

    def _of_a_plan(self, entry: ConfirmedPayment) -> ConfirmedPayment:
        """A charge that names nothing of ours may be a month, which its invoice knows."""
        if not entry.provider_request:
            return entry
        account = plans.account_of(self.client, intent_id=entry.provider_request)
        return replace(entry, account_text=account) if account else entry

    def find_plan(self, *, attempt: PaymentAttempt) -> str:
        """Ask the page for its subscription; see PlanKeeping."""
        return plans.find_plan(self.client, attempt=attempt)

    def query_plan(self, *, reference: str, since: datetime) -> PlanAnswer:
        """Ask for a subscription and its invoices; see PlanKeeping."""
        return plans.query_plan(self.client, reference=reference, since=since)

    def query_month(self, *, reference: str) -> PlanMonth:
        """Ask for an invoice; see PlanKeeping."""
        return plans.query_month(self.client, reference=reference)

    def end_plan(self, *, plan: GivingPlan) -> None:
        """Cancel a subscription at once; what was paid stays paid. See PlanKeeping."""
        try:
            with told_apart():
                self.client.v1.subscriptions.cancel(plan.provider_plan)
        except ProviderRefused as refusal:
            # One that has ended is not found any more; whether it has, the next question tells.
            if refusal.code != "resource_missing":
                raise

    def balance(self, *, at: datetime) -> Amount | None:
        """Return available and pending money of the rail's currency; see Provider."""
        told = asked(self.client.v1.balance.retrieve)
        total = sum(
            part["amount"]
            for part in [*told["available"], *told["pending"]]
            if str(part["currency"]).upper() == self.rail.currency
        )
        return Amount(
            amount_minor=from_stripe(amount=total, currency=self.rail.currency),
            currency=self.rail.currency,
            told_at=at,
        )


def stripe_provider(*, rail: Rail) -> StripeProvider:
    """Return the provider of a rail over the process's client."""
    return StripeProvider(rail=rail, client=shared_client())


def _of_page(session: dict[str, Any], *, at: datetime) -> Answer:
    """What a page that is not expired says, with its payment intent expanded."""
    intent = session.get("payment_intent")
    if session["status"] == "open" or not isinstance(intent, dict):
        return Answer(is_final=False)
    if session["payment_status"] == "paid":
        return paid(intent, at=at)
    failure = intent.get("last_payment_error")
    if intent["status"] in {"requires_payment_method", "canceled"} and failure:
        return Answer(
            is_final=True,
            code=str(failure.get("decline_code") or failure.get("code") or "failed"),
            text=str(failure.get("message") or ""),
        )
    return Answer(is_final=False)


def _session(attempt: PaymentAttempt) -> Any:
    """What Stripe is asked for; the same attempt in the same words, whenever it is asked."""
    intent = attempt.intent
    named = {"account": intent.account_text, "attempt": attempt.token}
    back = f"{settings.PUBLIC_URL}/pay/{attempt.token}/"
    what = "Solar power" if attempt.top_up is not None else f"Donation to {intent.site.name}"
    price = {
        "currency": intent.currency.lower(),
        "unit_amount": to_stripe(amount_minor=intent.amount_minor, currency=intent.currency),
        "product_data": {"name": what},
    }
    wanted = {
        "mode": "payment",
        "payment_method_types": ["card"],
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": attempt.token,
        "success_url": f"{back}?back=1",
        "cancel_url": f"{back}?left=1",
        "expires_at": int((attempt.created_at + PAGE_LIFE).timestamp()),
        "metadata": named,
        "payment_intent_data": {"metadata": named, "description": intent.account_text},
    }
    plan = attempt.pledge.plan if attempt.pledge is not None else None
    return wanted if plan is None else plans.monthly(wanted, attempt=attempt, plan=plan)


def _refund_answer(refund: dict[str, Any]) -> RefundAnswer:
    status = refund["status"]
    is_done = status == "succeeded"
    return RefundAnswer(
        is_final=is_done or status in REFUSED_REFUNDS,
        is_done=is_done,
        code="" if is_done else str(refund.get("failure_reason") or status or ""),
        text=str(refund.get("failure_reason") or ""),
        reference=refund["id"],
        provider_request=refund["id"],
    )


def _id_of(value: Any) -> str:
    """An object's id, expanded or not."""
    return str(value["id"]) if isinstance(value, dict) else str(value)
