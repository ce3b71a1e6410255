"""Having receipts signed: numbered and claimed before the device is called, in order, once.

A device signs its numbers one after the other, so the oldest open receipt holds up the others of
its device until it is signed or refused. No answer is unknown: the device is asked what it signed
under the number before the same document is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db.models import Max

from accounts import alarms
from accounts.locks import singleton
from accounts.models import Alarm, FiscalReceipt, Site
from gateway.fiscal import registry
from gateway.fiscal.interface import (
    AlreadySigned,
    CannotAsk,
    DeviceRefused,
    DeviceUnavailable,
    DeviceUnreachable,
    Document,
    FiscalDevice,
    NumberTaken,
    Part,
    Signed,
)
from gateway.fiscal.models import DeviceNumber

log = structlog.get_logger(__name__)

State = FiscalReceipt.State

CLAIM_LIFE = timedelta(minutes=3)
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_ROUND = timedelta(seconds=60)
ALARM_AFTER = 4
"""Failures in a row of one receipt; the receipts behind it wait all the while."""
SIGNATURE_LOST = "signed, but the device does not tell its signature again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One receipt that is ours to send until CLAIM_LIFE is over.

    may_be_signed: it was sent before under this number, and what became of it is not known.
    sent_to: the device that it was sent to before, if the site has another one now.
    """

    receipt: FiscalReceipt
    document: Document
    device: str
    may_be_signed: bool
    sent_to: str


def sign_due(*, clock: Callable[[], datetime]) -> int:
    """Have what is due signed, for a while; return how many are done with, signed or refused."""
    began_at = clock()
    done = 0
    for device, sites in _devices().items():
        while clock() - began_at <= LONGEST_ROUND:
            claim = _claim(device=device, sites=sites, at=clock())
            if claim is None or not _send(claim=claim, clock=clock):
                break
            done += 1
    return done


def _devices() -> dict[str, list[Site]]:
    """Return the sites of each device that have open receipts."""
    open_receipts = FiscalReceipt.objects.filter(next_attempt_at__isnull=False)
    sites = Site.objects.filter(pk__in=open_receipts.values("site_id")).select_related("operator")
    by_device: dict[str, list[Site]] = {}
    for site in sites:
        try:
            device = registry.key(site=site)
        except (LookupError, ValueError) as error:
            log.warning("no fiscal device", site=site.slug, error=str(error))
            device = f"none:{site.slug}"
        by_device.setdefault(device, []).append(site)
    return by_device


def _claim(*, device: str, sites: Sequence[Site], at: datetime) -> Claim | None:
    """Take the oldest open receipt of a device, if its time has come and nobody else has it."""
    with singleton(f"fiscal:{device}") as is_only:
        if not is_only:
            return None
        receipt = (
            FiscalReceipt.objects.filter(site__in=sites, next_attempt_at__isnull=False)
            .select_related("site__operator", "payment", "original")
            .order_by("id")
            .first()
        )
        if receipt is None or receipt.next_attempt_at is None or receipt.next_attempt_at > at:
            return None
        may_be_signed = receipt.state in (State.SENDING, State.UNKNOWN)
        number, sent_to = _number(
            device=device, receipt=receipt, may_be_signed=may_be_signed, at=at
        )
        receipt.attempts += 1
        receipt.state = State.SENDING
        receipt.next_attempt_at = at + CLAIM_LIFE
        receipt.save(update_fields=["attempts", "state", "next_attempt_at"])
        return Claim(
            receipt=receipt,
            document=_document(receipt, number=number, device=device),
            device=device,
            may_be_signed=may_be_signed,
            sent_to=sent_to,
        )


def _number(
    *, device: str, receipt: FiscalReceipt, may_be_signed: bool, at: datetime
) -> tuple[int, str]:
    """Return the receipt's number at the device, and which other device it may be signed by."""
    given = DeviceNumber.objects.filter(receipt=receipt).first()
    if given is not None and given.device == device:
        return given.number, ""
    sent_to = ""
    if given is not None and may_be_signed:
        sent_to = given.device
        DeviceNumber.objects.filter(pk=given.pk).update(receipt=None)
    elif given is not None:
        given.delete()
    last = DeviceNumber.objects.filter(device=device).aggregate(last=Max("number"))["last"]
    number = (last or 0) + 1
    DeviceNumber.objects.create(device=device, number=number, receipt=receipt, given_at=at)
    return number, sent_to


def _document(receipt: FiscalReceipt, *, number: int, device: str) -> Document:
    original = receipt.original
    sold = (
        DeviceNumber.objects.filter(receipt=original, device=device).first()
        if original is not None and original.state == State.SIGNED
        else None
    )
    # 0 is no number: the device refuses a credit note for what it never signed.
    original_number = None if original is None else sold.number if sold is not None else 0
    return Document(
        number=number,
        reference=f"{receipt.site.slug}/{receipt.number}",
        gross_minor=receipt.gross_minor,
        currency=receipt.currency,
        parts=tuple(
            Part(
                kind=line.kind,
                name=line.name,
                code=line.code,
                rate_basis_points=line.rate_basis_points,
                amount_minor=line.amount_minor,
            )
            for line in receipt.lines.all()
        ),
        paid_by=receipt.payment.provider,
        tax_point_at=receipt.tax_point_at,
        issued_at=receipt.issued_at,
        original_number=original_number,
    )


