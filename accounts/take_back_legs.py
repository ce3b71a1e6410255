"""The legs of taking a payment back, read from the entry that credited it, behind its lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from accounts import crediting, opposite, site_rates
from accounts.ledger import DAI, IMPACT_TOKEN, Leg
from accounts.models import LedgerAccount, PayerClaim, Payment, Posting, TakeBack
from accounts.money import wei_from_minor
from accounts.opposite import HOUSEHOLD

Kind = LedgerAccount.Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Taking:
    """Legs of a take-back, and what of it (wei) comes out of unspent funds or a donation, and what
    is a claim on the payer."""

    legs: tuple[Leg, ...]
    taken_wei: int = 0
    claim_wei: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What was credited for a payment, and what its standing take-backs moved; both folded."""

    credit: dict[opposite.Account, int]
    moved: dict[opposite.Account, int]


def standing(*, payment: Payment) -> Standing:
    """Read a credited payment's legs in DAI, and those of its take-backs that were not put back."""
    taken = payment.take_backs.filter(put_back_at__isnull=True).values_list("entry_id", flat=True)
    return Standing(
        credit=_read(payment=payment, entry_ids=[payment.entry_id or 0]),
        moved=_read(payment=payment, entry_ids=list(taken)),
    )


def unspent_wei(*, payment: Payment) -> int:
    """Return the funds of a payment's household in the book that it was credited in.

    What is set aside for arrears counts as spent.
    """
    funds = LedgerAccount.objects.filter(
        book_id=book_of(payment=payment),
        household=payment.household_id,
        kind=Kind.HOUSEHOLD_FUNDS,
    )
    return funds.values_list("amount", flat=True).first() or 0


def of_credited(*, payment: Payment, amount_minor: int) -> Taking:
    """Return the opposite of part of a credit; of a household's part only what is unspent."""
    known = standing(payment=payment)
    due = opposite.due(
        credit=known.credit,
        moved=known.moved,
        taken_minor=payment.taken_back_minor + amount_minor,
        paid_minor=payment.amount_minor,
    )
    household_wei = -due.pop(HOUSEHOLD, 0)
    taken_wei = min(household_wei, unspent_wei(payment=payment))
    legs = (
        *(Leg(kind=kind, name=name, amount=wei) for (kind, name), wei in due.items()),
        Leg(kind=Kind.HOUSEHOLD_FUNDS, household_id=payment.household_id, amount=-taken_wei),
        Leg(kind=Kind.PAYER_CLAIM, amount=taken_wei - household_wei),
        Leg(kind=Kind.FX_POSITION, asset=payment.currency, amount=-amount_minor),
        _due_leg(payment=payment, amount_minor=amount_minor),
    )
    given_wei = -due.get((Kind.DONATIONS, ""), 0)
    return Taking(
        legs=tuple(leg for leg in legs if leg.amount),
        taken_wei=taken_wei + given_wei,
        claim_wei=household_wei - taken_wei,
    )


def of_suspense(*, payment: Payment, at: datetime) -> Taking:
    """Return the legs of giving a payment in suspense back: its provider keeps the fee, not it."""
    return Taking(
        legs=(
            Leg(
                kind=Kind.SUSPENSE,
                name=payment.rail.code,
                asset=payment.currency,
                amount=payment.fee_minor - payment.amount_minor,
            ),
            *fee_legs(payment=payment, fee_minor=payment.fee_minor, at=at),
            _due_leg(payment=payment, amount_minor=payment.amount_minor),
        )
    )


def of_payout(*, payment: Payment, amount_minor: int, fee_minor: int, at: datetime) -> list[Leg]:
    """Return the legs of money that leaves the rail's float, or goes back to an agent's."""
    return [
        _due_leg(payment=payment, amount_minor=-amount_minor),
        crediting.received_leg(payment=payment, amount_minor=-amount_minor - fee_minor),
        *fee_legs(payment=payment, fee_minor=fee_minor, at=at),
    ]


def of_put_back(*, payment: Payment, take_back: TakeBack) -> list[Leg]:
    """Return the legs that undo a take-back; what was paid out came to the float again."""
    book_id = book_of(payment=payment)
    is_paid = take_back.paid_entry_id is not None
    owners = {Kind.HOUSEHOLD_FUNDS, Kind.PAYER_CLAIM}
    legs = _reversed_legs(
        book_id=book_id,
        entry_id=take_back.entry_id,
        # Tokens that were parked stay so: nobody knows whose they would be by now.
        except_assets=(IMPACT_TOKEN,),
        except_kinds={*owners, Kind.PAYBACK_DUE} if is_paid else owners,
    )
    if is_paid:
        legs.append(crediting.received_leg(payment=payment, amount_minor=take_back.amount_minor))
    if payment.household_id is not None and payment.state == Payment.State.CREDITED:
        legs += _owner_legs(take_back, household_id=payment.household_id)
    return legs


