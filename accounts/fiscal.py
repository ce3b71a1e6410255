"""Fiscal receipts of payments and credit notes of what is taken back of them.

The tax point is the payment: a prepayment is taxed when it is received. Both are written behind the
site's locked book, in the database transaction of the credit or the take-back, so that numbers have
no gaps; gateway.fiscal has them signed later. See docs/adr/0015-fiscal-receipts.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Sum

from accounts import alarms, ledger, tax
from accounts.models import (
    Alarm,
    FiscalLine,
    FiscalReceipt,
    Payment,
    Site,
    TakeBack,
    TaxLine,
)

Kind = FiscalReceipt.Kind
State = FiscalReceipt.State


SOON = timedelta(minutes=1)
"""What is to begin or end now does so a minute later: payments are being credited meanwhile."""
RECENT = timedelta(minutes=10)


class NotToBeSigned(Exception):
    """The receipt is signed, or its site has no device."""


class WrongPeriod(ValueError):
    """A tax can't begin or end in the past: receipts were written without it, or with it."""


def lines_at(*, site: Site, at: datetime) -> list[TaxLine]:
    """Return the taxes, then the levies, that payments to the site contain at an instant."""
    lines = site.tax_lines.filter(validity__contains=at)
    return list(lines.order_by("-kind", "name"))


def check_start(*, site: Site, name: str, starts_at: datetime, at: datetime) -> datetime:
    """Return when a line would really begin. Raises WrongPeriod as begin_line does."""
    begins_at = _from_now_on(starts_at, at=at)
    last = site.tax_lines.filter(name=name).order_by("validity").last()
    if last is not None and last.validity.lower >= begins_at:
        raise WrongPeriod(f"{name} begins at {last.validity.lower:%Y-%m-%d %H:%M} UTC already")
    if last is not None and last.validity.upper is not None and last.validity.upper > begins_at:
        raise WrongPeriod(f"{name} is to end at {last.validity.upper:%Y-%m-%d %H:%M} UTC first")
    return begins_at


def begin_line(
    *,
    site: Site,
    kind: str,
    name: str,
    code: str,
    rate_basis_points: int,
    starts_at: datetime,
    at: datetime,
) -> TaxLine:
    """Tax payments to a site from an instant on; the site's line of that name ends there.

    Raises WrongPeriod for an instant in the past, or before the line of that name began.
    """
    with transaction.atomic():
        # Credits hold this lock while they read the lines.
        ledger.lock(book_id=site.book.pk)
        begins_at = check_start(site=site, name=name, starts_at=starts_at, at=at)
        for before in site.tax_lines.filter(name=name, validity__endswith__isnull=True):
            _end(before, ends_at=begins_at)
        return TaxLine.objects.create(
            site=site,
            kind=kind,
            name=name,
            code=code,
            rate_basis_points=rate_basis_points,
            validity=(begins_at, None),
        )


def end_line(*, line: TaxLine, ends_at: datetime, at: datetime) -> TaxLine:
    """Tax no payment made from an instant on. Raises WrongPeriod for one in the past."""
    with transaction.atomic():
        ledger.lock(book_id=line.site.book.pk)
        stored = TaxLine.objects.select_for_update().get(pk=line.pk)
        last_at = _from_now_on(ends_at, at=at)
        if last_at <= stored.validity.lower:
            raise WrongPeriod(f"{stored.name} begins after that")
        if stored.validity.upper is not None and stored.validity.upper <= at:
            raise WrongPeriod(f"{stored.name} has ended")
        _end(stored, ends_at=last_at)
    return stored


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


def put_back(*, take_back: TakeBack, at: datetime) -> None:
    """Say aloud that money came again after its credit note was written.

    The authority knows no opposite of a credit note: a person has to write the sale there.
    """
    note = FiscalReceipt.objects.filter(take_back=take_back).select_related("site").first()
    if note is not None:
        alarms.raise_alarm(
            kind=Alarm.Kind.FISCAL_DEVICE,
            key=f"credit_note:{note.pk}",
            text=f"{note} stands, but the money of {note.payment} came again: "
            "write a sale of that amount at the tax authority",
            operator=note.site.operator,
            at=at,
        )


def taken_again(*, before: TakeBack | None, take_back: TakeBack, at: datetime) -> None:
    """Let the credit note of a take-back that was put back stand for the one that followed it:
    what went to and fro is credited once."""
    note = FiscalReceipt.objects.filter(take_back=before).first() if before is not None else None
    if note is not None:
        note.take_back = take_back
        note.save(update_fields=["take_back"])
        alarms.clear(key=f"credit_note:{note.pk}", at=at)


def resend(*, receipt: FiscalReceipt, at: datetime) -> None:
    """Have a receipt signed now that was refused, waits, or was written before its site's device.

    Raises NotToBeSigned. One that may be signed stays unknown: the device is asked first.
    """
    if not receipt.site.fiscal_device:
        raise NotToBeSigned(f"{receipt.site.slug} has no fiscal device")
    again = FiscalReceipt.objects.filter(
        pk=receipt.pk, state__in=(State.UNSIGNED, State.REFUSED, State.QUEUED)
    ).update(state=State.QUEUED, next_attempt_at=at)
    asked = FiscalReceipt.objects.filter(pk=receipt.pk, state=State.UNKNOWN).update(
        next_attempt_at=at
    )
    if not again and not asked:
        raise NotToBeSigned(f"{receipt} is signed, or being sent")


def _from_now_on(instant: datetime, *, at: datetime) -> datetime:
    if instant < at - RECENT:
        raise WrongPeriod("a tax begins and ends now or later, never in the past")
    return max(instant, at + SOON)


def _end(line: TaxLine, *, ends_at: datetime) -> None:
    line.validity = (line.validity.lower, ends_at)
    line.save(update_fields=["validity"])


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
