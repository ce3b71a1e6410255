"""Whether the receipt that a callback named is that of the prompt it came for.

The query of a prompt says that it was paid, not under which receipt. The statement knows the
account a receipt was paid to; where it lags behind, the status of the receipt tells who paid how
much, when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import structlog

from accounts.models import HouseholdPhone, PaymentAttempt, Rail
from accounts.money import minor_from_string
from accounts.payees import normalise_code
from accounts.topups import ConfirmedPayment
from gateway.providers.daraja import results, statement
from gateway.providers.daraja.callbacks import CURRENCY
from gateway.providers.daraja.client import ACCOUNT_LENGTH, Daraja
from gateway.providers.interface import ProviderRefused, ProviderUnavailable
from gateway.providers.models import ResultRequest, StatementRow

log = structlog.get_logger(__name__)

BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=15)
"""A prompt is paid in this span around its submission, clocks that differ included."""
MOST_PAGES = 3
_NATIONAL = re.compile(r"0([17][0-9]{8})")
_INTERNATIONAL = re.compile(r"254([17][0-9]{8})")


class Verdict(Enum):
    """What is known of a receipt."""

    OURS = "ours"
    NOT_OURS = "not ours"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A verdict; paid_at where the receipt is ours."""

    verdict: Verdict
    paid_at: datetime | None = None


UNKNOWN = Finding(verdict=Verdict.UNKNOWN)
NOT_OURS = Finding(verdict=Verdict.NOT_OURS)


def check(*, attempt: PaymentAttempt, rail: Rail, client: Daraja, at: datetime) -> Finding:
    """Return what is known of attempt.claimed_reference; ask Daraja where that is nothing yet.

    The answer to a question of status comes to its result's path; then this is asked again.
    """
    found = _kept(attempt=attempt, rail=rail)
    if found.verdict == Verdict.UNKNOWN:
        found = _shown(attempt=attempt, rail=rail, client=client, at=at)
    # A status names the payer and no account: of a phone of several households it says too little.
    can_tell = client.can_command and not _is_shared(attempt)
    if found.verdict == Verdict.UNKNOWN and can_tell:
        found = _by_status(attempt=attempt, rail=rail, client=client, at=at)
    return found


def _kept(*, attempt: PaymentAttempt, rail: Rail) -> Finding:
    row = StatementRow.objects.filter(
        rail=rail, kind=StatementRow.Kind.PAYMENT, reference=attempt.claimed_reference
    ).first()
    if row is None:
        return UNKNOWN
    return _compared(
        attempt=attempt,
        amount_minor=row.amount_minor,
        account=row.account_text,
        paid_at=row.happened_at,
    )


def _shown(*, attempt: PaymentAttempt, rail: Rail, client: Daraja, at: datetime) -> Finding:
    """Look into the statement of the minutes in which the prompt can have been paid."""
    since, until = _span(attempt)
    try:
        for row in statement.rows(
            client=client, since=since, until=min(until, at), most_pages=MOST_PAGES
        ):
            entry = statement.entry(row=row, rail=rail)
            if entry.reference == attempt.claimed_reference and isinstance(entry, ConfirmedPayment):
                return _compared(
                    attempt=attempt,
                    amount_minor=entry.amount_minor,
                    account=entry.account_text,
                    paid_at=entry.paid_at,
                )
    except ProviderUnavailable as error:
        log.warning("statement unanswered", attempt=str(attempt.uid), error=str(error))
    return UNKNOWN


def _compared(
    *, attempt: PaymentAttempt, amount_minor: int, account: str, paid_at: datetime
) -> Finding:
    intent = attempt.intent
    expected = (intent.amount_minor, normalise_code(intent.account_text[:ACCOUNT_LENGTH]))
    if (amount_minor, normalise_code(account)) != expected:
        return NOT_OURS
    return Finding(verdict=Verdict.OURS, paid_at=paid_at)


def _by_status(*, attempt: PaymentAttempt, rail: Rail, client: Daraja, at: datetime) -> Finding:
    receipt = attempt.claimed_reference
    last = results.latest(rail=rail, kind=results.Kind.STATUS, reference=receipt)
    if last is not None and last.state == results.State.ANSWERED:
        return _told(request=last, attempt=attempt, short_code=client.short_code)
    if results.is_due(last=last, at=at):
        request = results.opened(rail=rail, kind=results.Kind.STATUS, reference=receipt, at=at)
        try:
            results.send(
                request=request,
                command=lambda url: client.ask_status(receipt=receipt, result_url=url, at=at),
            )
        except (ProviderRefused, ProviderUnavailable) as error:
            log.warning("status not asked", attempt=str(attempt.uid), error=str(error))
    return UNKNOWN


def _is_shared(attempt: PaymentAttempt) -> bool:
    """Whether the phone that was asked acts for another household as well."""
    if attempt.top_up is None:
        return False
    acting = HouseholdPhone.objects.filter(phone=attempt.phone, closed_at__isnull=True)
    return acting.exclude(household=attempt.top_up.household_id).exists()


def _told(*, request: ResultRequest, attempt: PaymentAttempt, short_code: str) -> Finding:
    """Read the status of a receipt: who paid how much to whom, and when.

    Where the payer is masked, or the question itself failed, the statement has to decide.
    """
    told = request.result
    if request.result_code == results.NO_RECEIPT:
        return NOT_OURS
    if request.result_code != results.DONE:
        return UNKNOWN
    paid_at = results.instant(str(told.get("FinalisedTime", "")))
    payer = _phone(str(told.get("DebitPartyName", "")))
    if payer is None or paid_at is None:
        return UNKNOWN
    since, until = _span(attempt)
    is_ours = (
        told.get("ReceiptNo") == attempt.claimed_reference
        and told.get("TransactionStatus") == results.COMPLETED
        and _minor(str(told.get("Amount", ""))) == attempt.intent.amount_minor
        and payer == attempt.phone
        and str(told.get("CreditPartyName", "")).split(" ")[0] == short_code
        and since <= paid_at <= until
    )
    return Finding(verdict=Verdict.OURS, paid_at=paid_at) if is_ours else NOT_OURS


def _span(attempt: PaymentAttempt) -> tuple[datetime, datetime]:
    submitted_at = attempt.submitted_at or attempt.created_at
    return submitted_at - BEFORE, submitted_at + AFTER


def _phone(party: str) -> str | None:
    """ "0711000001 - Amina" -> "+254711000001"; None where the number is masked."""
    number = party.split(" ", maxsplit=1)[0].lstrip("+")
    for form in (_NATIONAL, _INTERNATIONAL):
        if (digits := form.fullmatch(number)) is not None:
            return f"+254{digits[1]}"
    return None


def _minor(text: str) -> int | None:
    try:
        return minor_from_string(text=text, currency=CURRENCY)
    except ValueError:
        return None
