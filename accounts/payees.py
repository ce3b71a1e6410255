"""Whose a payment is: the code decides, never the phone."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime

from accounts import sites
from accounts.models import Book, Household, Payment, Pledge, Rail, Site, TopUp

State = Payment.State

_DONATION = re.compile(r"\s*donation\s+([0-9a-f-]{32,36})\s*", re.IGNORECASE)
_MONTH = re.compile(r"month (\S{1,58})")


class AmountMismatch(Exception):
    """A reference that is known came again with another amount, currency or rail."""


class PayeeMismatch(AmountMismatch):
    """A reference that is known came again for another account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payee:
    """Where a payment goes: to a household at its site, to a pledge, or (neither) to suspense."""

    book_id: int
    site: Site | None = None
    household: Household | None = None
    pledge: Pledge | None = None
    reason: str = ""
    state: State = State.SUSPENSE


def normalise_code(text: str) -> str:
    """Return an account code as it is stored: "kis 0001" -> "KIS0001"."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def pledge_named(text: str) -> Pledge | None:
    """Return the pledge that an account text names ("donation <uid>"), or None."""
    named = _DONATION.fullmatch(text)
    if named is None:
        return None
    try:
        uid = uuid.UUID(named[1])
    except ValueError:
        return None
    return Pledge.objects.select_related("site__book", "rail").filter(uid=uid).first()


def month_text(*, reference: str) -> str:
    """Return how a month of a monthly donation is named as an account: by its provider's name."""
    return f"month {reference}"


def month_named(text: str) -> str:
    """Return the provider's name of a month where an account text is one of those, or ""."""
    named = _MONTH.fullmatch(text)
    return "" if named is None else named[1]


def month_key(*, provider: str, reference: str) -> str:
    """Return the idempotency key of the pledge that a month after the first is."""
    return f"month:{provider}:{reference}"


def month_pledge(*, provider: str, text: str) -> Pledge | None:
    """Return the pledge of the month that an account text names, once it is known, or None."""
    reference = month_named(text)
    if not reference:
        return None
    key = month_key(provider=provider, reference=reference)
    return Pledge.objects.select_related("site__book", "rail").filter(idempotency_key=key).first()


def find(
    *,
    rail: Rail,
    currency: str,
    account_text: str,
    top_up: TopUp | None,
    pledge: Pledge | None,
    at: datetime,
) -> Payee:
    """Decide whose a payment over a rail is. What it answers counts first, then what it names."""
    operator_book = Book.objects.get(operator=rail.operator_id).pk
    if pledge is None and top_up is None:
        pledge = pledge_named(account_text) or month_pledge(
            provider=rail.provider, text=account_text
        )
    if pledge is not None:
        return _of_pledge(pledge=pledge, rail=rail, currency=currency, operator_book=operator_book)
    household = (
        top_up.household
        if top_up is not None
        else Household.objects.filter(code=normalise_code(account_text)).first()
    )
    if household is None:
        return Payee(book_id=operator_book, reason=f"no account {account_text!r}"[:200])
    reason = obstacle(household=household, rail=rail, currency=currency, at=at)
    site = sites.site_of(household=household, at=at)
    if reason or site is None:
        return Payee(
            book_id=operator_book,
            reason=reason,
            state=State.MISMATCH if site and site.currency != currency else State.SUSPENSE,
        )
    return Payee(book_id=site.book.pk, household=household, site=site)


def obstacle(*, household: Household, rail: Rail, currency: str, at: datetime) -> str:
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


def _of_pledge(*, pledge: Pledge, rail: Rail, currency: str, operator_book: int) -> Payee:
    if pledge.site.operator_id != rail.operator_id:
        return Payee(book_id=operator_book, reason=f"{pledge.site} is another operator's")
    if currency != pledge.currency:
        return Payee(
            book_id=operator_book,
            reason=f"paid in {currency}, pledged in {pledge.currency}",
            state=State.MISMATCH,
        )
    return Payee(book_id=pledge.site.book.pk, site=pledge.site, pledge=pledge)
