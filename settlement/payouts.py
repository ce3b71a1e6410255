"""Payouts out of a site's pools: proposed by one person, approved by another, then sent.

The money leaves the pool when the payout is approved and stands on payout_due until it arrived
(settlement.payout_sending). One service token is paid once: it has one payout at most that was
neither rejected nor failed, and is burned when the money arrived. See docs/adr/0024-payouts.md.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts import ledger, rails, site_rates
from accounts.models import JournalEntry, Rail, User
from accounts.money import minor_from_wei, wei_from_minor
from settlement import payout_legs
from settlement.models import Payee, Payout, ServiceToken
from settlement.payout_legs import GRANT, NotCovered

__all__ = ["NotCovered", "NotPayable", "approve", "propose", "reject"]

State = Payout.State
Way = Payee.Way


class NotPayable(Exception):
    """The payout can't be proposed, approved or rejected so; the message is for a person."""


class SamePerson(NotPayable):
    """Who proposed a payout tried to approve it."""


class WrongState(NotPayable):
    """The payout is not where the step begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """What leaves the pool in wei, and what the payee gets in minor units (None on chain)."""

    wei: int
    minor: int | None = None
    currency: str = ""


def amounts_of(*, token: ServiceToken, at: datetime) -> Amounts:
    """Return what a service token pays now: at the site's rate, as far as its way can carry it.

    Local money is rounded down to what the rail carries, and what that leaves stays in the pool.
    Raises NotPayable where nothing is left, or the way is closed.
    """
    payee, site = token.payee, token.site
    if payee.way == Way.CHAIN:
        if not settings.CHAIN_TREASURY_SIGNER:
            raise NotPayable("nobody signs for the treasury: CHAIN_TREASURY_SIGNER is not set")
        return Amounts(wei=token.amount_wei)
    step = 1 if payee.rail is None else _checked_step(payee.rail, token=token)
    try:
        rate = site_rates.at_site(site=site, at=at)
    except site_rates.NoSiteRate as error:
        raise NotPayable(str(error)) from error
    minor = minor_from_wei(amount_wei=token.amount_wei, currency=site.currency, local_per_dai=rate)
    minor -= minor % step
    if minor <= 0:
        raise NotPayable(f"{token} is worth less than {payee.get_way_display()} can carry")
    wei = wei_from_minor(amount_minor=minor, currency=site.currency, local_per_dai=rate)
    return Amounts(wei=wei, minor=minor, currency=site.currency)


def propose(*, service_token: ServiceToken, pool: str, proposed_by: User, at: datetime) -> Payout:
    """Propose to pay a service token out of a pool, over the payee's way. No money moves yet.

    pool names a split line of the site; a grant is paid out of `grant`, and nothing else is.
    Raises NotPayable, NotCovered.
    """
    with transaction.atomic():
        ledger.lock(book_id=service_token.site.book.pk)
        token = _token(service_token.pk)
        _check_open(token=token, pool=pool)
        amounts = amounts_of(token=token, at=at)
        payee = token.payee
        payout = Payout(
            request_id=uuid.uuid4(),
            token=secrets.token_hex(32),
            site=token.site,
            pool=pool,
            payee=payee,
            service_token=token,
            way=payee.way,
            rail=payee.rail if payee.way == Way.MOBILE else None,
            destination=destination_of(payee=payee),
            destination_code=payee.bank_code if payee.way == Way.BANK else "",
            amount_wei=amounts.wei,
            amount_minor=amounts.minor,
            currency=amounts.currency,
            proposed_by=proposed_by,
            proposed_at=at,
        )
        payout_legs.check_pool(payout=payout)
        payout.save(force_insert=True)
        return payout


def approve(*, payout: Payout, approved_by: User, at: datetime) -> Payout:
    """Agree to a payout, as another person than who proposed it; its money leaves the pool.

    What was proposed has to stand as it is: the payee's way, the site's rate. It is sent later.
    Raises SamePerson, WrongState, NotPayable, NotCovered.
    """
    with transaction.atomic():
        stored = locked(payout_id=payout.pk)
        if stored.state != State.PROPOSED:
            raise WrongState(f"the payout is {stored.get_state_display()}")
        if stored.proposed_by_id == approved_by.pk:
            raise SamePerson("who proposed a payout does not approve it: ask a second person")
        _check_unchanged(stored, at=at)
        payout_legs.check_pool(payout=stored)
        payout_legs.check_source(payout=stored)
        stored.approved_by, stored.approved_at = approved_by, at
        stored.state = State.APPROVED
        # Files for the bank are made by a person; everything else is sent by whoever polls.
        stored.next_poll_at = None if stored.way == Way.BANK else at
        stored.entry_id = post(stored, step="approved", at=at)
        stored.save()
        return stored


def reject(*, payout: Payout, text: str, at: datetime) -> Payout:
    """Give a payout up that was not sent yet; what was set aside for it is in the pool again.

    Anybody may: it is the careful side. Raises WrongState.
    """
    with transaction.atomic():
        stored = locked(payout_id=payout.pk)
        if stored.state not in (State.PROPOSED, State.APPROVED) or stored.bank_file_id:
            raise WrongState(f"the payout is {stored.get_state_display()}")
        if stored.state == State.APPROVED:
            post(stored, step="put_back", at=at)
        stored.state, stored.failure_text = State.REJECTED, text[:200]
        stored.finished_at, stored.next_poll_at = at, None
        stored.save()
        return stored


def locked(*, payout_id: int) -> Payout:
    """Lock the book, then the payout, and return it as it is with all that belongs to it."""
    known = Payout.objects.select_related("site__book").get(pk=payout_id)
    ledger.lock(book_id=known.site.book.pk)
    rows = Payout.objects.select_for_update(of=("self",))
    return rows.select_related("site__book", "site__operator", "service_token__payee", "rail").get(
        pk=payout_id
    )


def post(payout: Payout, *, step: str, at: datetime, occurred_at: datetime | None = None) -> int:
    """Post the entry that sets a payout's money aside (approved) or puts it back, behind the lock.

    Each time is an entry of its own, since a payout may come back and arrive after all. Returns
    the entry's id.
    """
    legs = payout_legs.put_back if step == "put_back" else payout_legs.set_aside
    return ledger.post(
        book_id=payout.site.book.pk,
        kind=f"payout_{step}",
        key=entry_key(payout, step=step),
        legs=legs(payout=payout),
        occurred_at=occurred_at or at,
        at=at,
    ).entry_id


def entry_key(payout: Payout, *, step: str) -> str:
    """Return the key of a payout's next entry of a kind."""
    key = f"payout:{payout.uid}:{step}"
    before = JournalEntry.objects.filter(book_id=payout.site.book.pk, key__startswith=key).count()
    return f"{key}:{before}" if before else key


