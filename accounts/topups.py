"""Crediting confirmed payments: once per (provider, reference), to whom the code names.

Received money is always kept: what matches nobody goes to suspense in the operator's book, and
attaches itself when the account appears.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import amounts, ledger, notices, site_rates, sites
from accounts.ledger import Leg
from accounts.models import Book, Household, Payment, Rail, Site, TopUp
from accounts.money import BASIS_POINTS, wei_from_minor

State = Payment.State


class AmountMismatch(Exception):
    """A reference that is known came again with another amount, currency or rail."""


class PayeeMismatch(AmountMismatch):
    """A reference that is known came again for another account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmedPayment:
    """What a provider confirmed. amount_minor is in minor units of the payment's own currency.

    top_up is the intent it answers, if any; otherwise account_text, as the payer typed it,
    decides whose it is. payer_phone may be masked or empty.
    """

    rail: Rail
    reference: str
    amount_minor: int
    currency: str
    paid_at: datetime
    account_text: str = ""
    payer_phone: str = ""
    top_up: TopUp | None = None


def normalise_code(text: str) -> str:
    """Return an account code as it is stored: "kis 0001" -> "KIS0001"."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def confirm(*, payment: ConfirmedPayment, at: datetime) -> Payment:
    """Credit the household with DAI for one provider-confirmed payment.

    The credit is at the site's rate, rounded down to the wei; the difference to the market is a
    posting on the FX reserve. A replay of the reference returns the first Payment; a replay that
    differs raises AmountMismatch, one for somebody else PayeeMismatch.
    """
    with transaction.atomic():
        payee = _payee(payment=payment, at=at)
        ledger.lock(book_id=payee.book_id)
        stored, is_new = _insert(payment=payment, payee=payee, at=at)
        if not is_new:
            _check_replay(stored=stored, payment=payment)
            return stored
        if payee.household is None or payee.site is None:
            _suspend(stored=stored, payee=payee, at=at)
        else:
            credit(
                payment=stored,
                household=payee.household,
                site=payee.site,
                key=f"top_up:{stored.provider}:{stored.reference}",
                at=at,
            )
        return stored


def attach(*, payment: Payment, household: Household, at: datetime) -> Payment:
    """Move a payment out of suspense to a household: a reversal there, a credit at its site."""
    with transaction.atomic():
        site = sites.site_of(household=household, at=at)
        if site is None:
            raise LookupError(f"household {household.code} belongs to no site")
        if site.operator_id != payment.rail.operator_id:
            raise PayeeMismatch(f"{payment.reference} was paid to another operator than {site}'s")
        operator_book = payment.rail.operator.book.pk
        for book_id in sorted({operator_book, site.book.pk}):
            ledger.lock(book_id=book_id)
        stored = Payment.objects.select_for_update().get(pk=payment.pk)
        if stored.state == State.CREDITED:
            return stored
        if stored.currency != site.currency:
            raise AmountMismatch(
                f"{stored.reference} is in {stored.currency}, {site.slug} takes {site.currency}"
            )
        ledger.post(
            book_id=operator_book,
            kind="suspense_out",
            key=f"suspense_out:{stored.provider}:{stored.reference}",
            legs=_suspense_legs(payment=stored, sign=-1),
            occurred_at=at,
            at=at,
        )
        credit(
            payment=stored,
            household=household,
            site=site,
            key=f"top_up:{stored.provider}:{stored.reference}",
            at=at,
        )
        return stored


def attach_suspense(*, at: datetime) -> int:
    """Attach every payment in suspense whose account has appeared; return how many.

    Each in a transaction of its own, so that no book stays locked while the next one is waited for.
    """
    attached = 0
    waiting = Payment.objects.filter(state=State.SUSPENSE).order_by("id")
    for payment in waiting.select_related("rail__operator__book", "top_up__household"):
        household = (
            Household.objects.filter(code=normalise_code(payment.account_text)).first()
            if payment.top_up is None
            else payment.top_up.household
        )
        if household is not None and not _obstacle(
            household=household, rail=payment.rail, currency=payment.currency, at=at
        ):
            attach(payment=payment, household=household, at=at)
            attached += 1
    return attached


def credit(*, payment: Payment, household: Household, site: Site, key: str, at: datetime) -> None:
    """Post a payment to a household behind the site's locked book, and tell the household."""
    rate = site_rates.at_site(site=site, at=payment.paid_at)
    market = site_rates.market(currency=payment.currency, at=at) or rate
    credited_wei = wei_from_minor(
        amount_minor=payment.amount_minor, currency=payment.currency, local_per_dai=rate
    )
    market_wei = wei_from_minor(
        amount_minor=payment.amount_minor, currency=payment.currency, local_per_dai=market
    )
    before = amounts.of_household(household=household)
    repaid_wei = min(
        max(before.arrears_wei, 0), credited_wei * site.arrears_share_basis_points // BASIS_POINTS
    )
    entry = ledger.post(
        book_id=site.book.pk,
        kind="top_up",
        key=key,
        legs=[
            Leg(
                kind="float",
                name=payment.rail.code,
                asset=payment.currency,
                amount=-payment.amount_minor,
            ),
            Leg(kind="fx_position", asset=payment.currency, amount=payment.amount_minor),
            Leg(kind="fx_position", amount=-market_wei),
            Leg(kind="fx_reserve", amount=market_wei - credited_wei),
            Leg(
                kind="household_funds",
                household_id=household.pk,
                amount=credited_wei - repaid_wei,
            ),
            Leg(kind="household_repayment", household_id=household.pk, amount=repaid_wei),
        ],
        occurred_at=payment.paid_at,
        at=at,
    )
    payment.state = State.CREDITED
    payment.reason = ""
    payment.household = household
    payment.site = site
    payment.entry_id = entry.entry_id
    payment.credited_wei = credited_wei
    payment.credited_at = at
    payment.save()
    notices.tell_household(
        household=household,
        kind="top_up_credited",
        key=f"top_up_credited:{payment.pk}",
        params={
            "site": site.slug,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "reference": payment.reference,
            "credited_wei": str(credited_wei),
            "repaid_wei": str(repaid_wei),
            "funds_wei": str(before.funds_wei + credited_wei - repaid_wei),
            "arrears_wei": str(before.arrears_wei - repaid_wei),
        },
        at=at,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Payee:
    book_id: int
    household: Household | None = None
    site: Site | None = None
    reason: str = ""
    state: State = State.SUSPENSE


def _payee(*, payment: ConfirmedPayment, at: datetime) -> _Payee:
    operator_book = Book.objects.get(operator=payment.rail.operator).pk
    household = (
        payment.top_up.household
        if payment.top_up is not None
        else Household.objects.filter(code=normalise_code(payment.account_text)).first()
    )
    if household is None:
        return _Payee(book_id=operator_book, reason=f"no account {payment.account_text!r}"[:200])
    obstacle = _obstacle(household=household, rail=payment.rail, currency=payment.currency, at=at)
    site = sites.site_of(household=household, at=at)
    if obstacle or site is None:
        is_other_money = site is not None and site.currency != payment.currency
        return _Payee(
            book_id=operator_book,
            reason=obstacle,
            state=State.MISMATCH if is_other_money else State.SUSPENSE,
        )
    return _Payee(book_id=site.book.pk, household=household, site=site)


def _obstacle(*, household: Household, rail: Rail, currency: str, at: datetime) -> str:
    """Why a payment over a rail can't be credited to a household now; "" where it can."""
    if household.closed_at is not None and household.closed_at <= at:
        return f"account {household.code} is closed"
    site = sites.site_of(household=household, at=at)
    if site is None:
        return f"{household.code} belongs to no site"
    if site.operator_id != rail.operator_id:
        return f"{household.code} is a customer of another operator"
    if currency != site.currency:
        return f"paid in {currency}, {household.code} is charged in {site.currency}"
    if not site.rates.filter(currency=currency).exists():
        return f"site {site.slug} has no rate yet"
    return ""


def _insert(*, payment: ConfirmedPayment, payee: _Payee, at: datetime) -> tuple[Payment, bool]:
    made = Payment(
        rail=payment.rail,
        provider=payment.rail.provider,
        reference=payment.reference,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        account_text=payment.account_text[:64],
        payer_phone=payment.payer_phone[:80],
        paid_at=payment.paid_at,
        recorded_at=at,
        state=payee.state,
        reason=payee.reason,
        top_up=payment.top_up,
    )
    Payment.objects.bulk_create([made], ignore_conflicts=True)
    stored = (
        Payment.objects.select_for_update(of=("self",))
        .select_related("rail__operator__book")
        .get(provider=made.provider, reference=made.reference)
    )
    return stored, stored.uid == made.uid


def _check_replay(*, stored: Payment, payment: ConfirmedPayment) -> None:
    known = (stored.amount_minor, stored.currency, stored.rail_id)
    if known != (payment.amount_minor, payment.currency, payment.rail.pk):
        raise AmountMismatch(
            f"{stored.reference} is known with {stored.amount}, came again with "
            f"{payment.amount_minor} minor units of {payment.currency}"
        )
    if not _is_same_payee(stored=stored, payment=payment):
        raise PayeeMismatch(
            f"{stored.reference} is known for {stored.account_text!r}, came again for "
            f"{payment.account_text!r}"
        )
    if stored.top_up_id is None and payment.top_up is not None:
        stored.top_up = payment.top_up
        stored.save(update_fields=["top_up"])


def _is_same_payee(*, stored: Payment, payment: ConfirmedPayment) -> bool:
    """A receipt belongs to one top-up and one account, however its payer spelt the code.

    A statement that leaves the account out contradicts nothing.
    """
    if payment.top_up is not None:
        if stored.top_up_id is not None:
            return stored.top_up_id == payment.top_up.pk
        if stored.household_id is not None:
            return stored.household_id == payment.top_up.household_id
    named = normalise_code(payment.account_text[:64])
    return not named or named == normalise_code(stored.account_text)


def _suspend(*, stored: Payment, payee: _Payee, at: datetime) -> None:
    entry = ledger.post(
        book_id=payee.book_id,
        kind="suspense_in",
        key=f"suspense_in:{stored.provider}:{stored.reference}",
        legs=_suspense_legs(payment=stored, sign=1),
        occurred_at=stored.paid_at,
        at=at,
    )
    stored.entry_id = entry.entry_id
    stored.save(update_fields=["entry"])
    if re.fullmatch(r"\+?[1-9][0-9]{6,14}", stored.payer_phone):
        notices.tell_phone(
            phone="+" + stored.payer_phone.lstrip("+"),
            kind="top_up_in_suspense",
            key=f"top_up_in_suspense:{stored.pk}",
            params={
                "amount_minor": stored.amount_minor,
                "currency": stored.currency,
                "reference": stored.reference,
                "account_text": stored.account_text,
            },
            at=at,
        )


def _suspense_legs(*, payment: Payment, sign: int) -> list[Leg]:
    amount = sign * payment.amount_minor
    return [
        Leg(kind="float", name=payment.rail.code, asset=payment.currency, amount=-amount),
        Leg(kind="suspense", name=payment.rail.code, asset=payment.currency, amount=amount),
    ]
