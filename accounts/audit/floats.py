"""The float check: what lies on each rail by its provider is what our floats say, or an alarm."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, streamed
from accounts.floats import money_words

# The last two balances of each rail; gateway.providers.floats explains why it takes two.
_LATEST = """
    SELECT r.code, b.currency, b.told_minor - b.float_minor, p.told_minor - p.float_minor,
        b.told_at, a.text, coalesce(u.amount, 0)
    FROM accounts_rail r
    JOIN LATERAL (
        SELECT * FROM gateway_providers_railbalance WHERE rail_id = r.id
        ORDER BY told_at DESC LIMIT 1
    ) b ON true
    JOIN LATERAL (
        SELECT * FROM gateway_providers_railbalance WHERE rail_id = r.id
        ORDER BY told_at DESC LIMIT 1 OFFSET 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT sum(amount_minor) AS amount FROM (
            SELECT f.amount_minor
            FROM accounts_refund f JOIN accounts_payment y ON y.id = f.payment_id
            WHERE y.rail_id = r.id AND f.submitted_at <= b.told_at
                AND (f.finished_at IS NULL OR f.finished_at > p.told_at)
            UNION ALL
            SELECT o.amount_minor FROM settlement_payout o
            WHERE o.rail_id = r.id AND o.sent_at <= b.told_at
                AND (o.finished_at IS NULL OR o.finished_at > p.told_at)
        ) leaving
    ) u ON true
    LEFT JOIN accounts_alarm a ON a.key = 'float:' || r.code AND a.cleared_at IS NULL
    WHERE r.closed_at IS NULL
"""


@check(invariant=4, subject="accounts_rail")
def floats_are_what_providers_say(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The last balance told of each rail equals our floats then, or an open alarm says by how much.

    A difference that the balance before did not show yet (money on its way) is none; nor is having
    less than we do by refunds and payouts that are under way.
    """
    for code, currency, last, before, told_at, alarm, under_way in streamed(database, _LATEST):
        if last * before <= 0 or -under_way <= last < 0:
            continue
        amounts = {
            money_words(amount_minor=abs(each), currency=currency) for each in (last, before)
        }
        if alarm is None or not any(amount in alarm for amount in amounts):
            side = "more" if last > 0 else "less"
            yield (
                f"rail {code}: at {told_at:%Y-%m-%d %H:%M} UTC the provider had "
                f"{money_words(amount_minor=abs(last), currency=currency)} {side} than our floats, "
                "and no alarm says so"
            )


CHECKS = (floats_are_what_providers_say,)