def destination_of(*, payee: Payee) -> str:
    """Return where a payee is paid: phone, account or wallet."""
    return {
        Way.MOBILE: payee.phone,
        Way.BANK: payee.bank_account,
        Way.CHAIN: payee.wallet,
    }[Way(payee.way)]


def _token(token_id: int) -> ServiceToken:
    tokens = ServiceToken.objects.select_related("site__book", "payee__rail")
    return tokens.get(pk=token_id)


def _checked_step(rail: Rail, *, token: ServiceToken) -> int:
    """The least amount the rail carries. Raises NotPayable where it pays nothing out."""
    if rail.closed_at is not None or rail.operator_id != token.site.operator_id:
        raise NotPayable(f"{rail} is closed, or another operator's than {token.site}'s")
    if rail.provider not in rails.PAYING:
        raise NotPayable(f"{rail} does not pay out to phones")
    if rail.currency != token.site.currency:
        raise NotPayable(f"{rail} carries {rail.currency}, {token.site} counts in its own currency")
    return rails.payout_step_minor(rail=rail)


def _check_open(*, token: ServiceToken, pool: str) -> None:
    if token.state != ServiceToken.State.EARNED:
        raise NotPayable(f"{token} was paid already")
    standing = token.payouts.exclude(state__in=(State.REJECTED, State.FAILED)).first()
    if standing is not None:
        raise NotPayable(f"{token} has a payout already, which is {standing.get_state_display()}")
    is_grant = token.reason == ServiceToken.Reason.GRANT
    if is_grant != (pool == GRANT):
        raise NotPayable("the grant pool pays what a vote funded, and nothing else does or is")
    if token.payee.closed_at is not None:
        raise NotPayable(f"{token.payee} is closed")


def _check_unchanged(payout: Payout, *, at: datetime) -> None:
    """Raise NotPayable where the payee or the rate is another one than when it was proposed."""
    payee = payout.service_token.payee
    if payee.closed_at is not None:
        raise NotPayable(f"{payee} is closed")
    now = (payee.way, destination_of(payee=payee), payee.rail_id)
    then = (payout.way, payout.destination, payout.rail_id)
    if now[:2] != then[:2] or (payee.way == Way.MOBILE and now[2] != then[2]):
        raise NotPayable(f"{payee} is paid elsewhere now: reject this and propose it again")
    if payee.way == Way.BANK and payee.bank_code != payout.destination_code:
        raise NotPayable(f"{payee} is paid elsewhere now: reject this and propose it again")
    amounts = amounts_of(token=payout.service_token, at=at)
    if (amounts.wei, amounts.minor) != (payout.amount_wei, payout.amount_minor):
        raise NotPayable("the site's rate is another one now: reject this and propose it again")
