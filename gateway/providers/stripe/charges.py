"""A payment intent that was paid, read as an answer about an attempt."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts.attempts import Answer
from gateway.providers.stripe import statement
from gateway.providers.stripe.amounts import from_stripe

FEE_PATIENCE = timedelta(seconds=60)
"""After that long without Stripe's fee the rail's tariff has to do."""


def paid(intent: dict[str, Any], *, at: datetime) -> Answer:
    """Read the charge. Its fee is known a moment after it; that long it is not yet told as paid."""
    charge = intent.get("latest_charge")
    if not isinstance(charge, dict):
        return Answer(is_final=False)
    currency = str(charge["currency"]).upper()
    paid_at = statement.instant(charge["created"])
    kept = charge.get("balance_transaction")
    if not isinstance(kept, dict) and at - paid_at < FEE_PATIENCE:
        return Answer(is_final=False)
    fee_minor = None
    if isinstance(kept, dict) and str(kept["currency"]).upper() == currency:
        fee_minor = from_stripe(amount=kept["fee"], currency=currency)
    return Answer(
        is_final=True,
        is_paid=True,
        reference=charge["id"],
        amount_minor=from_stripe(amount=charge["amount"], currency=currency),
        currency=currency,
        fee_minor=fee_minor,
        paid_at=paid_at,
        provider_request=intent["id"],
    )
