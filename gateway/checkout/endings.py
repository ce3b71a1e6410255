"""What follows from a campaign's end: a missed goal is given back to the sources that paid.

Every refund is asked for once, under a key of its own, behind its book's lock; the refunds' own
janitor then sees to each of them. A run that dies leaves the rest to the next one, and a payment
that is confirmed after the end is found by the next one too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from accounts import campaigns
from accounts.ledger import LedgerError
from accounts.models import Payment
from accounts.refunds import RefundKeyReused
from accounts.take_backs import NotTaken
from gateway.providers import refunding
from gateway.providers.asking import LONGEST_ROUND
from gateway.providers.refunding import NotRefundable

log = structlog.get_logger(__name__)


def end_due(*, clock: Callable[[], datetime]) -> int:
    """Decide the campaigns whose time is over and ask for what is to be given back; return how
    many refunds were asked for."""
    campaigns.decide_due(at=clock())
    return give_back(clock=clock)


def give_back(*, clock: Callable[[], datetime]) -> int:
    """Ask for the refund of every payment of a failed campaign, for a while; return how many."""
    asked, began_at = 0, clock()
    for payment in campaigns.to_give_back():
        asked += _give_back(payment, at=clock())
        if clock() - began_at > LONGEST_ROUND:
            break
    return asked


def _give_back(payment: Payment, *, at: datetime) -> bool:
    campaign = payment.pledge.campaign if payment.pledge is not None else None
    assert campaign is not None  # noqa: S101 - campaigns.to_give_back asks for it
    try:
        refunding.request(
            payment=payment,
            amount_minor=payment.left_minor,
            reason=campaigns.REFUND_REASON,
            requested_by=None,
            idempotency_key=campaigns.refund_key(payment=payment, campaign=campaign),
            at=at,
        )
    except (NotRefundable, NotTaken, RefundKeyReused, LedgerError) as error:
        # A person sees it in the admin, among what is still to be given back.
        log.warning("not given back", payment=payment.reference, error=str(error))
        return False
    return True
