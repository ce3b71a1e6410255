"""Checks of payouts: pools, what is set aside, service tokens, and two people behind each."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import check
from accounts.audit.checks import sentences

# What an open payout moved out of its pool: once more approved than put back.
_SET_ASIDE = "('approved', 'sending', 'unknown', 'sent')"


@check(invariant=5, subject="settlement_payout")
def pools_are_their_splits_less_payouts(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What was taken of a pool, or of what is reserved for grants, is set aside or was paid."""
    return sentences(
        database,
        f"""
        SELECT format('site %s, pool %s: entries of payouts took %s wei, payouts say %s', site_id,
                      name, coalesce(m.taken, 0), coalesce(p.due, 0))
        FROM (
            SELECT k.site_id, CASE a.kind WHEN 'pool' THEN a.name ELSE 'grant' END AS name,
                -sum(o.amount) AS taken
            FROM ledger_account a
            JOIN accounts_book k ON k.id = a.book_id
            JOIN posting o ON o.account_id = a.id
            JOIN journal_entry e ON e.book_id = o.book_id AND e.id = o.entry_id
                AND e.kind IN ('payout_approved', 'payout_put_back')
            WHERE a.kind IN ('pool', 'grant_reserved') GROUP BY 1, 2
        ) m
        FULL JOIN (
            SELECT site_id, pool AS name, sum(amount_wei) AS due FROM settlement_payout
            WHERE state = 'paid' OR state IN {_SET_ASIDE} GROUP BY 1, 2
        ) p USING (site_id, name)
        WHERE coalesce(m.taken, 0) <> coalesce(p.due, 0)
        """,  # noqa: S608 - ours
    )


