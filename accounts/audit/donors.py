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


@check(invariant=6, subject="accounts_donation")
def donations_are_what_was_paid(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A payment's donations still count for what it was credited with, less what was taken back;
    and a book's donations are those of its payments and of the deposits on chain that were not sent
    back."""
    return sentences(
        database,
        """
        WITH paid AS (
            SELECT p.id, p.provider, p.reference, p.site_id,
                p.credited_wei - coalesce(t.taken_wei, 0) AS left_wei
            FROM accounts_payment p
            LEFT JOIN (
                SELECT payment_id, sum(taken_wei) AS taken_wei FROM accounts_takeback
                WHERE put_back_at IS NULL GROUP BY 1
            ) t ON t.payment_id = p.id
            WHERE p.state = 'credited' AND p.pledge_id IS NOT NULL
        )
        SELECT format('payment %s %s: %s wei of it are left, its donations count for %s',
                      coalesce(p.provider, '-'), coalesce(p.reference, '-'),
                      coalesce(p.left_wei, 0), coalesce(d.amount_wei, 0))
        FROM paid p
        FULL JOIN (
            SELECT payment_id AS id, sum(amount_wei) AS amount_wei FROM accounts_donation
            WHERE payment_id IS NOT NULL GROUP BY 1
        ) d USING (id)
        WHERE p.left_wei IS DISTINCT FROM d.amount_wei
        UNION ALL
        SELECT format('book %s: donations stand at %s wei, what is left of its payments and '
                      'deposits is %s', book_id, coalesce(a.amount, 0), coalesce(s.left_wei, 0))
        FROM (SELECT book_id, amount FROM ledger_account WHERE kind = 'donations') a
        FULL JOIN (
            SELECT book_id, sum(left_wei) AS left_wei FROM (
                SELECT b.id AS book_id, p.left_wei
                FROM paid p JOIN accounts_book b ON b.site_id = p.site_id
                UNION ALL
                SELECT e.book_id, o.amount
                FROM journal_entry e
                JOIN posting o ON o.book_id = e.book_id AND o.entry_id = e.id
                JOIN ledger_account a ON a.id = o.account_id AND a.kind = 'donations'
                WHERE e.kind IN ('deposit_donation', 'deposit_returned')
            ) each GROUP BY 1
        ) s USING (book_id)
        WHERE coalesce(a.amount, 0) <> coalesce(s.left_wei, 0)
        """,
    )


CHECKS = (
    impact_tokens_all_owned,
    donors_index_matches_the_ledger,
    donors_index_identity,
    donations_are_what_was_paid,
)
