"""What a person decides about a difference: each once, with who, when and a note.

Money is only ever moved by an entry of its own: a credit or a take-back as for any other payment,
or an entry against `unexplained` that brings our float to what the provider says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts import donations, fiscal, ledger, take_back_legs, take_backs, topups
from accounts.donations import NoMarketRate
from accounts.intents import Reason
from accounts.ledger import LedgerError, Leg
from accounts.models import Payment, Rail, TreasuryConversion, User
from accounts.money import wei_from_minor
from accounts.payees import AmountMismatch
from accounts.site_rates import NoSiteRate
from accounts.take_backs import NotTaken
from accounts.topups import ConfirmedPayment
from gateway.providers import movements, reconciliation
from gateway.providers.interface import Movement
from gateway.providers.models import Difference, StatementRow

Kind = Difference.Kind
State = Difference.State
Moved = StatementRow.Kind

COMES_IN = (Moved.PAYMENT, Moved.DISPUTE_WON)
FOLLOWED = (Moved.REFUND, Moved.REVERSAL, Moved.DISPUTE, Moved.DISPUTE_WON)
SHORT = {Kind.MISSING_HERE: "mh", Kind.MISSING_THERE: "mt", Kind.AMOUNT_DIFFERS: "ad"}


class NotResolved(Exception):
    """Nothing was done; the message says why, for a person."""


class AlreadyResolved(NotResolved):
    """Somebody else, or time, was faster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What can be done about a difference. effect says it to a person, before it is done."""

    name: str
    title: str
    effect: str
    needs_note: bool = False
    asks_provider: bool = False


def offered(*, difference: Difference) -> tuple[Resolution, ...]:
    """Return what can be done about a difference; nothing about one that is resolved."""
    if difference.state != State.OPEN:
        return ()
    return (*_particular(difference), _ACCEPT)


def resolve(*, difference: Difference, name: str, by: User, note: str, at: datetime) -> Difference:
    """Do what was chosen, by the name of a Resolution that is offered.

    Two clerks at once: the second one gets AlreadyResolved. One that asks the provider belongs into
    a task. Raises NotResolved.
    """
    chosen = {each.name: each for each in offered(difference=difference)}.get(name)
    if chosen is None:
        raise NotResolved(f"{difference.reference}: this can't be done about it (any more)")
    if chosen.needs_note and not note.strip():
        raise NotResolved("Write a note: why is it accepted?")
    if chosen.asks_provider:
        # Again and again does no harm, and no lock is held while the provider is asked.
        _follow(difference, at=at)
    act, state = _ACTS[name]
    try:
        with transaction.atomic():
            stored = _locked(difference)
            act(stored, at)
            stored.state, stored.note = state, note.strip()[:200]
            stored.resolved_at, stored.resolved_by = at, by
            # What its history says besides.
            stored.__dict__.update(_history_user=by, _change_reason=chosen.title)
            stored.save()
    except (AmountMismatch, LedgerError, LookupError, NoSiteRate, NotTaken) as error:
        raise NotResolved(str(error)) from error
    reconciliation.watch(rail=stored.rail, at=at)
    return stored


def resolve_later(*, difference_id: int, name: str, by_id: int, note: str, at: datetime) -> bool:
    """Resolve as `resolve` does, in the background; where it fails the note says why."""
    difference = Difference.objects.select_related("rail", "row__rail").get(pk=difference_id)
    by = User.objects.get(pk=by_id)
    try:
        resolve(difference=difference, name=name, by=by, note=note, at=at)
    except AlreadyResolved:
        return False
    except NotResolved as error:
        Difference.objects.filter(pk=difference_id, state=State.OPEN).update(
            note=f"not resolved: {error}"[:200]
        )
        return False
    return True


def _particular(difference: Difference) -> tuple[Resolution, ...]:
    moved = difference.movement
    if difference.kind == Kind.AMOUNT_DIFFERS:
        return (_CORRECT,)
    if difference.kind == Kind.MISSING_HERE:
        if moved == Moved.PAYMENT:
            return (_TAKE_IN_PAYMENT,)
        if moved in FOLLOWED:
            return (_TAKE_IN_MOVEMENT,)
        return (_TAKE_IN_FEE,) if moved == Moved.FEE else ()
    return (_TAKE_BACK,) if moved == Moved.PAYMENT else ()


def _take_in(difference: Difference, at: datetime) -> None:
    row = difference.row
    if row is None:
        raise NotResolved("the statement's row is gone")
    if row.kind == Moved.PAYMENT:
        topups.confirm(payment=_payment(row), at=at)
    elif row.kind == Moved.FEE:
        _post(difference, kind="rail_fee", legs=_fee_legs(row, at=at), at=at)


def _follow(difference: Difference, *, at: datetime) -> None:
    """Book what left again, or came again, as for any row of the statement."""
    row = difference.row
    if row is None:
        raise NotResolved("the statement's row is gone")
    if trouble := movements.follow(movement=_movement(row), rail=difference.rail, at=at):
        raise NotResolved(trouble)


def _take_back(difference: Difference, at: datetime) -> None:
    """Take the credit back: nothing came in, so the provider kept no fee of it either."""
    payment = difference.payment
    if payment is None:
        raise NotResolved("no payment of ours is named")
    if not payment.left_minor:
        raise NotResolved(f"{payment.reference} was taken back already: accept the difference")
    taken = take_backs.take(
        payment=payment,
        amount_minor=payment.left_minor,
        reason=Reason.REVERSAL,
        key=f"{payment.provider}:{payment.reference}:not in the statement",
        occurred_at=at,
        at=at,
    )
    take_backs.paid_out(take_back=taken, fee_minor=-payment.fee_minor, occurred_at=at, at=at)
    fiscal.credit(take_back=taken, at=at)
    take_backs.tell(take_back=taken, kind="payment_reversed", at=at)


def _agree(difference: Difference, at: datetime) -> None:
    """Bring our float to what the provider says, against `unexplained`."""
    if legs := _agreeing_legs(difference):
        _post(difference, kind="difference", legs=legs, at=at)


def _agreeing_legs(difference: Difference) -> list[Leg]:
    sign = 1 if difference.movement in COMES_IN else -1
    payment, row = difference.payment, difference.row
    our_currency = payment.currency if payment is not None else difference.currency
    their_currency = row.currency if row is not None else difference.currency
    changes = [
        (our_currency, -sign * difference.ours_minor),
        (their_currency, sign * difference.theirs_minor),
    ]
    rail = difference.rail.code
    if our_currency == their_currency:
        changes = [(our_currency, sum(change for _, change in changes))]
    return [
        Leg(kind=kind, name=rail, asset=currency, amount=direction * change)
        for currency, change in changes
        if change
        for kind, direction in (("float", -1), ("unexplained", 1))
    ]


def _fee_legs(row: StatementRow, *, at: datetime) -> list[Leg]:
    """What the provider took for its services: an expense in DAI at the market."""
    try:
        market = donations.market_rate(currency=row.currency, at=at)
    except NoMarketRate as error:
        raise NotResolved(f"{error}: accept the difference instead") from error
    amount_wei = wei_from_minor(
        amount_minor=row.amount_minor, currency=row.currency, local_per_dai=market
    )
    rail = row.rail.code
    return [
        Leg(kind="float", name=rail, asset=row.currency, amount=row.amount_minor),
        Leg(kind="fx_position", asset=row.currency, amount=-row.amount_minor),
        Leg(kind="fx_position", name=row.currency, amount=amount_wei),
        Leg(kind="rail_fees", name=rail, amount=-amount_wei),
    ]


def _post(difference: Difference, *, kind: str, legs: list[Leg], at: datetime) -> None:
    """Post under the movement's own key: a difference found again can't be booked again."""
    rail, short = difference.rail, SHORT[Kind(difference.kind)]
    ledger.post(
        book_id=_book_of(difference),
        kind=kind,
        key=f"agree:{short}:{rail.code}:{difference.movement}:{difference.reference}",
        legs=legs,
        occurred_at=at,
        at=at,
    )


def _book_of(difference: Difference) -> int:
    """The book where the movement's money stands; the operator's where we know nothing of it."""
    if difference.payment is not None:
        return take_back_legs.book_of(payment=difference.payment)
    rail: Rail = difference.rail
    if difference.movement == Moved.PAYOUT:
        conversion = (
            TreasuryConversion.objects.filter(rail=rail, reference=difference.reference)
            .select_related("site__book")
            .order_by("pk")
            .first()
        )
        if conversion is not None:
            return conversion.site.book.pk
    return rail.operator.book.pk


def _locked(difference: Difference) -> Difference:
    stored = (
        Difference.objects.select_for_update(of=("self",))
        .select_related(
            "rail__operator__book", "row__rail__operator__book", "payment__rail__operator__book"
        )
        .get(pk=difference.pk)
    )
    if stored.state != State.OPEN:
        raise AlreadyResolved(f"{stored.reference}: {stored.get_state_display()} already")
    if stored.payment is not None:
        stored.payment = Payment.objects.select_related(
            "rail__operator__book", "site__book", "agent"
        ).get(pk=stored.payment.pk)
    return stored


def _payment(row: StatementRow) -> ConfirmedPayment:
    return ConfirmedPayment(
        rail=row.rail,
        reference=row.reference,
        amount_minor=row.amount_minor,
        currency=row.currency,
        paid_at=row.happened_at,
        account_text=row.account_text,
        payer_phone=row.payer_phone,
        fee_minor=row.fee_minor or None,
    )


def _movement(row: StatementRow) -> Movement:
    return Movement(
        kind=row.kind,
        reference=row.reference,
        payment_reference=row.payment_reference,
        amount_minor=row.amount_minor,
        fee_minor=row.fee_minor,
        currency=row.currency,
        happened_at=row.happened_at,
    )


_TAKE_IN_PAYMENT = Resolution(
    name="take_in",
    title="Take in",
    effect="Credits the account that the payer named, as if the provider had told us in time; "
    "money that matches nobody goes to suspense.",
)
_TAKE_IN_MOVEMENT = Resolution(
    name="take_in",
    title="Take in",
    effect="Books what the provider took back (or gave again) of the payment that it names.",
    asks_provider=True,
)
_TAKE_IN_FEE = Resolution(
    name="take_in",
    title="Take in",
    effect="Books the provider's charge as a fee of the rail, in DAI at the market.",
)
_TAKE_BACK = Resolution(
    name="take_back",
    title="Take back our credit",
    effect="Takes back what was credited: what is unspent from the household, the rest as a claim "
    "on the payer. The household is told.",
)
_CORRECT = Resolution(
    name="correct",
    title="Correct",
    effect="Brings our float to the statement's amount; the difference is booked as unexplained, "
    "the operator's. The payer's credit stays as it is.",
)
_ACCEPT = Resolution(
    name="accept",
    title="Accept",
    effect="Brings our float to what the provider says; the difference is booked as unexplained, "
    "the operator's. Nobody is credited or charged. Say why.",
    needs_note=True,
)

_ACTS: dict[str, tuple[Callable[[Difference, datetime], None], State]] = {
    "take_in": (_take_in, State.TAKEN_IN),
    "take_back": (_take_back, State.TAKEN_BACK),
    "correct": (_agree, State.ACCEPTED),
    "accept": (_agree, State.ACCEPTED),
}
