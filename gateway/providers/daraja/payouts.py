"""Payouts over M-Pesa (B2C): asked for once under our own conversation, then asked after.

Results are not signed: one that comes to a payout's path is a reason to ask for the status of the
conversation, and only that answer, or the statement, says what became of the money. A payout whose
acknowledgement is lost is never asked for again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import Rail
from accounts.money import minor_from_string, minor_per_major
from gateway.providers.daraja import results
from gateway.providers.daraja.callbacks import CURRENCY
from gateway.providers.daraja.client import Daraja
from gateway.providers.interface import ProviderRefused
from gateway.providers.models import ResultRequest, StatementRow
from settlement.models import Payout
from settlement.payout_sending import PayoutAnswer

State = results.State
Kind = results.Kind

GRACE = timedelta(minutes=10)
"""What Daraja does not know this long after it was asked for was never done there."""
NOT_MADE = {"Cancelled", "Declined", "Expired", "Failed"}


def submit(
    *, payout: Payout, rail: Rail, client: Daraja, hooks_url: str, at: datetime
) -> PayoutAnswer:
    """Ask for the payout, unless it was asked for. Raises as Paying.pay_out does."""
    shillings, cents = divmod(payout.amount_minor or 0, minor_per_major(currency=CURRENCY))
    if cents or not shillings or payout.currency != CURRENCY:
        raise ProviderRefused(code="amount", text="M-Pesa pays out whole shillings")
    conversation = str(payout.request_id)
    with transaction.atomic():
        Payout.objects.select_for_update(of=("self",)).get(pk=payout.pk)
        asked = results.latest(rail=rail, kind=Kind.PAYOUT, payout=payout)
        if asked is not None and asked.state != State.REFUSED:
            return PayoutAnswer(is_final=False, provider_request=conversation)
        request = results.opened(
            rail=rail, kind=Kind.PAYOUT, payout=payout, conversation=conversation, at=at
        )
    results.send(
        request=request,
        hooks_url=hooks_url,
        command=lambda url: client.pay_out(
            conversation=conversation,
            phone=payout.destination,
            amount_shillings=shillings,
            remarks=f"{payout.site} {payout.pool}",
            result_url=url,
            at=at,
        ),
    )
    return PayoutAnswer(is_final=False, provider_request=conversation)


def query(*, payout: Payout, rail: Rail, client: Daraja, at: datetime) -> PayoutAnswer:
    """Return what is known of a payout; ask for its status where that is nothing yet.

    Raises ProviderUnavailable.
    """
    asked = results.latest(rail=rail, kind=Kind.PAYOUT, payout=payout)
    if asked is None:
        age = at - (payout.sent_at or payout.proposed_at)
        return PayoutAnswer(is_final=age > GRACE, code="unsent", text="it was never asked for")
    if asked.state == State.REFUSED:
        return PayoutAnswer(is_final=True, code=asked.result_code, text=asked.result_text)
    answer = _by_statement(payout=payout, rail=rail)
    return answer or _by_status(asked=asked, payout=payout, client=client, at=at)


def _by_statement(*, payout: Payout, rail: Rail) -> PayoutAnswer | None:
    """Find the payout among the statement's rows, where they name our conversation."""
    row = StatementRow.objects.filter(
        rail=rail,
        kind=StatementRow.Kind.PAYOUT,
        payment_reference=str(payout.request_id),
        amount_minor=payout.amount_minor or 0,
    ).first()
    if row is None:
        return None
    return PayoutAnswer(
        is_final=True, is_done=True, reference=row.reference, done_at=row.happened_at
    )


def _by_status(
    *, asked: ResultRequest, payout: Payout, client: Daraja, at: datetime
) -> PayoutAnswer:
    """Read the status of the conversation, and ask for it (again) where it is due."""
    last = results.latest(rail=asked.rail, kind=Kind.STATUS, payout=payout)
    if last is not None and last.state == State.ANSWERED:
        answer = _told(last=last, asked=asked, payout=payout, at=at)
        if answer is not None:
            return answer
    open_yet = PayoutAnswer(is_final=False)
    if not client.can_command or not _is_due(last=last, asked=asked, at=at):
        return open_yet
    request = results.opened(rail=asked.rail, kind=Kind.STATUS, payout=payout, at=at)
    try:
        results.send(
            request=request,
            command=lambda url: client.ask_status(
                conversation=asked.conversation, result_url=url, at=at
            ),
        )
    except ProviderRefused as refusal:
        return PayoutAnswer(is_final=False, text=str(refusal))
    return open_yet


def _is_due(*, last: ResultRequest | None, asked: ResultRequest, at: datetime) -> bool:
    """Whether to ask: a result came since we asked last, or nothing came for a while."""
    before = asked if last is None else last
    has_news = asked.answered_at is not None and (
        last is None or asked.answered_at > last.requested_at
    )
    return has_news or at - before.requested_at >= results.PATIENCE


def _told(
    *, last: ResultRequest, asked: ResultRequest, payout: Payout, at: datetime
) -> PayoutAnswer | None:
    """What an answered status says; None where it leaves open what happened."""
    told = last.result
    if last.result_code == results.NO_RECEIPT:
        return _nothing_done(last=last, asked=asked, at=at)
    if last.result_code != results.DONE:
        return None
    status = str(told.get("TransactionStatus", ""))
    if status in NOT_MADE:
        return PayoutAnswer(is_final=True, code=status, text=asked.result_text or status)
    is_ours = _minor(str(told.get("Amount", ""))) == payout.amount_minor
    if status != results.COMPLETED or not is_ours or not told.get("ReceiptNo"):
        return None
    return PayoutAnswer(
        is_final=True,
        is_done=True,
        reference=str(told["ReceiptNo"]),
        done_at=results.instant(str(told.get("FinalisedTime", ""))),
    )


def _nothing_done(
    *, last: ResultRequest, asked: ResultRequest, at: datetime
) -> PayoutAnswer | None:
    """Daraja knows no transfer of the conversation: final once its result said no, or after long.

    A result that says no is believed only together with a status asked for after it came.
    """
    is_refused = (
        asked.state == State.ANSWERED
        and asked.result_code != results.DONE
        and asked.answered_at is not None
        and last.requested_at >= asked.answered_at
    )
    if not is_refused and last.requested_at - asked.requested_at <= GRACE:
        return None
    return PayoutAnswer(
        is_final=True,
        code=asked.result_code or last.result_code,
        text=asked.result_text or last.result_text,
    )


def _minor(text: str) -> int | None:
    try:
        return minor_from_string(text=text, currency=CURRENCY)
    except ValueError:
        return None
