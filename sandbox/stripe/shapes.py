"""What payment intents, payment methods and charges look like when they are new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.cards import INCORRECT_CVC, Means
from sandbox.stripe.objects import Body


@dataclass(frozen=True, slots=True)
class Payer:
    """Whoever pays, as a form gives it; expiry is (month, year) of the card."""

    email: str | None = None
    name: str | None = None
    expiry: tuple[int, int] = (12, 2034)

    def billing_details(self) -> Body:
        """The `billing_details` of a charge or payment method."""
        return {
            "address": {
                "city": None,
                "country": None,
                "line1": None,
                "line2": None,
                "postal_code": None,
                "state": None,
            },
            "email": self.email,
            "name": self.name,
            "phone": None,
            "tax_id": None,
        }


def payment_intent(
    reference: str,
    *,
    amount: int,
    currency: str,
    created: int,
    methods: list[str],
    details: Mapping[str, Any],
) -> Body:
    """A payment intent without a payment method; details set further fields."""
    body: Body = {
        "id": reference,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{reference}_secret_sandbox",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": methods,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    return {**body, **details}


def payment_method(reference: str, *, means: Means, payer: Payer, created: int) -> Body:
    """What an intent was paid with; details as the charge's, with what only this object has."""
    details = charge_details(means, payer=payer, amount=0)[means.kind]
    if means.kind == "card":
        kept: tuple[str, ...] = (
            "brand",
            "checks",
            "country",
            "exp_month",
            "exp_year",
            "fingerprint",
            "funding",
        )
        shown = {name: details[name] for name in (*kept, "last4", "regulated_status", "wallet")}
        shown.update(
            display_brand=means.brand,
            generated_from=None,
            networks={"available": [means.brand], "preferred": None},
            three_d_secure_usage={"supported": True},
        )
    elif means.kind == "sepa_debit":
        kept = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        shown = {**{name: details[name] for name in kept}, "generated_from": None}
    else:
        kept = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4")
        shown = {name: details[name] for name in (*kept, "routing_number")}
        shown.update(financial_connections_account=None, networks=None, status_details={})
    return {
        "id": reference,
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": payer.billing_details(),
        means.kind: shown,
        "created": created,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": means.kind,
    }


def charge(
    reference: str,
    *,
    intent: Body,
    method: str,
    means: Means,
    payer: Payer,
    created: int,
    status: str,
) -> Body:
    """An attempt to take the intent's amount; status is succeeded, pending or failed."""
    amount, failure = intent["amount"], means.decline if status == "failed" else None
    return {
        "id": reference,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if status == "succeeded" else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": payer.billing_details(),
        "calculated_statement_descriptor": "SANDBOX",
        "captured": status == "succeeded",
        "created": created,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None if failure is None else failure.code,
        "failure_message": None if failure is None else failure.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(means, status=status),
        "paid": status == "succeeded",
        "payment_intent": intent["id"],
        "payment_method": method,
        "payment_method_details": charge_details(means, payer=payer, amount=amount),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def _outcome(means: Means, *, status: str) -> Body:
    if status == "failed" and means.decline is not None:
        return {
            "advice_code": means.decline.advice,
            "network_advice_code": None,
            "network_decline_code": "01",
            "network_status": "declined_by_network",
            "reason": means.decline.decline_code or means.decline.code,
            "risk_level": "normal",
            "risk_score": 41,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        }
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal" if means.kind == "card" else "not_assessed",
        "risk_score": 41 if means.kind == "card" else None,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def charge_details(means: Means, *, payer: Payer, amount: int) -> Body:
    """`payment_method_details` of a charge."""
    fingerprint = f"fp{means.number[-12:]}"
    if means.kind == "sepa_debit":
        return {
            "sepa_debit": {
                "bank_code": means.number[4:9],
                "branch_code": "",
                "country": means.country,
                "expected_debit_date": None,
                "fingerprint": fingerprint,
                "last4": means.last4,
                "mandate": None,
            },
            "type": "sepa_debit",
        }
    if means.kind == "us_bank_account":
        return {
            "type": "us_bank_account",
            "us_bank_account": {
                "account_holder_type": "individual",
                "account_type": "checking",
                "bank_name": "STRIPE TEST BANK",
                "expected_debit_date": None,
                "fingerprint": fingerprint,
                "last4": means.last4,
                "mandate": None,
                "payment_reference": None,
                "routing_number": "110000000",
            },
        }
    refused_cvc = means.decline is INCORRECT_CVC
    return {
        "card": {
            "amount_authorized": amount if means.decline is None else None,
            "authorization_code": None,
            "brand": means.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "fail" if refused_cvc else "pass",
            },
            "country": means.country,
            "exp_month": payer.expiry[0],
            "exp_year": payer.expiry[1],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": fingerprint,
            "funding": means.funding,
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": means.last4,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": means.brand,
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
        "type": "card",
    }
