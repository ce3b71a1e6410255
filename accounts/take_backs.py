"""Taking money back: the ledger's side of refunds, reversals and disputes.

Three steps, each once: `take` posts the opposite of (part of) a credit and owes the money to the
payer; `paid_out` says that it left the rail; `put_back` undoes a take that came to nothing. What a
household spent already is a claim on the payer, never the household's arrears. Every step locks the
book that the payment's money stands in, then the payment. See docs/adr/0016-taking-back.md.
"""

from __future__ import annotations

from datetime import datetime
from itertools import count

from django.db import transaction

from accounts import (
    amounts,
    crediting,
    donors_index,
    fiscal,
    gift_letters,
    intents,
    ledger,
    notices,
    opposite,
    payees,
    take_back_legs,
)
from accounts.intents import Reason
from accounts.ledger import IMPACT_TOKEN, KeyReused, Leg
from accounts.models import JournalEntry, PayerClaim, Payment, TakeBack
from accounts.models.ledger import LedgerAccount
from accounts.opposite import HOUSEHOLD
from accounts.take_back_legs import Taking

Kind = LedgerAccount.Kind
State = Payment.State

MOST_TURNS = 3
"""A payment leaves suspense once: who waited for the wrong book looks again."""


class NotTaken(Exception):
    """Nothing was taken back; the message says why, for a person."""


class MoreThanLeft(NotTaken):
    """The payment holds less than that: the rest was taken back already."""


class WholeOnly(NotTaken):
    """A payment in suspense goes back in whole."""


class NotEnoughUnspent(NotTaken):
    """The household spent too much of it. unspent_minor can still be given back."""

    def __init__(self, text: str, *, unspent_minor: int) -> None:
        super().__init__(text)
        self.unspent_minor = unspent_minor


def take(
    *,
    payment: Payment,
    amount_minor: int,
    reason: Reason,
    key: str,
    occurred_at: datetime,
    at: datetime,
    only_unspent: bool = False,
) -> TakeBack:
    """Take part of a payment back (minor units of its currency); the same key takes once.

    only_unspent: rather refuse than claim from the payer what the household spent. Raises
    MoreThanLeft, WholeOnly, NotEnoughUnspent; KeyReused where the key is another payment's.
    """
    with transaction.atomic():
        stored = locked(payment_id=payment.pk)
        entry_key = f"take_back:{reason}:{key}"
        known = stored.take_backs.filter(entry__key=entry_key).first()
        if known is not None:
            return known
        if not 0 < amount_minor <= stored.left_minor:
            raise MoreThanLeft(
                f"{stored.reference}: {stored.left_minor} minor units of it are left, "
                f"not {amount_minor}"
            )
        book_id = take_back_legs.book_of(payment=stored)
        taking = _taking(stored, amount_minor=amount_minor, only_unspent=only_unspent, at=at)
        entry = ledger.post(
            book_id=book_id,
            kind="take_back",
            key=entry_key,
            legs=[*taking.legs, *_withdrawn(stored, amount_wei=taking.taken_wei, at=at)],
            occurred_at=occurred_at,
            at=at,
        )
        if entry.is_replay:
            raise KeyReused(f"{entry_key} was taken of another payment")
        take_back = TakeBack.objects.create(
            payment=stored,
            amount_minor=amount_minor,
            taken_wei=taking.taken_wei,
            claim_wei=taking.claim_wei,
            entry_id=entry.entry_id,
            taken_at=at,
        )
        if taking.claim_wei:
            PayerClaim.objects.create(
                take_back=take_back, amount_wei=taking.claim_wei, created_at=at
            )
        stored.taken_back_minor += amount_minor
        if stored.state != State.CREDITED:
            stored.state = State.RETURNED
        stored.save(update_fields=["taken_back_minor", "state"])
        intents.follow_payment(payment=stored)
        _warn_of_low_funds(stored, take_back=take_back, at=at)
        return take_back


def paid_out(
    *, take_back: TakeBack, occurred_at: datetime, at: datetime, fee_minor: int = 0
) -> TakeBack:
    """Note that the money left the rail, once; fee_minor is what the provider kept for that.

    Raises NotTaken for one that was put back.
    """
    with transaction.atomic():
        payment, stored = _locked_with(take_back)
        if stored.paid_entry_id is not None:
            return stored
        if stored.put_back_at is not None:
            raise NotTaken(f"{payment.reference}: what was taken of it was put back")
        entry = ledger.post(
            book_id=take_back_legs.book_of(payment=payment),
            kind="payback",
            key=_key(stored, "payback"),
            legs=take_back_legs.of_payout(
                payment=payment, amount_minor=stored.amount_minor, fee_minor=fee_minor, at=at
            ),
            occurred_at=occurred_at,
            at=at,
        )
        stored.paid_entry_id = entry.entry_id
        stored.save(update_fields=["paid_entry"])
        return stored