@check(invariant=5, subject="settlement_payout")
def payout_due_is_what_open_payouts_hold(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What stands on payout_due of a site is the sum of its payouts that are set aside."""
    return sentences(
        database,
        f"""
        SELECT format('site %s: payout_due has %s wei, its open payouts hold %s', site_id,
                      coalesce(a.amount, 0), coalesce(p.due, 0))
        FROM (
            SELECT k.site_id, sum(l.amount) AS amount
            FROM ledger_account l JOIN accounts_book k ON k.id = l.book_id
            WHERE l.kind = 'payout_due' GROUP BY 1
        ) a
        FULL JOIN (
            SELECT site_id, sum(amount_wei) AS due FROM settlement_payout
            WHERE state IN {_SET_ASIDE} GROUP BY 1
        ) p USING (site_id)
        WHERE coalesce(a.amount, 0) <> coalesce(p.due, 0)
        """,  # noqa: S608 - ours
    )


@check(invariant=5, subject="settlement_servicetoken")
def service_tokens_are_those_earned(database: BaseDatabaseWrapper) -> Iterator[str]:
    """SVC of a payee at a site is the sum of its tokens that were earned and not burned."""
    return sentences(
        database,
        """
        SELECT format('site %s, payee %s: the ledger has %s wei of SVC, its tokens are %s',
                      site_id, name, coalesce(a.amount, 0), coalesce(t.earned, 0))
        FROM (
            SELECT k.site_id, l.name, sum(l.amount) AS amount
            FROM ledger_account l JOIN accounts_book k ON k.id = l.book_id
            WHERE l.kind = 'service_tokens' GROUP BY 1, 2
        ) a
        FULL JOIN (
            SELECT s.site_id, p.code AS name, sum(s.amount_wei) AS earned
            FROM settlement_servicetoken s JOIN settlement_payee p ON p.id = s.payee_id
            WHERE s.state = 'earned' GROUP BY 1, 2
        ) t USING (site_id, name)
        WHERE coalesce(a.amount, 0) <> coalesce(t.earned, 0)
        UNION ALL
        SELECT format('service token %s of %s: burned, and %s payouts of it are paid', s.uid,
                      s.subject, count(o.id))
        FROM settlement_servicetoken s
        LEFT JOIN settlement_payout o ON o.service_token_id = s.id AND o.state = 'paid'
        GROUP BY s.id HAVING count(o.id) <> CASE s.state WHEN 'burned' THEN 1 ELSE 0 END
        """,
    )


@check(invariant=5, subject="settlement_payout")
def payouts_were_agreed_by_two(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Money leaves by two people: who proposed it, and another who approved it."""
    return sentences(
        database,
        """
        SELECT format('payout %s is %s: proposed by %s, approved by %s', uid, state,
                      coalesce(proposed_by_id::text, 'nobody'),
                      coalesce(approved_by_id::text, 'nobody'))
        FROM settlement_payout
        WHERE state NOT IN ('proposed', 'rejected')
            AND (proposed_by_id IS NULL OR approved_by_id IS NULL
                OR proposed_by_id = approved_by_id)
        UNION ALL
        SELECT format('payout %s is paid to %s for a token of another payee or site', o.uid,
                      o.payee_id)
        FROM settlement_payout o JOIN settlement_servicetoken s ON s.id = o.service_token_id
        WHERE (o.payee_id, o.site_id) <> (s.payee_id, s.site_id) OR o.amount_wei > s.amount_wei
        """,
    )


@check(invariant=5, subject="settlement_payout")
def paid_payouts_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The entry of a paid payout takes it off payout_due, and off the float what the payee got."""
    return sentences(
        database,
        """
        SELECT format('payout %s: %s wei and %s minor units, its entry %s moves %s and %s', o.uid,
                      o.amount_wei, o.amount_minor, o.paid_entry_id, coalesce(m.due, 0),
                      coalesce(m.sold, 0))
        FROM settlement_payout o
        LEFT JOIN accounts_rail r ON r.id = o.rail_id
        LEFT JOIN accounts_book k ON k.site_id = o.site_id
        LEFT JOIN LATERAL (
            SELECT -sum(p.amount) FILTER (WHERE a.kind = 'payout_due') AS due,
                sum(p.amount) FILTER (WHERE a.kind = 'float' AND a.name = r.code
                    AND a.asset = o.currency) AS sold
            FROM journal_entry e
            JOIN posting p ON p.book_id = e.book_id AND p.entry_id = e.id
            JOIN ledger_account a ON a.id = p.account_id
            WHERE e.book_id = k.id AND e.id = o.paid_entry_id AND e.kind = 'payout_paid'
        ) m ON true
        WHERE o.state = 'paid' AND (coalesce(m.due, 0) <> o.amount_wei
            -- The rail's own fee left the float besides.
            OR o.way = 'mobile' AND coalesce(m.sold, 0) < o.amount_minor)
        """,
    )


@check(invariant=5, subject="settlement_payout")
def no_payout_brought_a_pool_below_zero(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A pool held what a payout took of it when it was taken: the operator's, too."""
    return sentences(
        database,
        """
        SELECT format('payout entry %s left pool %s of book %s at %s wei', key, name, book_id, held)
        FROM (
            SELECT e.key, e.kind, a.name, a.book_id, o.amount, sum(o.amount)
                OVER (PARTITION BY a.id ORDER BY e.sequence) AS held
            FROM ledger_account a
            JOIN posting o ON o.account_id = a.id
            JOIN journal_entry e ON e.book_id = o.book_id AND e.id = o.entry_id
            WHERE a.kind = 'pool' AND a.book_id IN (SELECT k.id FROM accounts_book k
                JOIN settlement_payout p ON p.site_id = k.site_id)
        ) stood
        WHERE kind = 'payout_approved' AND held < 0
        """,
    )


CHECKS = (
    pools_are_their_splits_less_payouts,
    payout_due_is_what_open_payouts_hold,
    service_tokens_are_those_earned,
    payouts_were_agreed_by_two,
    paid_payouts_have_their_entry,
    no_payout_brought_a_pool_below_zero,
)
