"""Checks of the treasury: every conversion has its entry."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=1, subject="accounts_treasuryconversion")
def conversions_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A conversion's entry lies in its site's book and moves what was sold, bought and realised."""
    return sentences(
        database,
        """
        SELECT format('conversion %s over %s: says %s minor units for %s wei at a cost of %s, its '
                      'entry %s moves %s for %s at %s', c.reference, r.code, c.sold_minor,
                      c.bought_wei, c.cost_wei, c.entry_id, coalesce(s.sold, 0),
                      coalesce(s.bought, 0), coalesce(s.cost, 0))
        FROM accounts_treasuryconversion c
        JOIN accounts_rail r ON r.id = c.rail_id
        LEFT JOIN accounts_book b ON b.site_id = c.site_id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.id = c.entry_id
            AND e.kind = 'conversion'
            AND e.key = concat_ws(':', 'conversion', r.code, c.reference)
        LEFT JOIN LATERAL (
            SELECT sum(o.amount) FILTER (WHERE a.kind = 'float' AND a.name = r.code
                    AND a.asset = c.currency) AS sold,
                -sum(o.amount) FILTER (WHERE a.kind = 'treasury') AS bought,
                sum(o.amount) FILTER (WHERE a.kind = 'fx_position' AND a.asset = 'DAI') AS cost
            FROM posting o JOIN ledger_account a ON a.id = o.account_id
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        WHERE e.id IS NULL OR coalesce(s.sold, 0) <> c.sold_minor
            OR coalesce(s.bought, 0) <> c.bought_wei OR coalesce(s.cost, 0) <> c.cost_wei
        """,
    )


@check(invariant=1, subject="accounts_cryptoconversion")
def crypto_conversions_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A crypto conversion's entry lies in its site's book and moves what was sold and bought, at
    what it had cost; what is at par has cost what it counts as."""
    return sentences(
        database,
        """
        SELECT format('crypto conversion %s of %s: says %s units for %s wei at a cost of %s, its '
                      'entry %s moves %s for %s at %s', c.reference, c.asset, c.sold_units,
                      c.bought_wei, c.cost_wei, c.entry_id, coalesce(s.sold, 0),
                      coalesce(s.bought, 0), coalesce(s.cost, 0))
        FROM accounts_cryptoconversion c
        LEFT JOIN accounts_book b ON b.site_id = c.site_id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.id = c.entry_id
            AND e.kind = 'crypto_conversion'
            AND e.key = concat_ws(':', 'crypto_conversion', c.asset, c.reference)
        LEFT JOIN LATERAL (
            SELECT sum(o.amount) FILTER (WHERE a.kind = 'crypto_float'
                    AND a.name = c.asset) AS sold,
                -sum(o.amount) FILTER (WHERE a.kind = 'treasury') AS bought,
                sum(o.amount) FILTER (WHERE a.asset = 'DAI' AND a.name = c.asset
                    AND a.kind = CASE WHEN c.is_par THEN 'crypto_float' ELSE 'crypto_position' END
                ) AS cost
            FROM posting o JOIN ledger_account a ON a.id = o.account_id
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        WHERE e.id IS NULL OR coalesce(s.sold, 0) <> c.sold_units
            OR coalesce(s.bought, 0) <> c.bought_wei OR coalesce(s.cost, 0) <> c.cost_wei
        """,
    )


CHECKS = (conversions_have_their_entry, crypto_conversions_have_their_entry)