def change_fee(*, take_back: TakeBack, fee_minor: int, at: datetime) -> None:
    """Note that the provider kept fee_minor more for what was paid out, or gave some again (below
    zero). The caller knows what was noted before, behind the payment's lock."""
    if not fee_minor:
        return
    with transaction.atomic():
        payment, stored = _locked_with(take_back)
        book_id = take_back_legs.book_of(payment=payment)
        key = _key(stored, "payback_fee")
        entries = JournalEntry.objects.filter(book_id=book_id)
        number = next(n for n in count(1) if not entries.filter(key=f"{key}:{n}").exists())
        ledger.post(
            book_id=book_id,
            kind="payback_fee",
            key=f"{key}:{number}",
            legs=[
                crediting.received_leg(payment=payment, amount_minor=-fee_minor),
                *take_back_legs.fee_legs(payment=payment, fee_minor=fee_minor, at=at),
            ],
            occurred_at=at,
            at=at,
        )


def put_back(*, take_back: TakeBack, occurred_at: datetime, at: datetime) -> TakeBack:
    """Undo a take-back, once: it came to nothing, or the money came again.

    What is open of its claim is cancelled first; what the operator wrote off of it is the
    operator's; the rest is the household's. A donation gets a new position that vests when the
    first one would have.
    """
    with transaction.atomic():
        payment, stored = _locked_with(take_back)
        if stored.put_back_at is not None:
            return stored
        entry = ledger.post(
            book_id=take_back_legs.book_of(payment=payment),
            kind="put_back",
            key=_key(stored, "put_back"),
            legs=take_back_legs.of_put_back(payment=payment, take_back=stored),
            occurred_at=occurred_at,
            at=at,
        )
        PayerClaim.objects.filter(take_back=stored, state=PayerClaim.State.OPEN).update(
            state=PayerClaim.State.SETTLED,
            note="the money is not taken back any more",
            closed_at=at,
        )
        stored.put_back_entry_id = entry.entry_id
        stored.put_back_at = at
        stored.save(update_fields=["put_back_entry", "put_back_at"])
        fiscal.put_back(take_back=stored, at=at)
        gift_letters.counts_again(take_back=stored, at=at)
        _donate_again(payment, amount_wei=stored.taken_wei)
        payment.taken_back_minor -= stored.amount_minor
        if payment.state == State.RETURNED:
            _suspend_again(payment, at=at)
        payment.save(update_fields=["taken_back_minor", "state", "reason"])
        intents.follow_payment(payment=payment)
        return stored


def unspent_minor(*, payment: Payment) -> int:
    """Return how much of a payment could be given back now without a claim on its payer."""
    if payment.household_id is None or payment.state != State.CREDITED:
        return payment.left_minor
    known = take_back_legs.standing(payment=payment)
    return opposite.most_minor(
        credited_wei=known.credit.get(HOUSEHOLD, 0),
        moved_wei=-known.moved.get(HOUSEHOLD, 0),
        unspent_wei=take_back_legs.unspent_wei(payment=payment),
        taken_minor=payment.taken_back_minor,
        paid_minor=payment.amount_minor,
    )


def locked(*, payment_id: int) -> Payment:
    """Lock the book that a payment's money stands in, then the payment; return it as it is."""
    for _ in range(MOST_TURNS):
        waiting = transaction.savepoint()
        book_id = take_back_legs.book_of(payment=_load(payment_id))
        ledger.lock(book_id=book_id)
        stored = _load(payment_id, is_locked=True)
        if take_back_legs.book_of(payment=stored) == book_id:
            transaction.savepoint_commit(waiting)
            return stored
        # It was attached meanwhile; this gives the wrong book's lock free.
        transaction.savepoint_rollback(waiting)
    raise NotTaken(f"payment {payment_id} moves from book to book; try again")


