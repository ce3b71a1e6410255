"""Telling payees of their payouts, in the transaction that books them."""

from __future__ import annotations

from datetime import datetime

from accounts import notices
from settlement.models import Payee, Payout


def paid(*, payout: Payout, at: datetime) -> None:
    """Tell a payee that their money arrived; once for each time it did. Nobody without a phone."""
    _tell(payout, kind="payout_paid", at=at)


def returned(*, payout: Payout, at: datetime) -> None:
    """Tell a payee that money which had arrived came back."""
    _tell(payout, kind="payout_returned", at=at)


def _tell(payout: Payout, *, kind: str, at: datetime) -> None:
    """paid_entry is the arrival that it is about."""
    payee = payout.payee
    phone = payout.destination if payout.way == Payee.Way.MOBILE else payee.phone
    if not phone:
        return
    notices.tell_phone(
        phone=phone,
        kind=kind,
        key=f"{kind}:{payout.paid_entry_id}",
        params={
            "site_name": payout.site.name,
            "amount_minor": payout.amount_minor,
            "currency": payout.currency,
            "amount_wei": str(payout.amount_wei),
            "reference": payout.reference,
        },
        at=at,
        language=payee.language,
    )
