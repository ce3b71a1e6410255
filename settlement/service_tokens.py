"""Service tokens: claims that a payee earns once for each subject, and that a payout burns.

They stand on the site's book as the asset SVC: what a payee has, named by its code, and what the
site issued. They cannot be transferred, and are no money: pools change by payouts alone.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import ledger
from accounts.ledger import SERVICE_TOKEN, Leg
from accounts.models import Site, User
from settlement.models import Payee, ServiceToken

LONGEST_SUBJECT = 120
Reason = ServiceToken.Reason


class NotEarned(ValueError):
    """The payee can't have earned that; nothing was recorded. The message is for a person."""


class TokenDiffers(NotEarned):
    """The subject was accepted before, for another payee or amount."""


def earn(
    *,
    site: Site,
    payee: Payee,
    reason: str,
    subject: str,
    amount_wei: int,
    accepted_by: User | None,
    at: datetime,
    note: str = "",
) -> ServiceToken:
    """Record what a payee earned at a site, in wei of DAI; the same subject returns the first.

    accepted_by is None where no person accepted it: a vote funded it. One entry:
        service_tokens +x, service_tokens_issued -x (both SVC)
    Raises NotEarned, TokenDiffers.
    """
    subject = subject.strip()
    with transaction.atomic():
        ledger.lock(book_id=site.book.pk)
        known = ServiceToken.objects.filter(site=site, subject=subject).first()
        if known is not None:
            return _replayed(known, told=(payee.pk, reason, amount_wei))
        check(site=site, payee=payee, reason=reason, subject=subject, amount_wei=amount_wei)
        token = ServiceToken(
            site=site,
            payee=payee,
            reason=reason,
            subject=subject,
            note=note[:200],
            amount_wei=amount_wei,
            accepted_by=accepted_by,
            accepted_at=at,
        )
        token.entry_id = ledger.post(
            book_id=site.book.pk,
            kind="service_token",
            key=f"service_token:{token.uid}",
            legs=legs(token=token),
            occurred_at=at,
            at=at,
        ).entry_id
        token.save(force_insert=True)
        return token


def legs(*, token: ServiceToken, is_burned: bool = False) -> list[Leg]:
    """Return the legs that issue a token, or burn it."""
    wei = -token.amount_wei if is_burned else token.amount_wei
    return [
        Leg(kind="service_tokens", name=token.payee.code, asset=SERVICE_TOKEN, amount=wei),
        Leg(kind="service_tokens_issued", asset=SERVICE_TOKEN, amount=-wei),
    ]


def uptime_subject(*, payee: Payee, month: str) -> str:
    """Return what an uptime period is called, once for each payee and month (2026-10)."""
    return f"uptime:{payee.code}:{month}"


def check(*, site: Site, payee: Payee, reason: str, subject: str, amount_wei: int) -> None:
    """Raise NotEarned where a payee can't have earned that at a site."""
    if amount_wei <= 0:
        raise NotEarned("what is earned is above zero")
    if not subject:
        raise NotEarned("a service token is for something: name the milestone or the month")
    if len(subject) > LONGEST_SUBJECT:
        raise NotEarned(f"{subject[:40]}...: the subject is too long")
    if payee.operator_id != site.operator_id:
        raise NotEarned(f"{payee} is another operator's payee than {site}'s")
    if payee.closed_at is not None:
        raise NotEarned(f"{payee} is closed")
    if (reason == Reason.GRANT) != (payee.role == Payee.Role.GRANTEE):
        raise NotEarned("grants are for grantees, and grantees are paid by grants alone")


def _replayed(known: ServiceToken, *, told: tuple[int, str, int]) -> ServiceToken:
    if (known.payee_id, known.reason, known.amount_wei) != told:
        raise TokenDiffers(
            f"{known.subject} was accepted before at {known.site}, with another payee or amount"
        )
    return known
