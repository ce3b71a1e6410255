"""Checks of splits: what was paid is what the lines got, to the wei, and by their shares."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import check
from accounts.audit.checks import sentences


@check(invariant=5, subject="settlement_splitprogress")
def splits_sum_to_what_was_paid(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Per version: paid and recovered by its batches = the progress = the sum of its lines."""
    return sentences(
        database,
        """
        SELECT format('split version %s: batches paid %s wei, the progress says %s, its lines got '
                      '%s', version_id, coalesce(b.paid, 0), p.paid_wei, p.posted)
        FROM (
            SELECT version_id, paid_wei, (SELECT sum(x) FROM unnest(posted_wei) AS x) AS posted
            FROM settlement_splitprogress
        ) p
        FULL JOIN (
            SELECT split_version_id AS version_id, sum(paid_wei + recovered_wei) AS paid
            FROM settlement_settlementbatch WHERE split_version_id IS NOT NULL GROUP BY 1
        ) b USING (version_id)
        WHERE p.paid_wei IS DISTINCT FROM coalesce(b.paid, 0)
            OR p.posted IS DISTINCT FROM p.paid_wei
        UNION ALL
        SELECT format('batch %s moved money without a split', id)
        FROM settlement_settlementbatch
        WHERE split_version_id IS NULL AND (paid_wei <> 0 OR recovered_wei <> 0)
        """,
    )


@check(invariant=5, subject="settlement_splitline")
def split_lines_get_their_shares(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A line got floor(share of the most that was ever paid); the last line the rest."""
    return sentences(
        database,
        """
        WITH peak AS (
            SELECT version_id, greatest(max(cumulative), 0) AS wei FROM (
                SELECT split_version_id AS version_id, sum(paid_wei + recovered_wei)
                    OVER (PARTITION BY split_version_id ORDER BY id) AS cumulative
                FROM settlement_settlementbatch WHERE split_version_id IS NOT NULL
            ) c GROUP BY version_id
        ), line AS (
            SELECT l.version_id, l.name, l.share_basis_points, p.paid_wei,
                p.posted_wei[row_number() OVER lines] AS posted,
                div(coalesce(k.wei, 0) * l.share_basis_points, 10000) AS due,
                row_number() OVER lines = count(*) OVER (PARTITION BY l.version_id) AS is_last
            FROM settlement_splitline l
            JOIN settlement_splitprogress p ON p.version_id = l.version_id
            LEFT JOIN peak k ON k.version_id = l.version_id
            WINDOW lines AS (PARTITION BY l.version_id ORDER BY l.position)
        ), reckoned AS (
            SELECT *, CASE WHEN is_last
                THEN paid_wei - coalesce(sum(due) FILTER (WHERE NOT is_last)
                    OVER (PARTITION BY version_id), 0)
                ELSE due END AS share
            FROM line
        )
        SELECT format('split version %s, %s (%s bp): got %s wei, its share is %s', version_id, name,
                      share_basis_points, posted, share)
        FROM reckoned WHERE posted IS DISTINCT FROM share
        UNION ALL
        SELECT format('split version %s: its lines sum to %s bp', version_id,
                      sum(share_basis_points))
        FROM settlement_splitline GROUP BY version_id HAVING sum(share_basis_points) <> 10000
        """,
    )


@check(invariant=5, subject="settlement_splitline")
def pools_got_what_the_splits_say(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What settlement posted on a pool is what its line got over all versions."""
    return sentences(
        database,
        """
        SELECT format('site %s, pool %s: %s wei posted by settlement, its split lines got %s',
                      site_id, name, coalesce(p.amount, 0), coalesce(l.amount, 0))
        FROM (
            SELECT k.site_id, a.name, sum(o.amount) AS amount
            FROM ledger_account a
            JOIN accounts_book k ON k.id = a.book_id
            JOIN posting o ON o.account_id = a.id
            JOIN journal_entry e ON e.book_id = o.book_id AND e.id = o.entry_id
                AND e.kind IN ('settlement', 'rebate')
            WHERE a.kind = 'pool' GROUP BY 1, 2
        ) p
        FULL JOIN (
            SELECT v.site_id, n.name, sum(n.posted) AS amount
            FROM settlement_splitversion v
            JOIN (
                SELECT l.version_id, l.name, g.posted_wei[row_number() OVER (
                    PARTITION BY l.version_id ORDER BY l.position)] AS posted
                FROM settlement_splitline l
                JOIN settlement_splitprogress g ON g.version_id = l.version_id
            ) n ON n.version_id = v.id
            GROUP BY 1, 2
        ) l USING (site_id, name)
        WHERE coalesce(p.amount, 0) <> coalesce(l.amount, 0)
        """,
    )


CHECKS = (
    splits_sum_to_what_was_paid,
    split_lines_get_their_shares,
    pools_got_what_the_splits_say,
)
