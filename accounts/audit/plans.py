"""Checks of monthly donations."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=4, subject="accounts_givingplan")
def plan_months_are_their_plans(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A month is of the donor, site, rail, amount and currency of its plan, which has a first."""
    return sentences(
        database,
        """
        SELECT CASE WHEN m.id IS NULL THEN format('plan %s has no pledge', g.uid)
            ELSE format('plan %s: pledge %s is of another donor, site, rail or amount',
                        g.uid, m.uid) END
        FROM accounts_givingplan g
        LEFT JOIN accounts_pledge m ON m.plan_id = g.id
        WHERE m.id IS NULL
            OR (m.donor_id, m.site_id, m.rail_id, m.amount_minor, m.currency)
                <> (g.donor_id, g.site_id, g.rail_id, g.amount_minor, g.currency)
        """,
    )


@check(invariant=4, subject="accounts_pledge")
def plan_months_are_paid_once(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A month that was paid has one attempt that succeeded, and payments of the plan's amount
    together; another amount is flagged on the attempt."""
    return sentences(
        database,
        """
        SELECT format('plan %s: pledge %s has %s paid attempts and payments of %s minor units, '
                      'not of %s', g.uid, m.uid, a.paid, coalesce(p.minor, 0), m.amount_minor)
        FROM accounts_pledge m
        JOIN accounts_givingplan g ON g.id = m.plan_id
        JOIN LATERAL (
            SELECT count(*) FILTER (WHERE state = 'succeeded') AS paid,
                coalesce(bool_or(has_mismatch), false) AS is_flagged
            FROM accounts_paymentattempt WHERE pledge_id = m.id
        ) a ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount_minor) AS minor FROM accounts_payment WHERE pledge_id = m.id
        ) p ON true
        WHERE m.state IN ('succeeded', 'refunded', 'reversed', 'disputed')
            AND (a.paid <> 1 OR (coalesce(p.minor, 0) <> m.amount_minor AND NOT a.is_flagged))
        """,
    )


@check(invariant=6, subject="accounts_givingplan")
def plan_totals_agree(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What a plan's payments were credited with, less what was taken back, is what its donor's
    donations to its site count for."""
    return sentences(
        database,
        """
        SELECT format('plan %s: %s wei of its payments are left, its donations count for %s',
                      g.uid, p.left_wei, coalesce(d.amount_wei, 0))
        FROM accounts_givingplan g
        JOIN (
            SELECT m.plan_id, sum(p.credited_wei - coalesce(t.taken_wei, 0)) AS left_wei
            FROM accounts_payment p
            JOIN accounts_pledge m ON m.id = p.pledge_id AND m.plan_id IS NOT NULL
            LEFT JOIN (
                SELECT payment_id, sum(taken_wei) AS taken_wei FROM accounts_takeback
                WHERE put_back_at IS NULL GROUP BY 1
            ) t ON t.payment_id = p.id
            WHERE p.state = 'credited' GROUP BY 1
        ) p ON p.plan_id = g.id
        LEFT JOIN (
            SELECT m.plan_id, d.donor_id, d.site_id, sum(d.amount_wei) AS amount_wei
            FROM accounts_donation d
            JOIN accounts_payment p ON p.id = d.payment_id
            JOIN accounts_pledge m ON m.id = p.pledge_id AND m.plan_id IS NOT NULL
            GROUP BY 1, 2, 3
        ) d ON (d.plan_id, d.donor_id, d.site_id) = (g.id, g.donor_id, g.site_id)
        WHERE p.left_wei <> coalesce(d.amount_wei, 0)
        """,
    )


CHECKS = (plan_months_are_their_plans, plan_months_are_paid_once, plan_totals_agree)
