"""Crediting confirmed payments: once per (provider, reference), to whom the code names.

Received money is always kept: what matches nobody goes to suspense in the operator's book, and
attaches itself when the account appears.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import crediting, donations, ledger, payees, suspense
from accounts.donations import NoMarketRate
from accounts.models import Agent, Book, Payment, Pledge, Rail, TopUp
from accounts.payees import AmountMismatch, Payee, PayeeMismatch, normalise_code


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmedPayment:
    """What a provider confirmed. amount_minor is in minor units of the payment's own currency.

    top_up or pledge is the intent it answers, if any; otherwise account_text, as the payer typed
    it, decides whose it is. payer_phone may be masked or empty. fee_minor is what the provider
    kept, None where only the rail's tariff knows. provider_request is what a refund has to name.
    """

    rail: Rail
    reference: str
    amount_minor: int
    currency: str
    paid_at: datetime
    account_text: str = ""
    payer_phone: str = ""
    top_up: TopUp | None = None
    pledge: Pledge | None = None
    fee_minor: int | None = None
    provider_request: str = ""
    agent: Agent | None = None


def confirm(*, payment: ConfirmedPayment, at: datetime) -> Payment:
    """Credit the household with DAI (or the donor's donation) for one confirmed payment.

    The credit is at the site's rate, rounded down to the wei; the difference to the market is a
    posting on the FX reserve. A replay of the reference returns the first Payment; a replay that
    differs raises AmountMismatch, one for somebody else PayeeMismatch.
    """
    with transaction.atomic():
        payee = payees.find(
            rail=payment.rail,
            currency=payment.currency,
            account_text=payment.account_text,
            top_up=payment.top_up,
            pledge=payment.pledge,
            at=at,
        )
        payee = _with_rate(payee=payee, payment=payment, at=at)
        ledger.lock(book_id=payee.book_id)
        stored, is_new = _insert(payment=payment, payee=payee, at=at)
        if not is_new:
            _check_replay(stored=stored, payment=payment)
            return stored
        if payee.household is not None and payee.site is not None:
            crediting.to_household(
                payment=stored,
                household=payee.household,
                site=payee.site,
                key=f"top_up:{stored.provider}:{stored.reference}",
                at=at,
            )
        elif payee.pledge is not None and payee.site is not None:
            donations.credit(payment=stored, pledge=payee.pledge, at=at)
        else:
            suspense.put_in(payment=stored, book_id=payee.book_id, at=at)
        return stored


def _with_rate(*, payee: Payee, payment: ConfirmedPayment, at: datetime) -> Payee:
    """A donation in money that nobody has quoted yet waits in suspense."""
    if payee.pledge is None or payee.site is None:
        return payee
    try:
        donations.market_rate(currency=payment.currency, at=at)
    except NoMarketRate as error:
        operator_book = Book.objects.get(operator=payment.rail.operator_id).pk
        return Payee(book_id=operator_book, pledge=payee.pledge, reason=str(error)[:200])
    return payee


def _insert(*, payment: ConfirmedPayment, payee: Payee, at: datetime) -> tuple[Payment, bool]:
    kept = payment.fee_minor
    if kept is None:
        kept = crediting.fee_minor(rail=payment.rail, amount_minor=payment.amount_minor)
    made = Payment(
        rail=payment.rail,
        provider=payment.rail.provider,
        reference=payment.reference,
        provider_request=payment.provider_request,
        amount_minor=payment.amount_minor,
        fee_minor=kept,
        currency=payment.currency,
        account_text=payment.account_text[:64],
        payer_phone=payment.payer_phone[:80],
        paid_at=payment.paid_at,
        recorded_at=at,
        state=payee.state,
        reason=payee.reason,
        top_up=payment.top_up,
        pledge=payee.pledge,
        agent=payment.agent,
    )
    Payment.objects.bulk_create([made], ignore_conflicts=True)
    stored = (
        Payment.objects.select_for_update(of=("self",))
        .select_related("rail__operator__book", "agent")
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
    learned = []
    if stored.top_up_id is None and payment.top_up is not None:
        stored.top_up = payment.top_up
        learned.append("top_up")
    if stored.pledge_id is None and payment.pledge is not None:
        stored.pledge = payment.pledge
        learned.append("pledge")
    if not stored.provider_request and payment.provider_request:
        stored.provider_request = payment.provider_request
        learned.append("provider_request")
    if learned:
        stored.save(update_fields=learned)


def _is_same_payee(*, stored: Payment, payment: ConfirmedPayment) -> bool:
    """A receipt belongs to one top-up or pledge and one account, however its payer spelt the code.

    A statement that leaves the account out contradicts nothing.
    """
    if payment.pledge is not None and stored.pledge_id is not None:
        return stored.pledge_id == payment.pledge.pk
    if payment.pledge is not None and payment.pledge == payees.month_pledge(
        provider=stored.provider, text=stored.account_text
    ):
        # The statement showed the month before anybody knew whose it is.
        return True
    if payment.top_up is not None:
        if stored.top_up_id is not None:
            return stored.top_up_id == payment.top_up.pk
        if stored.household_id is not None:
            return stored.household_id == payment.top_up.household_id
    named = normalise_code(payment.account_text[:64])
    return not named or named == normalise_code(stored.account_text)
