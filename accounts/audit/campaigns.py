"""Checks of campaigns: one open a site, each decided by what it had raised, and given back."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=6, subject="accounts_campaign")
def campaigns_one_open_a_site(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A site has at most one open campaign, and a campaign's pledges are of its own site."""
    return sentences(
        database,
        """
        SELECT format('site %s has %s open campaigns', s.slug, count(*))
        FROM accounts_campaign c JOIN accounts_site s ON s.id = c.site_id
        WHERE c.state = 'open' GROUP BY s.slug HAVING count(*) > 1
        UNION ALL
        SELECT format('pledge %s is of another site than its campaign %s', p.uid, c.uid)
        FROM accounts_pledge p JOIN accounts_campaign c ON c.id = p.campaign_id
        WHERE p.site_id <> c.site_id
        """,
    )


@check(invariant=6, subject="accounts_campaign")
def campaigns_decided_by_what_was_raised(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A campaign that ended says when, and how much it had raised: enough where it succeeded, less
    where it did not; a failed one had a deadline, one that was closed had none."""
    return sentences(
        database,
        """
        SELECT format('campaign %s is %s, decided at %s with %s wei of %s', uid, state,
                      coalesce(decided_at::text, '-'), coalesce(decided_wei::text, '-'), goal_wei)
        FROM accounts_campaign
        WHERE (state IN ('draft', 'open')) IS DISTINCT FROM (decided_at IS NULL)
            OR (decided_at IS NULL) IS DISTINCT FROM (decided_wei IS NULL)
            OR (state = 'succeeded' AND decided_wei < goal_wei)
            OR (state IN ('failed', 'closed') AND decided_wei >= goal_wei)
            OR (state = 'failed' AND deadline_at IS NULL)
            OR (state = 'closed' AND deadline_at IS NOT NULL)
        """,
    )


@check(invariant=6, subject="accounts_payment")
def failed_campaigns_are_given_back(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Of a payment of a failed campaign nothing counts any more, or its refund was asked for; an
    hour is given for that. No refund is of a campaign that did not fail."""
    return sentences(
        database,
        """
        SELECT format('payment %s %s of failed campaign %s: %s minor units of it were not given '
                      'back, nor asked for', p.provider, p.reference, c.uid,
                      p.amount_minor - p.taken_back_minor)
        FROM accounts_payment p
        JOIN accounts_pledge g ON g.id = p.pledge_id
        JOIN accounts_campaign c ON c.id = g.campaign_id AND c.state = 'failed'
        WHERE p.state IN ('credited', 'suspense') AND p.taken_back_minor < p.amount_minor
            AND greatest(p.recorded_at, p.credited_at, c.decided_at) < now() - interval '1 hour'
            AND NOT EXISTS (
                SELECT 1 FROM accounts_refund r
                WHERE r.payment_id = p.id AND r.idempotency_key LIKE 'campaign:%' AND (
                    r.state = 'failed'
                    OR r.finished_at > now() - interval '1 hour'))
        UNION ALL
        SELECT format('refund %s is of a campaign that has not failed', r.uid)
        FROM accounts_refund r
        JOIN accounts_payment p ON p.id = r.payment_id
        LEFT JOIN accounts_pledge g ON g.id = p.pledge_id
        LEFT JOIN accounts_campaign c ON c.id = g.campaign_id
        WHERE r.idempotency_key LIKE 'campaign:%' AND c.state IS DISTINCT FROM 'failed'
        """,
    )


CHECKS = (
    campaigns_one_open_a_site,
    campaigns_decided_by_what_was_raised,
    failed_campaigns_are_given_back,
)