def tell(*, take_back: TakeBack, kind: str, at: datetime) -> None:
    """Tell a payment's household, or its donor by letter, that it was given or taken back; kind is
    a notice's."""
    payment = take_back.payment
    if payment.pledge_id is not None:
        gift_letters.given_back(take_back=take_back, kind=kind, at=at)
        return
    household, site = payment.household, payment.site
    if household is None or site is None:
        return
    notices.tell_household(
        household=household,
        kind=kind,
        key=f"{kind}:{take_back.pk}",
        params={
            "site": site.slug,
            "amount_minor": take_back.amount_minor,
            "currency": payment.currency,
            "reference": payment.reference,
            "taken_wei": str(take_back.taken_wei),
            "funds_wei": str(amounts.of_household(household=household).funds_wei),
        },
        at=at,
    )


def _taking(payment: Payment, *, amount_minor: int, only_unspent: bool, at: datetime) -> Taking:
    if payment.state != State.CREDITED:
        if amount_minor != payment.amount_minor:
            raise WholeOnly(f"{payment.reference} lies in suspense: only all of it can go back")
        return take_back_legs.of_suspense(payment=payment, at=at)
    taking = take_back_legs.of_credited(payment=payment, amount_minor=amount_minor)
    if only_unspent and taking.claim_wei:
        most_minor = unspent_minor(payment=payment)
        raise NotEnoughUnspent(
            f"{payment.reference}: {most_minor} minor units of it are unspent, not {amount_minor}",
            unspent_minor=most_minor,
        )
    return taking


def _withdrawn(payment: Payment, *, amount_wei: int, at: datetime) -> list[Leg]:
    """Take a donation's part out of its positions; legs of tokens that no donation is left for."""
    if payment.pledge_id is None or payment.state != State.CREDITED:
        return []
    parked_wei, left_wei = 0, amount_wei
    for donation in payment.donations.filter(withdrawn_at__isnull=True).order_by("id"):
        part_wei = min(left_wei, donation.amount_wei)
        if part_wei:
            gave = donors_index.withdraw(donation=donation, amount_wei=part_wei, at=at)
            parked_wei += gave.returned_wei if gave.is_parked else 0
            left_wei -= part_wei
    if left_wei:
        raise NotTaken(f"{payment.reference}: its donations are {left_wei} wei short")
    return [
        Leg(kind=Kind.DONORS_POOL, asset=IMPACT_TOKEN, amount=-parked_wei),
        Leg(kind=Kind.UNALLOCATED_TOKENS, asset=IMPACT_TOKEN, amount=parked_wei),
    ]


def _donate_again(payment: Payment, *, amount_wei: int) -> None:
    first = payment.donations.select_related("donor", "site").order_by("id").first()
    if first is None or not amount_wei:
        return
    again = donors_index.donate(
        donor=first.donor,
        site=first.site,
        amount_wei=amount_wei,
        donated_at=first.donated_at,
        vests_at=first.vests_at,
    )
    donors_index.belongs_to(donation=again, payment=payment)


def _suspend_again(payment: Payment, *, at: datetime) -> None:
    payee = payees.find(
        rail=payment.rail,
        currency=payment.currency,
        account_text=payment.account_text,
        top_up=payment.top_up,
        pledge=payment.pledge,
        at=at,
    )
    payment.state, payment.reason = payee.state, payee.reason


def _warn_of_low_funds(payment: Payment, *, take_back: TakeBack, at: datetime) -> None:
    """Settlement warns when a charge crosses the mark; what falls below it here it never sees."""
    household, site = payment.household, payment.site
    if household is None or site is None or payment.state != State.CREDITED:
        return
    funds_wei = take_back_legs.unspent_wei(payment=payment)
    if funds_wei < site.low_funds_wei <= funds_wei + take_back.taken_wei:
        notices.tell_household(
            household=household,
            kind="low_funds",
            key=f"low_funds:take_back:{take_back.pk}",
            params={"site": site.slug, "funds_wei": str(funds_wei)},
            at=at,
        )


def _locked_with(take_back: TakeBack) -> tuple[Payment, TakeBack]:
    payment = locked(payment_id=take_back.payment_id)
    stored = (
        TakeBack.objects.select_for_update(of=("self",))
        .select_related("entry")
        .get(pk=take_back.pk)
    )
    stored.payment = payment
    return payment, stored


def _key(take_back: TakeBack, kind: str) -> str:
    return f"{kind}:{take_back.entry.key.removeprefix('take_back:')}"


def _load(payment_id: int, *, is_locked: bool = False) -> Payment:
    rows = Payment.objects.select_for_update(of=("self",)) if is_locked else Payment.objects
    return rows.select_related(
        "rail__operator__book",
        "site__book",
        "agent",
        "household",
        "top_up__household",
        "pledge__site__book",
    ).get(pk=payment_id)
