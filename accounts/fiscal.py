"""Fiscal receipts of payments and credit notes of what is taken back of them.

The tax point is the payment: a prepayment is taxed when it is received. Both are written behind the
site's locked book, in the database transaction of the credit or the take-back, so that numbers have
no gaps; gateway.fiscal has them signed later. See docs/adr/0015-fiscal-receipts.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Sum

from accounts import tax
from accounts.models import FiscalLine, FiscalReceipt, Household, Payment, Site, TakeBack, TaxLine

Kind = FiscalReceipt.Kind
State = FiscalReceipt.State


class NotToBeSigned(Exception):
    """The receipt is signed, or its site has no device."""


def lines_at(*, site: Site, at: datetime) -> list[TaxLine]:
    """Return the taxes, then the levies, that payments to the site contain at an instant."""
    lines = site.tax_lines.filter(validity__contains=at)
    return list(lines.order_by("-kind", "name"))


def issue(*, payment: Payment, at: datetime) -> FiscalReceipt | None:
    """Write the receipt of a payment that is being credited to a household.

    None where the site taxed nothing when it was paid, and for donations, which buy nothing. A
    payment has one receipt, however often this is called.
    """
    site = payment.site
    if site is None or payment.household_id is None:
        return None
    lines = lines_at(site=site, at=payment.paid_at)
    if not lines:
        return None
    written = FiscalReceipt.objects.filter(payment=payment, kind=Kind.SALE).first()
    if written is not None:
        return written
    parts = tax.contained(
        gross_minor=payment.amount_minor,
        rates_basis_points=[line.rate_basis_points for line in lines],
    )
    receipt = FiscalReceipt(
        site=site,
        kind=Kind.SALE,
        payment=payment,
        gross_minor=payment.amount_minor,
        tax_point_at=payment.paid_at,
        state=State.QUEUED if site.fiscal_device else State.UNSIGNED,
    )
    return _write(receipt=receipt, parts=_parts(lines, parts), at=at)


def credit(*, take_back: TakeBack, at: datetime) -> FiscalReceipt | None:
    """Write the credit note of what was taken back of a payment, with the receipt's own rates.

    None where the payment has no receipt. A take-back has one credit note, however often this is
    called. To be called once the money is gone for good: a credit note is never taken back.
    """
    sale = (
        FiscalReceipt.objects.filter(payment=take_back.payment_id, kind=Kind.SALE)
        .select_related("site")
        .first()
    )
    if sale is None:
        return None
    written = FiscalReceipt.objects.filter(take_back=take_back).first()
    if written is not None:
        return written
    lines = list(sale.lines.all())
    before_minor = sale.credit_notes.aggregate(sum=Sum("gross_minor"))["sum"] or 0
    parts = tax.taken_back(
        before_minor=before_minor,
        amount_minor=take_back.amount_minor,
        rates_basis_points=[line.rate_basis_points for line in lines],
    )
    note = FiscalReceipt(
        site=sale.site,
        kind=Kind.CREDIT_NOTE,
        payment=sale.payment,
        take_back=take_back,
        original=sale,
        gross_minor=take_back.amount_minor,
        tax_point_at=at,
        # What no device signed, no device can take back.
        state=State.UNSIGNED if sale.state == State.UNSIGNED else State.QUEUED,
    )
    return _write(receipt=note, parts=_parts(lines, parts), at=at)


def resend(*, receipt: FiscalReceipt, at: datetime) -> None:
    """Have a receipt signed now that was refused, waits, or was written before its site's device.

    Raises NotToBeSigned. One that may be signed stays unknown: the device is asked first.
    """
    if not receipt.site.fiscal_device:
        raise NotToBeSigned(f"{receipt.site.slug} has no fiscal device")
    again = FiscalReceipt.objects.filter(
        pk=receipt.pk, state__in=(State.UNSIGNED, State.REFUSED, State.QUEUED)
    ).update(state=State.QUEUED, next_attempt_at=at, attempts=0)
    asked = FiscalReceipt.objects.filter(pk=receipt.pk, state=State.UNKNOWN).update(
        next_attempt_at=at, attempts=0
    )
    if not again and not asked:
        raise NotToBeSigned(f"{receipt} is {receipt.get_state_display()}")


def last_of(*, household: Household) -> FiscalReceipt | None:
    """Return the newest receipt or credit note of a household's payments."""
    return (
        FiscalReceipt.objects.filter(payment__household=household)
        .select_related("site")
        .prefetch_related("lines")
        .order_by("-id")
        .first()
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    line: TaxLine | FiscalLine
    amount_minor: int


def _parts(lines: Sequence[TaxLine | FiscalLine], amounts_minor: Sequence[int]) -> list[_Part]:
    return [
        _Part(line=line, amount_minor=amount)
        for line, amount in zip(lines, amounts_minor, strict=True)
    ]


def _write(*, receipt: FiscalReceipt, parts: Sequence[_Part], at: datetime) -> FiscalReceipt:
    """Number and store a receipt with its lines; the site's book is locked."""
    last = receipt.site.fiscal_receipts.aggregate(last=Max("number"))["last"] or 0
    receipt.number = last + 1
    receipt.net_minor = receipt.gross_minor - sum(part.amount_minor for part in parts)
    receipt.currency = receipt.payment.currency
    receipt.issued_at = at
    receipt.next_attempt_at = at if receipt.state == State.QUEUED else None
    receipt.save(force_insert=True)
    FiscalLine.objects.bulk_create(
        FiscalLine(
            receipt=receipt,
            kind=part.line.kind,
            name=part.line.name,
            code=part.line.code,
            rate_basis_points=part.line.rate_basis_points,
            amount_minor=part.amount_minor,
        )
        for part in parts
    )
    return receipt
