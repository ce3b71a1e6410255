"""Suspense: money that matches nobody waits in the operator's book, and finds its way later."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction

from accounts import crediting, donations, ledger, notices, payees, sites
from accounts.ledger import Leg
from accounts.models import Household, Payment, Pledge
from accounts.payees import AmountMismatch, PayeeMismatch

State = Payment.State

_PHONE = re.compile(r"\+?[1-9][0-9]{6,14}")


def put_in(*, payment: Payment, book_id: int, at: datetime) -> None:
    """Post a payment to suspense behind the operator's locked book, and tell who paid."""
    entry = ledger.post(
        book_id=book_id,
        kind="suspense_in",
        key=f"suspense_in:{payment.provider}:{payment.reference}",
        legs=_legs(payment=payment, sign=1),
        occurred_at=payment.paid_at,
        at=at,
    )
    payment.entry_id = entry.entry_id
    payment.save(update_fields=["entry"])
    if _PHONE.fullmatch(payment.payer_phone):
        notices.tell_phone(
            phone="+" + payment.payer_phone.lstrip("+"),
            kind="top_up_in_suspense",
            key=f"top_up_in_suspense:{payment.pk}",
            params={
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "reference": payment.reference,
                "account_text": payment.account_text,
            },
            at=at,
        )


def attach(*, payment: Payment, household: Household, at: datetime) -> Payment:
    """Move a payment out of suspense to a household: a reversal there, a credit at its site.

    Raises LookupError where the household has no site, PayeeMismatch where it is another
    operator's, AmountMismatch where its site takes other money or the payment was given back.
    """
    with transaction.atomic():
        site = sites.site_of(household=household, at=at)
        if site is None:
            raise LookupError(f"household {household.code} belongs to no site")
        if site.operator_id != payment.rail.operator_id:
            raise PayeeMismatch(f"{payment.reference} was paid to another operator than {site}'s")
        stored = _locked(payment=payment, site_book=site.book.pk)
        if stored.state == State.CREDITED:
            return stored
        if stored.currency != site.currency:
            raise AmountMismatch(
                f"{stored.reference} is in {stored.currency}, {site.slug} takes {site.currency}"
            )
        _take_out(payment=stored, at=at)
        stored.pledge = None
        crediting.to_household(
            payment=stored,
            household=household,
            site=site,
            key=f"top_up:{stored.provider}:{stored.reference}",
            at=at,
        )
        return stored


def attach_to_pledge(*, payment: Payment, pledge: Pledge, at: datetime) -> Payment:
    """Move a payment out of suspense to a donor's pledge. Raises AmountMismatch, PayeeMismatch."""
    with transaction.atomic():
        if pledge.site.operator_id != payment.rail.operator_id:
            raise PayeeMismatch(f"{payment.reference} was paid to another operator")
        stored = _locked(payment=payment, site_book=pledge.site.book.pk)
        if stored.state == State.CREDITED:
            return stored
        _take_out(payment=stored, at=at)
        donations.credit(payment=stored, pledge=pledge, at=at)
        return stored


def attach_waiting(*, at: datetime) -> int:
    """Attach every payment in suspense whose account has appeared; return how many.

    Each in a transaction of its own, so that no book stays locked while the next one is waited for.
    """
    waiting = Payment.objects.filter(state=State.SUSPENSE).order_by("id")
    related = ("rail__operator__book", "top_up__household", "pledge__site__book", "pledge__donor")
    return sum(_attach_one(payment=payment, at=at) for payment in waiting.select_related(*related))


def _attach_one(*, payment: Payment, at: datetime) -> bool:
    payee = payees.find(
        rail=payment.rail,
        currency=payment.currency,
        account_text=payment.account_text,
        top_up=payment.top_up,
        pledge=payment.pledge,
        at=at,
    )
    try:
        if payee.household is not None:
            attach(payment=payment, household=payee.household, at=at)
        elif payee.pledge is not None:
            attach_to_pledge(payment=payment, pledge=payee.pledge, at=at)
        else:
            return False
    except (donations.NoMarketRate, AmountMismatch):
        # No rate yet, or it was given back meanwhile.
        return False
    return True


def _locked(*, payment: Payment, site_book: int) -> Payment:
    """Return the payment as it is behind both books, locked in one order."""
    for book_id in sorted({payment.rail.operator.book.pk, site_book}):
        ledger.lock(book_id=book_id)
    stored = (
        Payment.objects.select_for_update(of=("self",))
        .select_related("rail__operator__book", "agent")
        .get(pk=payment.pk)
    )
    if stored.state == State.RETURNED:
        raise AmountMismatch(f"{stored.reference} was given back to who paid it")
    return stored


def _take_out(*, payment: Payment, at: datetime) -> None:
    ledger.post(
        book_id=payment.rail.operator.book.pk,
        kind="suspense_out",
        key=f"suspense_out:{payment.provider}:{payment.reference}",
        legs=_legs(payment=payment, sign=-1),
        occurred_at=at,
        at=at,
    )


def _legs(*, payment: Payment, sign: int) -> list[Leg]:
    kept_minor = sign * (payment.amount_minor - payment.fee_minor)
    return [
        crediting.received_leg(payment=payment, amount_minor=kept_minor),
        Leg(kind="suspense", name=payment.rail.code, asset=payment.currency, amount=kept_minor),
    ]