def fee_legs(*, payment: Payment, fee_minor: int, at: datetime) -> list[Leg]:
    """Return the legs of a fee that a provider keeps (below zero: gives again), in DAI at the
    market; the position in its currency bears it."""
    if not fee_minor:
        return []
    rate = _market(payment=payment, at=at)
    fee_wei = 0
    if rate is not None:
        fee_wei = wei_from_minor(
            amount_minor=abs(fee_minor), currency=payment.currency, local_per_dai=rate
        ) * (1 if fee_minor > 0 else -1)
    kind, name = _position(payment=payment)
    return [
        Leg(kind=Kind.FX_POSITION, asset=payment.currency, amount=-fee_minor),
        Leg(kind=kind, name=name, amount=fee_wei),
        Leg(kind=Kind.RAIL_FEES, name=payment.rail.code, amount=-fee_wei),
    ]


def _reversed_legs(
    *, book_id: int, entry_id: int, except_kinds: Collection[str], except_assets: Collection[str]
) -> list[Leg]:
    """Return the opposite of an entry's postings, but for some kinds of accounts and assets."""
    postings = (
        Posting.objects.filter(book_id=book_id, entry_id=entry_id)
        .exclude(account__kind__in=except_kinds)
        .exclude(asset__in=except_assets)
        .select_related("account")
    )
    return [
        Leg(
            kind=posting.account.kind,
            name=posting.account.name,
            asset=posting.asset,
            household_id=posting.account.household_id,
            amount=-posting.amount,
        )
        for posting in postings
    ]


def book_of(*, payment: Payment) -> int:
    """Return the book that a payment's money stands in: its site's, or the operator's."""
    if payment.state == Payment.State.CREDITED and payment.site is not None:
        return payment.site.book.pk
    return payment.rail.operator.book.pk


def _owner_legs(take_back: TakeBack, *, household_id: int) -> list[Leg]:
    """Whose the household's part is once it is put back."""
    claim = PayerClaim.objects.filter(take_back=take_back).first()
    to_claim = to_operator = 0
    if claim is not None and claim.state == PayerClaim.State.OPEN:
        to_claim = claim.amount_wei
    elif claim is not None and claim.state == PayerClaim.State.WRITTEN_OFF:
        to_operator = claim.amount_wei
    to_household = take_back.taken_wei + take_back.claim_wei - to_claim - to_operator
    return [
        Leg(kind=Kind.HOUSEHOLD_FUNDS, household_id=household_id, amount=to_household),
        Leg(kind=Kind.PAYER_CLAIM, amount=to_claim),
        Leg(kind=Kind.POOL, name="operator", amount=to_operator),
    ]


def _due_leg(*, payment: Payment, amount_minor: int) -> Leg:
    return Leg(
        kind=Kind.PAYBACK_DUE,
        name=payment.rail.code,
        asset=payment.currency,
        amount=amount_minor,
    )


def _read(*, payment: Payment, entry_ids: Iterable[int]) -> dict[opposite.Account, int]:
    postings = Posting.objects.filter(
        book_id=book_of(payment=payment), entry_id__in=entry_ids, asset=DAI
    )
    return opposite.folded(
        postings.values_list("account__kind", "account__name", "amount"),
        position=_position(payment=payment),
    )


def _position(*, payment: Payment) -> opposite.Account:
    """The position in a payment's currency, in DAI: a site's own currency has no name."""
    is_own = (
        payment.state == Payment.State.CREDITED
        and payment.site is not None
        and payment.site.currency == payment.currency
    )
    return (Kind.FX_POSITION, "" if is_own else payment.currency)


def _market(*, payment: Payment, at: datetime) -> Fraction | None:
    """Local money per DAI: the market's, fresh or as last known, else the site's own rate."""
    currency, site = payment.currency, payment.site
    found = site_rates.market(currency=currency, at=at)
    if found is None:
        found = site_rates.last_known(currency=currency, at=at)
    if found is None and site is not None and site.currency == currency:
        found = site_rates.at_site(site=site, at=at)
    return found
