"""Float check: what each provider says lies on a rail's account, beside our floats.

What is on its way is considered like this:

* Both sides are taken at the provider's instant. What it did after it told is taken off our floats
  again, by the instant that the statement (or else the payment) names.
* A balance is compared twice: when it is told, and once more when the next one is. By then a
  payment that was on its way has arrived and counts where it belongs. Only a difference that is
  still there, with a new one on the same side, is an alarm: money on its way for a minute is none.
* Money taken back from a payer and not paid out yet (payback_due) lies on both sides, since our
  float falls when the provider has paid. So does what is set aside for a payee (payout_due). While
  a refund or payout is under way it may have left there already: having less than we do by as much
  as is under way is no difference.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import connection, transaction
from django.db.models import Q, Sum

from accounts import alarms, floats
from accounts.models import Alarm, Rail, Refund
from gateway.providers.interface import ProviderUnavailable
from gateway.providers.models import RailBalance
from gateway.providers.reconciliation import is_reconciled
from gateway.providers.registry import provider
from settlement.models import Payout

log = structlog.get_logger(__name__)

# What the provider did to the account after an instant, as far as our floats know of it.
_AFTER = """
    SELECT coalesce(sum(amount), 0) FROM (
        SELECT p.amount_minor - p.fee_minor AS amount
        FROM accounts_payment p
        LEFT JOIN gateway_providers_statementrow s ON s.rail_id = p.rail_id AND s.kind = 'payment'
            AND s.reference = p.reference
        WHERE p.rail_id = %(rail)s AND p.paid_at > %(told_at)s
            AND coalesce(s.happened_at, p.paid_at) > %(told_at)s
        UNION ALL
        SELECT -r.amount_minor FROM accounts_refund r
        JOIN accounts_payment p ON p.id = r.payment_id
        WHERE p.rail_id = %(rail)s AND r.state = 'succeeded' AND r.finished_at > %(told_at)s
        UNION ALL
        SELECT -v.amount_minor FROM accounts_reversal v
        JOIN accounts_payment p ON p.id = v.payment_id
        WHERE p.rail_id = %(rail)s AND v.reversed_at > %(told_at)s
        UNION ALL
        SELECT -d.amount_minor - d.fee_minor FROM accounts_dispute d
        JOIN accounts_payment p ON p.id = d.payment_id
        WHERE p.rail_id = %(rail)s AND d.take_back_id IS NOT NULL AND d.opened_at > %(told_at)s
        UNION ALL
        SELECT d.amount_minor FROM accounts_dispute d
        JOIN accounts_payment p ON p.id = d.payment_id
        WHERE p.rail_id = %(rail)s AND d.take_back_id IS NOT NULL AND d.state = 'won'
            AND d.closed_at > %(told_at)s
        UNION ALL
        SELECT -c.sold_minor FROM accounts_treasuryconversion c
        WHERE c.rail_id = %(rail)s AND c.converted_at > %(told_at)s
        UNION ALL
        SELECT -o.amount_minor FROM settlement_payout o
        WHERE o.rail_id = %(rail)s AND o.state = 'paid' AND o.finished_at > %(told_at)s
    ) moved
"""


def check(*, rail: Rail, at: datetime) -> RailBalance | None:
    """Ask a rail's provider what lies there; None where it tells later, never, or is away now.

    What is told later comes to `told` by the adapter's own way.
    """
    adapter = provider(rail=rail)
    if not adapter.capabilities.tells_amount:
        return None
    try:
        amount = adapter.balance(at=at)
    except ProviderUnavailable as error:
        log.warning("balance unavailable", rail=rail.code, error=str(error))
        return None
    if amount is None:
        return None
    return told(
        rail=rail,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        told_at=amount.told_at,
        at=at,
    )


def check_all(*, at: datetime) -> int:
    """Check every open rail that tells; return how many told."""
    rails = Rail.objects.filter(closed_at__isnull=True).select_related("operator")
    checked = [check(rail=rail, at=at) for rail in rails if is_reconciled(rail=rail)]
    return sum(each is not None for each in checked)


@transaction.atomic
def told(
    *, rail: Rail, amount_minor: int, currency: str, told_at: datetime, at: datetime
) -> RailBalance | None:
    """Store what a provider told, and raise or clear the rail's alarm.

    amount_minor is everything on the merchant's account, pending included, at told_at; what is
    older than what was told before is left out (None). Amounts of another currency than the rail's
    are an alarm and nothing else.
    """
    # Payments refer to the rail: its key stays free for them.
    rail = Rail.objects.select_for_update(no_key=True, of=("self",)).get(pk=rail.pk)
    if currency != rail.currency:
        _alarm(
            rail=rail,
            text=f"{floats.rail_words(rail=rail)}: the provider tells its balance in {currency}",
            at=at,
        )
        return None
    previous = rail.told_amounts.order_by("-told_at").first()
    if previous is not None and told_at <= previous.told_at:
        return None
    held_minor = floats.held_minor(rail=rail)
    balance = RailBalance.objects.create(
        rail=rail,
        told_minor=amount_minor,
        float_minor=held_minor - _after(rail=rail, told_at=told_at),
        currency=currency,
        told_at=told_at,
    )
    if previous is not None:
        previous.float_minor = held_minor - _after(rail=rail, told_at=previous.told_at)
        previous.save(update_fields=["float_minor"])
    _watch(balance=balance, previous=previous, at=at)
    return balance


def _watch(*, balance: RailBalance, previous: RailBalance | None, at: datetime) -> None:
    """An alarm lasts while two balances in a row differ on the same side.

    The amount is the earlier one's, in which nothing is on its way any more.
    """
    rail = balance.rail
    before = 0 if previous is None else unexplained_minor(balance=previous)
    if before * unexplained_minor(balance=balance) <= 0:
        alarms.clear(key=floats.alarm_key(rail=rail), at=at)
        return
    text = floats.difference_words(rail=rail, difference_minor=before, currency=balance.currency)
    _alarm(rail=rail, text=text, at=at)


def unexplained_minor(*, balance: RailBalance) -> int:
    """Return the difference of a balance that refunds and payouts under way do not explain."""
    difference = balance.difference_minor
    under_way = Refund.objects.filter(
        Q(state__in=Refund.OPEN) | Q(finished_at__gt=balance.told_at),
        payment__rail=balance.rail_id,
        submitted_at__lte=balance.told_at,
    )
    leaving = Payout.objects.filter(
        Q(state__in=Payout.UNDER_WAY) | Q(finished_at__gt=balance.told_at),
        rail=balance.rail_id,
        sent_at__lte=balance.told_at,
    )
    total = sum(
        rows.aggregate(total=Sum("amount_minor"))["total"] or 0 for rows in (under_way, leaving)
    )
    return 0 if -total <= difference < 0 else difference


def _alarm(*, rail: Rail, text: str, at: datetime) -> None:
    alarms.raise_alarm(
        kind=Alarm.Kind.FLOAT_DIFFERS,
        key=floats.alarm_key(rail=rail),
        text=text,
        at=at,
        operator=rail.operator,
    )


def _after(*, rail: Rail, told_at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_AFTER, {"rail": rail.pk, "told_at": told_at})
        return int(cursor.fetchone()[0])