def _send(*, claim: Claim, clock: Callable[[], datetime]) -> bool:
    """Have one receipt signed and note what came of it; return whether the next may follow."""
    try:
        signed = _signed(claim)
    except NumberTaken as error:
        return _skip_number(claim, error=error, at=clock())
    except DeviceRefused as refusal:
        return _refuse(claim, refusal=refusal, at=clock())
    except DeviceUnreachable as error:
        state = State.UNKNOWN if claim.may_be_signed else State.QUEUED
        return _wait(claim, state=state, error=error, at=clock())
    except DeviceUnavailable as error:
        return _wait(claim, state=State.UNKNOWN, error=error, at=clock())
    return _finish(claim, signed=signed, at=clock())


def _signed(claim: Claim) -> Signed | None:
    """Return the signature; None if it is signed, but nobody tells the signature any more."""
    document = claim.document
    if claim.sent_to:
        raise DeviceRefused(code="moved", text=f"{claim.sent_to} may have signed it")
    if document.original_number == 0:
        raise DeviceRefused(code="original", text="the device never signed what it takes back")
    device = _device(claim.receipt.site)
    if claim.may_be_signed:
        found = _found(device=device, document=document)
        if found is not None:
            return found
    try:
        return device.sign(document=document)
    except AlreadySigned as error:
        found = _found(device=device, document=document)
        if found is None and not claim.may_be_signed:
            raise NumberTaken(str(error)) from error
        return found


def _device(site: Site) -> FiscalDevice:
    try:
        return registry.device(site=site)
    except (LookupError, ValueError) as error:
        raise DeviceUnreachable(str(error)) from error


def _found(*, device: FiscalDevice, document: Document) -> Signed | None:
    try:
        return device.find(document=document)
    except CannotAsk:
        return None


def _finish(claim: Claim, *, signed: Signed | None, at: datetime) -> bool:
    changes = (
        {"failure": SIGNATURE_LOST, "signed_at": at}
        if signed is None
        else {
            "device": signed.device[:40],
            "device_number": signed.number[:60],
            "signature": signed.signature[:200],
            "verification_url": signed.verification_url[:300],
            "signed_at": signed.signed_at,
            "failure": "",
        }
    )
    _note(claim, state=State.SIGNED, next_attempt_at=None, **changes)
    alarms.clear(key=f"fiscal:{claim.receipt.site.slug}", at=at)
    alarms.clear(key=f"fiscal_receipt:{claim.receipt.pk}", at=at)
    return True


def _wait(claim: Claim, *, state: State, error: Exception, at: datetime) -> bool:
    """Try again later, with patience; say so when it takes long."""
    attempts = claim.receipt.attempts
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 16), LONGEST_WAIT)
    _note(claim, state=state, next_attempt_at=at + wait, failure=str(error)[:200])
    log.warning("fiscal receipt not signed", receipt=str(claim.receipt), error=str(error))
    if attempts >= ALARM_AFTER:
        alarms.raise_alarm(
            kind=Alarm.Kind.FISCAL_DEVICE,
            key=f"fiscal:{claim.receipt.site.slug}",
            text=f"{claim.device} did not sign {claim.receipt} in {attempts} tries: {error}",
            operator=claim.receipt.site.operator,
            at=at,
        )
    return False


def _refuse(claim: Claim, *, refusal: DeviceRefused, at: datetime) -> bool:
    """Leave it to a person; its number is free again, as nothing was signed under it."""
    _note(claim, state=State.REFUSED, next_attempt_at=None, failure=str(refusal)[:200])
    DeviceNumber.objects.filter(receipt=claim.receipt).delete()
    alarms.raise_alarm(
        kind=Alarm.Kind.FISCAL_DEVICE,
        key=f"fiscal_receipt:{claim.receipt.pk}",
        text=f"{claim.device} refused {claim.receipt}: {refusal}",
        operator=claim.receipt.site.operator,
        at=at,
    )
    return True


def _skip_number(claim: Claim, *, error: NumberTaken, at: datetime) -> bool:
    """Keep the number for the other till that has it, and take the next one."""
    log.warning("number taken", device=claim.device, error=str(error))
    DeviceNumber.objects.filter(receipt=claim.receipt).update(receipt=None)
    _note(claim, state=State.QUEUED, next_attempt_at=at, failure=str(error)[:200])
    return True


def _note(claim: Claim, **changes: object) -> None:
    """Note what came of a claim, unless it was over and somebody else has the receipt now."""
    FiscalReceipt.objects.filter(
        pk=claim.receipt.pk, state=State.SENDING, attempts=claim.receipt.attempts
    ).update(**changes)
