"""Refunds over M-Pesa: a reversal, asked for once, and what became of it.

Daraja has no key under which asking twice gives back once. So a refund is asked for by one stored
question; where the acknowledgement is lost, it is never asked again: its result, the status of its
conversation or the statement says what became of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import Rail, Refund, Reversal
from accounts.money import decimal_string, minor_from_string
from accounts.refunds import RefundAnswer
from gateway.providers.daraja import results
from gateway.providers.daraja.callbacks import CURRENCY
from gateway.providers.daraja.client import Daraja
from gateway.providers.interface import ProviderRefused
from gateway.providers.models import ResultRequest, StatementRow

State = results.State
Kind = results.Kind

GRACE = timedelta(minutes=10)
"""What Daraja does not know this long after it was asked for was never done there."""
SUCCESS_WITH_ANOTHER_CODE = "21"
"""Safaricom's published example of a reversal that succeeded has it; its table of codes calls it a
refusal. So it says neither, unless its text is that of a refusal."""
NOT_MADE = {"Cancelled", "Declined", "Expired"}


def submit(
    *, refund: Refund, rail: Rail, client: Daraja, hooks_url: str, at: datetime
) -> RefundAnswer:
    """Ask for the reversal, unless it was asked for. Raises as Provider.refund does."""
    with transaction.atomic():
        Refund.objects.select_for_update().get(pk=refund.pk)
        asked = results.latest(
            rail=rail, kind=Kind.REVERSAL, reference=refund.payment.reference, refund=refund
        )
        if asked is not None and asked.state != State.REFUSED:
            return RefundAnswer(is_final=False, provider_request=asked.conversation)
        request = results.opened(
            rail=rail,
            kind=Kind.REVERSAL,
            reference=refund.payment.reference,
            refund=refund,
            at=at,
        )
    request = results.send(
        request=request,
        hooks_url=hooks_url,
        command=lambda url: client.reverse(
            receipt=refund.payment.reference,
            amount=decimal_string(amount=refund.amount_minor, decimals=2).removesuffix(".00"),
            remarks=refund.reason,
            result_url=url,
            at=at,
        ),
    )
    return RefundAnswer(is_final=False, provider_request=request.conversation)


def query(*, refund: Refund, rail: Rail, client: Daraja, at: datetime) -> RefundAnswer:
    """Return what is known of a refund; ask for its status where that is nothing yet.

    Raises ProviderUnavailable.
    """
    asked = results.latest(
        rail=rail, kind=Kind.REVERSAL, reference=refund.payment.reference, refund=refund
    )
    if asked is None:
        age = at - (refund.submitted_at or refund.created_at)
        return RefundAnswer(is_final=age > GRACE, code="unsent", text="it was never asked for")
    if asked.state == State.REFUSED:
        return RefundAnswer(is_final=True, code=asked.result_code, text=asked.result_text)
    answer = _by_result(asked=asked) or _by_statement(asked=asked, refund=refund)
    return answer or _by_status(asked=asked, refund=refund, client=client, at=at)


def _by_result(*, asked: ResultRequest) -> RefundAnswer | None:
    """Read the reversal's own result; None where it leaves open what happened."""
    if asked.state != State.ANSWERED:
        return None
    code, told = asked.result_code, asked.result
    if code == results.DONE:
        is_other = told.get("OriginalTransactionID", asked.reference) != asked.reference
        if is_other or results.ADOPTED in told:
            return None
        return RefundAnswer(
            is_final=True,
            is_done=True,
            reference=str(told["TransactionID"]),
            provider_request=asked.conversation,
            fee_minor=_minor(str(told.get("Charge", ""))) or 0,
            done_at=results.instant(str(told.get("TransCompletedTime", ""))),
        )
    if code == SUCCESS_WITH_ANOTHER_CODE and "success" in asked.result_text.lower():
        return None
    return RefundAnswer(
        is_final=True,
        code=code,
        text=asked.result_text,
        provider_request=asked.conversation,
    )


def _by_statement(*, asked: ResultRequest, refund: Refund) -> RefundAnswer | None:
    """Find the reversal among the statement's rows that are not known to be another one."""
    others = Refund.objects.filter(payment=refund.payment_id).exclude(pk=refund.pk)
    made_there = Reversal.objects.filter(payment=refund.payment_id)
    row = (
        StatementRow.objects.filter(
            rail=asked.rail,
            kind=StatementRow.Kind.REVERSAL,
            payment_reference=asked.reference,
            amount_minor=refund.amount_minor,
            # Rows carry whole seconds.
            happened_at__gte=asked.requested_at - timedelta(seconds=1),
        )
        .exclude(reference__in=others.values("reference"))
        .exclude(reference__in=made_there.values("reference"))
        .order_by("happened_at")
        .first()
    )
    if row is None:
        return None
    return RefundAnswer(
        is_final=True,
        is_done=True,
        reference=row.reference,
        provider_request=asked.conversation,
        done_at=row.happened_at,
    )


def _by_status(
    *, asked: ResultRequest, refund: Refund, client: Daraja, at: datetime
) -> RefundAnswer:
    """Read the status of the reversal's conversation, and ask for it (again) where it is due."""
    open_yet = RefundAnswer(is_final=False, provider_request=asked.conversation)
    if not asked.conversation:
        return open_yet
    last = results.latest(rail=asked.rail, kind=Kind.STATUS, refund=refund)
    if last is not None and last.state == State.ANSWERED:
        answer = _told(last=last, asked=asked, refund=refund, at=at)
        if answer is not None:
            return answer
    if client.can_command and (last is None or at - last.requested_at >= results.PATIENCE):
        request = results.opened(rail=asked.rail, kind=Kind.STATUS, refund=refund, at=at)
        try:
            results.send(
                request=request,
                command=lambda url: client.ask_status(
                    conversation=asked.conversation, result_url=url, at=at
                ),
            )
        except ProviderRefused as refusal:
            return RefundAnswer(
                is_final=False, provider_request=asked.conversation, text=str(refusal)
            )
    return open_yet


def _told(
    *, last: ResultRequest, asked: ResultRequest, refund: Refund, at: datetime
) -> RefundAnswer | None:
    told = last.result
    if last.result_code == results.NO_RECEIPT and at - asked.requested_at > GRACE:
        return RefundAnswer(
            is_final=True,
            code=asked.result_code or last.result_code,
            text=asked.result_text or last.result_text,
            provider_request=asked.conversation,
        )
    if last.result_code != results.DONE:
        return None
    status = str(told.get("TransactionStatus", ""))
    if status in NOT_MADE:
        return RefundAnswer(
            is_final=True, code=status, text=status, provider_request=asked.conversation
        )
    is_ours = _minor(str(told.get("Amount", ""))) == refund.amount_minor
    if status != results.COMPLETED or not is_ours or not told.get("ReceiptNo"):
        return None
    return RefundAnswer(
        is_final=True,
        is_done=True,
        reference=str(told["ReceiptNo"]),
        provider_request=asked.conversation,
        done_at=results.instant(str(told.get("FinalisedTime", ""))),
    )


def _minor(text: str) -> int | None:
    try:
        return minor_from_string(text=text, currency=CURRENCY)
    except ValueError:
        return None
