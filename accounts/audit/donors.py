"""Checks of impact tokens and of the donors' index."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=6, subject="ledger_account")
def impact_tokens_all_owned(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Minted = households' + donors' + unallocated, in every book."""
    return sentences(
        database,
        """
        SELECT format('book %s: %s wei of IT minted, %s owned or unallocated', book_id,
            -coalesce(sum(amount) FILTER (WHERE kind = 'tokens_minted'), 0),
            coalesce(sum(amount) FILTER (WHERE kind <> 'tokens_minted'), 0))
        FROM ledger_account
        WHERE kind IN ('tokens_minted', 'household_tokens', 'donors_pool', 'unallocated_tokens')
        GROUP BY book_id HAVING sum(amount) <> 0
        """,
    )


@check(invariant=6, subject="accounts_donorsindex")
def donors_index_matches_the_ledger(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What the index shared and parked is what stands on the donors' accounts of the book."""
    return sentences(
        database,
        """
        SELECT format('site %s: the donors'' index says %s rewarded and %s unallocated, '
                      'the accounts %s and %s', s.slug, i.rewarded_wei, i.unallocated_wei,
                      coalesce(a.pool, 0) + coalesce(a.unallocated, 0), coalesce(a.unallocated, 0))
        FROM accounts_site s
        LEFT JOIN accounts_donorsindex i ON i.site_id = s.id
        LEFT JOIN accounts_book b ON b.site_id = s.id
        LEFT JOIN (
            SELECT book_id, sum(amount) FILTER (WHERE kind = 'donors_pool') AS pool,
                sum(amount) FILTER (WHERE kind = 'unallocated_tokens') AS unallocated
            FROM ledger_account GROUP BY book_id
        ) a ON a.book_id = b.id
        WHERE i.rewarded_wei IS DISTINCT FROM coalesce(a.pool, 0) + coalesce(a.unallocated, 0)
            OR i.unallocated_wei IS DISTINCT FROM coalesce(a.unallocated, 0)
        """,
    )


@check(invariant=6, subject="accounts_donation")
def donors_index_identity(database: BaseDatabaseWrapper) -> Iterator[str]:
    """sum(claimed * SCALE + fraction + d * (acc - paid)) + rem = SCALE * (rewarded - unallocated),
    and D is the sum of active donations."""
    return sentences(
        database,
        """
        SELECT format('site %s: the positions are worth %s, the index shared %s (times 10^36); '
                      'donations of %s wei are active, the index says %s', i.site_id,
                      coalesce(d.worth, 0) + i.remainder,
                      (i.rewarded_wei - i.unallocated_wei) * 1e36,
                      coalesce(d.active, 0), i.donated_wei)
        FROM accounts_donorsindex i
        LEFT JOIN (
            SELECT p.site_id,
                sum(p.claimed_wei * 1e36 + p.fraction
                    + CASE WHEN p.withdrawn_at IS NULL
                        THEN p.amount_wei * (x.accumulated - p.paid_index) ELSE 0 END) AS worth,
                sum(p.amount_wei) FILTER (WHERE p.withdrawn_at IS NULL) AS active,
                bool_or(p.paid_index > x.accumulated OR p.fraction < 0 OR p.fraction >= 1e36
                        OR p.claimed_wei < 0) AS is_odd
            FROM accounts_donation p JOIN accounts_donorsindex x ON x.site_id = p.site_id
            GROUP BY p.site_id
        ) d ON d.site_id = i.site_id
        WHERE coalesce(d.worth, 0) + i.remainder
                <> (i.rewarded_wei - i.unallocated_wei) * 1e36
            OR coalesce(d.active, 0) <> i.donated_wei
            OR d.is_odd
        """,
    )


CHECKS = (impact_tokens_all_owned, donors_index_matches_the_ledger, donors_index_identity)
