"""Rows of a rail's statement that are no payments: money that left again, followed up.

A row that can't be followed yet (its payment is not known, or holds no more that much) is told, and
tried again at every pull, until it is or a person resolves the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import refunds, reversals
from accounts.ledger import LedgerError
from accounts.models import Dispute, Payment, Rail, Refund, Reversal, TreasuryConversion
from accounts.take_backs import NotTaken
from gateway.providers import disputing, paying, refunding
from gateway.providers.interface import DisputeAnswer, Movement, ProviderUnavailable
from gateway.providers.models import Difference, StatementRow
from settlement import payout_sending
from settlement.models import Payout
from settlement.payouts import WrongState

Kind = StatementRow.Kind

RESOLVED = (
    Difference.State.TAKEN_IN,
    Difference.State.TAKEN_BACK,
    Difference.State.ACCEPTED,
)


def follow_waiting(*, rail: Rail, at: datetime) -> Iterator[str]:
    """Follow every kept row of a rail that nothing stands for yet; yield what a person has to
    look at."""
    for row in waiting(rail=rail).order_by("happened_at", "id"):
        movement = Movement(
            kind=row.kind,
            reference=row.reference,
            payment_reference=row.payment_reference,
            amount_minor=row.amount_minor,
            fee_minor=row.fee_minor,
            currency=row.currency,
            happened_at=row.happened_at,
        )
        if told := follow(movement=movement, rail=rail, at=at):
            yield told


def waiting(*, rail: Rail) -> QuerySet[StatementRow]:
    """Return the rows of money that left which no refund, reversal, dispute or payout stands for.

    What the treasury moved out itself is none of these: its conversion stands for it.
    """
    same: dict[str, Any] = {"provider": rail.provider, "reference": OuterRef("reference")}
    refund = Refund.objects.filter(payment__provider=rail.provider, reference=OuterRef("reference"))
    reversal = Reversal.objects.filter(**same)
    opened = Dispute.objects.filter(**same).exclude(state=Dispute.State.INQUIRY)
    paid = Payout.objects.filter(
        rail=rail,
        reference=OuterRef("reference"),
        state=Payout.State.PAID,
        reconciled_at__isnull=False,
    )
    converted = TreasuryConversion.objects.filter(rail=rail, reference=OuterRef("reference"))
    won = Dispute.objects.filter(**same, state=Dispute.State.WON)
    return StatementRow.objects.filter(
        Q(~Exists(refund), ~Exists(reversal), kind__in=(Kind.REFUND, Kind.REVERSAL))
        | Q(~Exists(opened), kind=Kind.DISPUTE)
        | Q(~Exists(won), kind=Kind.DISPUTE_WON)
        | Q(~Exists(paid), ~Exists(converted), kind=Kind.PAYOUT),
        rail=rail,
    ).exclude(differences__state__in=RESOLVED)


def follow(*, movement: Movement, rail: Rail, at: datetime) -> str:
    """Act on money that left again; return what a person has to look at, if anything.

    Fees are only kept, and payouts that are none of ours: the treasury and the reconciliation look
    at them.
    """
    act = ACTS.get(movement.kind)
    if act is None:
        return ""
    try:
        told = act(movement, rail, at)
    except (NotTaken, ProviderUnavailable, LedgerError, WrongState) as error:
        told = str(error)
    return f"{movement.kind} {movement.reference}: {told}" if told else ""


def _given_back(movement: Movement, rail: Rail, at: datetime) -> str:
    """A refund, or a reversal: ours under the provider's name of it, or made there."""
    told, is_ours = _ours(movement, rail, at)
    if is_ours:
        return told
    if movement.kind == Kind.REVERSAL:
        reversals.record(
            provider=rail.provider,
            reference=movement.reference,
            payment_reference=movement.payment_reference,
            amount_minor=movement.amount_minor,
            currency=movement.currency,
            reversed_at=movement.happened_at,
            fee_minor=movement.fee_minor,
            at=at,
        )
        return ""
    payment = reversals.payment_of(
        provider=rail.provider,
        reference=movement.payment_reference,
        currency=movement.currency,
    )
    refunds.made_elsewhere(
        payment=payment,
        reference=movement.reference,
        amount_minor=movement.amount_minor,
        made_at=movement.happened_at,
        fee_minor=movement.fee_minor,
        at=at,
    )
    return ""


def _ours(movement: Movement, rail: Rail, at: datetime) -> tuple[str, bool]:
    """Whether a refund of ours is meant: then it is asked after, and what it says counts."""
    named = refunds.find(provider=rail.provider, name=movement.reference)
    if named is None:
        open_refunds = Refund.objects.filter(
            payment__provider=rail.provider,
            payment__reference=movement.payment_reference,
            state__in=Refund.OPEN,
        )
        for refund_id in list(open_refunds.values_list("pk", flat=True)):
            refunding.ask(refund_id=refund_id, at=at)
        named = refunds.find(provider=rail.provider, name=movement.reference)
        like_it = open_refunds.filter(amount_minor=movement.amount_minor).first()
        if named is None and like_it is not None:
            return f"may be our refund {like_it.uid}, which is {like_it.state}", True
    if named is None:
        return "", False
    if named.amount_minor != movement.amount_minor:
        return f"our refund of it is {named.amount_minor} minor units", True
    if named.state != Refund.State.SUCCEEDED:
        named = refunding.ask(refund_id=named.pk, at=at, is_told=True)
    is_known = named.state in (Refund.State.SUCCEEDED, *Refund.OPEN) or bool(named.reference)
    return "" if is_known else f"our refund {named.uid} failed: {named.failure_text}", True


def _disputed(movement: Movement, rail: Rail, at: datetime) -> str:
    if disputing.ask(rail=rail, reference=movement.reference, at=at) is not None:
        return ""
    is_won = movement.kind == Kind.DISPUTE_WON
    known = Payment.objects.filter(
        disputes__provider=rail.provider, disputes__reference=movement.reference
    )
    named = movement.payment_reference or known.values_list("reference", flat=True).first()
    disputing.follow(
        rail=rail,
        answer=DisputeAnswer(
            reference=movement.reference,
            payment_reference=named or "",
            amount_minor=movement.amount_minor,
            fee_minor=movement.fee_minor,
            currency=movement.currency,
            reason="",
            state=Dispute.State.WON if is_won else Dispute.State.OPEN,
            opened_at=movement.happened_at,
        ),
        at=at,
    )
    return ""


def _paid_out(movement: Movement, rail: Rail, at: datetime) -> str:
    """A payout of ours that the statement shows: it is asked after, and marked as seen there."""
    payout = payout_sending.find(rail=rail, name=movement.reference) or payout_sending.find(
        rail=rail, name=movement.payment_reference
    )
    if payout is None:
        return ""
    if payout.state != Payout.State.PAID:
        payout = paying.ask(payout_id=payout.pk, at=at, is_told=True)
    if payout.amount_minor != movement.amount_minor:
        return f"our payout of it is {payout.amount_minor} minor units"
    payout_sending.seen(payout=payout, at=at)
    has_failed = payout.state == Payout.State.FAILED
    return f"our payout {payout.uid} failed: {payout.failure_text}" if has_failed else ""


ACTS: dict[str, Callable[[Movement, Rail, datetime], str]] = {
    Kind.REFUND: _given_back,
    Kind.REVERSAL: _given_back,
    Kind.PAYOUT: _paid_out,
    Kind.DISPUTE: _disputed,
    Kind.DISPUTE_WON: _disputed,
}
